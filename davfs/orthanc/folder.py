"""DICOM files in a folder of this machine, as Orthanc would have them once they were imported: to be read only."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import md5, sha1
from pathlib import Path
from typing import Any

import pydicom
from pydicom.charset import convert_encodings
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.values import convert_PN, convert_text

from davfs.entry import InMemory, Readable
from davfs.errors import OrthancError, UnknownResource
from davfs.orthanc import Buffer
from davfs.orthanc.model import Changes, Counts, Instance, Level, OrthancId, Resource, Stored

_IDENTIFIERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
_LATIN = "ISO_IR 100"
"""What Orthanc takes texts for whose encoding is not told (its option ``DefaultEncoding``)."""
_TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT"})
_BINARY = frozenset({"FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"})
_READ_ONLY = "these are files in a folder: nothing can be changed"


@dataclass(frozen=True, slots=True)
class _File:
    """What there is to know of a file: identifiers, tags of each level, and where it is."""

    ids: Mapping[Level, OrthancId]
    tags: Mapping[Level, Mapping[str, str]]
    path: Path
    size: int
    date: datetime


class DicomFolder:
    """`davfs.orthanc.Orthanc` over a folder and all folders in it, as they were when this was made.

    What is not DICOM, or has no identifiers, is passed over; of two files of one instance the first counts, and the
    first file decides the tags of a patient, study and series, as in Orthanc.

    Args:
        folder: The folder.
        keywords: Main DICOM tags of each level.
        progress: Told the number of files looked at.

    Attributes:
        skipped: Number of files that were passed over.
    """

    def __init__(
        self,
        folder: Path,
        keywords: Mapping[Level, Iterable[str]],
        progress: Callable[[int], object] = lambda _count: None,
    ) -> None:
        self.skipped = 0
        self._resources: dict[OrthancId, Resource] = {}
        self._instances: dict[OrthancId, Instance] = {}
        self._paths: dict[OrthancId, Path] = {}
        self._children: dict[OrthancId, list[OrthancId]] = {}
        for count, path in enumerate(_paths(folder), 1):
            file = _read(path, keywords)
            if file and file.ids[Level.INSTANCE] not in self._instances:
                self._add(file)
            self.skipped += file is None
            progress(count)

    def _add(self, file: _File) -> None:
        parent: OrthancId | None = None
        for level, one in file.ids.items():
            if parent and one not in self._children[parent]:
                self._children[parent].append(one)
            self._children.setdefault(one, [])
            if level is not Level.INSTANCE:
                self._resources.setdefault(one, Resource(one, level, parent, file.tags[level], file.date))
            elif parent:
                self._paths[one] = file.path
                self._instances[one] = Instance(one, parent, file.tags[level], file.size, file.date, one)
            parent = one

    def last_change(self) -> int:
        """See `Orthanc`; nothing changes any more."""
        return 1

    def changes(self, since: int, limit: int = 1000) -> Changes:  # noqa: ARG002  as `Orthanc` has it
        """See `Orthanc`."""
        return Changes((), since, done=True)

    def counts(self) -> Counts:
        """See `Orthanc`."""
        return Counts(*(len(self.ids(level)) for level in Level))

    def ids(self, level: Level) -> list[OrthancId]:
        """See `Orthanc`."""
        if level is Level.INSTANCE:
            return list(self._instances)
        return [one.id for one in self._resources.values() if one.level is level]

    def children(self, level: Level, resource: OrthancId) -> list[OrthancId]:
        """See `Orthanc`."""
        if not self.exists(level, resource):
            raise UnknownResource("there is no such resource")
        return self._children[resource]

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """See `Orthanc`."""
        found = self._resources.get(resource)
        return found.level is level if found else level is Level.INSTANCE and resource in self._instances

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """See `Orthanc`."""
        return {one for one in ids if one in self._children}

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `Orthanc`."""
        return [self._resources[one] for one in ids if one in self._resources]

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """See `Orthanc`."""
        return [self._instances[one] for one in ids if one in self._instances]

    def instance_size(self, instance: OrthancId) -> int:
        """See `Orthanc`."""
        return self._path(instance).stat().st_size

    def instance_md5(self, instance: OrthancId) -> str:
        """See `Orthanc`."""
        return md5(self._path(instance).read_bytes(), usedforsecurity=False).hexdigest()

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:  # noqa: ARG002
        """See `Orthanc`."""
        return InMemory(self.instance_file(instance))

    @contextmanager
    def instance_file(self, instance: OrthancId) -> Iterator[memoryview]:
        """See `Orthanc`."""
        yield memoryview(self._path(instance).read_bytes())

    def store(self, content: Buffer) -> Stored:  # noqa: ARG002  as `Orthanc` has it
        """See `Orthanc`."""
        raise OrthancError(_READ_ONLY)

    def delete(self, level: Level, resource: OrthancId) -> None:  # noqa: ARG002  as `Orthanc` has it
        """See `Orthanc`."""
        raise OrthancError(_READ_ONLY)

    def _path(self, instance: OrthancId) -> Path:
        if instance not in self._paths:
            raise UnknownResource("there is no such resource")
        return self._paths[instance]


