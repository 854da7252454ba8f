"""The studies that a search finds, as folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from davfs import names
from davfs.cache import LruCache
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder
from davfs.catalog.query import Query
from davfs.catalog.rows import Row
from davfs.catalog.search import StudySearch
from davfs.entry import Entry, EntryKind
from davfs.orthanc import OrthancId, ResourceIndex

MOST = 1000
"""Studies that a search shows."""
_BATCH = 300
"""Studies that are looked up in one call."""
_KEPT = 20
"""Searches whose entries are kept until something changes."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search shows.

    Attributes:
        folders: A folder for each study.
        complete: False where there are more.
    """

    folders: Sequence[Entry]
    complete: bool


class Results:
    """Finds studies, and names them as the layout does that they are shown by.

    A study has the same name in every search: that which it has among all studies.

    Args:
        root: The folder of all studies in that layout.
        catalog: What is in it.
        studies: Finds them.
        orthanc: Tells which of them are gone.
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
        self._kept: LruCache[Query, tuple[int, Sequence[OrthancId], Sequence[Entry]]] = LruCache(_KEPT)

    def find(self, query: Query) -> Found:
        """Return the studies that Orthanc has now; of too many, those with the latest date."""
        self._catalog.refresh()
        self._complete()
        generation = self._catalog.generation
        found = self._studies.find(query, self.most + 1)
        if gone := set(found) - self._existing(found):
            self._catalog.forget(gone)
            generation = self._catalog.generation
            found = self._studies.find(query, self.most + 1)
        return Found(self._entries(query, generation, found[: self.most]), len(found) <= self.most)

    def holds(self, query: Query, study: str) -> bool:
        """Tell whether a study is among them, also where it is not shown because they are too many."""
        self._complete()
        return self._studies.holds(query, OrthancId(study))

    def _complete(self) -> None:
        """Compare the facts with Orthanc where some may be missing, those of series included."""
        if self._catalog.suspect:
            self._catalog.rows(self._root)

    def _existing(self, found: Sequence[OrthancId]) -> set[OrthancId]:
        return set().union(*(self._orthanc.existing(some) for some in _batches(found)))

    def _entries(self, query: Query, generation: int, found: Sequence[OrthancId]) -> Sequence[Entry]:
        kept = self._kept.get(query)
        if kept is not None and kept[:2] == (generation, found):
            return kept[2]
        entries = self._named(found)
        self._kept.put(query, (generation, found, entries))
        return entries

    def _named(self, found: Sequence[OrthancId]) -> Sequence[Entry]:
        rivals: dict[str, Row] = {}
        own: dict[str, Row] = {}
        for some in _batches(found):
            rows = {row.id: row for row in self._studies.rows(self._root, some)}
            keys = {key for row in rows.values() for key in _keys(row)}
            rivals |= {row.id: row for row in self._catalog.rows_with(self._root, tuple(keys))}
            own |= rows
        shown = names.unique_names({row.id: row.name for row in rivals.values()}, files=False)
        return [_entry(shown, own[one]) for one in found if one in own and one in shown]


def _keys(row: Row) -> Sequence[str]:
    """Return the keys of all names that what a study is called depends on."""
    return (*names.base_names(row.name, files=False), names.folded(f"{row.name} {names.id_suffix(row.id)}"))


def _entry(shown: Mapping[str, str], row: Row) -> Entry:
    return Entry(shown[row.id], EntryKind.FOLDER, row.date, resource=row.id)


def _batches(ids: Sequence[OrthancId]) -> Sequence[Sequence[OrthancId]]:
    return [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
