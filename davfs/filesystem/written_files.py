"""The files of a layout's tree, and beside them those that clients wrote into its folders a moment ago.

A file beside the images has the name under which it was written. It gives way to a folder or an image of the tree, and
takes precedence over a derived file: that one can have the bytes of an older report.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from davfs import names
from davfs.audit.record import NOBODY, Client
from davfs.entry import Content, Entry, Path
from davfs.errors import AlreadyExists, Forbidden, NotFound
from davfs.filesystem.layout_uploads import LayoutUploads
from davfs.filesystem.temporary_names import is_temporary
from davfs.filesystem.tree import Tree
from davfs.filesystem.upload_refusals import folder_key
from davfs.spool.items import Item

_FROM_ARCHIVE: Final = "nothing can be moved out of the archive's folders: copy it to a disk of your own"
_NO_DELETE: Final = "it is in the archive, from which nothing can be deleted through this drive (AllowDelete)"
_OF_ONE_STUDY: Final = "what was attached stays in its study"


class WrittenFiles:
    """Lists and opens the files of trees, with those beside them.

    Args:
        uploads: Has the files beside; None if there are none.
    """

    def __init__(self, uploads: LayoutUploads | None) -> None:
        self._uploads = uploads

    def stat(self, tree: Tree, path: Path) -> Entry:
        """See `Area`."""
        entry, found = self._look_up(tree, path)
        return found[1].entry if found else entry or tree.stat(path)

    def list(self, tree: Tree, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        return self._with_files(tree, path, tree.list(path))

    def browse(self, tree: Tree, path: Path) -> tuple[Entry, Iterable[Entry] | None]:
        """See `Browsable`."""
        try:
            entry, entries = tree.browse(path)
        except NotFound:
            if found := self._beside(tree, path):
                return found[1].entry, None
            raise
        if entries is not None:
            return entry, self._with_files(tree, path, entries)
        found = None if entry.steady else self._beside(tree, path)
        return (found[1].entry if found else entry), None

    def read(self, tree: Tree, path: Path) -> Content:
        """See `Area`."""
        try:
            content = tree.read(path)
        except NotFound:
            found = self._beside(tree, path)
            if found is None or self._uploads is None:
                raise
            return self._uploads.beside.open(*found)
        found = None if content.entry.steady else self._beside(tree, path)
        if found is None or self._uploads is None:
            return content
        with content:  # which closes it
            return self._uploads.beside.open(*found)

    def delete(self, tree: Tree, path: Path, by: Client = NOBODY) -> str:
        """See `Deletable`: an attachment is deleted from the archive, if that is allowed.

        Not so one that was renamed to a temporary name, as editors do with the version before: only the name goes.
        """
        _, found = self._look_up(tree, path)
        if found is None or self._uploads is None:
            return tree.delete(path, by=by)
        place, item = found
        deleted = ""
        if item.receipt and not is_temporary(path[-1]):
            if not tree.may_delete:
                raise Forbidden(path, _NO_DELETE)
            deleted = tree.delete_instance(path, item.receipt.instance, item.entry, by)
        self._uploads.remove(place)
        return deleted

    def move(self, tree: Tree, source: Path, target: Path, *, replace: bool, user: str) -> None:
        """Rename a file that a client wrote; one that was temporary is attached under an ordinary name.

        Raises:
            NotFound: Nothing is at the source.
            Forbidden: It is in the archive, or belongs to another study.
            AlreadyExists: The target exists, and must not be replaced.
            PathError: As for `LayoutUploads.finish`.
        """
        _, found = self._look_up(tree, source)
        if found is None or self._uploads is None:
            tree.stat(source)
            raise Forbidden(source, _FROM_ARCHIVE)
        place, item = found
        there = self._uploads.place(tree, target)
        if not replace and (self._uploads.beside.find(there) or self._exists(tree, target)):
            raise AlreadyExists(target, "the name is taken")
        if item.receipt is None:
            self._uploads.adopt(tree, place, target, user)
        elif there[:-1] != place[:-1]:
            raise Forbidden(target, _OF_ONE_STUDY)
        elif self._exists(tree, target):
            raise Forbidden(target, "there is another file of that name, which cannot be replaced")
        else:
            self._uploads.rename(place, there)

    @staticmethod
    def _exists(tree: Tree, path: Path) -> bool:
        try:
            tree.stat(path)
        except NotFound:
            return False
        return True

    def _look_up(self, tree: Tree, path: Path) -> tuple[Entry | None, tuple[Path, Item] | None]:
        """Return the tree's entry at a path, and what `_beside` finds unless the entry takes precedence."""
        try:
            entry = tree.stat(path)
        except NotFound:
            return None, self._beside(tree, path)
        return entry, None if entry.is_folder or entry.steady else self._beside(tree, path)

    def _may_be_beside(self, tree: Tree, folder: Path) -> bool:
        """Return True if files can be beside what a folder shows, by its depth."""
        return self._uploads is not None and not tree.is_anonymised and (not folder or tree.takes_files(folder))

    def _beside(self, tree: Tree, path: Path) -> tuple[Path, Item] | None:
        """Return the file that a client wrote at a path, and its place in the spool; None if there is none."""
        if self._uploads is None or not path or not self._may_be_beside(tree, path[:-1]):
            return None
        folder = tree.known(path[:-1])
        if folder is None:
            return None
        place = self._uploads.beside.path(folder_key(tree, folder), path[-1])
        item = self._uploads.beside.find(place)
        return (place, item) if item else None

    def _with_files(self, tree: Tree, path: Path, entries: Iterable[Entry]) -> Iterable[Entry]:
        """Return the entries of a folder with the files beside them."""
        folder = tree.known(path) if self._may_be_beside(tree, path) else None
        if self._uploads is None or folder is None:
            return entries
        items = self._uploads.beside.items(folder_key(tree, folder))
        if not items:
            return entries
        listed = list(entries)
        kept = {names.folded(each.name) for each in listed if each.is_folder or each.steady}
        beside: Mapping[str, Entry] = {
            key: item.entry for item in items if (key := names.folded(item.entry.name)) not in kept
        }
        return [*(each for each in listed if names.folded(each.name) not in beside), *beside.values()]
