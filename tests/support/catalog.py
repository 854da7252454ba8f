"""A catalog over an Orthanc in memory, as the plugin puts it together, but without its thread."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pytest

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Folder, Plan, patient_of
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import IndexCallbacks
from davfs.layout import load_text
from davfs.orthanc import Changes, Level, OrthancId, Resource
from tests.support.memory_orthanc import MemoryOrthanc

LAYOUT = """
title = "all"
[[level]]
patient = "{patient}"
[[level]]
study = "{{StudyDescription}}"
[[level]]
series = "{{SeriesDescription}}"
[[level]]
instance = "{{InstanceNumber}}.dcm"
"""
BY_ID, BY_NAME = "{PatientID}", "{PatientName}"


class CountingOrthanc(MemoryOrthanc):
    """Counts the resources that were asked for, and can let something happen while its answers are under way."""

    asked = 0
    meanwhile: Callable[[], object] = staticmethod(lambda: None)
    after_log: Callable[[], object] = staticmethod(lambda: None)

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """See `Orthanc`."""
        page = super().changes(since, limit)
        self.after_log()
        return page

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `Orthanc`."""
        wanted = list(ids)
        self.asked += len(wanted)
        found = super().resources(wanted)
        self.meanwhile()
        return found


@dataclass
class Index:
    """A catalog over a file, and how often it asked to be compared."""

    orthanc: CountingOrthanc
    file: Path
    patient: str = BY_ID
    comparisons: int = 0
    root: Folder = field(init=False)
    store: Store = field(init=False)
    catalog: Catalog = field(init=False)

    def __post_init__(self) -> None:
        layout = load_text(LAYOUT.format(patient=self.patient), "test.toml")
        self.root = Folder(Plan.of(layout))
        self.store = Store(self.file, Placer([layout]))
        self.catalog = Catalog(
            self.orthanc, self.store, InstanceCache(), IndexCallbacks(reconcile_soon=self._compare_soon)
        )

    def _compare_soon(self) -> None:
        self.comparisons += 1

    def names(self) -> list[str]:
        """Return the base names at the root, as a request does that comes now."""
        self.catalog.refresh()
        return sorted(row.name for row in self.catalog.rows(self.root))

    def folder(self, level: Level, resource: str) -> Folder:
        """Return the folder of a resource."""
        node = self.node(resource) if level is Level.PATIENT else resource
        return Folder(self.root.plan, list(Level).index(level) + 1, node)

    def node(self, patient: str) -> OrthancId:
        """Return the node of a patient's folder, by Orthanc's id of the patient, where there is but one."""
        found = [row.id for row in self.store.contents(self.root).rows if patient_of(row.id) == patient_of(patient)]
        return OrthancId(found[0] if found else patient)

    def compare(self) -> None:
        """Compare with Orthanc, as the indexer does when it was asked to."""
        self.catalog.reconciler.reconcile(lambda _done, _total: None)

    def restart(self, patient: str | None = None) -> Self:
        """Close the file and open it again."""
        self.close()
        self.patient = patient or self.patient
        self.comparisons = 0
        self.__post_init__()
        return self

    def close(self) -> None:
        """Close the file."""
        self.store.close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An empty catalog of an empty Orthanc."""
    with closing(Index(CountingOrthanc(), tmp_path / "catalog.sqlite")) as index:
        yield index
