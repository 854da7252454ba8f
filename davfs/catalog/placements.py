"""The tables of placements: the folders of groups and patients, and the resources in them.

A folder of these exists as long as anything is in it, and has the latest date below it.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

from davfs.catalog.folder_table import FolderTable, KnownFolders
from davfs.catalog.layout_table import StudyDays
from davfs.catalog.lineages import Lineages
from davfs.catalog.packing import key_of
from davfs.catalog.placing import Placer, TaggedResource, date_of
from davfs.catalog.plan import Plan
from davfs.catalog.records import Record
from davfs.catalog.schema import LEVEL_NUMBERS
from davfs.layout.tags import SUBJECT
from davfs.orthanc.description import agreed
from davfs.orthanc.model import Level, OrthancId, Resource

_BATCH = 10_000
_STUDIES, _ROWS = 100, 500
"""Studies that `PlacementTable.place_next` places at most, and placements after which it ends: some 20 ms."""
_NEXT_STUDIES = "SELECT id, orthanc FROM resource WHERE id > ? AND +level = ? ORDER BY id LIMIT ?"
_PLACEMENTS = """
SELECT p.folder, p.key, p.name, p.date, l.key FROM placement p INDEXED BY placement_resource
JOIN folder f ON f.id = p.folder JOIN layout l ON l.id = f.layout WHERE p.resource = ?
"""


class PlacementTable:
    """The placements, read and changed inside one transaction.

    Args:
        db: A connection inside that transaction.
        placer: Computes placements.
        known: See `FolderTable`.
    """

    def __init__(self, db: sqlite3.Connection, placer: Placer, known: KnownFolders | None = None) -> None:
        self._db = db
        self._placer = placer
        self._lineages = Lineages(db, placer)
        self._folders = FolderTable(db, known)
        self._days = StudyDays(db)
        self._placed: set[str] = set()
        self._rows: list[tuple[int, int, int, str | None, int]] = []

    def studies_of(self, node: str) -> list[OrthancId]:
        """Return the studies in a patient folder, by its node."""
        return sorted(self._folders.members(self._folders.with_node(node), Level.STUDY))

    def tags(self, node: str) -> Mapping[str, str]:
        """Return the tags of a study or series and of those above it; of a patient, those that all studies agree on.

        Args:
            node: The resource, or the node of the patient folder.
        """
        if lineage := self._lineages.of(node):
            return lineage[-1].merged
        studies = [study for one in self.studies_of(node) for study in self._lineages.of(one)]
        return agreed([{**study.patient, SUBJECT: study.merged[SUBJECT]} for study in studies])

    def place_next(self, plans: Sequence[Plan], done: int) -> int | None:
        """Place some studies, in the order of their numbers, by layouts that have no placements of them.

        Args:
            plans: The layouts.
            done: The number of the last study that is placed already.

        Returns:
            The number of the last study that was placed now; None if all are.
        """
        studies = self._db.execute(_NEXT_STUDIES, (done, LEVEL_NUMBERS[Level.STUDY], _STUDIES)).fetchall()
        last = done
        for last, study in studies:  # noqa: B007  the last one is needed
            self._place(self._lineages.of_packed(study), plans, replace=False)
            if len(self._rows) >= _ROWS:
                break
        self._flush()
        is_end = len(studies) < _STUDIES and (not studies or last == studies[-1][0])
        return None if is_end else last

    def place_again(self, studies: Iterable[bytes | str], plans: Sequence[Plan]) -> None:
        """Place studies, given by their packed ids, again by some of the layouts."""
        for study in studies:
            self._place(self._lineages.of_packed(study), plans, replace=True)
        self._flush()

    def begin(self, new: Iterable[Record]) -> None:
        """Begin to place resources that were just written, of which these were inserted."""
        self._placed.clear()
        self._lineages.note_new(new)

    def place(self, changed: Iterable[Resource], new: Collection[str] = ()) -> None:
        """Place changed resources, and all below them.

        Args:
            changed: The resources.
            new: Those that have not been placed before.
        """
        with_series = _has_series(self._placer.plans)
        for resource in changed:
            if resource.level is not Level.SERIES or with_series:
                self._place_below(resource.id, self._placer.plans, new)
        self._flush()

    def place_by_series(self, studies: Iterable[str]) -> None:
        """Place studies whose series were added, changed or deleted, by those layouts that depend on series."""
        plans = [plan for plan in self._placer.plans if plan.reads_series]
        if not plans:
            return
        for study in dict.fromkeys(studies):  # once, however many of its series were added
            self._place_below(study, plans)
        self._flush()

    def delete(self, row: int) -> None:
        """Delete the placements of a resource, by its number, and those folders that had nothing else in them."""
        self._delete(row, None)
        self._days.delete(row)
        self._folders.update()

    def set_date(self, resource: str) -> None:
        """Change the date of a resource's last change, in those layouts that show it."""
        lineage = self._lineages.of(resource)
        if not lineage:
            return
        row, dates = lineage[-1].row, {plan.key: date_of(plan, lineage[-1]) for plan in self._placer.plans}
        for folder, key, name, old, layout in self._placements(row):
            date = dates.get(layout, old)
            if date != old:
                self._folders.note_removed(folder, old)
                self._rows.append((folder, key, row, name, date))
        self._flush()

    def _place_below(self, resource: str, plans: Sequence[Plan], new: Collection[str] = ()) -> None:
        if resource in self._placed:
            return
        record = self._lineages.record(resource)
        if record and record.level is Level.PATIENT:  # only its labels are stored: they are its studies' as well
            for study in self._lineages.below(resource):
                self._place_below(study.id, plans, new)
        elif (
            record and (record.level is Level.STUDY or _has_series(plans)) and (lineage := self._lineages.of(resource))
        ):
            self._place(lineage, plans, replace=resource not in new)

    def _place(self, lineage: tuple[TaggedResource, ...], plans: Sequence[Plan], *, replace: bool) -> None:
        resource = lineage[-1]
        if len(plans) == len(self._placer.plans):
            self._placed.add(resource.id)
        if replace:
            self._delete(resource.row, plans)
        for plan in plans:
            self._add(plan, lineage)
            if plan.relative and resource.level is Level.STUDY:
                self._days.put(plan.key, resource.row, self._placer.days(plan, resource), replace=replace)
        if resource.level is Level.STUDY and _has_series(plans):
            for record in self._lineages.below(resource.id):
                self._place((*lineage, self._lineages.tagged(record, lineage)), plans, replace=replace)

    def _add(self, plan: Plan, lineage: tuple[TaggedResource, ...]) -> None:
        row = lineage[-1].row
        for path, name, date in self._placer.place(plan, lineage):
            key = 0 if name is None else key_of(name)
            self._rows.append((self._folders.get(plan.key, path), key, row, name, date))
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        self._rows.sort(key=lambda row: row[:3])  # in the order of the table, page after page
        self._db.executemany("INSERT OR REPLACE INTO placement VALUES (?, ?, ?, ?, ?)", self._rows)
        for folder, _, _, _, date in self._rows:
            self._folders.note_added(folder, date)
        self._rows.clear()
        self._days.flush()
        self._folders.update()

    def _delete(self, row: int, plans: Sequence[Plan] | None) -> None:
        """Delete the placements of a resource in some layouts; None for all."""
        keys = None if plans is None else {plan.key for plan in plans}
        found = [one for one in self._placements(row) if keys is None or one[-1] in keys]
        self._db.executemany(
            "DELETE FROM placement WHERE folder = ? AND key = ? AND resource = ?",
            [(folder, key, row) for folder, key, *_ in found],
        )
        for folder, _, _, date, _ in found:
            self._folders.note_removed(folder, date)

    def _placements(self, row: int) -> list[tuple[int, int, str | None, int, str]]:
        """Return folder, key, name, date and layout of each placement of a resource."""
        return self._db.execute(_PLACEMENTS, (row,)).fetchall()


def _has_series(plans: Iterable[Plan]) -> bool:
    """Return True if series are stored in the folders of one of the layouts."""
    return any(plan.rules[Level.SERIES] for plan in plans)
