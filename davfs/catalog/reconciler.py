"""Compares the whole index with Orthanc: for the first index, after a gap in the log, and part by part all the time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from davfs.catalog.change_log import end_of_log
from davfs.catalog.id_sets import PackedIds, RowSet
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import Synchronizer, batches
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Level, OrthancId, Resource

_PART = 250
"""Resources of each level that are re-read at once."""
_PAGE = 10_000
"""Ids that Orthanc lists at once: of a million studies, all would take a gigabyte."""
_LISTINGS = 3
"""Times that ids are listed page by page while resources are deleted; then all are listed at once."""
_AT_ONCE = 5000
"""Series that are saved at once, unless another thread waits to write: fewer cost more in all."""


class _PagesMovedError(Exception):
    """Resources were deleted while Orthanc listed all of them page by page."""


@dataclass(slots=True)
class _Rereading:
    """How many resources of a level were re-read, and whether all were since the last round."""

    level: Level
    done: int = 0
    complete: bool = False


class Reconciler:
    """Compares all studies and series in the index with those of Orthanc.

    Args:
        orthanc: The server.
        store: The index.
        synchronizer: Fetches and forgets what differs.
    """

    def __init__(self, orthanc: ResourceIndex, store: Store, synchronizer: Synchronizer) -> None:
        self._orthanc = orthanc
        self._store = store
        self._synchronizer = synchronizer
        self._levels = [_Rereading(level) for level in (Level.PATIENT, Level.STUDY, Level.SERIES)]

    def reconcile(self, progress: Callable[[int, int], None]) -> None:
        """Compare the ids of all studies and series; fetch and forget what differs. This builds the first index.

        Args:
            progress: Called with the number of resources fetched, and of those to fetch; first with 0, once the ids are
                compared.
        """
        self._check_log()
        staleness = self._store.log.staleness
        studies, series = (self._compare_ids(level, progress) for level in (Level.STUDY, Level.SERIES))
        with self._store.bulk():
            self._fetch(series, studies, progress)
        self._synchronizer.end_staleness(staleness)
        self._store.set_complete()

    def _compare_ids(self, level: Level, progress: Callable[[int, int], None]) -> PackedIds:
        """Forget the resources of a level that Orthanc does not have; return those to fetch."""
        for _ in range(_LISTINGS):
            with suppress(_PagesMovedError):
                return self._compare_pages(level, self._pages(level), progress)
        return self._compare_pages(level, batches(self._orthanc.ids(level), _PAGE), progress)

    def _compare_pages(
        self, level: Level, pages: Iterable[Sequence[OrthancId]], progress: Callable[[int, int], None]
    ) -> PackedIds:
        seen, wanted = RowSet(), PackedIds()
        for page in pages:
            known = self._store.rows(page)
            seen.update(known.values())
            wanted.extend(page if self._synchronizer.is_stale else [one for one in page if one not in known])
            if len(page) == _PAGE:
                progress(0, len(wanted))
        self._forget_others(level, seen)
        return wanted

    def _pages(self, level: Level) -> Iterator[Sequence[OrthancId]]:
        """Yield the ids of a level as Orthanc lists them, in bounded memory.

        Each page begins with the last id of the one before: where it does not, resources were deleted meanwhile, and
        others moved to a page that was listed already.

        Raises:
            _PagesMovedError: That has happened.
        """
        page, listed = self._orthanc.id_page(level, 0, _PAGE), 0
        while page:
            yield page
            listed += len(page)
            if len(page) < _PAGE:
                return
            last, *further = self._orthanc.id_page(level, listed - 1, _PAGE + 1) or ("",)
            if last != page[-1]:
                raise _PagesMovedError
            page = further

    def _forget_others(self, level: Level, seen: RowSet) -> None:
        """Forget indexed resources of a level whose numbers were not seen, unless Orthanc has them."""
        found = self._store.after(level, "", _PAGE)
        while found:
            if others := [one for one, row in found if row not in seen]:
                self._synchronizer.handle_deletions(others)
            found = self._store.after(level, found[-1][0], _PAGE)

    def _fetch(self, series: PackedIds, studies: PackedIds, progress: Callable[[int, int], None]) -> None:
        """Fetch series, which bring their studies, so that these are placed once; and then the other studies."""
        done, total = 0, len(series) + len(studies)
        progress(done, total)
        for batch in batches(series, _AT_ONCE):
            self._synchronizer.fetch(batch, _AT_ONCE)
            self._store.checkpoint()
            done += len(batch)
            progress(done, total)
        for batch in batches(studies, _AT_ONCE):
            self._synchronizer.fetch(batch if self._synchronizer.is_stale else self._store.unknown(batch), _AT_ONCE)
            self._store.checkpoint()
            done += len(batch)
            progress(done, total)
        progress(total, total)

    def _check_log(self) -> None:
        """Begin to follow the log of changes, or check that it is the one that was read: `refresh` reads its end."""
        position = self._store.log.position
        if position.seen == 0:
            self._store.begin(end_of_log(self._orthanc))
        elif position.unread(self._orthanc.changes(position.since)) is None:
            self._synchronizer.resume_log(position)

    def counts_differ(self) -> bool:
        """Return True if Orthanc has another number of resources than the index, though its whole log was read.

        Then another Orthanc on the same database has deleted resources, or has added them without an entry in the log.
        """
        last = self._orthanc.last_change()
        theirs = self._orthanc.counts()
        if self._store.log.position.seen < last or self._orthanc.last_change() != last:
            return False  # a change is coming in at this moment
        ours = tuple(self._store.count(level) for level in (Level.STUDY, Level.SERIES))
        return ours != (theirs.studies, theirs.series)

    def reread_part(self) -> bool:
        """Re-read the next part of each level: not all changes of tags and labels are in Orthanc's log.

        All levels proceed together, so that studies, whose tags decide whose they are, do not wait for all series.

        Returns:
            True if all resources have been re-read since it last returned True.
        """
        levels = [one for one in self._levels if one.level is not Level.PATIENT or one.level in self._store.labelled]
        for one in levels:
            revision = self._store.revision
            found, count = self._part(one.level, one.done)
            self._synchronizer.fetch(self._synchronizer.save(found, revision))
            one.done = one.done + _PART if count == _PART else 0
            one.complete = one.complete or one.done == 0
        if not all(one.complete for one in levels):
            return False
        for one in levels:
            one.complete = False
        return True

    def _part(self, level: Level, since: int) -> tuple[Sequence[Resource], int]:
        """Fetch a part of all resources of a level; return it, and how many were requested."""
        if level is Level.PATIENT:  # there may be no /patients
            wanted: Sequence[OrthancId] = sorted(self._store.ids(level))[since : since + _PART]
            return self._orthanc.resources(wanted), len(wanted)
        found = self._orthanc.page(level, since, _PART)
        return found, len(found)
