"""Facts kept in step with Orthanc's log of changes, and compared with Orthanc where the log does not tell.

The log has additions and updates. Deletions are in no log: of these events tell, or a look at Orthanc's own lists.

No lock is held across a call to Orthanc: threads that refresh at the same time do the same work, and what another
thread has changed since Orthanc was asked is asked for again (`Store.learn`, `Store.forget`).
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from davfs.cache import LruCache
from davfs.catalog import log
from davfs.catalog.instances import InstanceCache
from davfs.catalog.log import Position
from davfs.catalog.store import Store
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Change, Changes, Level, OrthancId, Resource, WithChildren

_BULK = 500
"""Resources asked for in one call: about 50 ms of the core's time."""
_PART = 250
"""Resources of each level that are read again at once."""
_VERIFIED = 4096
"""Resources whose last answer is known to agree with what is known."""
_BATCHES = 100
"""Answers about several resources that are known to agree with what is known."""
_PAGES = 1000
"""Pages of the log, of a thousand entries each, that one request reads at most."""
_ATTEMPTS = 20
"""Times that a resource is asked for that others change at the same moment; then everything is compared."""

T = TypeVar("T")


@dataclass(slots=True)
class _Turn:
    """How far the resources of a level have been read again, and whether all were since the last turn."""

    level: Level
    since: int = 0
    ended: bool = False


