"""Calls native/quarantine.c: the table of identities, the imports of the drive, and the instances that were held."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from _davfs_sdk import ffi, lib

T = TypeVar("T")


class ReadIdentity(NamedTuple):
    """An identity as the filters have read it, in UTF-8."""

    patient: str
    name: str
    birth_date: str
    sex: str
    instance: str
    study: str


class Verdict(NamedTuple):
    """What a filter has decided about an instance.

    Attributes:
        identity: The instance's.
        known: The identities that it contradicts, packed; see ``davfs_judge_identity``.
    """

    identity: ReadIdentity
    known: bytes


class NotReadyError(Exception):
    """The filter cannot decide yet: not all identities are known."""


class HeldError(Exception):
    """The filter has not let an instance in.

    Args:
        verdict: Why.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__("held")
        self.verdict = verdict


class HeldInstance(NamedTuple):
    """An instance that was sent to Orthanc and not let in.

    Attributes:
        verdict: Why.
        sender: AE title of its sender; empty if it did not come by C-STORE.
        content: Its file, valid until the next call; empty if there was no room for it.
    """

    verdict: Verdict
    sender: str
    content: memoryview


def set_folding(ascending: Iterable[tuple[int, bytes]]) -> None:
    """Set what characters beyond ASCII are compared as: see ``davfs_set_folding``."""
    entries = list(ascending)
    packed = ffi.new("davfs_folding[]", entries)
    lib.davfs_set_folding(packed, len(entries))


def set_study(study: str, patient: str, name: str, birth_date: str, sex: str) -> None:
    """Set who the patient of a study is; see ``davfs_set_study``."""
    lib.davfs_set_study(*(_bytes(text) for text in (study, patient, name, birth_date, sex)))


def forget_study(study: str) -> None:
    """Forget who the patient of a study is."""
    lib.davfs_forget_study(_bytes(study))


def clear() -> None:
    """Forget all identities."""
    lib.davfs_clear_identities()


def set_complete(complete: bool) -> None:  # noqa: FBT001  C's form
    """Set whether all identities in the archive are known."""
    lib.davfs_complete_identities(complete)


def settle(seconds: float) -> None:
    """Forget identities that arrived that many seconds ago, and are those of no study."""
    lib.davfs_settle_identities(int(seconds * 1000))


def is_alone() -> None:
    """Record that no other plugin can have a filter of C-STORE, and nothing changes instances on their way."""
    lib.davfs_quarantine_is_alone()


def restore(patient: str, name: str, birth_date: str, sex: str, study: str) -> None:
    """Add an identity that was accepted before a restart; see ``davfs_restore_accepted``."""
    identity = ffi.new("davfs_identity*")
    lib.davfs_make_identity(identity, *(_bytes(text) for text in (patient, name, birth_date, sex)))
    identity.study = _bytes(study)[: ffi.sizeof(identity.study) - 1]
    lib.davfs_restore_accepted(identity)


def judged(job: Callable[[], T], *, accepted: bool) -> tuple[T, ReadIdentity | None]:
    """Run an import on this thread, past the filter if it was accepted.

    Returns:
        What the job returned, and the identity that it has added to another one of its study; None if it has not.

    Raises:
        HeldError: The filter has not let it in.
        NotReadyError: The filter cannot decide yet.
    """
    lib.davfs_begin_import(accepted)
    verdict = ffi.new("davfs_verdict*")
    try:
        result = job()
    finally:
        decided = lib.davfs_end_import(verdict)
    if decided == lib.DAVFS_HELD:
        raise HeldError(Verdict(_identity(verdict.identity), bytes(ffi.buffer(verdict.known, verdict.length))))
    if decided == lib.DAVFS_NOT_READY:
        raise NotReadyError
    return result, _identity(verdict.identity) if decided == lib.DAVFS_ACCEPTED else None


@contextmanager
def next_held(timeout: float) -> Iterator[HeldInstance | None]:
    """Provide the next instance that was held, oldest first, without holding Python's lock while it waits.

    Args:
        timeout: Seconds.

    Yields:
        The instance; None after the timeout.
    """
    held = lib.davfs_next_held(int(timeout * 1000))
    if held == ffi.NULL:
        yield None
        return
    try:
        known = bytes(ffi.buffer(held.bytes, held.known))
        content = memoryview(ffi.buffer(held.bytes + held.known, held.size)) if held.size else memoryview(b"")
        with content:
            yield HeldInstance(Verdict(_identity(held.identity), known), _text(held.sender), content)
    finally:
        lib.davfs_free_held(held)


def lost_held() -> int:
    """Return how many instances that were held could not be kept, since the last call."""
    return int(lib.davfs_lost_held())


def _identity(packed: Any) -> ReadIdentity:
    fields = (packed.patient, packed.name, packed.birth, packed.sex, packed.instance, packed.study)
    return ReadIdentity(*map(_text, fields))


def _text(packed: Any) -> str:
    text: str = ffi.string(packed).decode("utf-8", "replace")
    return text


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace").replace(b"\0", b"")
