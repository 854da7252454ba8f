"""The folders at the top of the drive, which are exchanged when the layout files change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from davfs.catalog.catalog import Catalog
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.filesystem.area import Area
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.inbox import Inbox
from davfs.filesystem.readme import layout_text
from davfs.filesystem.search.assembly import SearchAssembly
from davfs.filesystem.swappable import Swappable
from davfs.filesystem.tree import Tree
from davfs.layout import Layout
from davfs.orthanc import Orthanc
from davfs.orthanc.ranges import RangeCache
from davfs.settings import setup
from davfs.settings.layout_files import LoadedLayouts


@dataclass(frozen=True, slots=True)
class TopFolders:
    """Makes the areas of the drive: one for each layout, ``inbox/`` and ``search/``.

    Attributes:
        catalog: The index that the layouts show.
        store: The same index, where other layouts are placed.
        orthanc: The archive.
        ranges: The same archive; reads files in ranges.
        derived_files: Makes the files that Orthanc does not store.
        deletions: Deletes in Orthanc; None if that is not allowed.
        inbox: The area that takes uploads.
        searching: Makes ``search/``.
        since: Date of entries that have none of their own, in UTC.
        changed: Called when a path may lead to another resource than before.
        areas: The areas by name.
        descriptions: The layouts' descriptions by name.
    """

    catalog: Catalog
    store: Store
    orthanc: Orthanc
    ranges: RangeCache
    derived_files: DerivedFiles
    deletions: Deletions | None
    inbox: Inbox
    searching: SearchAssembly
    since: datetime
    changed: Callable[[], None]
    areas: Swappable[Area] = field(default_factory=lambda: Swappable({}))
    descriptions: Swappable[str] = field(default_factory=lambda: Swappable({}))

    def show(self, layouts: Sequence[Layout]) -> None:
        """Show layouts that the index has placed."""
        search = self.searching.areas(layouts, self.catalog, self.store, self.orthanc, self.ranges, self.derived_files)
        self.areas.swap({**{each.title: self._tree(each) for each in layouts}, setup.INBOX: self.inbox, **search})
        self.descriptions.swap({layout.title: layout_text(layout) for layout in layouts})

    def replace(self, loaded: LoadedLayouts) -> None:
        """Place other layouts in the index, and show them.

        Raises:
            Unavailable: The index cannot be used at the moment.
        """
        self.store.change_layouts(Placer(self.searching.placed(loaded.layouts)))
        self.show(loaded.layouts)
        self.changed()

    def _tree(self, layout: Layout) -> Tree:
        return Tree(layout, self.catalog, self.ranges, self.deletions, self.since, self.derived_files)