class Facts:
    """What is known of one Orthanc, and whether it can be relied on.

    Args:
        orthanc: The server.
        store: Where patients, studies and series are kept.
        instances: Where instances are kept.
        reconcile_soon: Called where the log of changes has a gap, so that everything should be compared.
        wait_for_first_index: Called by what needs the facts while there are none yet; waits a moment.
        changed: Called after each change of what names lead to.

    Attributes:
        building: Whether the first index is still being built.
    """

    def __init__(  # noqa: PLR0913  what it keeps in step with what, and three things that it tells others
        self,
        orthanc: ResourceIndex,
        store: Store,
        instances: InstanceCache,
        *,
        reconcile_soon: Callable[[], object],
        wait_for_first_index: Callable[[], object],
        changed: Callable[[], object],
    ) -> None:
        self._orthanc = orthanc
        self._store = store
        self._instances = instances
        self._reconcile_soon = reconcile_soon
        self._wait_for_first_index = wait_for_first_index
        self._changed = changed
        self._turns = [_Turn(level) for level in (Level.PATIENT, Level.STUDY, Level.SERIES)]
        self._verified: LruCache[OrthancId, tuple[int, WithChildren]] = LruCache(_VERIFIED)
        self._verified_batches: LruCache[OrthancId, tuple[int, Sequence[Resource]]] = LruCache(_BATCHES)
        self._confirmed: tuple[int, set[OrthancId]] = 0, set()
        self._nothing_new: tuple[Position, Changes] | None = None
        self.building = False

    @property
    def doubted(self) -> bool:
        """Whether what is known may be old: once the log was emptied, or is another one, until all is compared."""
        return self._store.doubts > 0

    @property
    def suspect(self) -> bool:
        """Whether facts may be missing or old: until the first index is complete, and while they are doubted."""
        return self.doubted or self.building

    def doubtful(self, ids: Iterable[OrthancId]) -> set[OrthancId]:
        """Return those of the resources that were not read since what is known was doubted."""
        doubts, confirmed = self._confirmed
        return set(ids) - confirmed if doubts == self._store.doubts else set(ids)

    def refresh(self) -> None:
        """Take over all that Orthanc's log of changes has and the facts do not."""
        if self.building:
            self._wait_for_first_index()
        self._store.renew()
        if self._store.seen == 0 and self.building:
            return  # the comparison that is about to begin takes everything over
        for _ in range(_PAGES):
            if self._read_on():
                return
        self._reconcile_soon()

    def return_to_file(self) -> None:
        """Keep the facts in their file again, where they had to be kept in memory for a while."""
        self._store.return_to_file()

    def _read_on(self) -> bool:
        """Read a page of the log, and take it over; return whether it was the last."""
        position = self._store.position
        page = self._orthanc.changes(position.since)
        if self._nothing_new == (position, page):
            return page.done
        new = position.unread(page)
        if new is None:
            self._find_place(position)
            return False
        if new:
            if new[0].seq > position.seen + 1:
                self._reconcile_soon()  # entries are missing: something was deleted
            self._take(new)
            self._store.see(new)
        else:
            self._nothing_new = position, page
        return page.done

    def _find_place(self, position: Position) -> None:
        """Find a place in the log whose newest entry is missing; doubt everything where it is not that log any more."""
        left = log.found_again(self._orthanc, position)
        if left is not None:
            self._store.see_deleted(position, left)
        elif self._store.start_over(position, log.beginning(self._orthanc)):
            self._instances.clear()
            self._changed()
            self._reconcile_soon()

    def _take(self, entries: Sequence[Change]) -> None:
        self._instances.forget(change.id for change in entries if change.level is Level.INSTANCE)
        self._changed()
        known = {Level.STUDY, Level.SERIES, *self._store.labelled}
        self.learn({change.id for change in entries if change.level in known})

    def learn(self, ids: Collection[OrthancId]) -> None:
        """Fetch resources and the unknown ones above them, and take them over; those that are gone are dropped.

        Args:
            ids: Studies and series; patients for the sake of their labels.
        """
        for some in batches(ids):
            wanted: Sequence[OrthancId] = some
            for _ in range(_ATTEMPTS):
                wanted = self._learn(wanted)
                if not wanted:
                    break
            else:
                self._reconcile_soon()

    def _learn(self, wanted: Sequence[OrthancId]) -> Sequence[OrthancId]:
        """Fetch resources, and take them over; return those that have to be fetched again."""
        revision, doubts = self._store.revision, self._store.doubts
        return self._learn_told(wanted, self._orthanc.resources(wanted), revision, doubts)

    def _learn_told(
        self, wanted: Sequence[OrthancId], told: Iterable[Resource], revision: int, doubts: int
    ) -> Sequence[OrthancId]:
        found = {resource.id: resource for resource in told}
        if missed := {each for each in wanted if each not in found}:
            self.forget(missed - self._store.unknown(missed), revision)
        while above := self._store.unknown(
            one.parent for one in found.values() if one.parent and one.parent not in found and self._needs_above(one)
        ):
            parents = self._orthanc.resources(above)
            if not parents:
                break
            found.update((parent.id, parent) for parent in parents)
        return self._take_over(found.values(), revision, doubts)

    def _take_over(self, found: Collection[Resource], revision: int, doubts: int = 0) -> Sequence[OrthancId]:
        """Take over what Orthanc has told; return what has to be asked for again.

        Args:
            found: What it has told.
            revision: What was `Store.revision` before it was asked.
            doubts: What was `Store.doubts` before; these are settled for what was found.
        """
        learned = self._store.learn(found, revision)
        series = {each.id for each in found if each.level is Level.SERIES}
        self._instances.forget(each for each in learned.retagged if each in series)
        if learned.different:
            self._changed()
        if doubts:
            self._confirm({each.id for each in found} - set(learned.outdated), doubts)
        return learned.outdated

    def _needs_above(self, resource: Resource) -> bool:
        """Return True if the resource above is wanted: a study tells by itself whose it is, but for labels."""
        return resource.level is Level.SERIES or Level.PATIENT in self._store.labelled

    def _confirm(self, ids: Iterable[OrthancId], doubts: int) -> None:
        if self._confirmed[0] != doubts:
            self._confirmed = doubts, set()
        self._confirmed[1].update(ids)

    def forget(self, ids: Iterable[str], revision: int | None = None) -> None:
        """Drop resources, of any level, that Orthanc does not have any more.

        Args:
            ids: The resources.
            revision: What was `Store.revision` before they were missed. Orthanc is asked again for what was changed
                since then, for that may have come again.
        """
        gone = [OrthancId(each) for each in ids]
        while gone:
            self._instances.forget(gone)
            kept = self._store.forget(gone, revision)
            self._changed()
            revision = self._store.revision
            gone = self._missing(kept)

    def _missing(self, ids: Sequence[OrthancId]) -> list[OrthancId]:
        """Return those of the resources, of any level, that Orthanc does not have."""
        there = set().union(*(self._orthanc.existing(some) for some in batches(ids)))
        return [each for each in ids if each not in there]

    def deleted(self, ids: Sequence[OrthancId]) -> None:
        """Drop resources whose deletion Orthanc tells of, which it does late: some may have come again meanwhile."""
        revision = self._store.revision
        self.forget(self._missing(ids), revision)

    def verify(self, told: WithChildren) -> None:
        """Compare what is known of a resource with what Orthanc has just told; where it differs it is read again."""
        resource = told.resource
        verified = self._store.generation, told
        before = self._verified.get(resource.id)
        if before is not None and before[0] == verified[0] and before[1] is told:
            return
        if self._store.has(resource):
            self._verified.put(resource.id, verified)
        else:
            self.learn([resource.id])

    def verify_all(self, ids: Sequence[OrthancId]) -> None:
        """Compare what is known of studies or series with what Orthanc tells now, see `verify`: in one question."""
        for some in batches(ids):
            generation, revision, doubts = self._store.generation, self._store.revision, self._store.doubts
            told = self._orthanc.resources(some)
            verified = generation, told
            if not doubts and self._verified_batches.get(some[0]) == verified:
                continue
            self.learn(self._learn_told(some, told, revision, doubts))
            if self._store.generation == generation:
                self._verified_batches.put(some[0], verified)

    def read_again(self) -> bool:
        """Read some resources again, each in its turn: of their tags and labels, Orthanc's log does not tell all.

        All levels take turns, so that studies, which tell whose they are, do not wait for all series.

        Returns:
            Whether all have been read since this was last returned.
        """
        turns = [turn for turn in self._turns if turn.level is not Level.PATIENT or turn.level in self._store.labelled]
        for turn in turns:
            revision = self._store.revision
            found, count = self._some(turn.level, turn.since)
            self.learn(self._take_over(found, revision))
            turn.since = turn.since + _PART if count == _PART else 0
            turn.ended = turn.ended or turn.since == 0
        if not all(turn.ended for turn in turns):
            return False
        for turn in turns:
            turn.ended = False
        return True

    def _some(self, level: Level, since: int) -> tuple[Sequence[Resource], int]:
        """Read a part of all resources of a level; return them, and how many were asked for or found."""
        if level is Level.PATIENT:  # there may be no /patients
            wanted = sorted(self._store.ids(level))[since : since + _PART]
            return self._orthanc.resources(wanted), len(wanted)
        found = self._orthanc.page(level, since, _PART)
        return found, len(found)

    def forget_instances(self) -> None:
        """Read the tags of instances again where they are shown next."""
        self._instances.clear()
        self._changed()

    def differs(self) -> bool:
        """Tell whether Orthanc has another number of resources than the facts, though the log was read to its end."""
        last = self._orthanc.last_change()
        theirs = self._orthanc.counts()
        if self._store.seen < last or self._orthanc.last_change() != last:
            return False  # something comes just now
        ours = tuple(self._store.count(level) for level in (Level.STUDY, Level.SERIES))
        return ours != (theirs.studies, theirs.series)

    def reconcile(self, progress: Callable[[int, int], None]) -> None:
        """Compare the ids of all studies and series with Orthanc's; fetch and drop what differs.

        Args:
            progress: Told the number of resources fetched, and how many there are to fetch.
        """
        self._look_at_log()
        doubts, revision = self._store.doubts, self._store.revision
        levels = (Level.STUDY, Level.SERIES)
        theirs = [self._orthanc.ids(level) for level in levels]
        ours = [self._store.ids(level) for level in levels]
        for here, there in zip(ours, theirs, strict=True):
            if gone := here - set(there):
                self.forget(gone, revision)
        missing = [i for here, there in zip(ours, theirs, strict=True) for i in there if doubts or i not in here]
        done = 0
        for some in batches(missing):
            self.learn(some)
            done += len(some)
            progress(done, len(missing))
        self._store.trust(doubts)
        self._confirmed = 0, set()

    def _look_at_log(self) -> None:
        """Begin to follow the log, or see whether it is still the one that was read: its end is read by `refresh`."""
        position = self._store.position
        if self._store.seen == 0:
            self._store.begin(log.beginning(self._orthanc))
        elif position.unread(self._orthanc.changes(position.since)) is None:
            self._find_place(position)


def batches(items: Collection[T]) -> Iterator[list[T]]:
    """Split what Orthanc is asked for into calls of which none takes long."""
    source = iter(items)
    while some := list(itertools.islice(source, _BULK)):
        yield some
