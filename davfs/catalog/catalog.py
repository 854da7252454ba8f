"""What the drive asks: who is in a folder, now.

Freshness: a listing shows all that Orthanc had committed when the request arrived. Additions and updates come from
``/changes``, read before each listing and before a name is looked up; deletions are found by comparing a listing with
Orthanc's own list of children. A name that is looked up leads to what the facts know, which can only have gone.

No lock is held across a call to Orthanc: threads that refresh at the same time do the same work, and older facts never
replace newer ones (`Store.learn`).
"""

import itertools
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from davfs.catalog.instances import InstanceCache
from davfs.catalog.plan import Folder
from davfs.catalog.store import Row, Store
from davfs.errors import UnknownResource
from davfs.orthanc import Orthanc
from davfs.orthanc.model import Changes, Instance, Level, OrthancId

_log = logging.getLogger(__name__)

_BULK = 500
"""Resources asked for in one call: about 50 ms of the core's time."""
_PATIENCE = 1000
"""Unknown resources that one listing fetches while the first index is still being built."""
_LISTINGS = 100
"""Folders whose content is kept until the facts change."""
_LONGEST = 50_000
"""Rows of the largest folder that is kept."""

T = TypeVar("T")


class Catalog:
    """The index of one Orthanc.

    Args:
        orthanc: The server.
        store: Facts and placements.
        instances: Cache of instances.
        reconcile_soon: Called where the log of changes has a gap, so that the whole index should be compared.
        wait_for_first_index: Called by what needs the index while it is still being built; waits a moment.
        changed: Called after each change of what names lead to.
    """

    def __init__(  # noqa: PLR0913  what it reads, and three things that it tells others
        self,
        orthanc: Orthanc,
        store: Store,
        instances: InstanceCache,
        *,
        reconcile_soon: Callable[[], object] = lambda: None,
        wait_for_first_index: Callable[[], object] = lambda: None,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._orthanc = orthanc
        self._store = store
        self._instances = instances
        self._rows: dict[Folder, tuple[int, Sequence[Row]]] = {}
        self._agreed: dict[Folder, tuple[int, set[OrthancId]]] = {}
        self._reconcile_soon = reconcile_soon
        self._wait_for_first_index = wait_for_first_index
        self._changed = changed
        self._to_read: list[OrthancId] = []
        self._doubts = 0
        self._same_log = False
        self.building = False

    @property
    def suspect(self) -> bool:
        """True while facts may be missing or old: until the index is complete, and after the log was emptied."""
        return self._doubts > 0 or self.building

    def refresh(self) -> None:
        """Take over all that Orthanc's log of changes has and the facts do not."""
        if self.building:
            self._wait_for_first_index()
        self._store.renew()
        last = self._orthanc.last_change()
        seen = self._store.seen
        if self._is_other_log(last):
            self._start_over(last)
            self._reconcile_soon()
        if last <= seen:
            return
        if seen == 0 and self.building:
            return  # the comparison that is about to begin takes everything over
        reached = seen
        for page in self._pages(seen):
            self._take(page, as_of=last)
            reached = max(reached, page.last)
        self._store.see(max(last, reached))

    def doubt_log(self) -> None:
        """Find out anew whether the log is the one that was read: Orthanc has started, maybe on another database."""
        self._same_log = False

    def _is_other_log(self, last: int) -> bool:
        """Tell whether the newest number cannot be one of the log that was read before Orthanc was started.

        In the same log it goes back too, where the resource of the newest entry is deleted; but what comes next is
        newer than all that was seen.
        """
        if last >= self._store.seen:
            self._same_log = True
        return not self._same_log

    def _start_over(self, last: int) -> None:
        """Begin a new catalog, or one of another database than the one that was indexed.

        To compare all ids beats to read the whole log; and facts of another log cannot be told from newer ones.
        """
        self._same_log = True
        self._doubts += 1
        self._store.start_over(last)
        self._instances.clear()
        self._changed()

    def _pages(self, since: int) -> Iterator[Changes]:
        while True:
            page = self._orthanc.changes(since)
            if not page.entries or page.entries[0].seq > since + 1:
                self._meet_gap(since)
            yield page
            if page.done or page.last <= since:
                return
            since = page.last

    def _meet_gap(self, since: int) -> None:
        """Find out why entries are missing: a deleted resource takes its own along, emptying the log takes all."""
        oldest = self._orthanc.changes(0, 1).entries
        if not oldest or oldest[0].seq > since + 1:
            self._doubts += 1
            self._instances.clear()
            self._changed()
        self._reconcile_soon()

    def _take(self, page: Changes, as_of: int) -> None:
        self._instances.forget(change.id for change in page.entries if change.level is Level.INSTANCE)
        self._changed()
        self.learn({change.id for change in page.entries if change.level is not Level.INSTANCE}, as_of)

    def learn(self, ids: Collection[OrthancId], as_of: int) -> None:
        """Fetch resources and the unknown ones above them, and take them over."""
        for some in _batches(ids):
            found = {resource.id: resource for resource in self._orthanc.resources(some)}
            while above := self._store.unknown(
                resource.parent for resource in found.values() if resource.parent and resource.parent not in found
            ):
                parents = self._orthanc.resources(above)
                if not parents:
                    break
                found.update((parent.id, parent) for parent in parents)
            if self._store.learn(found.values(), as_of):
                self._changed()

    @property
    def generation(self) -> int:
        """Changes whenever `rows` or `rows_with` may answer otherwise: what was made of them can be kept until then."""
        return self._store.generation

    def rows(self, folder: Folder) -> Sequence[Row]:
        """Return what is in a folder now; the same object while nothing changed.

        The folder of a group, and a layout's root that shows groups, are what the facts know: to compare them would
        cost what the archive holds. Only where facts may be missing, Orthanc is asked for its ids.

        Raises:
            UnknownResource: The folder's resource is gone, or nothing is in the group any more.
        """
        as_of = self._store.seen
        self.refresh()
        from_facts = folder.is_group or not (folder.shows or folder.id)
        if self.suspect and (from_facts or folder.decided_by is not folder.holders):
            self._compare_with_all(folder, as_of)
        if from_facts:
            return self._group_rows(folder)
        generation, seen = self._store.generation, self._store.seen
        wanted = set(self._below(folder, folder.holders))
        if self._agreed.get(folder) == (generation, wanted) and not self._doubts:
            return self._known_rows(folder)
        known = self._holders(folder)
        missing = wanted if self._doubts else self._store.unknown(wanted - known)
        gone = known - wanted
        if missing and not (self.building and len(missing) > _PATIENCE):
            self.learn(missing, as_of)
        if gone:
            self.forget(gone, seen)
        if not missing and not gone:
            self._agree(folder, generation, wanted)
            return self._known_rows(folder)
        rows = self._known_rows(folder)
        return [row for row in rows if row.id in wanted] if folder.shows else rows

    def _holders(self, folder: Folder) -> set[OrthancId]:
        if folder.shows is None:
            return self._store.holders(folder)
        return {OrthancId(row.id) for row in self._known_rows(folder)}

    def _agree(self, folder: Folder, generation: int, wanted: set[OrthancId]) -> None:
        """Note that the facts have all that Orthanc told, whether it is shown or not."""
        if len(wanted) < _LONGEST:
            self._agreed[folder] = generation, wanted
        while len(self._agreed) > _LISTINGS:
            self._agreed.pop(next(iter(self._agreed)), None)

    def _group_rows(self, folder: Folder) -> Sequence[Row]:
        rows = self._known_rows(folder)
        if folder.is_group and not rows:
            raise UnknownResource("nothing is in it any more")
        return rows

    def _compare_with_all(self, folder: Folder, as_of: int) -> None:
        """Take over what Orthanc has, and the facts have not, at the level that decides what is in a folder."""
        seen = self._store.seen
        theirs, ours = set(self._orthanc.ids(folder.decided_by)), self._store.ids(folder.decided_by)
        missing = theirs - ours
        if self._doubts:
            missing |= self._holders(folder)
        if missing and not (self.building and len(missing) > _PATIENCE):
            self.learn(missing, as_of)
        if gone := ours - theirs:
            self.forget(gone, seen)

    def _known_rows(self, folder: Folder) -> Sequence[Row]:
        generation = self._store.generation
        kept = self._rows.get(folder)
        if kept is not None and kept[0] == generation:
            return kept[1]
        rows = self._store.rows(folder)
        if len(rows) < _LONGEST:
            self._rows[folder] = generation, rows
        while len(self._rows) > _LISTINGS:
            self._rows.pop(next(iter(self._rows)), None)
        return rows

    def rows_with(self, folder: Folder, keys: tuple[str, ...]) -> list[Row]:
        """Return what the facts have in a folder under one of the keys, without asking Orthanc."""
        return self._store.rows_with(folder, keys)

    def instances(self, folder: Folder, *, fresh: bool) -> list[Mapping[OrthancId, Instance]]:
        """Return the instances below a folder by id, a mapping for each series; the same object while nothing changed.

        Args:
            folder: A folder that shows instances.
            fresh: Whether to ask Orthanc; otherwise what is known of a series will do.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        if fresh:
            self.refresh()
        return [self._instances_of(series, fresh=fresh) for series in self._series(folder, fresh=fresh)]

    def tags(self, series: OrthancId) -> Mapping[str, str]:
        """Return the tags of a series and of those above it, without asking Orthanc."""
        return self._store.tags(series)

    def _instances_of(self, series: OrthancId, *, fresh: bool) -> Mapping[OrthancId, Instance]:
        epoch, arrivals = self._instances.epoch, self._instances.arrivals
        known = self._instances.get(series)
        if known is not None and not fresh and self._instances.is_complete(series):
            return known
        wanted = self._children(Level.SERIES, series)
        if known is not None and known.keys() == set(wanted):
            self._instances.confirm(series, arrivals)
            return known
        kept = [known[i] for i in wanted if known and i in known]
        news = [i for i in wanted if not known or i not in known]
        fetched = itertools.chain.from_iterable(self._orthanc.instances(some) for some in _batches(news))
        put = self._instances.put(series, [*kept, *fetched], epoch)
        self._instances.confirm(series, arrivals)
        return put

    def _series(self, folder: Folder, *, fresh: bool) -> list[OrthancId]:
        if folder.from_series:
            return [OrthancId(row.id) for row in (self.rows(folder) if fresh else self._known_rows(folder))]
        if folder.level is Level.SERIES and folder.id:
            return [OrthancId(folder.id)]
        return list(self._below(folder, Level.SERIES))

    def _below(self, folder: Folder, wanted: Level) -> Iterable[OrthancId]:
        """Return Orthanc's own list of what is below a folder, through levels that the layout leaves out."""
        level = folder.level
        if level is None or folder.id is None:
            return self._orthanc.ids(wanted)
        ids = [OrthancId(folder.id)]
        while level is not wanted and level.child:
            ids = [child for one in ids for child in self._children(level, one)]
            level = level.child
        return ids

    def _children(self, level: Level, resource: OrthancId) -> list[OrthancId]:
        seen = self._store.seen
        try:
            return self._orthanc.children(level, resource)
        except UnknownResource:
            self.forget([resource], seen)
            raise

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Tell whether Orthanc has a resource now; one that it has not is forgotten."""
        seen = self._store.seen
        if self._orthanc.exists(level, resource):
            return True
        self.forget([resource], seen)
        return False

    def forget(self, ids: Iterable[str], as_of: int | None = None) -> None:
        """Drop resources, of any level, that Orthanc does not have any more.

        Args:
            ids: The resources.
            as_of: What was `Store.seen` before they were missed; what was learned since then has come again.
        """
        gone = tuple(ids)
        self._instances.forget(gone)
        self._store.forget(gone, as_of)
        self._changed()

    def deleted(self, ids: Sequence[OrthancId]) -> None:
        """Drop resources whose deletion Orthanc tells of, which it does late: some may have come again meanwhile."""
        seen = max(self._store.seen, self._orthanc.last_change())
        there = set().union(*(self._orthanc.existing(some) for some in _batches(ids)))
        self.forget((i for i in ids if i not in there), seen)

    def read_labels(self) -> None:
        """Read some resources again where layouts go by labels: of these, Orthanc's log does not tell."""
        if not self._to_read:
            self._to_read = [i for level in self._store.labelled for i in self._store.ids(level)]
        some, self._to_read = self._to_read[:_BULK], self._to_read[_BULK:]
        self.learn(some, self._store.seen)

    def differs(self) -> bool:
        """Tell whether Orthanc has another number of resources than the facts, though the log was read to its end."""
        last = self._orthanc.last_change()
        theirs = self._orthanc.counts()
        if self._store.seen < last or self._orthanc.last_change() != last:
            return False  # something comes just now
        ours = tuple(self._store.count(level) for level in (Level.PATIENT, Level.STUDY, Level.SERIES))
        return ours != (theirs.patients, theirs.studies, theirs.series)

    def reconcile(self, progress: Callable[[int, int], None]) -> None:
        """Compare the ids of all patients, studies and series with Orthanc's; fetch and drop what differs.

        Args:
            progress: Told the number of resources fetched, and how many there are to fetch.
        """
        as_of = self._orthanc.last_change()
        if self._is_other_log(as_of) or self._store.seen == 0:
            self._start_over(as_of)
        doubts, seen = self._doubts, max(as_of, self._store.seen)
        levels = (Level.PATIENT, Level.STUDY, Level.SERIES)
        theirs = [self._orthanc.ids(level) for level in levels]
        ours = [self._store.ids(level) for level in levels]
        for here, there in zip(ours, theirs, strict=True):
            if gone := here - set(there):
                self.forget(gone, seen)
        missing = [i for here, there in zip(ours, theirs, strict=True) for i in there if doubts or i not in here]
        done = 0
        for some in _batches(missing):
            self.learn(some, as_of)
            done += len(some)
            progress(done, len(missing))
        if doubts == self._doubts:
            self._doubts = 0


def _batches(items: Collection[T]) -> Iterator[list[T]]:
    source = iter(items)
    while some := list(itertools.islice(source, _BULK)):
        yield some
