"""Keeps the index in step with Orthanc: reads its log of changes, fetches what is new, and forgets what is gone.

The log has additions and updates. A deletion is in no log: events or a comparison with Orthanc's own lists reveal it.

No lock is held during a call to Orthanc. Threads that refresh at the same time do the same work, and what another
thread has changed since Orthanc was asked is fetched again (`Store.save`, `Store.delete`).
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from davfs.cache import LruCache
from davfs.catalog.change_log import LogPosition, end_of_log, without_deleted_entries
from davfs.catalog.instances import InstanceCache
from davfs.catalog.shared_call import SharedCall
from davfs.catalog.store import Store
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Change, Changes, Level, OrthancId, Resource, WithChildren

_BATCH = 500
"""Resources fetched in one request: about 50 ms of Orthanc's time."""
_VERIFIED = 4096
"""Resources whose last response is known to agree with the index."""
_VERIFIED_BATCHES = 100
"""Responses about several resources that are known to agree with the index."""
_PAGES = 1000
"""Pages of the log, of a thousand entries each, that one request reads at most."""
_ATTEMPTS = 20
"""Times that a resource is fetched that other threads change at the same moment; then everything is compared."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IndexCallbacks:
    """Functions that the index calls.

    Attributes:
        reconcile_soon: Called if the log of changes has a gap, so that everything has to be compared.
        wait_for_first_index: Called by a request while the first index is being built; waits a moment.
        changed: Called after each change of a resource or instance.
        revealed: Called with new entries of the log before anything else is done about them; returns the studies and
            series of which other parts may be visible now than before, with their levels (`davfs.trash.hidden`).
        existing: Returns those of some resources that Orthanc has, also in the trash; None to ask the server.
    """

    reconcile_soon: Callable[[], object] = lambda: None
    wait_for_first_index: Callable[[], object] = lambda: None
    changed: Callable[[], object] = lambda: None
    revealed: Callable[[Sequence[Change]], Collection[tuple[Level, OrthancId]]] = lambda _entries: ()
    existing: Callable[[Sequence[OrthancId]], set[OrthancId]] | None = None


class Synchronizer:
    """Fetches resources from Orthanc into the index, and deletes them there.

    Args:
        orthanc: The server.
        store: The index.
        instances: The cache of instances.
        callbacks: Told what the index needs, and that it changed.

    Attributes:
        building: Whether the first index is being built.
        gaps: Number of times that entries of the log were missing, and everything was to be compared.
    """

    def __init__(
        self, orthanc: ResourceIndex, store: Store, instances: InstanceCache, callbacks: IndexCallbacks
    ) -> None:
        self._orthanc = orthanc
        self._store = store
        self._instances = instances
        self._callbacks = callbacks
        self._verified: LruCache[OrthancId, tuple[int, WithChildren]] = LruCache(_VERIFIED)
        self._verified_batches: LruCache[OrthancId, tuple[int, Sequence[Resource]]] = LruCache(_VERIFIED_BATCHES)
        self._fetched_while_stale: tuple[int, set[OrthancId]] = 0, set()
        self._read_log_together = SharedCall(self._read_log)
        self._unchanged_page: tuple[LogPosition, Changes] | None = None
        self.building = False
        self.gaps = 0

    @property
    def is_stale(self) -> bool:
        """True while any indexed resource may be outdated: from a replacement of the log until all is compared."""
        return self._store.log.staleness > 0

    @property
    def needs_comparison(self) -> bool:
        """True while resources may be missing, outdated or deleted: until all was compared, and while it is stale."""
        return self.is_stale or self.building

    @property
    def may_lack_resources(self) -> bool:
        """True while resources may be missing or outdated: until the first index is complete, and while it is stale.

        An index that was complete before a restart is so after it, for the log has all that came meanwhile.
        """
        return self.is_stale or (self.building and not self._store.is_complete)

    def unverified(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the resources that were not fetched since the index is stale."""
        staleness, fetched = self._fetched_while_stale
        return set(ids) - fetched if staleness == self._store.log.staleness else set(ids)

    def refresh(self) -> None:
        """Index all that Orthanc's log of changes has and the index does not."""
        if self.building and not self._store.is_complete:
            self._callbacks.wait_for_first_index()
        self.place_for_today()
        self._read_log_together()

    def _read_log(self) -> None:
        if self._store.log.position.seen == 0 and self.building and not self._store.is_complete:
            self._store.begin(end_of_log(self._orthanc))  # the first index will have everything that came before
            return
        for _ in range(_PAGES):
            if self._read_page():
                return
        self._callbacks.reconcile_soon()

    def place_for_today(self) -> None:
        """Move the index on to today, if a day has begun; see `Store.place_for_today`."""
        if self._store.place_for_today():
            self._callbacks.changed()

    def _read_page(self) -> bool:
        """Read a page of the log, and index its changes; return True if it was the last page."""
        position = self._store.log.position
        page = self._orthanc.changes(position.since)
        if self._unchanged_page == (position, page):
            return page.done
        new = position.unread(page)
        if new is None:
            self.resume_log(position)
            return False
        if new:
            if new[0].seq > position.seen + 1:
                self.gaps += 1
                self._callbacks.reconcile_soon()  # entries are missing: a resource was deleted
            self._index_changes(new)
            self._store.log.advance(new)
        else:
            self._unchanged_page = position, page
        return page.done

    def resume_log(self, position: LogPosition) -> None:
        """Handle a log without the entry that was read last: it was deleted, or the index is stale from now on."""
        shortened = without_deleted_entries(self._orthanc, position, self._callbacks.existing or self._orthanc.existing)
        if shortened is not None:
            self._store.log.shorten(position, shortened)
        elif self._store.log.replace(position, end_of_log(self._orthanc)):
            self._store.marks.outdate()
            self._instances.clear()
            self._callbacks.changed()
            self._callbacks.reconcile_soon()

    def _index_changes(self, entries: Sequence[Change]) -> None:
        revealed = self._callbacks.revealed(entries)
        self._instances.outdate(one for level, one in revealed if level is Level.SERIES)
        self._instances.forget(change.id for change in entries if change.level is Level.INSTANCE)
        self._callbacks.changed()
        self._fetch_indexed([*((change.level, change.id) for change in entries), *revealed])

    def _fetch_indexed(self, resources: Iterable[tuple[Level, OrthancId]]) -> None:
        """Fetch those of the resources whose level is in the index: patients are for their labels only."""
        indexed = {Level.STUDY, Level.SERIES, *self._store.labelled}
        self.fetch({one for level, one in resources if level in indexed})

    def fetch(self, ids: Collection[OrthancId], at_once: int = _BATCH) -> None:
        """Fetch resources, and those above them that are unknown, into the index; forget those that are gone.

        Args:
            ids: Studies and series; patients for their labels.
            at_once: Number that is saved in one step.
        """
        for batch in batches(ids, max(_BATCH, at_once)):
            wanted: Sequence[OrthancId] = batch
            for _ in range(_ATTEMPTS):
                revision, staleness = self._store.revision, self._store.log.staleness
                response = self._requested(wanted)
                wanted = self._save_with_parents(wanted, response, revision, staleness)
                if not wanted:
                    break
            else:
                self._callbacks.reconcile_soon()

    def _requested(self, ids: Collection[OrthancId]) -> list[Resource]:
        return [each for batch in batches(ids) for each in self._orthanc.resources(batch)]

    def _save_with_parents(
        self, wanted: Sequence[OrthancId], response: Iterable[Resource], revision: int, staleness: int
    ) -> Sequence[OrthancId]:
        """Save resources and their unknown parents, forget missing ones; return those that have to be fetched again."""
        found = {resource.id: resource for resource in response}
        if missing := {each for each in wanted if each not in found}:
            self.forget(missing - self._store.unknown(missing), revision)
        while above := self._store.unknown(
            one.parent for one in found.values() if one.parent and one.parent not in found and self._needs_parent(one)
        ):
            parents = self._requested(above)
            if not parents:
                break
            found.update((parent.id, parent) for parent in parents)
        return self.save(found.values(), revision, staleness)

    def save(self, found: Collection[Resource], revision: int, staleness: int = 0) -> Sequence[OrthancId]:
        """Index resources that Orthanc has sent; return those that have to be fetched again.

        Args:
            found: The resources.
            revision: `Store.revision` before Orthanc was asked.
            staleness: `FollowedLog.staleness` before; the resources count as verified since then.
        """
        changes = self._store.save(found, revision)
        series = {each.id for each in found if each.level is Level.SERIES}
        self._instances.forget(each for each in changes.retagged if each in series)
        if changes.changed:
            self._callbacks.changed()
        if staleness:
            if self._fetched_while_stale[0] != staleness:
                self._fetched_while_stale = staleness, set()
            self._fetched_while_stale[1].update({each.id for each in found}.difference(changes.outdated))
        return changes.outdated

    def _needs_parent(self, resource: Resource) -> bool:
        """Return True if the parent has to be indexed: a study needs its patient for labels only."""
        return resource.level is Level.SERIES or Level.PATIENT in self._store.labelled

    def forget(self, ids: Iterable[str], revision: int | None = None) -> None:
        """Delete resources, of any level, from the index that Orthanc does not have any more.

        Args:
            ids: The resources.
            revision: `Store.revision` before they were missed. Orthanc is asked again for those that changed since
                then, which may have come again.
        """
        gone = [OrthancId(each) for each in ids]
        while gone:
            self._instances.forget(gone)
            kept = self._store.delete(gone, revision)
            self._callbacks.changed()
            revision = self._store.revision
            gone = self._missing(kept)

    def _missing(self, ids: Sequence[OrthancId]) -> list[OrthancId]:
        """Return those of the resources, of any level, that Orthanc does not have."""
        there = set().union(*(self._orthanc.existing(batch) for batch in batches(ids)))
        return [each for each in ids if each not in there]

    def handle_deletions(self, ids: Sequence[OrthancId]) -> None:
        """Forget resources of which Orthanc sent deletion events; these are late, and some may have come again."""
        revision = self._store.revision
        self.forget(self._missing(ids), revision)

    def handle_label_changes(self, resources: Iterable[tuple[Level, OrthancId]]) -> None:
        """Fetch resources, given with their levels, whose labels were changed: Orthanc's log has nothing of that."""
        self._fetch_indexed(resources)

    def compare_labels(self, theirs: Mapping[tuple[Level, OrthancId], Collection[str]]) -> None:
        """Fetch the resources whose labels differ from Orthanc's, of which these are all."""
        ours = self._store.labels()
        self._fetch_indexed(one for one in {*ours, *theirs} if set(ours.get(one, ())) != set(theirs.get(one, ())))

    def verify(self, response: WithChildren) -> None:
        """Compare the index with what Orthanc has just sent of a resource; fetch the resource again if it differs."""
        resource = response.resource
        verified = self._store.generation, response
        before = self._verified.get(resource.id)
        if before is not None and before[0] == verified[0] and before[1] is response:
            return
        if self._store.is_current(resource):
            self._verified.put(resource.id, verified)
        else:
            self.fetch([resource.id])

    def verify_all(self, ids: Sequence[OrthancId]) -> None:
        """Compare studies or series in the index with Orthanc, in one request."""
        for batch in batches(ids):
            generation, revision, staleness = self._store.generation, self._store.revision, self._store.log.staleness
            response = self._orthanc.resources(batch)
            verified = generation, response
            if not staleness and self._verified_batches.get(batch[0]) == verified:
                continue
            self.fetch(self._save_with_parents(batch, response, revision, staleness))
            if self._store.generation == generation:
                self._verified_batches.put(batch[0], verified)

    def forget_instances(self) -> None:
        """Clear the cache of instances, so that their tags are fetched again."""
        self._instances.clear()
        self._callbacks.changed()

    def end_staleness(self, staleness: int) -> None:
        """Record that everything was compared since `FollowedLog.staleness` had this value."""
        self._store.log.set_compared(staleness)
        self._fetched_while_stale = 0, set()


def batches(items: Iterable[T], size: int = _BATCH) -> Iterator[list[T]]:
    """Split items into batches, for requests of which none takes long."""
    source = iter(items)
    while batch := list(itertools.islice(source, size)):
        yield batch
