"""The folders at the top of the drive, which are exchanged when the layout files change."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from davfs.catalog.catalog import Catalog
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Plan
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.filesystem.area import Area
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.inbox import Inbox
from davfs.filesystem.layout_area import LayoutArea
from davfs.filesystem.layout_uploads import LayoutUploads
from davfs.filesystem.readme import layout_text
from davfs.filesystem.search.assembly import SearchAssembly
from davfs.filesystem.swappable import Swappable
from davfs.filesystem.trash.area import TrashArea
from davfs.filesystem.tree import Tree
from davfs.layout import Layout
from davfs.orthanc import ReadableOrthanc
from davfs.orthanc.ranges import RangeCache
from davfs.settings import setup
from davfs.settings.layout_files import LoadedLayouts


@dataclass(frozen=True, slots=True)
class TopFolders:
    """Makes the areas of the drive: one for each layout, ``inbox/`` and ``search/``.

    Attributes:
        catalog: The index that the layouts show.
        store: The same index, where other layouts are placed.
        orthanc: The archive, as far as it is visible.
        ranges: The same archive; reads files in ranges.
        derived_files: Makes the files that Orthanc does not store.
        deletions: Deletes in Orthanc; None if that is not allowed.
        inbox: The area that takes uploads.
        searching: Makes ``search/``.
        since: Date of entries that have none of their own, in UTC.
        changed: Called when a path may lead to another resource than before.
        uploads: Decides what becomes of files that are written into layouts; None if nothing can be.
        trash: The area of what was deleted; None if nothing can be deleted.
        areas: The areas by name.
        descriptions: The layouts' descriptions by name.
    """

    catalog: Catalog
    store: Store
    orthanc: ReadableOrthanc
    ranges: RangeCache
    derived_files: DerivedFiles
    deletions: Deletions | None
    inbox: Inbox
    searching: SearchAssembly
    since: datetime
    changed: Callable[[], None]
    uploads: LayoutUploads | None = None
    trash: TrashArea | None = None
    areas: Swappable[Area] = field(default_factory=lambda: Swappable({}))
    descriptions: Swappable[str] = field(default_factory=lambda: Swappable({}))
    _changing: threading.Lock = field(default_factory=threading.Lock)

    def show(self, layouts: Sequence[Layout]) -> None:
        """Show layouts; those that the index has not placed yet with their progress."""
        self._show(layouts, {})

    def _show(self, layouts: Sequence[Layout], former: Mapping[str, Tree]) -> None:
        areas = {
            each.title: LayoutArea(self._tree(each), self.catalog, former.get(each.title), self.uploads)
            for each in layouts
        }
        search = self.searching.areas(layouts, self.catalog, self.store, self.orthanc, self.ranges, self.derived_files)
        trash = {setup.TRASH: self.trash} if self.trash else {}
        self.areas.swap({**areas, setup.INBOX: self.inbox, **search, **trash})
        self.descriptions.swap({layout.title: layout_text(layout) for layout in layouts})

    def replace(self, loaded: LoadedLayouts) -> None:
        """Show other layouts, and begin to place them in the index.

        Raises:
            Unavailable: The index cannot be used at the moment.
        """
        self._change(loaded.layouts)

    def complete(self) -> None:
        """Stop to place by former layouts whose new versions are complete."""
        areas = self._layout_areas().values()
        if any(area.former and area.percentage is None for area in areas):
            self._change(None)

    def _change(self, layouts: Sequence[Layout] | None) -> None:
        """Show other layouts, or the same ones; some as they were before, while they are not complete."""
        with self._changing:
            areas = self._layout_areas()
            layouts = [area.layout for area in areas.values()] if layouts is None else layouts
            shown = {title: tree for title, area in areas.items() if (tree := area.shown)}
            former = {
                each.title: shown[each.title]
                for each in layouts
                if each.title in shown and _may_stay(shown[each.title].plan, Plan.of(each))
            }
            trees = former.values()
            self.store.change_layouts(Placer([*self.searching.placed(layouts), *(tree.plan.layout for tree in trees)]))
            self._show(layouts, former)
        self.changed()

    def progress(self) -> Mapping[str, tuple[int, bool]]:
        """Return how much of the archive incomplete layouts have, and whether their former version is shown."""
        found = {title: (area.percentage, area.shown is not None) for title, area in self._layout_areas().items()}
        return {title: (percentage, former) for title, (percentage, former) in found.items() if percentage is not None}

    def _layout_areas(self) -> Mapping[str, LayoutArea]:
        return {title: area for title, area in self.areas.items() if isinstance(area, LayoutArea)}

    def _tree(self, layout: Layout) -> Tree:
        return Tree(layout, self.catalog, self.ranges, self.deletions, self.since, self.derived_files)


def _may_stay(former: Plan, plan: Plan) -> bool:
    """Return True if a layout's former version may be shown until the new one is complete.

    It may not if it shows other studies, or other parts of them: the new one may leave something out on purpose.
    """
    old, new = former.layout, plan.layout
    is_alike = (old.where, old.anonymised, old.options) == (new.where, new.anonymised, new.options)
    return is_alike and former.key != plan.key
