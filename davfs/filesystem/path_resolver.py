"""Resolves the paths of a layout to folders and files.

1. A path is resolved segment by segment, each of them in the folder that the segments before it lead to.
2. A name is looked up in the index. Orthanc is asked only if the index does not suffice: for the instances of a series
   that are not cached, and if the name is that of an extra file, which may exist or not.
3. The folders of paths are cached until the catalog changes.
4. If nothing has the name, or its resource was deleted meanwhile, the path is resolved again, with Orthanc's own
   list of instances.
"""

import unicodedata
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

from davfs import names
from davfs.catalog.catalog import Catalog
from davfs.entry import Path
from davfs.errors import NotFound, UnknownResource
from davfs.filesystem.extra_files import ExtraFiles
from davfs.filesystem.image_files import NO_EXTRA_FILES
from davfs.filesystem.images import Images
from davfs.filesystem.subfolders import Subfolders
from davfs.filesystem.tree_node import TreeNode
from davfs.layout import Layout
from davfs.orthanc.model import Level

_CACHED = 10_000
"""Paths that are cached: more than people have open, a few MB."""

T = TypeVar("T")


class PathResolver:
    """Resolves the paths of one layout.

    Args:
        layout: The layout.
        root: Its root.
        catalog: The index.
        subfolders: Finds folders.
        images: Finds the files of instances.
        extra_files: Finds the extra files beside both.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what a name can lead to
        self,
        layout: Layout,
        root: TreeNode,
        catalog: Catalog,
        subfolders: Subfolders,
        images: Images,
        extra_files: ExtraFiles,
    ) -> None:
        self._root = root
        self._catalog = catalog
        self._subfolders = subfolders
        self._images = images
        self._extra_files = extra_files
        self._deepest = len(layout.levels) + 1  # an extra file in a folder at the end of the layout
        self._cache: tuple[int, dict[Path, TreeNode | None]] = catalog.generation, {}

    def use(self, path: Path, action: Callable[[TreeNode], T]) -> T:
        """Resolve a path, and call an action with its node.

        Orthanc's log of changes is read first, for a second resource can have claimed the name.

        Args:
            path: The path.
            action: Raises `UnknownResource` if the node's resource has been deleted; it is then called again, with
                the node that the path leads to now.

        Raises:
            NotFound: The path leads to nothing.
        """
        self._catalog.refresh()
        if self._catalog.may_lack_resources:
            self._compare_folders(path)
        for fresh in (False, True):
            node = self.find(path, fresh=fresh) or self.find(path, fresh=True)
            if node is None:
                raise NotFound(path, "there is nothing of that name")
            try:
                return action(node)
            except UnknownResource:
                self._forget(node)
        raise NotFound(path, "it has been deleted")

    def inspect(self, path: Path, action: Callable[[TreeNode], T]) -> T:
        """As `use`, for an action that asks Orthanc about the resource: its tags, and so its name, can have changed."""

        def inspected(node: TreeNode) -> T:
            generation = self._catalog.generation
            result = action(node)
            if self._catalog.generation != generation:
                now = self.find(path)
                if now is None or (now.level, now.id) != (node.level, node.id):
                    raise UnknownResource("it has another name")
            return result

        return self.use(path, inspected)

    def find(self, path: Path, *, fresh: bool = False) -> TreeNode | None:
        """Return the node of a path; None if there is none.

        Args:
            path: The path.
            fresh: Whether to ask Orthanc for the instances of the last folder.
        """
        if not path:
            return self._root
        if len(path) > self._deepest:
            return None
        folders = self._cached_folders()
        if path in folders:
            return folders[path]
        parent, segment = self.find(path[:-1]), path[-1]
        if parent is None:
            return None
        extra = self._extra_files.matching(parent, segment)
        extra_bases = self._extra_files.existing(parent, extra) if extra else NO_EXTRA_FILES
        node = self._find_child(parent, segment, extra_bases, fresh=fresh)
        if parent.has_subfolders and not extra:
            folders[path] = node
        return node

    def _find_child(
        self, parent: TreeNode, segment: str, extra_bases: Mapping[str, str], *, fresh: bool
    ) -> TreeNode | None:
        """Return the node of a name in a folder that has these extra files; None if there is none."""
        folder = parent.folder
        found: TreeNode | str | None = None
        if folder is None:  # a file, or a folder at the end of the layout
            found = names.resolve(segment, extra_bases, files=True)
        elif folder.shows is Level.INSTANCE:
            with suppress(UnknownResource):
                found = self._images.find(folder, segment, fresh=fresh, extra_bases=extra_bases)
        else:
            found = self._subfolders.find(folder, segment, extra_bases)
        if isinstance(found, str):
            return self._extra_files.node(parent, found, unicodedata.normalize("NFC", segment))
        return found

    def _cached_folders(self) -> dict[Path, TreeNode | None]:
        generation = self._catalog.generation
        cached, folders = self._cache
        if cached != generation or len(folders) > _CACHED:  # a thread that still has the older folders adds to those
            self._cache = generation, (folders := {})
        return folders

    def _compare_folders(self, path: Path) -> None:
        """Compare the folders above a path with Orthanc: the index may lack a resource with one of the names."""
        for depth in range(len(path)):
            parent = self.find(path[:depth])
            if parent is None or parent.folder is None or not parent.has_subfolders:
                return
            with suppress(UnknownResource):
                self._catalog.rows(parent.folder)

    def _forget(self, node: TreeNode) -> None:
        """Remove a node's resource from the index if Orthanc does not have it; it may be something below it."""
        if node.level and node.id:
            self._catalog.exists(node.level, node.id)
