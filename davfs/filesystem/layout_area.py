"""The folder of a layout: its tree, once the index has placed all; until then its former tree, or how far it is.

Files that clients wrote into the folders of the tree are listed beside what the tree shows (`LayoutUploads`).
"""

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import UTC, datetime

from davfs.audit.record import NOBODY, Client
from davfs.catalog.catalog import Catalog
from davfs.entry import Content, Entry, EntryKind, Opened, Path
from davfs.errors import Forbidden, IsAFolder, NotAFolder, Unavailable
from davfs.filesystem.area import Upload
from davfs.filesystem.layout_uploads import LayoutUploads
from davfs.filesystem.tree import Tree
from davfs.filesystem.written_files import WrittenFiles
from davfs.orthanc import Buffer

PLACEHOLDER = "README.txt"
"""The only file of a folder that is being prepared."""
_READ_ONLY = "files can be written into inbox/ only"
_NO_FOLDERS = "folders can be made in inbox/ and search/ only"
_NO_COPY = "what is in the archive's folders is in the archive: it cannot be copied there once more"
_TEXT = """\
This folder is being prepared, for its layout is new: {percentage} % of the archive is in it. It is shown as soon as all
is there. The other folders are complete.
"""


class LayoutArea:
    """`davfs.filesystem.area.Area` of one layout.

    Args:
        tree: Its tree.
        catalog: The index.
        former: The tree that is shown until then; None for none.
        uploads: Decides what becomes of files that are written into it; None if nothing can be written.

    Attributes:
        layout: The layout.
        former: That of the former tree; None for none.
    """

    def __init__(
        self, tree: Tree, catalog: Catalog, former: Tree | None = None, uploads: LayoutUploads | None = None
    ) -> None:
        self.layout = tree.plan.layout
        self.former = former.plan.layout if former else None
        self._tree = tree
        self._catalog = catalog
        self._former = former
        self._files = WrittenFiles(uploads)
        self._uploads = uploads

    @property
    def shown(self) -> Tree | None:
        """The tree that is shown now; None while there is none."""
        return next((each for each in (self._tree, self._former) if each and self._is_complete(each)), None)

    @property
    def percentage(self) -> int | None:
        """How much of the archive is placed by the layout; None if all is."""
        return self._catalog.percentage(self._tree.plan)

    def _is_complete(self, tree: Tree) -> bool:
        return self._catalog.percentage(tree.plan) is None

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        tree = self.shown
        return self._files.stat(tree, path) if tree else self._placeholder(path).entry

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        if tree := self.shown:
            return self._files.list(tree, path)
        if path:
            self._placeholder(path)
            raise NotAFolder(path, "it is a file")
        return [self._placeholder((PLACEHOLDER,)).entry]

    def browse(self, path: Path) -> tuple[Entry, Iterable[Entry] | None]:
        """See `Browsable`."""
        if tree := self.shown:
            return self._files.browse(tree, path)
        return self.stat(path), None if path else self.list(path)

    def read(self, path: Path) -> Content:
        """See `Area`."""
        if tree := self.shown:
            return self._files.read(tree, path)
        if not path:
            raise IsAFolder(path, "it is a folder")
        return self._placeholder(path)

    def delete(self, path: Path, *, by: Client = NOBODY) -> str:
        """See `Deletable`."""
        if tree := self.shown:
            return self._files.delete(tree, path, by)
        raise self._unavailable()

    def takes_files(self, path: Path) -> bool:
        """See `AcceptsUploads`."""
        tree = self.shown if self._uploads else None
        return tree is not None and tree.takes_files(path)

    def write(self, path: Path, content: Buffer, *, user: str = "") -> Entry:
        """See `Writable`."""
        uploads, tree = self._writable(path)
        return uploads.write(tree, path, content, user)

    def receive(self, path: Path, size: int | None = None, *, user: str = "") -> Upload:
        """See `AcceptsUploads`."""
        uploads, tree = self._writable(path)
        return uploads.receive(tree, path, size, user)

    def make_folder(self, path: Path, *, user: str = "") -> None:  # noqa: ARG002  as `Writable` has it
        """See `Writable`: the folders are made from the archive."""
        raise Forbidden(path, _NO_FOLDERS)

    def move(self, source: Path, target: Path, *, replace: bool, user: str = "") -> None:
        """See `Movable`, and `WrittenFiles.move`."""
        _, tree = self._writable(target)
        self._files.move(tree, source, target, replace=replace, user=user)

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:  # noqa: ARG002
        """See `Movable`: what is in the archive is there once."""
        self.stat(source)
        raise Forbidden(target, _NO_COPY)

    def _writable(self, path: Path) -> tuple[LayoutUploads, Tree]:
        if self._uploads is None:
            raise Forbidden(path, _READ_ONLY)
        tree = self.shown
        if tree is None:
            raise self._unavailable()
        return self._uploads, tree

    def _placeholder(self, path: Path) -> Opened:
        """Open the text that says how far the folder is.

        Raises:
            Unavailable: The path is another one: what it leads to is not known yet.
        """
        if path != (PLACEHOLDER,):
            raise self._unavailable()
        percentage, now = self.percentage or 0, datetime.now(UTC).replace(microsecond=0)
        text = memoryview(_TEXT.format(percentage=percentage).encode())
        entry = Entry(PLACEHOLDER, EntryKind.FILE, now, len(text), etag=f"placed-{percentage}", media_type="text/plain")
        return Opened(entry, nullcontext(text))

    def _unavailable(self) -> Unavailable:
        return Unavailable(f"the folder is being prepared: {self.percentage or 0} % of the archive is in it")
