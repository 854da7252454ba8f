"""A layout as an area of the drive: folders are groups, patients, studies and series, files are instances."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from davfs.catalog.acquisition import acquired
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder, Plan
from davfs.entry import Content, Entry, Kind, Path, Streamed
from davfs.errors import Forbidden, IsAFolder, NotAFolder, NotFound, UnknownResource
from davfs.filesystem.files import Files, FilesCache, Shown, TagsAbove
from davfs.filesystem.folders import Listings, find_folder
from davfs.layout import Layout
from davfs.layout.model import Dates
from davfs.layout.tags import DEFAULT
from davfs.orthanc import Orthanc
from davfs.orthanc.model import Instance, Level, OrthancId

_KEPT = 10_000
"""Paths that are kept: more than people have open, a few MB."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Node:
    """What a path leads to.

    Attributes:
        level: Level of the resource; None for a group and for the layout's root.
        id: The resource; None for a group and for the layout's root.
        entry: Its entry, as far as it is known without asking Orthanc.
        folder: What can be found below it; None for a file, and for a folder at the end of a layout without files.
    """

    level: Level | None
    id: OrthancId | None
    entry: Entry
    folder: Folder | None


@dataclass(slots=True)
class _Known:
    """What paths led to in one generation of the catalog; a thread that still uses an older one fills that one."""

    generation: int
    folders: dict[Path, Node | None] = field(default_factory=dict)


