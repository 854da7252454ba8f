"""Puts search/ together, for the current layouts."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder, Plan
from davfs.catalog.query import searchable_keywords
from davfs.catalog.search import Scope, StudySearch, scope_of
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.filesystem.layout_area import LayoutArea
from davfs.filesystem.search.area import SearchArea
from davfs.filesystem.search.placeholders import Placeholders
from davfs.filesystem.search.results import SearchResults
from davfs.filesystem.search.saved_searches import SavedSearches, SharedSearches
from davfs.filesystem.tree import Tree
from davfs.layout import ExtraTags, Layout
from davfs.orthanc import InstanceFiles, ResourceIndex
from davfs.settings import setup
from davfs.settings.configuration import Configuration
from davfs.shared.database import SharedDatabase


class SearchAssembly:
    """Creates a new area whenever the layouts change; saved searches and placeholders stay.

    Args:
        settings: The configuration.
        extra: Tags that Orthanc keeps in addition to the default ones, by level.
        since: Date of what has no date of its own, in UTC.
        shared: The database of several Orthancs, which has the saved searches; None for one.
    """

    def __init__(
        self, settings: Configuration, extra: ExtraTags, since: datetime, shared: SharedDatabase | None = None
    ) -> None:
        self._extra = extra
        self._since = since
        self._enabled = settings.search
        self._allow_changes = settings.allow_upload
        self._by_study = setup.study_layout()
        file = settings.spool / "searches.json"
        self._searches = SavedSearches(file) if shared is None else SharedSearches(shared)
        self._placeholders = Placeholders()

    def placed(self, layouts: Sequence[Layout]) -> Sequence[Layout]:
        """Return the layouts that the catalog has to place: these, and the one by which a search shows studies."""
        known = {Plan.of(layout).key for layout in layouts}
        if not self._scope(layouts) or Plan.of(self._by_study).key in known:
            return layouts
        return (*layouts, self._by_study)

    def areas(  # noqa: PLR0913, PLR0917  what the area is made of
        self,
        layouts: Sequence[Layout],
        catalog: Catalog,
        store: Store,
        index: ResourceIndex,
        orthanc: InstanceFiles,
        derived_files: DerivedFiles,
    ) -> Mapping[str, SearchArea]:
        """Return the area by its name; none if it is switched off, or if all layouts are anonymised."""
        scope = self._scope(layouts)
        if not scope:
            return {}
        known = searchable_keywords(self._extra, labels=any(Plan.of(layout).labels for layout in layouts))
        root = Folder(Plan.of(self._by_study))
        area = SearchArea(
            LayoutArea(Tree(self._by_study, catalog, orthanc, None, self._since, derived_files), catalog),
            SearchResults(root, catalog, StudySearch(store, scope), index),
            self._searches,
            known,
            self._since,
            allow_changes=self._allow_changes,
            placeholders=self._placeholders,
        )
        return {setup.SEARCH: area}

    def _scope(self, layouts: Sequence[Layout]) -> Scope:
        return scope_of(layouts) if self._enabled else ()
