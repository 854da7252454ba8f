"""DICOM files without what tells whose they are: Orthanc anonymises them, and what it leaves to chance is made certain.

A drive needs files whose size is known before they are made, and whose bytes are the same whenever they are read. So

1. Orthanc anonymises an instance, with pseudonyms for the patient, the study, the series and the instance,
2. the UIDs that it makes up are replaced by keyed hashes of those before (`davfs.generated.pseudonyms`),
3. what still tells who the patient is is removed (`davfs.generated.identity`),
4. the file is padded to the size of the original and a margin.

The pixels are never looked at: what is burned into them stays. A file that says so itself is refused, and so is one
that wraps a document, which Orthanc hands on as it is.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from pydicom import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    EncapsulatedCDAStorage,
    EncapsulatedMTLStorage,
    EncapsulatedOBJStorage,
    EncapsulatedPDFStorage,
    EncapsulatedSTLStorage,
)

from davfs import __version__
from davfs.bounded import Bounded
from davfs.entry import DICOM, Readable
from davfs.errors import NotAnonymised, UnknownResource
from davfs.generated.buffers import Buffers
from davfs.generated.elements import Element
from davfs.generated.identity import Identity
from davfs.generated.made import Made
from davfs.generated.part10 import halves
from davfs.generated.pseudonyms import Pseudonyms
from davfs.layout.subject import subject
from davfs.layout.tags import SUBJECT
from davfs.layout.text import HashKey
from davfs.orthanc import Orthanc
from davfs.orthanc.kept import Contents
from davfs.orthanc.model import Instance

MARGIN = 4096
"""Bytes by which a file is longer than the original.

