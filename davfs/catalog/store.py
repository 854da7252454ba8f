"""The index in its file: resources, their placements, and the position in Orthanc's log. Nothing here calls Orthanc."""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from davfs.catalog import schema
from davfs.catalog.change_log import LogPosition
from davfs.catalog.connections import snapshot
from davfs.catalog.database import Database, retry_if_moved
from davfs.catalog.folder_table import KnownFolders
from davfs.catalog.followed_log import FollowedLog, save_position
from davfs.catalog.index_writer import IndexWriter, in_parts
from davfs.catalog.layout_table import LayoutTable
from davfs.catalog.placed_layouts import PlacedLayouts
from davfs.catalog.placements import PlacementTable
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Folder
from davfs.catalog.resources import Difference, ResourceChanges, ResourceTable
from davfs.catalog.revisions import Revisions
from davfs.catalog.rows import FolderRows, FolderSnapshot, Row
from davfs.catalog.schema import LEVEL_NUMBERS, read_state, write_state
from davfs.catalog.stored_marks import StoredMarks
from davfs.catalog.study_observer import StudyObserver, report, report_all
from davfs.errors import Unavailable
from davfs.orthanc.model import Level, OrthancId, Resource
from davfs.trash.marks import DEFAULT_NUMBER

T = TypeVar("T")

_UNCOPIED = 10_000
"""Rows after which those who save much copy them into the file proper, between two transactions."""
_STEPS = 3
"""Steps in which layouts are placed at once: a small archive is complete from the start."""


