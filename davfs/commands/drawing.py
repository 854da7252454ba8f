"""Draws the tree of a layout in the terminal, with the classes that the drive itself uses."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from rich.text import Text
from rich.tree import Tree as Drawing

from davfs import entry, names
from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.entry import Entry
from davfs.errors import NotFound
from davfs.filesystem.tree import Tree
from davfs.layout import Layout
from davfs.orthanc import ReadableOrthanc
from davfs.trash.hidden import VisibleOrthanc
from davfs.trash.known_marks import KnownMarks
from davfs.trash.marks import DEFAULT_NUMBER, OrthancMarks
from davfs.trash.visible_files import MarkedOrthanc


@dataclass(frozen=True, slots=True)
class Extent:
    """Limits of a drawing.

    Attributes:
        depth: Levels of folders and files; 0 for all.
        limit: Entries of each folder; 0 for all.
    """

    depth: int = 0
    limit: int = 0


def draw(
    layout: Layout,
    orthanc: ReadableOrthanc,
    extent: Extent,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    today: Callable[[], date] = date.today,
) -> Drawing:
    """Draw the tree of a layout over an archive, which is only read.

    Args:
        layout: The layout.
        orthanc: The archive.
        extent: Limits of the drawing.
        progress: Called with the number of patients, studies and series that are indexed, and of all.
        today: Returns the date that relative dates start from.

    Raises:
        OrthancError: The archive cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="davfs-") as folder:
        store = Store(Path(folder, "catalog.sqlite"), Placer([layout], today))
        try:
            archive = _without_trash(orthanc, store)
            catalog = Catalog(archive, store, InstanceCache())
            catalog.reconciler.reconcile(progress)
            area = Tree(layout, catalog, archive, None, datetime.now(UTC), DerivedFiles(archive))
            drawing = Drawing(Text.assemble((f"{layout.title}/", "bold"), (_about(layout), "dim")))
            _grow(drawing, area, (), extent)
            if not drawing.children:
                drawing.add(Text("this layout shows nothing of the archive", "dim"))
        finally:
            store.close()
    return drawing


def _without_trash(orthanc: ReadableOrthanc, store: Store) -> ReadableOrthanc:
    """Return an archive as the drive shows it; a folder of files has no trash."""
    if not isinstance(orthanc, MarkedOrthanc):
        return orthanc
    known = KnownMarks(orthanc, store.marks, DEFAULT_NUMBER)
    return VisibleOrthanc(orthanc, known, OrthancMarks(orthanc))


def _about(layout: Layout) -> str:
    return f"  {layout.description}" if layout.description else ""


def _grow(branch: Drawing, area: Tree, path: entry.Path, extent: Extent) -> None:
    entries = _listed(area, path)
    shown = entries[: extent.limit or None]
    for each in shown:
        if not each.is_folder:
            branch.add(Text(each.name))
            continue
        below = branch.add(Text(f"{each.name}/", "bold"))
        if len(path) + 1 != extent.depth:
            _grow(below, area, (*path, each.name), extent)
    if len(entries) > len(shown):
        branch.add(Text(f"… {len(entries) - len(shown)} more", "dim"))


def _listed(area: Tree, path: entry.Path) -> Sequence[Entry]:
    try:
        return sorted(area.list(path), key=lambda each: (names.folded(each.name), each.name))
    except NotFound:  # it has been deleted while this is drawn
        return []