def _paths(folder: Path) -> Iterator[Path]:
    """Yield all files, in an order that does not depend on the disk."""
    for here, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(here, name) for name in sorted(files))


def _read(path: Path, keywords: Mapping[Level, Iterable[str]]) -> _File | None:
    wanted = ["SpecificCharacterSet", *_IDENTIFIERS, *(keyword for each in keywords.values() for keyword in each)]
    try:
        with warnings.catch_warnings(action="ignore"):  # about values that DICOM forbids, and scanners write
            data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
            encodings = convert_encodings(data.get("SpecificCharacterSet") or _LATIN)
            values = [_text(data, keyword, encodings) for keyword in _IDENTIFIERS]
            tags = {level: _texts(data, each, encodings) for level, each in keywords.items()}
        found = path.stat()
    except Exception:  # noqa: BLE001  pydicom raises errors of many kinds where a file is no DICOM, or damaged
        return None
    if not all(values[1:]):
        return None  # a DICOMDIR, for example; a PatientID may be missing
    ids = {level: _id(values[: depth + 1]) for depth, level in enumerate(Level)}
    return _File(ids, tags, path, found.st_size, datetime.fromtimestamp(int(found.st_mtime), UTC))


def _id(values: Sequence[str]) -> OrthancId:
    """Return Orthanc's identifier of a resource.

    Source: https://orthanc.uclouvain.be/book/faq/orthanc-ids.html
    """
    digest = sha1("|".join(values).encode(), usedforsecurity=False).hexdigest()
    return OrthancId("-".join(digest[start : start + 8] for start in range(0, 40, 8)))


def _texts(data: Dataset, keywords: Iterable[str], encodings: list[str]) -> dict[str, str]:
    texts = ((keyword, _text(data, keyword, encodings)) for keyword in keywords)
    return {keyword: text for keyword, text in texts if text}


def _text(data: Dataset, keyword: str, encodings: list[str]) -> str:
    """Return a value as Orthanc has it: decoded, several joined by backslashes, without the white space at its end."""
    tag = tag_for_keyword(keyword)
    raw = data.get_item(tag) if tag is not None else None
    if tag is None or raw is None or not raw.value:
        return ""
    representation = raw.VR or dictionary_VR(tag)
    return _joined(_decoded(data, tag, raw.value, representation, encodings)).rstrip(" \t\r\n\0")


def _decoded(data: Dataset, tag: int, value: Any, representation: str, encodings: list[str]) -> Any:
    if representation in _BINARY or not isinstance(value, bytes):
        return data[tag].value
    if representation == "PN":
        return convert_PN(value, encodings)
    if representation in _TEXTS:
        return convert_text(value, encodings, representation)
    return value.decode("ascii", "replace")


def _joined(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\\".join(map(str, value))
    return str(value)
