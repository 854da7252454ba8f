"""Shows the DICOM files in a folder as an Orthanc that has imported them; read-only."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from davfs.commands.preview import dicom_files
from davfs.commands.preview.dicom_files import DicomFile
from davfs.entry import InMemory, Readable
from davfs.errors import UnknownResource
from davfs.orthanc.description import described
from davfs.orthanc.model import Changes, Counts, Instance, Level, OrthancId, Resource, WithChildren


class DicomFolder:
    """`davfs.orthanc.ReadableOrthanc` over the files of a folder and its subfolders, as they are now.

    Files that are not DICOM, or have no identifiers, are skipped. As in Orthanc, the first file of an instance wins,
    and the first file of a patient, study or series decides its tags.

    Args:
        folder: The folder.
        keywords: Main DICOM tags of each level.
        progress: Called with the number of files read.

    Attributes:
        skipped: Number of files that were skipped.
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
            file = dicom_files.read_dicom(path, keywords)
            if file and file.ids[Level.INSTANCE] not in self._instances:
                self._add(file)
            self.skipped += file is None
            progress(count)

    def _add(self, file: DicomFile) -> None:
        parent: OrthancId | None = None
        for level, one in file.ids.items():
            if parent and one not in self._children[parent]:
                self._children[parent].append(one)
            self._children.setdefault(one, [])
            if level is not Level.INSTANCE:
                patient = file.tags[Level.PATIENT] if level is Level.STUDY else {}
                found = Resource(one, level, parent, file.tags[level], file.date, patient=patient)
                self._resources.setdefault(one, found)
            elif parent:
                self._paths[one] = file.path
                tags = file.tags[level]
                self._instances[one] = Instance(one, parent, tags, file.size, file.date, one, file.sop_class)
            parent = one

    def last_change(self) -> int:
        """See `ReadableOrthanc`; there are no changes."""
        return 1

    def changes(self, since: int, limit: int = 1000) -> Changes:  # noqa: ARG002  as `ReadableOrthanc` has it
        """See `ReadableOrthanc`."""
        return Changes((), since, done=True)

    def counts(self) -> Counts:
        """See `ReadableOrthanc`."""
        return Counts(*(len(self.ids(level)) for level in Level))

    def ids(self, level: Level) -> list[OrthancId]:
        """See `ReadableOrthanc`."""
        if level is Level.INSTANCE:
            return list(self._instances)
        return [one.id for one in self._resources.values() if one.level is level]

    def id_page(self, level: Level, since: int, limit: int) -> list[OrthancId]:
        """See `ReadableOrthanc`."""
        return self.ids(level)[since : since + limit]

    def has_count(self, level: Level, count: int) -> bool:
        """See `ReadableOrthanc`."""
        return len(self.ids(level)) == count

    def _children_of(self, level: Level, resource: OrthancId) -> list[OrthancId]:
        if not self.exists(level, resource):
            raise UnknownResource("there is no such resource")
        return self._children[resource]

    def with_children(self, level: Level, resource: OrthancId) -> WithChildren:
        """See `ReadableOrthanc`."""
        return WithChildren(self._resources[resource], self._children_of(level, resource))

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """See `ReadableOrthanc`."""
        found = self._resources.get(resource)
        return found.level is level if found else level is Level.INSTANCE and resource in self._instances

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """See `ReadableOrthanc`."""
        return {one for one in ids if one in self._children}

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `ReadableOrthanc`."""
        return [self._resources[one] for one in ids if one in self._resources]

    def page(self, level: Level, since: int, limit: int) -> list[Resource]:
        """See `ReadableOrthanc`."""
        return self.resources(self.ids(level)[since : since + limit])

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """See `ReadableOrthanc`."""
        return [self._instances[one] for one in ids if one in self._instances]

    def instance(self, instance: OrthancId) -> Instance:
        """See `ReadableOrthanc`."""
        self._path(instance)
        return replace(self._instances[instance], received=None, sop_class="")

    def instance_size(self, instance: OrthancId) -> int:
        """See `ReadableOrthanc`."""
        return self._path(instance).stat().st_size

    def instance_md5(self, instance: OrthancId) -> str:
        """See `ReadableOrthanc`."""
        return hashlib.md5(self._path(instance).read_bytes(), usedforsecurity=False).hexdigest()

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:  # noqa: ARG002
        """See `ReadableOrthanc`."""
        return InMemory(self._content(instance))

    @contextmanager
    def _content(self, instance: OrthancId) -> Iterator[memoryview]:
        yield memoryview(self._path(instance).read_bytes())

    def description(self, level: Level, resource: OrthancId) -> bytes:
        """See `ReadableOrthanc`; without the fields that are not in the files."""
        children = self._children_of(level, resource)
        return described(self._resources[resource], children)

    def picture(self, instance: OrthancId) -> bytes | None:
        """See `ReadableOrthanc`; always None, since pydicom alone cannot render pictures."""
        self._path(instance)
        return None

    def report(self, instance: OrthancId) -> bytes | None:
        """See `ReadableOrthanc`."""
        return dicom_files.document(self._path(instance))

    def all_tags(self, instance: OrthancId) -> Mapping[str, Any]:
        """See `ReadableOrthanc`."""
        return dicom_files.all_tags(self._path(instance))

    def _path(self, instance: OrthancId) -> Path:
        if instance not in self._paths:
            raise UnknownResource("there is no such resource")
        return self._paths[instance]


def _paths(folder: Path) -> Iterator[Path]:
    """Yield all files, in an order that does not depend on the disk."""
    for here, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(here, name) for name in sorted(files))
