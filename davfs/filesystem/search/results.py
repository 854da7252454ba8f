"""Lists the studies that a search finds, as folders."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from davfs import names
from davfs.cache import LruCache
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder
from davfs.catalog.query import Query
from davfs.catalog.rows import Row
from davfs.catalog.search import StudySearch
from davfs.entry import Entry, EntryKind
from davfs.errors import DatabaseGone, Unavailable
from davfs.orthanc import OrthancId, ResourceIndex

MOST = 1000
"""Studies that a search shows."""
_BATCH = 300
"""Studies in one query of the index."""
_CACHED = 20
"""Searches whose entries are cached until the catalog changes."""


@dataclass(frozen=True, slots=True)
class FoundStudies:
    """The studies that a search shows.

    Attributes:
        folders: A folder for each study.
        complete: False if more studies match.
    """

    folders: Sequence[Entry]
    complete: bool


class SearchResults:
    """Finds studies, and names each as the root of the layout ``by-study`` does: the same in every search.

    Args:
        root: The root of that layout.
        catalog: The index.
        studies: Finds studies.
        orthanc: Knows which studies still exist.
        most: Studies that are shown.

    Attributes:
        most: See the argument.
    """

    def __init__(
        self, root: Folder, catalog: Catalog, studies: StudySearch, orthanc: ResourceIndex, *, most: int = MOST
    ) -> None:
        self._root = replace(root, plan=replace(root.plan, reads_series=True))  # for a query may ask for tags of series
        self._catalog = catalog
        self._studies = studies
        self._orthanc = orthanc
        self.most = most
        self._cache: LruCache[Query, tuple[int, Sequence[OrthancId], Sequence[Entry]]] = LruCache(_CACHED)

    def find(self, query: Query) -> FoundStudies:
        """Return the studies that match now; of too many, those with the latest date.

        Raises:
            Unavailable: Not all of them can be shown yet.
        """
        self._catalog.refresh()
        if self._catalog.percentage(self._root.plan) is not None:
            raise Unavailable("the search is being prepared")
        self._complete_index()
        generation = self._catalog.generation
        found = self._studies.find(query, self.most + 1)
        if gone := set(found) - self._existing(found):
            self._catalog.forget(gone)
            generation = self._catalog.generation
            found = self._studies.find(query, self.most + 1)
        return FoundStudies(self._entries(query, generation, found[: self.most]), len(found) <= self.most)

    def matches(self, query: Query, study: str) -> bool:
        """Return True if a study matches, even if it is not shown because too many studies do."""
        self._complete_index()
        return self._studies.matches(query, OrthancId(study))

    def _complete_index(self) -> None:
        """Compare the index with Orthanc if it may lack resources, including series."""
        if self._catalog.needs_comparison:
            self._catalog.rows(self._root)

    def _existing(self, found: Sequence[OrthancId]) -> set[OrthancId]:
        try:
            return set().union(*(self._orthanc.existing(some) for some in _batches(found)))
        except DatabaseGone:
            return set(found)

    def _entries(self, query: Query, generation: int, found: Sequence[OrthancId]) -> Sequence[Entry]:
        cached = self._cache.get(query)
        if cached is not None and cached[:2] == (generation, found):
            return cached[2]
        entries = self._named(found)
        self._cache.put(query, (generation, found, entries))
        return entries

    def _named(self, found: Sequence[OrthancId]) -> Sequence[Entry]:
        """Return the entries of studies, whose names depend on all studies with similar names."""
        rows: dict[str, Row] = {}
        similar: dict[str, Row] = {}
        for some in _batches(found):
            batch = {row.id: row for row in self._studies.rows(self._root, some)}
            keys = {key for row in batch.values() for key in _similar_keys(row)}
            similar |= {row.id: row for row in self._catalog.rows_with(self._root, tuple(keys))}
            rows |= batch
        unique = names.unique_names({row.id: row.name for row in similar.values()}, files=False)
        return [
            Entry(unique[one], EntryKind.FOLDER, rows[one].date, resource=one, level="study")
            for one in found
            if one in rows and one in unique
        ]


def _similar_keys(row: Row) -> Sequence[str]:
    """Return the keys of all base names that can conflict with a study's name."""
    return (*names.base_names(row.name, files=False), names.folded(f"{row.name} {names.id_suffix(row.id)}"))


def _batches(ids: Sequence[OrthancId]) -> Sequence[Sequence[OrthancId]]:
    return [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