class Tree:
    """`davfs.filesystem.area.Area` over one layout.

    Args:
        layout: The levels of the tree.
        catalog: Who is in which folder.
        orthanc: Serves the files.
        delete: Runs a deletion on a worker's thread and waits for it; None where deleting is not allowed.
        since: Date of the root, in UTC.
    """

    def __init__(
        self,
        layout: Layout,
        catalog: Catalog,
        orthanc: Orthanc,
        delete: Callable[[Callable[[], None]], None] | None,
        since: datetime,
    ) -> None:
        self._layout = layout
        self._depth = len(layout.levels)
        self._has_files = layout.levels[-1].resource is Level.INSTANCE
        self._catalog = catalog
        self._orthanc = orthanc
        self._delete = delete
        self._listings = Listings(catalog)
        self._files = FilesCache()
        from_above = layout.levels[-1].template.keywords - DEFAULT[Level.INSTANCE]
        self._acquisition = layout.dates is Dates.ACQUISITION
        self._shown_from_above = bool(from_above) or self._acquisition
        self._known = _Known(catalog.generation)
        self._root = Node(None, None, Entry("", Kind.FOLDER, since), Folder(Plan.of(layout)))

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        return self._with(path, self._verified)

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        return self._with(path, self._entries)

    def read(self, path: Path) -> Content:
        """See `Area`."""
        return self._with(path, lambda node: self._opened(path, node))

    def delete(self, path: Path) -> str:
        """See `Deletable`."""
        if self._delete is None:
            raise Forbidden(path, "AllowDelete is not set: nothing can be deleted from the archive through this drive")
        run = self._delete
        return self._with(path, lambda node: self._deleted(path, node, run))

    def _with(self, path: Path, use: Callable[[Node], T]) -> T:
        """Use what a path leads to.

        The log of changes is asked first, for a name can have been claimed by a second resource. Where nothing is
        found, or what was found is gone, the folders themselves are asked.
        """
        self._catalog.refresh()
        if self._catalog.suspect:
            self._read_again(path)
        node = self._find(path, fresh=False) or self._found_again(path)
        try:
            return use(node)
        except UnknownResource:
            self._forget(node)
        node = self._found_again(path)
        try:
            return use(node)
        except UnknownResource:
            self._forget(node)
            raise NotFound(path, "it has been deleted") from None

    def _forget(self, node: Node) -> None:
        if node.id:
            self._catalog.forget([node.id])

    def _found_again(self, path: Path) -> Node:
        try:
            node = self._find(path, fresh=True)
        except UnknownResource:
            node = None
        if node is None:
            raise NotFound(path, "there is nothing of that name")
        return node

    def _read_again(self, path: Path) -> None:
        """Compare the folders on the way with Orthanc, where facts may be missing: a name may not be the only one."""
        for depth in range(min(len(path), self._depth)):
            parent = self._find_folder(path[:depth])
            if parent is None or parent.folder is None or parent.folder.shows is Level.INSTANCE:
                return
            with suppress(UnknownResource):
                self._catalog.rows(parent.folder)

    def _find(self, path: Path, *, fresh: bool) -> Node | None:
        if len(path) < self._depth or not self._has_files:
            return self._find_folder(path)
        parent = self._find_folder(path[:-1]) if len(path) == self._depth else None
        return self._file(parent.folder, path[-1], fresh=fresh) if parent and parent.folder else None

    def _find_folder(self, path: Path) -> Node | None:
        known = self._known
        if known.generation != self._catalog.generation or len(known.folders) > _KEPT:
            known = self._known = _Known(self._catalog.generation)
        if path not in known.folders:
            known.folders[path] = self._walk(path)
        return known.folders[path]

    def _walk(self, path: Path) -> Node | None:
        if not path:
            return self._root
        parent = self._find_folder(path[:-1])
        if parent is None or parent.folder is None:
            return None
        found = find_folder(self._catalog, parent.folder, path[-1])
        if found is None:
            return None
        level = parent.folder.shows
        resource = OrthancId(found.node) if level else None
        return Node(level, resource, found.entry, parent.folder.below(found.node))

    def _file(self, folder: Folder, segment: str, *, fresh: bool) -> Node | None:
        try:
            entry = self._files_of(folder, fresh=fresh).find(segment)
        except UnknownResource:
            return None
        return Node(Level.INSTANCE, OrthancId(entry.resource), entry, None) if entry else None

    def _files_of(self, folder: Folder, *, fresh: bool) -> Files:
        instances = self._catalog.instances(folder, fresh=fresh)
        return self._files.files(folder.id, instances, self._tags_above(instances), self._show)

    def _tags_above(self, instances: Sequence[Mapping[OrthancId, Instance]]) -> TagsAbove:
        """Return the tags of the series that files are shown by, none where their own are all that is needed."""
        if not self._shown_from_above:
            return {}
        series = {next(iter(found.values())).series for found in instances if found}
        return {one: self._catalog.tags(one) for one in series}

    def _show(self, instance: Instance, above: TagsAbove) -> Shown:
        tags = {**above.get(instance.series, {}), **instance.tags}
        base = self._layout.levels[-1].template.render(tags, instance.id)
        return Shown(base, acquired(Level.INSTANCE, tags) if self._acquisition else None)

    def _verified(self, node: Node) -> Entry:
        """Return the entry of a node that Orthanc has now; the size of a file is that of this moment."""
        if node.level is None or node.id is None:
            return node.entry
        if node.level is Level.INSTANCE:
            return replace(node.entry, size=self._orthanc.instance_size(node.id))
        if not self._catalog.exists(node.level, node.id):
            raise UnknownResource("it has been deleted")
        return node.entry

    def _entries(self, node: Node) -> Iterable[Entry]:
        if not node.entry.is_folder:
            raise NotAFolder((), "it is a file")
        if node.folder is None:
            return []  # the layout ends here
        if node.folder.shows is Level.INSTANCE:
            return self._files_of(node.folder, fresh=True).entries
        return self._listings.list(node.folder)

    def _opened(self, path: Path, node: Node) -> Content:
        if node.entry.is_folder or node.id is None:
            raise IsAFolder(path, "it is a folder")
        return Streamed(node.entry, self._orthanc.open_instance(node.id))

    def _deleted(self, path: Path, node: Node, run: Callable[[Callable[[], None]], None]) -> str:
        if node.level is None or node.id is None:
            raise Forbidden(path, "this folder only groups what is in it: delete the folders in it instead")
        level, resource = node.level, node.id
        run(lambda: self._orthanc.delete(level, resource))
        self._catalog.forget([resource])
        return resource
