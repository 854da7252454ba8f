"""The mark of a study: which of its instances are in the trash, in which deletion, when and by whom.

A study has one mark, so that each change of it is one write: it is never half deleted. A mark lists each instance that
it hides, so that what comes later is visible. It is JSON, in ASCII (`PREFIX` is its beginning)::

    {"davfs-trash": 1, "deletions": [{"id": "9f…", "time": "2026-11-30T14:02:00Z", "user": "…", "address": "…",
     "door": "webdav", "title": "Doe, John", "layout": "by-patient", "path": ["Doe, John"], "seq": 4711,
     "instances": {"<id of the series>": "<ids of 20 bytes each, sorted, in Base64>"}}]}

A mark that cannot be read hides the whole study: it may be damaged, or have been written by a newer version.
"""

import base64
import binascii
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NewType

from davfs.errors import UnreadableMark
from davfs.orthanc.model import OrthancId

PREFIX = '{"davfs-trash":'
"""The first characters of each mark."""
_VERSION = 1
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_ID_BYTES = 20
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}")

EntryId = NewType("EntryId", str)
"""Id of an entry of the trash; deletions in several studies can belong to one."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What was deleted in one study at once, or within one entry of the trash.

    Attributes:
        id: The entry of the trash.
        time: Time of the last deletion in it, in UTC, to the second.
        user: Name of the user; empty if unknown.
        address: Address of the client; empty if unknown.
        door: Name of the door.
        title: What was deleted, as it was shown.
        layout: Title of the layout in which it was deleted.
        path: Path of the folder or file there.
        instances: The instances, by series.
        seq: Number of the last change in Orthanc's log at that time, 0 if unknown: an instance that comes later is not
            meant, even if it has the id of a former one.
        purger: The drive that deletes them for good now, so that nobody can restore them; empty if none does.
    """

    id: EntryId
    time: datetime
    user: str
    address: str
    door: str
    title: str
    layout: str
    path: tuple[str, ...]
    instances: Mapping[OrthancId, frozenset[OrthancId]]
    seq: int = 0
    purger: str = ""

    def without(self, instances: Iterable[OrthancId]) -> "Deletion":
        """Return this deletion without some of its instances."""
        left = set(instances)
        kept = {series: some - left for series, some in self.instances.items()}
        return replace(self, instances={series: some for series, some in kept.items() if some})

    def __len__(self) -> int:
        return sum(map(len, self.instances.values()))


@dataclass(frozen=True)
class StudyMark:
    """The mark of a study.

    Attributes:
        deletions: The deletions, oldest first; each instance is in one of them.
        is_readable: False if it could not be read, so that it hides everything in its study.
    """

    deletions: tuple[Deletion, ...] = ()
    is_readable: bool = field(default=True)

    @cached_property
    def instances(self) -> Mapping[OrthancId, frozenset[OrthancId]]:
        """The instances that it lists, by series."""
        found = dict[OrthancId, frozenset[OrthancId]]()
        for deletion in self.deletions:
            for series, some in deletion.instances.items():
                found[series] = found.get(series, frozenset()) | some
        return found

    def hides(self, series: OrthancId, instance: OrthancId) -> bool:
        """Return True if an instance of the study is in the trash."""
        return not self.is_readable or instance in self.instances.get(series, ())

    def visible(self, series: OrthancId, instances: Iterable[OrthancId]) -> Iterator[OrthancId]:
        """Yield those of the instances of a series that are not in the trash, in their order."""
        if self.is_readable:
            hidden = self.instances.get(series, frozenset())
            yield from (each for each in instances if each not in hidden)

    def deletion(self, entry: EntryId) -> Deletion | None:
        """Return the deletion that belongs to an entry of the trash; None if there is none."""
        return next((each for each in self.deletions if each.id == entry), None)

    def arrived_again(self, arrivals: Mapping[OrthancId, int]) -> Collection[OrthancId]:
        """Return those of the instances that it lists, but that came to Orthanc after they had been deleted.

        Args:
            arrivals: Numbers in Orthanc's log of the arrivals of instances.
        """
        return {
            one
            for deletion in self.deletions
            for some in deletion.instances.values()
            for one in arrivals.keys() & some
            if 0 < deletion.seq < arrivals[one]
        }

    def without_arrived(self, arrivals: Mapping[OrthancId, int]) -> "StudyMark":
        """Return the mark without the instances that came again; see `arrived_again`."""
        again = self.checked().arrived_again(arrivals)
        kept = (deletion.without(again) for deletion in self.deletions)
        return StudyMark(tuple(deletion for deletion in kept if deletion.instances)) if again else self

    def checked(self) -> "StudyMark":
        """Return the mark if it may be changed.

        Raises:
            UnreadableMark: It was not read.
        """
        if not self.is_readable:
            raise UnreadableMark(
                "the mark of a study in the trash cannot be read: it is damaged, or of a newer version"
            )
        return self

    def encode(self) -> bytes:
        """Return the mark as it is written to Orthanc.

        Raises:
            UnreadableMark: It was not read.
            ValueError: An id is none of Orthanc's.
        """
        form = {"davfs-trash": _VERSION, "deletions": [_encode(each) for each in self.checked().deletions]}
        return json.dumps(form, separators=(",", ":")).encode("ascii")

    @classmethod
    def decode(cls, value: bytes) -> "StudyMark":
        """Return the mark that was read from Orthanc; one that hides everything if it cannot be understood."""
        try:
            form = json.loads(value)
            if form["davfs-trash"] != _VERSION:
                return UNREADABLE
            return cls(tuple(_decode(each) for each in form["deletions"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            return UNREADABLE


UNREADABLE = StudyMark(is_readable=False)
"""A mark that hides everything in its study."""


def _encode(deletion: Deletion) -> dict[str, Any]:
    return {
        "id": deletion.id,
        "time": deletion.time.astimezone(UTC).strftime(_TIME),
        **{key: getattr(deletion, key) for key in _TEXTS},
        **({"purger": deletion.purger} if deletion.purger else {}),
        "path": list(deletion.path),
        "seq": deletion.seq,
        "instances": {series: _pack(series, some) for series, some in deletion.instances.items()},
    }


_TEXTS = ("user", "address", "door", "title", "layout")


def _decode(form: Mapping[str, Any]) -> Deletion:
    return Deletion(
        id=EntryId(_text(form["id"])),
        time=datetime.strptime(form["time"], _TIME).replace(tzinfo=UTC),
        **{key: _text(form[key]) for key in _TEXTS},
        path=tuple(map(_text, form["path"])),
        seq=int(form["seq"]),
        purger=_text(form.get("purger", "")),
        instances={OrthancId(series): _unpack(packed) for series, packed in form["instances"].items()},
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _pack(series: OrthancId, instances: Iterable[OrthancId]) -> str:
    if not all(_ID.fullmatch(each) for each in (series, *instances)):
        raise ValueError("no id of Orthanc")
    return base64.b64encode(b"".join(sorted(bytes.fromhex(each.replace("-", "")) for each in instances))).decode()


def _unpack(packed: str) -> frozenset[OrthancId]:
    try:
        content = base64.b64decode(packed, validate=True)
    except binascii.Error as error:
        raise ValueError("no Base64") from error
    if not content or len(content) % _ID_BYTES:
        raise ValueError("no ids")
    parts = (content[start : start + _ID_BYTES] for start in range(0, len(content), _ID_BYTES))
    return frozenset(OrthancId(each.hex("-", 4)) for each in parts)
