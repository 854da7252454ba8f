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
from dataclasses import dataclass
from typing import TypeVar

from davfs.catalog.instances import InstanceCache
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


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a layout.

    Attributes:
        layout: Title of the layout.
        level: Level of the resource; None for the layout's root.
        id: The resource; None for the layout's root.
        shows: Level of what is in it.
    """

    layout: str
    level: Level | None
    id: OrthancId | None
    shows: Level


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
        self._reconcile_soon = reconcile_soon
        self._wait_for_first_index = wait_for_first_index
        self._changed = changed
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
            self._store.learn(found.values(), as_of)
            self._changed()

    @property
    def generation(self) -> int:
        """Changes whenever `rows` or `rows_with` may answer otherwise: what was made of them can be kept until then."""
        return self._store.generation

    def rows(self, folder: Folder) -> Sequence[Row]:
        """Return what is in a folder now; the same object while nothing changed.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        as_of = self._store.seen
        self.refresh()
        wanted = set(self._below(folder))
        rows = self._known_rows(folder)
        known = {row.id for row in rows}
        if known == wanted and not self._doubts:
            return rows
        missing, gone = wanted if self._doubts else wanted - known, known - wanted
        if missing and not (self.building and len(missing) > _PATIENCE):
            self.learn(missing, as_of)
        if gone:
            self.forget(gone)
        return [row for row in self._known_rows(folder) if row.id in wanted]

    def _known_rows(self, folder: Folder) -> Sequence[Row]:
        generation = self._store.generation
        kept = self._rows.get(folder)
        if kept is not None and kept[0] == generation:
            return kept[1]
        rows = self._store.rows(folder.layout, folder.id)
        if len(rows) < _LONGEST:
            self._rows[folder] = generation, rows
        while len(self._rows) > _LISTINGS:
            self._rows.pop(next(iter(self._rows)), None)
        return rows

    def rows_with(self, folder: Folder, keys: tuple[str, ...]) -> list[Row]:
        """Return what the facts have in a folder under one of the keys, without asking Orthanc."""
        return self._store.rows_with(folder.layout, folder.id, keys)

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
        return [self._instances_of(series, fresh=fresh) for series in self._series(folder)]

    def tags(self, series: OrthancId) -> tuple[Mapping[str, str], ...]:
        """Return the tags of a series and of those above it, the patient's first, without asking Orthanc."""
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

    def _series(self, folder: Folder) -> list[OrthancId]:
        if folder.level is Level.SERIES and folder.id:
            return [folder.id]
        return list(self._below(Folder(folder.layout, folder.level, folder.id, Level.SERIES)))

    def _below(self, folder: Folder) -> Iterable[OrthancId]:
        """Return Orthanc's own list of what is in a folder, through levels that the layout leaves out."""
        if folder.level is None or folder.id is None:
            return self._orthanc.ids(folder.shows)
        level, ids = folder.level, [folder.id]
        while level is not folder.shows and level.child:
            ids = [child for one in ids for child in self._children(level, one)]
            level = level.child
        return ids

    def _children(self, level: Level, resource: OrthancId) -> list[OrthancId]:
        try:
            return self._orthanc.children(level, resource)
        except UnknownResource:
            self.forget([resource])
            raise

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Tell whether Orthanc has a resource now; one that it has not is forgotten."""
        if self._orthanc.exists(level, resource):
            return True
        self.forget([resource])
        return False

    def forget(self, ids: Iterable[str]) -> None:
        """Drop resources, of any level, that Orthanc does not have any more."""
        gone = tuple(ids)
        self._instances.forget(gone)
        self._store.forget(gone)
        self._changed()

    def deleted(self, ids: Sequence[OrthancId]) -> None:
        """Drop resources whose deletion Orthanc tells of, which it does late: some may have come again meanwhile."""
        there = set().union(*(self._orthanc.existing(some) for some in _batches(ids)))
        self.forget(i for i in ids if i not in there)

    def reconcile(self, progress: Callable[[int, int], None]) -> None:
        """Compare the ids of all patients, studies and series with Orthanc's; fetch and drop what differs.

        Args:
            progress: Told the number of resources fetched, and how many there are to fetch.
        """
        as_of = self._orthanc.last_change()
        if self._is_other_log(as_of) or self._store.seen == 0:
            self._start_over(as_of)
        doubts = self._doubts
        levels = (Level.PATIENT, Level.STUDY, Level.SERIES)
        theirs = [self._orthanc.ids(level) for level in levels]
        ours = [self._store.ids(level) for level in levels]
        for here, there in zip(ours, theirs, strict=True):
            if gone := here - set(there):
                self.forget(gone)
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
