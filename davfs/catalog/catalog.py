"""The index as the drive uses it: lists folders, resolves names, and never returns less than Orthanc has committed.

A request calls `Catalog.refresh` once, before all else: it reads Orthanc's log of changes, so that everything is
indexed that Orthanc had committed when the request arrived. Deletions are found by comparing each listed folder with
Orthanc's own list (`folder_contents`, `hierarchy`). A name is resolved in the index: its resource may be gone, but is
no other one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from davfs.cache import LruCache
from davfs.catalog.folder_contents import FolderContents
from davfs.catalog.hierarchy import Hierarchy
from davfs.catalog.instances import InstanceCache
from davfs.catalog.plan import Folder, Plan
from davfs.catalog.reconciler import Reconciler
from davfs.catalog.rows import Row
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import IndexCallbacks, Synchronizer
from davfs.errors import DatabaseGone
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Instance, Level, OrthancId

_TAGGED = 4096
"""Resources whose tags are cached."""


class Catalog:
    """The index of one Orthanc.

    Args:
        orthanc: The server.
        store: The index's file.
        instances: The cache of instances.
        callbacks: Told what the index needs, and that it changed.

    Attributes:
        synchronizer: Keeps the index in step with Orthanc.
        reconciler: Compares the whole index with Orthanc.
    """

    def __init__(
        self,
        orthanc: ResourceIndex,
        store: Store,
        instances: InstanceCache,
        callbacks: IndexCallbacks = IndexCallbacks(),  # noqa: B008  it is immutable
    ) -> None:
        self._store = store
        self.synchronizer = Synchronizer(orthanc, store, instances, callbacks)
        self.reconciler = Reconciler(orthanc, store, self.synchronizer)
        self._hierarchy = Hierarchy(orthanc, store, instances, self.synchronizer)
        self._contents = FolderContents(orthanc, store, self.synchronizer, self._hierarchy)
        self._tags: LruCache[str, tuple[int, Mapping[str, str]]] = LruCache(_TAGGED)

    @property
    def needs_comparison(self) -> bool:
        """True while resources may be missing, outdated or deleted; see `Synchronizer.needs_comparison`."""
        return self.synchronizer.needs_comparison

    @property
    def may_lack_resources(self) -> bool:
        """True while resources may be missing or outdated; see `Synchronizer.may_lack_resources`."""
        return self.synchronizer.may_lack_resources

    @property
    def generation(self) -> int:
        """Number of changes of the index: values computed from `rows` or `rows_with` are valid while it is the same."""
        return self._store.generation

    def refresh(self) -> None:
        """Index all that Orthanc's log of changes has and the index does not: the first step of each request.

        During an outage of Orthanc's database (`davfs.orthanc.outage`), the index is used as it is, here and below.
        """
        with suppress(DatabaseGone):
            self.synchronizer.refresh()

    def place_for_today(self) -> None:
        """Move the index on to today, if a day has begun: `refresh` does so too."""
        self.synchronizer.place_for_today()

    def place_next(self) -> bool:
        """Place some studies by new layouts, or delete some former placements; see `Store.place_next`."""
        return self._store.place_next()

    def percentage(self, plan: Plan) -> int | None:
        """Return how much of the archive a layout shows today; None if it shows all that it has to."""
        self.place_for_today()
        return self._store.layouts.percentage(plan)

    def progress(self) -> Mapping[str, tuple[str, int | None]]:
        """Return title and `percentage` of each layout, by its key."""
        layouts = self._store.layouts
        return {plan.key: (plan.layout.title, layouts.percentage(plan)) for plan in layouts.wanted.plans}

    def check_next(self) -> None:
        """Check a part of the file for damage, if that has to be done; see `Store.check_next`."""
        self._store.check_next()

    def checkpoint(self) -> None:
        """Copy what was written to the index into its file proper; see `Database.checkpoint`."""
        self._store.checkpoint()

    def return_to_file(self) -> None:
        """Write the index back to its file, if it is in memory and that is possible again."""
        self._store.return_to_file()

    def forget(self, ids: Iterable[str]) -> None:
        """Delete resources, of any level, from the index that Orthanc does not have any more."""
        self.synchronizer.forget(ids)

    def rows(self, folder: Folder) -> Sequence[Row]:
        """Return the rows of a folder now, see `FolderContents.current`; the same object while nothing changed.

        What has come since `refresh` may be missing.

        Raises:
            UnknownResource: The folder's resource is gone, or the group has no members any more.
        """
        try:
            return self._contents.current(folder)
        except DatabaseGone:
            return self._contents.known(folder)

    def rows_with(self, folder: Folder, keys: tuple[str, ...]) -> list[Row]:
        """Return the indexed rows of a folder whose name has one of the keys, without asking Orthanc."""
        return self._store.rows_with(folder, keys)

    def instances(self, folder: Folder, *, fresh: bool) -> list[Mapping[OrthancId, Instance]]:
        """Return the instances below a folder by id, a mapping for each series; the same object while nothing changed.

        Args:
            folder: A folder that shows instances.
            fresh: Whether to ask Orthanc, after `refresh`, even if they are cached.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        owner = OrthancId(folder.id) if folder.id else None
        return list(self._hierarchy.instances_of(self._series(folder, fresh=fresh), owner, folder.level, fresh=fresh))

    def _series(self, folder: Folder, *, fresh: bool) -> Sequence[OrthancId]:
        if not folder.from_series:
            return self._hierarchy.in_folder(folder, Level.SERIES)
        rows = self._contents.current(folder) if fresh else self._contents.indexed(folder)
        return [OrthancId(row.id) for row in rows]

    def studies_of(self, node: str) -> Sequence[OrthancId]:
        """Return the studies in a patient folder, as Orthanc has them now.

        Raises:
            UnknownResource: All of them are gone.
        """
        return self._hierarchy.studies_of(node)

    def instances_below(
        self, level: Level, resource: OrthancId, *, fresh: bool
    ) -> Iterator[Mapping[OrthancId, Instance]]:
        """Yield the instances of all series below a resource, as `instances` does, in the order of SeriesNumber.

        Args:
            level: Patient, study or series.
            resource: The resource; the node of a patient folder.
            fresh: Whether to ask Orthanc even if the instances are cached.

        Yields:
            A mapping for each series: first those whose number is an integer, by number, then the others, by id. Each
            series is fetched when it is its turn.

        Raises:
            UnknownResource: The resource is gone.
        """
        series, synchronizer = self._hierarchy.below(level, resource, Level.SERIES), self.synchronizer
        synchronizer.fetch(synchronizer.unverified(series) if synchronizer.is_stale else self._store.unknown(series))
        in_order = sorted(series, key=self._series_order)
        yield from self._hierarchy.instances_of(in_order, resource, level, fresh=fresh)

    def _series_order(self, series: OrthancId) -> tuple[bool, int, OrthancId]:
        try:
            return False, int(self.tags(series).get("SeriesNumber", "")), series
        except ValueError:
            return True, 0, series

    def tags(self, node: str) -> Mapping[str, str]:
        """Return the indexed tags of a resource and of those above it; see `Store.tags`."""
        generation, cached = self._store.generation, self._tags.get(node)
        if cached is not None and cached[0] == generation:
            return cached[1]
        tags = self._store.tags(node)
        self._tags.put(node, (generation, tags))
        return tags

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Return True if Orthanc has a resource now; see `Hierarchy.exists`."""
        return self._hierarchy.exists(level, resource)
