"""The folder of a layout: its tree, once the index has placed all; until then its former tree, or how far it is."""

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import UTC, datetime

from davfs.catalog.catalog import Catalog
from davfs.entry import Content, Entry, EntryKind, Opened, Path
from davfs.errors import IsAFolder, NotAFolder, Unavailable
from davfs.filesystem.tree import Tree

PLACEHOLDER = "README.txt"
"""The only file of a folder that is being prepared."""
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

    Attributes:
        layout: The layout.
        former: That of the former tree; None for none.
    """

    def __init__(self, tree: Tree, catalog: Catalog, former: Tree | None = None) -> None:
        self.layout = tree.plan.layout
        self.former = former.plan.layout if former else None
        self._tree = tree
        self._catalog = catalog
        self._former = former

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
        return tree.stat(path) if tree else self._placeholder(path).entry

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        if tree := self.shown:
            return tree.list(path)
        if path:
            self._placeholder(path)
            raise NotAFolder(path, "it is a file")
        return [self._placeholder((PLACEHOLDER,)).entry]

    def browse(self, path: Path) -> tuple[Entry, Iterable[Entry] | None]:
        """See `Browsable`."""
        if tree := self.shown:
            return tree.browse(path)
        return self.stat(path), None if path else self.list(path)

    def read(self, path: Path) -> Content:
        """See `Area`."""
        if tree := self.shown:
            return tree.read(path)
        if not path:
            raise IsAFolder(path, "it is a folder")
        return self._placeholder(path)

    def delete(self, path: Path) -> str:
        """See `Deletable`."""
        if tree := self.shown:
            return tree.delete(path)
        raise self._unavailable()

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
