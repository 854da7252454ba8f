"""A trash over an Orthanc in memory, with a clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from davfs.audit.record import Client, Door
from davfs.entry import Path
from davfs.filesystem.trash.entry import TrashEntry
from davfs.filesystem.trash.entry_images import EntryImages
from davfs.filesystem.trash.joining import DeletedFolder
from davfs.filesystem.trash.trash import Trash
from davfs.orthanc import Level, OrthancId
from davfs.trash.mark import StudyMark
from davfs.trash.marks import OrthancMarks
from tests.support import dicom
from tests.support.memory_orthanc import MemoryOrthanc

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
ANN = Client("ann", "192.0.2.1", Door.DRIVE)
BOB = Client("bob", "192.0.2.2", Door.DRIVE)


@dataclass
class TrashBin:
    """A trash, and the archive that it is in."""

    orthanc: MemoryOrthanc = field(default_factory=MemoryOrthanc)
    time: datetime = NOON
    retention: timedelta = timedelta(days=30)
    trash: Trash = field(init=False)
    marks: OrthancMarks = field(init=False)

    def __post_init__(self) -> None:
        self.orthanc.now = lambda: self.time
        self.marks = OrthancMarks(self.orthanc, self._known)
        self.trash = self.other("here")

    def other(self, node: str) -> Trash:
        """Return the trash of another drive."""
        return Trash(self.marks, self.orthanc, node, self.retention, now=lambda: self.time)

    def _known(self) -> Mapping[OrthancId, StudyMark]:
        found = {study: self.marks.read(study) for study in self.orthanc.ids(Level.STUDY)}
        return {study: mark for study, mark in found.items() if mark}

    def store(self, patient: str, study: int = 1, series: int = 1, number: int = 1) -> OrthancId:
        """Store an image; return its id."""
        return self.orthanc.store(dicom.instance(patient, study, series, number)).id

    def images(self, *instances: OrthancId) -> EntryImages:
        """Return images by study and series."""
        found: dict[OrthancId, dict[OrthancId, frozenset[OrthancId]]] = {}
        for each in self.orthanc.instances(instances):
            study = found.setdefault(self.orthanc.studies_of([each.id])[0], {})
            study[each.series] = study.get(each.series, frozenset()) | {each.id}
        return EntryImages(found)

    def delete(self, path: Path, *instances: OrthancId, by: Client = ANN, trash: Trash | None = None) -> None:
        """Delete images in the layout "all", whose first level is patients."""
        (trash or self.trash).add(DeletedFolder("all", path, 1), self.images(*instances), by)

    def entries(self) -> dict[Path, set[OrthancId]]:
        """Return the images of each entry, by its path; no two entries have the same one."""
        found = {each.path: self.ids(each) for each in self.trash.entries().values()}
        assert len(found) == len(self.trash.entries())
        return found

    def ids(self, entry: TrashEntry) -> set[OrthancId]:
        """Return the images of an entry."""
        return set(self.trash.images(entry).ids_of(Level.INSTANCE))

    def only(self) -> TrashEntry:
        """Return the only entry."""
        (entry,) = self.trash.entries().values()
        return entry
