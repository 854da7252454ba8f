"""Trees of the entries of the trash: each entry as its layout showed it, over an index of its own.

The index is small, and made when somebody opens the entry. So names and groups are made by the layout's own classes.
What has changed since then, or is not to be shown, is left out of the layout: conditions, and extra files.
"""

import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path as DiskPath

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.entry import Path
from davfs.errors import NotFound
from davfs.filesystem.trash.entry import TrashEntry
from davfs.filesystem.trash.entry_archive import EntryArchive
from davfs.filesystem.trash.entry_images import EntryImages
from davfs.filesystem.tree import Tree
from davfs.layout import Layout
from davfs.orthanc import InstanceFiles, ResourceIndex
from davfs.orthanc.model import Level, OrthancId
from davfs.trash.mark import EntryId

_OPEN = 16
"""Entries whose index is kept: those that people look into."""


@dataclass(slots=True)
class EntryTree:
    """The tree of one entry.

    Attributes:
        tree: The tree, from the layout's root down.
        root: The folder in it that has the whole entry: the one that was deleted, or one above it.
        layout: The layout.
        path: Path of the entry.
        archive: The images that it shows.
        store: The index.
        folder: The folder with the index's file.
        users: Number of requests that use it.
    """

    tree: Tree
    layout: Layout
    path: Path
    archive: EntryArchive
    store: Store
    folder: DiskPath
    root: Path = ()
    users: int = 0

    def close(self) -> None:
        """Delete the index."""
        self.store.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def part(self, images: EntryImages, path: Path) -> EntryImages:
        """Return those of the images that are below a path.

        Raises:
            NotFound: Nothing is at the path.
        """
        return images.part(self._resources(images, path))

    def _resources(self, images: EntryImages, path: Path) -> set[OrthancId]:
        found = self.tree.stat(path) if path else None
        if found and found.resource in images.ids:
            return {OrthancId(found.resource)}
        if found and not found.is_folder:
            return set()
        below = set[OrthancId]()
        for each in self.tree.list(path):
            with suppress(NotFound):  # it has been restored or deleted meanwhile
                below |= self._resources(images, (*path, each.name))
        return below


@dataclass(slots=True)
class EntryTrees:
    """Makes trees, and keeps the newest ones.

    Attributes:
        index: All resources, also those in the trash.
        files: The files of all images.
        derived_files: Makes anonymised files of all images.
        layouts: Returns the layouts of the drive.
        images: Returns the images that an entry has now.
        scratch: Folder for the indices, which only the drive can read.
    """

    index: ResourceIndex
    files: InstanceFiles
    derived_files: DerivedFiles
    layouts: Callable[[], Sequence[Layout]]
    images: Callable[[TrashEntry], EntryImages]
    scratch: DiskPath
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _trees: OrderedDict[EntryId, EntryTree] = field(default_factory=OrderedDict)

    @contextmanager
    def open(self, entry: TrashEntry) -> Iterator[EntryTree]:
        """Provide the tree of an entry.

        Raises:
            NotFound: The drive has no layout.
        """
        layout = _simplified(layout_of(entry, self.layouts()))
        tree = self._kept(entry, layout)
        if tree is None:
            tree = self._keep(entry.id, self._made(entry, layout))
        try:
            yield tree
        finally:
            with self._lock:
                tree.users -= 1
            self._evict()

    def close(self) -> None:
        """Delete all indices."""
        with self._lock:
            trees = list(self._trees.values())
            self._trees.clear()
        for tree in trees:
            tree.close()

    def _kept(self, entry: TrashEntry, layout: Layout) -> EntryTree | None:
        ids = self.images(entry).ids
        with self._lock:
            found = self._trees.get(entry.id)
            if found is None or (found.layout, found.path) != (layout, entry.path):
                return None
            if not ids <= found.archive.least:
                return None
            self._trees.move_to_end(entry.id)
            found.users += 1
            return found

    def _keep(self, entry: EntryId, made: EntryTree) -> EntryTree:
        made.users = 1
        with self._lock:
            before = self._trees.pop(entry, None)
            self._trees[entry] = made
            if before and before.users:  # closed by the last of them
                self._trees[EntryId(f"{entry} before {id(before)}")] = before
                self._trees.move_to_end(entry)
        if before and not before.users:
            before.close()
        return made

    def _evict(self) -> None:
        with self._lock:
            names = [name for name, each in self._trees.items() if not each.users]
            excess = [name for name in names if " before " in name]
            excess += names[: max(0, len(self._trees) - len(excess) - _OPEN)]
            evicted = [self._trees.pop(name) for name in dict.fromkeys(excess)]
        for each in evicted:
            each.close()

    def _made(self, entry: TrashEntry, layout: Layout) -> EntryTree:
        folder = DiskPath(tempfile.mkdtemp(prefix="trash-", dir=self.scratch))
        archive = EntryArchive(self.index, self.files, lambda: self.images(entry))
        images = self.images(entry)  # before they are indexed: the index has at least these
        there = images.part(self.index.existing(sorted(images.ids_of(Level.SERIES))))
        store = Store(folder / "catalog.sqlite", Placer([layout]))
        try:
            catalog = Catalog(archive, store, InstanceCache())
            catalog.reconciler.reconcile(lambda _done, _total: None)
            tree = Tree(layout, catalog, archive, None, datetime.now(UTC), self.derived_files)
            made = EntryTree(tree, layout, entry.path, archive, store, folder)
            made.root = _root(made, entry.path, there)
        except BaseException:
            store.close()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return made


def layout_of(entry: TrashEntry, layouts: Sequence[Layout]) -> Layout:
    """Return the layout of an entry; another one, which identifies patients, if that is not there any more.

    Raises:
        NotFound: There is no layout at all.
    """
    same = [each for each in layouts if each.title == entry.layout]
    others = [each for each in layouts if not each.anonymised]
    for found in (*same, *others, *layouts):
        return found
    raise NotFound((), "this drive has no layout that could show it")


def _simplified(layout: Layout) -> Layout:
    return replace(layout, where=(), levels=tuple(replace(level, files=()) for level in layout.levels))


def _root(made: EntryTree, path: Path, images: EntryImages) -> Path:
    """Return the deepest folder in the path of an entry that has all of its images."""
    for depth in range(len(path), 0, -1):
        with suppress(NotFound):
            if made.tree.stat(path[:depth]).is_folder and made.part(images, path[:depth]) == images:
                return path[:depth]
    return ()
