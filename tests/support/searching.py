"""search/ over an Orthanc in memory, put together as the plugin does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Folder, Plan
from davfs.catalog.query import searchable_keywords
from davfs.catalog.search import StudySearch, scope_of
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.filesystem.search.area import SearchArea
from davfs.filesystem.search.results import SearchResults
from davfs.filesystem.search.saved_searches import SavedSearches
from davfs.filesystem.tree import Tree
from davfs.layout import Layout
from davfs.layout.tags import NO_EXTRA_TAGS
from davfs.orthanc import Orthanc
from davfs.settings import setup

SINCE = datetime(2024, 1, 1, tzinfo=UTC)
TODAY = date(2024, 3, 10)


@contextmanager
def opened(
    orthanc: Orthanc, folder: Path, *layouts: Layout, allow_changes: bool = True, most: int = 1000, labels: bool = True
) -> Iterator[SearchArea]:
    """Open the area over a catalog of its own.

    Args:
        orthanc: The archive.
        folder: Holds the catalog and what is saved.
        layouts: What else the drive shows, by which it is decided what may be found; everything where there are none.
        allow_changes: Whether searches can be saved.
        most: Studies that are shown.
        labels: Whether labels can be searched.
    """
    by_study = setup.study_layout()
    store = Store(folder / "catalog.sqlite", Placer([by_study, *layouts]))
    catalog = Catalog(orthanc, store, InstanceCache())
    studies = StudySearch(store, scope_of(layouts or [by_study]), lambda: TODAY)
    try:
        yield SearchArea(
            Tree(by_study, catalog, orthanc, None, SINCE, DerivedFiles(orthanc)),
            SearchResults(Folder(Plan.of(by_study)), catalog, studies, orthanc, most=most),
            SavedSearches(folder / "searches.json"),
            searchable_keywords(NO_EXTRA_TAGS, labels=labels),
            SINCE,
            allow_changes=allow_changes,
        )
    finally:
        store.close()


MakeSearch = Callable[..., SearchArea]


@pytest.fixture
def search() -> Iterator[MakeSearch]:
    """Open areas as `opened` does, and close them after the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(opened(*arguments, **options))