Orthanc's answer is shorter as a rule, since so much is removed. What can make it longer are new UIDs in place of short
ones, some 20 bytes each, and another transfer syntax, 4 bytes for an element.
"""

_DOCUMENTS = {
    EncapsulatedCDAStorage, EncapsulatedMTLStorage, EncapsulatedOBJStorage, EncapsulatedPDFStorage,
    EncapsulatedSTLStorage,
}  # fmt: skip
_UIDS = {"StudyInstanceUID": "0020,000d", "SeriesInstanceUID": "0020,000e", "SOPInstanceUID": "0008,0018"}
_DOCUMENT = "0042,0011"
_REMEMBERED = 100_000
"""Files of which it is remembered whether they can be anonymised."""
_BURNED_IN = "0028,0301"


class Anonymised:
    """Makes anonymised files, and keeps those used last for a while: mounted drives read them in many small ranges.

    Args:
        orthanc: Has the instances, and anonymises them.
        key: The key of pseudonyms.
        largest: Bytes of the largest file that is kept.
        room: Bytes of all that are kept.
        idle: Seconds after which a file that nobody asked for is dropped, or a little later.
        now: Clock, in seconds.
    """

    def __init__(  # noqa: PLR0913  limits, each with its default
        self,
        orthanc: Orthanc,
        key: HashKey,
        *,
        largest: int = 32 << 20,
        room: int = 64 << 20,
        idle: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._orthanc = orthanc
        self._key = key
        self._pseudonyms = Pseudonyms(key)
        self._contents = Contents(largest, room, now)
        self._hopeless: Bounded[str, str] = Bounded(_REMEMBERED)
        self._idle = idle
        self._now = now
        self._used = 0.0
        self._closed = False
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def made(self, instance: Instance, tags: Mapping[str, str]) -> Made:
        """Return the anonymised file of an instance; Orthanc is not asked before it is opened.

        Opening it raises `NotAnonymised` where that cannot be done.

        Args:
            instance: Which one.
            tags: Main DICOM tags of the instance, its series, its study and its patient, by keyword.
        """
        size = instance.size + instance.size % 2 + MARGIN
        etag = self._key.digest(f"etag:{__version__}:{instance.uuid}:{self._pseudonym(tags)}")[:32]
        opened, check = partial(self._open, instance, tags, size), partial(self._check_hope, instance)
        return Made(size, etag, DICOM, opened, check=check)

    def can_be(self, instance: Instance) -> bool:
        """Tell, as far as it shows from outside, whether an instance can be anonymised: a document in it cannot."""
        return instance.sop_class not in _DOCUMENTS

    def drop_idle(self) -> None:
        """Drop what nobody asked for any more; a timer does so while anything is kept."""
        now = self._now()
        with self._lock:
            self._timer = None
            if self._used > now - self._idle:
                self._arm()
        self._contents.drop(now - self._idle)

    def close(self) -> None:
        """Drop everything, and stop the timer, for good."""
        with self._lock:
            self._closed = True
            if self._timer:
                self._timer.cancel()
            self._timer = None
        self._contents.drop(float("inf"))

    @contextmanager
    def _open(self, instance: Instance, tags: Mapping[str, str], size: int) -> Iterator[Readable]:
        make = partial(self._make, instance, tags, size)
        version = replace(instance, size=size, uuid=f"{instance.uuid}:{self._pseudonym(tags)}")
        kept = self._contents.get(version, lambda: memoryview(b"".join(make())))
        buffers = make() if kept is None else (kept,)
        self._note()
        self._check(instance)
        yield Buffers(size, buffers)

    def _note(self) -> None:
        with self._lock:
            self._used = self._now()
            self._arm()

    def _arm(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = threading.Timer(self._idle, self.drop_idle)
            self._timer.name, self._timer.daemon = "davfs-anonymised", True
            self._timer.start()

    def _check(self, instance: Instance) -> None:
        """Raise an error where Orthanc does not have this very file any more."""
        found = self._orthanc.instances([instance.id])
        if found and found[0].uuid == instance.uuid:
            return
        self._contents.forget(instance.id)
        raise UnknownResource("an instance was replaced or deleted while it was opened")

    def _check_hope(self, instance: Instance) -> None:
        """Raise an error where an instance cannot be anonymised; what was found is remembered by its stored file."""
        known = self._hopeless.get(instance.uuid)
        if known is None:
            known = _hopeless(self._orthanc.all_tags(instance.id))
            self._hopeless.put(instance.uuid, known)
        if known:
            raise NotAnonymised(known)

    def _pseudonym(self, tags: Mapping[str, str]) -> str:
        return self._pseudonyms.patient(tags.get(SUBJECT) or subject(tags))

    def _make(self, instance: Instance, tags: Mapping[str, str], size: int) -> tuple[memoryview, ...]:
        original = self._orthanc.all_tags(instance.id)
        if reason := _hopeless(original):
            raise NotAnonymised(reason)
        patient = self._pseudonym(tags)
        replaced = {keyword: self._pseudonyms.uid(_text(original, tag)) for keyword, tag in _UIDS.items()}
        replaced |= {"PatientID": patient, "PatientName": patient}
        request = {
            "Replace": replaced,
            "Remove": ["FFFC,FFFC"],  # padding: it may be large, and there will be another
            "Force": True,  # lets the identifiers be replaced
        }
        answer = self._orthanc.anonymised(instance.id, request)
        try:
            file = halves(answer)
            self._pseudonyms.replace_uids(file.dataset, original, _text(original, _UIDS["SOPInstanceUID"]))
            Identity.of(original, tags).remove_from(file.dataset)
            _check_replaced(file.dataset, replaced)
            return file.written(replaced["SOPInstanceUID"], size)
        except NotAnonymised:
            raise
        except Exception:  # noqa: BLE001  pydicom raises errors of many kinds where a file is damaged
            raise NotAnonymised("an anonymised file cannot be read") from None  # the cause may tell values


def _hopeless(original: Mapping[str, Any]) -> str:
    """Tell why an instance cannot be anonymised; empty where it can be tried."""
    if _DOCUMENT in original:
        return "a document in a DICOM file cannot be anonymised"
    if _text(original, _BURNED_IN) == "YES":
        return "an image cannot be anonymised that shows whose it is"
    return ""


def _check_replaced(dataset: Dataset, replaced: Mapping[str, str]) -> None:
    for keyword, value in replaced.items():
        if Element(dataset, Tag(keyword)).value.strip(b" \0") != value.encode():
            raise ValueError(f"Orthanc did not replace {keyword}")


def _text(tags: Mapping[str, Any], tag: str) -> str:
    value = tags.get(tag)
    return value if isinstance(value, str) else ""
