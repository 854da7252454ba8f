"""Saves and deletes resources together with their placements, inside one transaction."""

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from davfs.catalog.folder_table import KnownFolders
from davfs.catalog.placements import PlacementTable
from davfs.catalog.placing import Placer
from davfs.catalog.resources import Difference, ResourceChanges, ResourceTable
from davfs.catalog.revisions import Revisions
from davfs.orthanc.model import Level, OrthancId, Resource

_PART = 300
"""Resources between two looks at whether another thread waits to write: some 30 ms."""


class IndexWriter:
    """Writes to the index.

    Args:
        db: A connection inside a transaction.
        placer: Computes placements.
        revisions: Records the resources that change.
        known: What is known of the folders.
    """

    def __init__(self, db: sqlite3.Connection, placer: Placer, revisions: Revisions, known: KnownFolders) -> None:
        self._resources = ResourceTable(db)
        self._placements = PlacementTable(db, placer, known)
        self._revisions = revisions

    def save(self, found: Sequence[Resource], revision: int) -> ResourceChanges:
        """Save resources, each given after the one above it, and place them; see `Store.save`."""
        differences, outdated = self._changed(found, revision)
        new = {one for one, difference in differences.items() if difference is Difference.NEW}
        self._write_resources([resource for resource in found if resource.id in differences], new)
        changed = [one for one in found if differences.get(one.id) in {Difference.TAGS, Difference.NEW}]
        self._placements.place(changed, new)
        studies = [one.parent for one in changed if one.level is Level.SERIES and one.parent]
        self._placements.place_by_series(studies)
        self._resources.update_searchable(study for study in studies if study not in new)
        for resource in found:
            if differences.get(resource.id) is Difference.DATE:
                self._placements.set_date(resource.id)
        self._revisions.record({resource.id for resource in found}.difference(outdated))
        retagged = [resource.id for resource in changed if resource.id not in new]
        return ResourceChanges(bool(differences), retagged, outdated)

    def _changed(
        self, found: Sequence[Resource], revision: int
    ) -> tuple[Mapping[OrthancId, Difference], tuple[OrthancId, ...]]:
        """Return the differences of the resources to write, and the ids of those that are not to be saved.

        These were changed since ``revision``, or are series whose study is neither indexed nor written now.
        """
        known, changed, outdated = self._resources.differences(found), dict[OrthancId, Difference](), list[OrthancId]()
        studies = {one.parent for one in found if one.level is Level.SERIES and one.parent not in known}
        without_study = {None, *self._resources.unknown(study for study in studies if study)}
        without_study.update(one for one, difference in known.items() if difference is Difference.NEW)
        for resource in found:
            if known[resource.id] is Difference.NONE:
                continue
            is_series = resource.level is Level.SERIES
            orphaned = is_series and resource.parent in without_study and resource.parent not in changed
            if orphaned or self._revisions.is_changed(resource.id, revision):
                outdated.append(resource.id)
            else:
                changed[resource.id] = known[resource.id]
        return changed, tuple(outdated)

    def _write_resources(self, changed: Sequence[Resource], new: Collection[OrthancId]) -> None:
        self._placements.begin(self._resources.insert(one for one in changed if one.id in new))
        for resource in changed:
            if resource.id not in new:
                self._resources.update(resource)

    def delete(self, ids: Iterable[OrthancId], revision: int | None) -> list[OrthancId]:
        """Delete resources, and the series of studies; return those that are kept; see `Store.delete`."""
        pending, studies, patients = list(ids), set[str](), set[str]()
        kept, deleted = list[OrthancId](), list[OrthancId]()
        while pending:
            resource = pending.pop()
            if revision is not None and self._revisions.is_changed(resource, revision):
                kept.append(resource)
                continue
            pending += self._resources.series_of(resource)
            studies |= self._resources.parent(resource, Level.SERIES)
            patients |= self._resources.parent(resource, Level.STUDY)
            if (row := self._resources.row(resource)) is not None:
                self._placements.delete(row)
                self._resources.delete(resource)
            deleted.append(resource)
        self._resources.delete_if_childless(patients)
        self._placements.place_by_series(studies)
        self._resources.update_searchable(studies)
        self._revisions.record(deleted)
        return kept


def in_parts(found: Sequence[Resource]) -> Iterator[list[Resource]]:
    """Split resources, given in the order of their levels, into parts; a study and its series stay together."""
    families: dict[str | None, list[Resource]] = {}
    for one in found:
        families.setdefault(one.parent if one.level is Level.SERIES else one.id, []).append(one)
    part: list[Resource] = []
    for family in families.values():
        part += family
        if len(part) >= _PART:
            yield part
            part = []
    if part:
        yield part
