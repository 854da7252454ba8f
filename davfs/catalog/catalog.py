"""What the drive asks: who is in a folder, now.

Freshness: a listing shows all that Orthanc had committed when the request arrived. Additions and updates come from
``/changes``, which whoever answers a request has read (`Catalog.refresh`) before it asks anything else here, once for
all that it asks; deletions are found by comparing a listing with Orthanc's own list of children (`folder_contents`,
`hierarchy`). A name that is looked up leads to what the facts know, which can only have gone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from davfs.cache import LruCache
from davfs.catalog.facts import Facts
from davfs.catalog.folder_contents import FolderContents
from davfs.catalog.hierarchy import Hierarchy
from davfs.catalog.instances import InstanceCache
from davfs.catalog.plan import Folder
from davfs.catalog.rows import Row
from davfs.catalog.store import Store
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Instance, Level, OrthancId

_TAGGED = 4096
"""Resources whose tags are kept until the facts change."""


class Catalog:
    """The index of one Orthanc.

    Args:
        orthanc: The server.
        store: Facts and placements.
        instances: Cache of instances.
        reconcile_soon: Called where the log of changes has a gap, so that the whole index should be compared.
        wait_for_first_index: Called by what needs the index while it is still being built; waits a moment.
        changed: Called after each change of what names lead to.

    Attributes:
        facts: What `davfs.catalog.indexer` keeps in step with Orthanc behind the answers.
    """

    def __init__(  # noqa: PLR0913  what it reads, and three things that it tells others
        self,
        orthanc: ResourceIndex,
        store: Store,
        instances: InstanceCache,
        *,
        reconcile_soon: Callable[[], object] = lambda: None,
        wait_for_first_index: Callable[[], object] = lambda: None,
        changed: Callable[[], object] = lambda: None,
    ) -> None:
        self._store = store
        self.facts = Facts(
            orthanc,
            store,
            instances,
            reconcile_soon=reconcile_soon,
            wait_for_first_index=wait_for_first_index,
            changed=changed,
        )
        self._hierarchy = Hierarchy(orthanc, store, instances, self.facts)
        self._contents = FolderContents(orthanc, store, self.facts, self._hierarchy)
        self._tags: LruCache[str, tuple[int, Mapping[str, str]]] = LruCache(_TAGGED)

    @property
    def suspect(self) -> bool:
        """True while facts may be missing or old: until the index is complete, and after the log was emptied."""
        return self.facts.suspect

    @property
    def generation(self) -> int:
        """Changes whenever `rows` or `rows_with` may answer otherwise: what was made of them can be kept until then."""
        return self._store.generation

    def refresh(self) -> None:
        """Take over all that Orthanc's log of changes has and the facts do not: the first thing in each request."""
        self.facts.refresh()

    def reconcile(self, progress: Callable[[int, int], None]) -> None:
        """Compare everything with Orthanc, see `Facts.reconcile`: what has no indexer is complete after it."""
        self.facts.reconcile(progress)

    def forget(self, ids: Iterable[str]) -> None:
        """Drop resources, of any level, that Orthanc does not have any more."""
        self.facts.forget(ids)

    def rows(self, folder: Folder) -> Sequence[Row]:
        """Return what is in a folder now, see `FolderContents.current`; the same object while nothing changed.

        What has come since `refresh` may be missing.

        Raises:
            UnknownResource: The folder's resource is gone, or nothing is in the group any more.
        """
        return self._contents.current(folder)

    def rows_with(self, folder: Folder, keys: tuple[str, ...]) -> list[Row]:
        """Return what the facts have in a folder under one of the keys, without asking Orthanc."""
        return self._store.rows_with(folder, keys)

    def instances(self, folder: Folder, *, fresh: bool) -> list[Mapping[OrthancId, Instance]]:
        """Return the instances below a folder by id, a mapping for each series; the same object while nothing changed.

        Args:
            folder: A folder that shows instances.
            fresh: Whether to ask Orthanc what is there, after `refresh`; otherwise what is known of a series will do.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        owner = OrthancId(folder.id) if folder.id else None
        return list(self._hierarchy.instances_of(self._series(folder, fresh=fresh), owner, folder.level, fresh=fresh))

    def _series(self, folder: Folder, *, fresh: bool) -> Sequence[OrthancId]:
        if not folder.from_series:
            return self._hierarchy.in_folder(folder, Level.SERIES)
        rows = self._contents.current(folder) if fresh else self._contents.known(folder)
        return [OrthancId(row.id) for row in rows]

    def studies_of(self, node: str) -> Sequence[OrthancId]:
        """Return the studies that a patient's folder shows, as Orthanc has them now.

        Raises:
            UnknownResource: There is none.
        """
        return self._hierarchy.studies_of(node)

    def instances_below(
        self, level: Level, resource: OrthancId, *, fresh: bool
    ) -> Iterator[Mapping[OrthancId, Instance]]:
        """Yield the instances of all series below a resource, as `instances` does, in the order of SeriesNumber.

        Args:
            level: Patient, study or series.
            resource: The resource; the node of a patient's folder.
            fresh: Whether to ask Orthanc; otherwise what is known of a series will do.

        Yields:
            A mapping for each series: those whose number is an integer by that, the others after them, by id. Orthanc
            is asked of a series when it is its turn.

        Raises:
            UnknownResource: The resource is gone.
        """
        series = self._hierarchy.below(level, resource, Level.SERIES)
        self.facts.learn(self.facts.doubtful(series) if self.facts.doubted else self._store.unknown(series))
        in_order = sorted(series, key=self._series_order)
        yield from self._hierarchy.instances_of(in_order, resource, level, fresh=fresh)

    def _series_order(self, series: OrthancId) -> tuple[bool, int, OrthancId]:
        try:
            return False, int(self.tags(series).get("SeriesNumber", "")), series
        except ValueError:
            return True, 0, series

    def tags(self, node: str) -> Mapping[str, str]:
        """Return the tags of a resource and of those above it, without asking Orthanc; see `Store.tags`."""
        generation, kept = self._store.generation, self._tags.get(node)
        if kept is not None and kept[0] == generation:
            return kept[1]
        tags = self._store.tags(node)
        self._tags.put(node, (generation, tags))
        return tags

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Return True if Orthanc has a resource now, see `Hierarchy.exists`; one that it has not is forgotten."""
        return self._hierarchy.exists(level, resource)
