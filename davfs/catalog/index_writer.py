"""Saves and deletes resources together with their placements, inside one transaction."""

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence

from davfs.catalog.placements import PlacementTable
from davfs.catalog.placing import Placer
from davfs.catalog.resources import Difference, ResourceChanges, ResourceTable
from davfs.catalog.revisions import Revisions
from davfs.orthanc.model import Level, OrthancId, Resource


class IndexWriter:
    """Writes to the index.

    Args:
        db: A connection inside a transaction.
        placer: Computes placements.
        revisions: Records the resources that change.
    """

    def __init__(self, db: sqlite3.Connection, placer: Placer, revisions: Revisions) -> None:
        self._resources = ResourceTable(db)
        self._placements = PlacementTable(db, placer)
        self._revisions = revisions

    def save(self, found: Sequence[Resource], revision: int) -> ResourceChanges:
        """Save resources, given in the order of their levels, and place them; see `Store.save`."""
        differences, outdated = self._save_resources(found, revision)
        new = {one for one, difference in differences.items() if difference is Difference.NEW}
        changed = [one for one in found if differences.get(one.id) in {Difference.TAGS, Difference.NEW}]
        self._placements.place(changed, new)
        self._placements.place_by_series([one.parent for one in changed if one.level is Level.SERIES and one.parent])
        for resource in found:
            if differences.get(resource.id) is Difference.DATE:
                self._placements.set_date(resource.id)
        self._revisions.record({resource.id for resource in found}.difference(outdated))
        retagged = [resource.id for resource in changed if resource.id not in new]
        return ResourceChanges(bool(differences), retagged, outdated)

    def _save_resources(
        self, found: Iterable[Resource], revision: int
    ) -> tuple[Mapping[OrthancId, Difference], tuple[OrthancId, ...]]:
        """Save resources; return their differences, and the ids of those that are not saved.

        These were changed since ``revision``, or are series whose study is not indexed.
        """
        differences, outdated = dict[OrthancId, Difference](), list[OrthancId]()
        for resource in found:
            difference = self._resources.difference(resource)
            if difference is Difference.NONE:
                continue
            if self._is_orphaned(resource, differences) or self._revisions.is_changed(resource.id, revision):
                outdated.append(resource.id)
                continue
            self._resources.put(resource)
            differences[resource.id] = difference
        return differences, tuple(outdated)

    def _is_orphaned(self, resource: Resource, saved: Collection[OrthancId]) -> bool:
        """Return True for a series whose study is neither indexed nor among the resources that were just saved."""
        study = resource.parent
        return resource.level is Level.SERIES and not (study and (study in saved or self._resources.has(study)))

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
        self._revisions.record(deleted)
        return kept