class Store:
    """The index.

    Args:
        file: The SQLite file; its folder exists.
        placer: Computes placements.
        lost: Called after a damaged file was replaced by an empty one.
        now: Monotonic clock, in seconds.
        mark_number: Number of the metadata of studies that has the marks of the trash.

    Attributes:
        layouts: The layouts, and how far each is placed.
        log: The position in Orthanc's log of changes.
        marks: The marks of studies in the trash.
        generation: Number of changes of the index, counted after each can be read.
        is_complete: Whether the first index was completed, perhaps before a restart.
        observer: Told the patients of studies as they change; None for nobody.
    """

    layouts: PlacedLayouts

    def __init__(
        self,
        file: Path,
        placer: Placer,
        lost: Callable[[], object] = lambda: None,
        now: Callable[[], float] = time.monotonic,
        *,
        mark_number: int = DEFAULT_NUMBER,
    ) -> None:
        self._wanted = placer
        self._now = now
        self.observer: StudyObserver | None = None
        self.generation = 0
        self.is_complete = False
        self._revisions = Revisions()
        self._folders = KnownFolders()
        self._unchecked = schema.TABLES
        self._database = Database(file, self._prepare, lost)
        self.log = FollowedLog(self._database)
        self.marks = StoredMarks(self._database, self._knows_all, mark_number)
        self._database.open()
        self._place_first()

    def _prepare(self, db: sqlite3.Connection, *, check_damage: bool) -> None:
        schema.create_or_check(db, check_damage=check_damage)
        write_state(db, "opened", "yes")  # a file that cannot be written is found at once
        self.log.load(db)
        self.marks.load(db)
        self.is_complete = bool(read_state(db, "complete"))
        self.layouts = PlacedLayouts.opened(db, self._wanted)
        self._revisions.record_all()
        self._folders.clear()
        self.generation += 1

    def _knows_all(self) -> bool:
        return self.is_complete and not self.log.staleness

    # Layouts

    @retry_if_moved
    def change_layouts(self, placer: Placer) -> None:
        """Begin to place all studies by new layouts, without asking Orthanc; `place_next` goes on.

        Placements of former layouts stay true for some seconds, for requests that began before.
        """
        self.place_for_today()
        with self._database.writing:
            self._replace_layouts(lambda db: self.layouts.changed(db, placer, self._now()))
            self._wanted = placer
            self.generation += 1
        self._place_first()

    @retry_if_moved
    def place_for_today(self) -> bool:
        """Place those studies again that enter or leave layouts with a new day; return True if a day has begun."""
        if self.layouts.placer.day == self._wanted.today():
            return False
        with self._database.writing:
            today = self._wanted.today()
            if self.layouts.placer.day == today:
                return False
            self._replace_layouts(lambda db: self.layouts.moved(db, today))
            self.generation += 1
        return True

    @retry_if_moved
    def place_next(self) -> bool:
        """Place some studies by layouts that are new, or delete some former placements.

        Returns:
            False if nothing was left to do. In no case does it take long.
        """
        if self.layouts.is_finished(self._now()):
            return False
        with self._database.writing:
            complete = self.layouts.complete
            self._replace_layouts(lambda db: self.layouts.stepped(db, self._now()))
            if self.layouts.complete != complete:
                self.generation += 1
        return True

    def _replace_layouts(self, change: Callable[[sqlite3.Connection], PlacedLayouts]) -> None:
        self._folders.clear()
        with self._database.write() as db:
            layouts = change(db)
        self.layouts = layouts

    def _place_first(self) -> None:
        with suppress(Unavailable):  # `place_next` is called again
            for _ in range(_STEPS):
                self.place_next()

    # The file

    def interrupt(self) -> None:
        """Abort long operations with `Unavailable`; the store is to be closed."""
        self._database.interrupt()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def check_next(self) -> None:
        """Check the next table of a file that was not closed in order, if there is one; replace it if it is damaged."""
        if self._database.is_checked:
            return
        with suppress(Unavailable), self._database.read() as db:
            schema.check_table(db, self._unchecked[0])
            self._unchecked = self._unchecked[1:]
            self._database.is_checked = not self._unchecked

    def bulk(self) -> AbstractContextManager[None]:
        """Use more memory for saving inside the block; see `Database.bulk`."""
        return self._database.bulk()

    def checkpoint(self) -> None:
        """Copy what was written into the file proper, where no writer has to wait for it; see `Database.checkpoint`."""
        with suppress(Unavailable):
            self._database.checkpoint()

    def return_to_file(self) -> bool:
        """Write the index back to its file, if it is in memory and that is possible again; see `Database`."""
        return self._database.return_to_file()

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """Provide a connection for reading; see `Database.read`."""
        return self._database.read()

    # The first index

    @retry_if_moved
    def begin(self, new: LogPosition) -> None:
        """Delete everything, and follow the log from ``new`` on: the first index is about to be built."""
        with self._database.writing:
            with self._database.write() as db:
                schema.delete_all(db)
                LayoutTable(db).set_progress(self.layouts.progress, None)
                write_state(db, "complete", "")
                save_position(db, new)
                self._revisions.record_all()
                self._folders.clear()
                self.marks.load(db)
                layouts = PlacedLayouts.opened(db, self._wanted)
            self.layouts = layouts
            self.log.position = new
            self.is_complete = False
            self.generation += 1
            if self.observer:
                self.observer.cleared()

    @retry_if_moved
    def set_complete(self) -> None:
        """Record that the first index is complete; a restart keeps it, since all that comes later is in the log."""
        if self.is_complete:
            return
        with self._database.writing:
            with self._database.write() as db:
                write_state(db, "complete", "yes")
            self.is_complete = True

    # Reading

    @property
    def revision(self) -> int:
        """Number of changes of resources: to be read before Orthanc is asked, for `save` and `delete`."""
        return self._revisions.current

    @property
    def labelled(self) -> tuple[Level, ...]:
        """Levels whose labels a layout uses."""
        deepest = max((plan.labels for plan in self.layouts.placer.plans), default=0)
        return tuple(Level)[:deepest]

    @retry_if_moved
    def _query(self, query: Callable[[sqlite3.Connection], T]) -> T:
        with self._database.read() as db:
            return query(db)

    @retry_if_moved
    def contents(self, folder: Folder, *, members: bool = False) -> FolderSnapshot:
        """Return all rows of a folder, and the members of groups or patients in it if they are wanted."""
        with self._database.read() as db, snapshot(db):
            return FolderRows(db, self.layouts.placer).snapshot(folder, members=members)

    def rows_with(self, folder: Folder, keys: Sequence[str]) -> list[Row]:
        """Return the rows of a folder whose name has one of the keys (`davfs.names.folded`), in every spelling."""
        return self._query(lambda db: FolderRows(db, self.layouts.placer).with_keys(folder, keys))

    def ids(self, level: Level) -> set[OrthancId]:
        """Return the ids of all indexed resources of a level; for patients, those of all studies."""
        if level is Level.PATIENT:
            return self._query(lambda db: ResourceTable(db).patients())
        return self._query(lambda db: ResourceTable(db).ids(level))

    def rows(self, ids: Sequence[OrthancId]) -> Mapping[OrthancId, int]:
        """Return the numbers in the file of those of the resources that are indexed, by their ids."""
        return self._query(lambda db: ResourceTable(db).rows(ids))

    def after(self, level: Level, resource: str, limit: int) -> list[tuple[OrthancId, int]]:
        """Return some resources of a level; see `ResourceTable.after`."""
        return self._query(lambda db: ResourceTable(db).after(level, resource, limit))

    def count(self, level: Level) -> int:
        """Return the number of indexed resources of a level."""
        return self._query(lambda db: ResourceTable(db).count(level))

    def tags(self, node: str) -> Mapping[str, str]:
        """Return the tags of a resource and of those above it; of a patient, those that all studies agree on."""
        return self._query(lambda db: PlacementTable(db, self.layouts.placer).tags(node))

    def parent(self, resource: OrthancId, level: Level) -> OrthancId | None:
        """Return the patient of an indexed study, or the study of an indexed series; None if it is not indexed."""
        return self._query(lambda db: next(iter(ResourceTable(db).parent(resource, level)), None))

    def studies_of_patient(self, patient: OrthancId) -> set[OrthancId]:
        """Return the indexed studies of a patient of Orthanc; several persons can share one PatientID."""
        return self._query(lambda db: ResourceTable(db).studies_of(patient))

    def studies_of(self, node: str) -> list[OrthancId]:
        """Return the studies in a patient folder, by its node."""
        return self._query(lambda db: PlacementTable(db, self.layouts.placer).studies_of(node))

    def unknown(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the ids that are not indexed."""
        wanted = set(ids)
        return self._query(lambda db: ResourceTable(db).unknown(wanted))

    def labels(self) -> Mapping[tuple[Level, OrthancId], set[str]]:
        """Return the labels of all indexed resources that have some."""
        return self._query(lambda db: ResourceTable(db).labels())

    def is_current(self, resource: Resource) -> bool:
        """Return True if the index has the tags and labels of a resource as they are."""
        differences = self._query(lambda db: ResourceTable(db).differences([resource]))
        return differences[resource.id] in {Difference.NONE, Difference.DATE}

    # Writing

    def observe_all(self) -> None:
        """Report the patients of all indexed studies to the observer, in parts, between which others write."""
        if self.observer:
            report_all(self._database, self.observer)

    @contextmanager
    def _changing(self, studies: Iterable[OrthancId] = ()) -> Iterator[sqlite3.Connection]:
        """Provide a connection inside a transaction that changes resources or placements, such as those studies.

        `generation` changes before another thread can compare them with Orthanc and find them equal: that thread may
        have kept rows from before.
        """
        with self._database.writing:
            try:
                with self._database.write() as db:
                    yield db
            except BaseException:
                self._folders.clear()  # some may have been made in vain
                raise
            self.generation += 1
            if self.observer:
                report(self._database, studies, self.observer)

    @retry_if_moved
    def save(self, found: Iterable[Resource], revision: int) -> ResourceChanges:
        """Save resources, and place them.

        Args:
            found: The resources, in any order.
            revision: `revision` before Orthanc was asked for them. A resource that was changed since then is not
                replaced, and a series whose study is not indexed is not saved.
        """
        unique = {resource.id: resource for resource in found}.values()
        ordered = sorted(unique, key=lambda resource: LEVEL_NUMBERS[resource.level])
        if self._confirm(ordered):
            return ResourceChanges(changed=False, retagged=(), outdated=())
        parts, saved = deque(in_parts(ordered)), list[ResourceChanges]()
        while parts:
            self._database.writing.give_way()
            written: list[OrthancId] = []
            with self._changing(written) as db:
                writer = self._writer(db)
                while not written or (parts and not self._database.writing.is_wanted):
                    part = parts.popleft()
                    written += [each.id for each in part]
                    saved.append(writer.save(part, revision))
            self._database.checkpoint(_UNCOPIED)
        return ResourceChanges.of(saved)

    def _confirm(self, found: Sequence[Resource]) -> bool:
        """Return True if resources are indexed as they are; then nothing is written to the file."""
        with self._database.without_writers() as db:
            if not ResourceTable(db).are_current(found):
                return False
            self._revisions.record(resource.id for resource in found)
            return True

    @retry_if_moved
    def delete(self, ids: Iterable[OrthancId], revision: int | None = None) -> list[OrthancId]:
        """Delete resources, and the series of studies.

        Args:
            ids: The resources; of a patient the labels only, for a study is deleted by its own id.
            revision: `revision` before they were missed: what changed since then may have come again, and is kept. None
                to delete all.

        Returns:
            Those that were kept.
        """
        resources = list(ids)
        with self._changing(resources) as db:
            return self._writer(db).delete(resources, revision)

    def _writer(self, db: sqlite3.Connection) -> IndexWriter:
        return IndexWriter(db, self.layouts.placer, self._revisions, self._folders)
