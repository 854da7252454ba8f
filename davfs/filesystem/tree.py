"""A layout as an area of the drive: folders are groups, patients, studies and series, files are instances."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from davfs import names
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder, Plan
from davfs.derived.file import DerivedFile
from davfs.derived.files import DerivedFiles
from davfs.entry import Content, Entry, EntryKind, Path, Streamed
from davfs.errors import Forbidden, IsAFolder, NotAFolder, NotFound, OrthancError, UnknownResource
from davfs.filesystem.archives import Archives
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.extra_files import ExtraFiles
from davfs.filesystem.folders import Listings, find_folder
from davfs.filesystem.images import Images
from davfs.filesystem.node import Node
from davfs.filesystem.recent import Recent
from davfs.filesystem.stored import open_stored
from davfs.layout import Layout
from davfs.orthanc import InstanceFiles
from davfs.orthanc.model import Level, OrthancId

_KEPT = 10_000
"""Paths that are kept: more than people have open, a few MB."""
_EMPTIED = 60.0
"""Seconds in which a folder can be deleted that went with the last of its content."""

T = TypeVar("T")


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
        deletions: Deletes resources in Orthanc; None if that is not allowed.
        since: Date of the root, in UTC.
        derived_files: Makes the files that Orthanc does not store.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what it is made of
        self,
        layout: Layout,
        catalog: Catalog,
        orthanc: InstanceFiles,
        deletions: Deletions | None,
        since: datetime,
        derived_files: DerivedFiles,
    ) -> None:
        self._depth = len(layout.levels)
        self._catalog = catalog
        self._orthanc = orthanc
        self._deletions = deletions
        self._listings = Listings(catalog)
        self._images = Images(layout, catalog, orthanc, derived_files)
        self._extra_files = ExtraFiles(
            layout, catalog, derived_files.documents, Archives(self._listings, self._images, derived_files)
        )
        self._emptied, self._deleted_last = Recent(_EMPTIED), Recent(_EMPTIED)
        self._known = _Known(catalog.generation)
        self._root = Node(None, None, Entry("", EntryKind.FOLDER, since), Folder(Plan.of(layout)))

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        return self._with(path, lambda node: self._looked_at(path, node, self._verified))

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        return self._with(path, lambda node: self._looked_at(path, node, self._entries))

    def read(self, path: Path) -> Content:
        """See `Area`."""
        return self._with(path, lambda node: self._opened(path, node))

    def delete(self, path: Path) -> str:
        """See `Deletable`."""
        if self._deletions is None:
            raise Forbidden(path, "AllowDelete is not set: nothing can be deleted from the archive through this drive")
        deletions = self._deletions
        try:
            return self._with(path, lambda node: self._deleted(path, node, deletions))
        except NotFound:
            if not self._went_with_its_content(path):
                raise
            self._extra_files.show_orphans()
            return ""

    def _went_with_its_content(self, path: Path) -> bool:
        """Tell whether a path was in, or is, a folder that is gone since what was in it was deleted a moment ago.

        Orthanc deletes a series with its last instance. Who deletes a folder by deleting what is in it, as ``rm -r``
        does, comes to delete the folder then.
        """
        if self._deleted_last.has(path):
            return False  # it did not go with its content: it has been deleted, and that was answered
        emptied = (path[:depth] for depth in range(1, len(path) + 1) if self._emptied.has(path[:depth]))
        return any(not self._is_there(folder) for folder in emptied)

    def _is_there(self, path: Path) -> bool:
        try:
            self.stat(path)
        except NotFound:
            return False
        return True

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

    def _looked_at(self, path: Path, node: Node, use: Callable[[Node], T]) -> T:
        """Use a node, for whose resource Orthanc is asked: it may have other tags by now, and so another name.

        Raises:
            UnknownResource: The path does not lead to it any more.
        """
        generation = self._catalog.generation
        used = use(node)
        if self._catalog.generation != generation:
            now = self._find(path, fresh=False)
            if now is None or (now.level, now.id) != (node.level, node.id):
                raise UnknownResource("it has another name")
        return used

    def _forget(self, node: Node) -> None:
        """Forget the resource of a node where it is gone; something below it may have gone instead."""
        if node.id and node.level:
            self._catalog.exists(node.level, node.id)

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
        parent = self._find_folder(path[:-1]) if path else None
        if parent is None:
            return None if path else self._root
        others = self._extra_files.asked(parent, path[-1])
        if others or (parent.folder and parent.folder.shows is Level.INSTANCE):
            return self._found_in(parent, path[-1], others, fresh=fresh)
        return self._find_folder(path)

    def _find_folder(self, path: Path) -> Node | None:
        known = self._known
        if known.generation != self._catalog.generation or len(known.folders) > _KEPT:
            known = self._known = _Known(self._catalog.generation)
        if path not in known.folders:
            node, steady = self._walk(path)
            if not steady:
                return node
            known.folders[path] = node
        return known.folders[path]

    def _walk(self, path: Path) -> tuple[Node | None, bool]:
        """Return the folder of a path, and whether that holds until the catalog changes."""
        if not path:
            return self._root, True
        parent = self._find_folder(path[:-1])
        if parent is None or parent.folder is None or parent.folder.shows is Level.INSTANCE:
            return None, True
        others = self._extra_files.asked(parent, path[-1])
        node = self._found_in(parent, path[-1], others, fresh=False)
        return (node if node and node.entry.is_folder else None), not others

    def _found_in(self, parent: Node, segment: str, others: Mapping[str, str], *, fresh: bool) -> Node | None:
        """Return what a name in a folder leads to, where others are in it besides folders or files of images."""
        folder = parent.folder
        found: Node | str | None = None
        if folder is None:
            found = names.resolve(segment, others, files=True)
        elif folder.shows is not Level.INSTANCE:
            found = find_folder(self._catalog, folder, segment, others)
        else:
            with suppress(UnknownResource):
                found = self._images.find(folder, segment, fresh=fresh, others=others)
        if not isinstance(found, str):
            return found
        return self._extra_files.node(parent, found, unicodedata.normalize("NFC", segment))

    def _verified(self, node: Node) -> Entry:
        """Return the entry of a node that Orthanc has now; the size of a file is that of this moment."""
        if node.make is not None:
            return _with(node.entry, node.make())
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
        made = self._extra_files.there(node)
        bases = self._extra_files.bases(node) if made else {}
        others = {one: bases[one] for one in made}
        if node.folder is None:  # the layout ends here
            entries: Sequence[Entry] = []
            shown: Mapping[str, str] = names.unique_names(others, files=True)
        elif node.folder.shows is Level.INSTANCE:
            files = self._images.of(node.folder, fresh=True, others=others)
            entries, shown = files.entries, files.shown(others) if others else {}
        else:
            listed = self._listings.list(node.folder, others)
            entries, shown = listed.entries, listed.others
        further = (
            _with(self._extra_files.node(node, one, name).entry, made[one])
            for one, name in shown.items()
            if not self._extra_files.is_hidden(node, one)
        )
        return [*entries, *further] if shown else entries

    def _opened(self, path: Path, node: Node) -> Content:
        if node.make is not None:
            made = node.make()
            return Streamed(_with(node.entry, made), made.open())
        if node.entry.is_folder or node.id is None:
            raise IsAFolder(path, "it is a folder")
        return open_stored(self._orthanc, node.entry, node.id)

    def _deleted(self, path: Path, node: Node, deletions: Deletions) -> str:
        if node.hide is not None:
            node.hide()
            return ""
        if node.level is None or node.id is None:
            raise Forbidden(path, "this folder only groups what is in it: delete the folders in it instead")
        gone = self._deleted_patient(node.id, deletions) if node.level is Level.PATIENT else [node.id]
        if node.level is not Level.PATIENT:
            level, resource = node.level, node.id
            deletions.run(lambda: deletions.orthanc.delete(level, resource))
            self._catalog.forget(gone)
        self._deleted_last.note(path)
        for depth in range(1, len(path)):
            self._emptied.note(path[:depth])
        if node.level is not Level.INSTANCE:
            self._extra_files.show_orphans()
        return ",".join(gone)

    def _deleted_patient(self, folder: str, deletions: Deletions) -> Sequence[OrthancId]:
        """Delete the studies that a patient's folder shows, and no others of the same PatientID."""
        studies, gone = self._catalog.studies_of(folder), list[OrthancId]()

        def delete() -> None:
            for study in studies:
                with suppress(UnknownResource):  # somebody else was faster
                    deletions.orthanc.delete(Level.STUDY, study)
                gone.append(study)

        try:
            deletions.run(delete)
        except OrthancError as error:
            done = f"{len(gone)} of {len(studies)} studies were deleted, the others were not"
            raise type(error)(f"{done}: {error.reason}", error.code) from error
        finally:
            self._catalog.forget(gone)
        return gone


def _with(entry: Entry, made: DerivedFile) -> Entry:
    modified = made.modified or entry.modified
    return replace(entry, modified=modified, size=made.size, etag=made.etag, media_type=made.media_type)
