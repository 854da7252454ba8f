"""Layouts over an archive in memory, as people see them: texts, and the fixture that shows them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

import pytest

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.entry import Entry
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.tree import Tree
from davfs.layout import load_text
from davfs.orthanc import Level, OrthancId
from tests.support import dicom
from tests.support.catalog import CountingOrthanc

FILES = """
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
BY_MODALITY = f"""
title = "all"
[[level]]
group = "{{ModalitiesInStudy}}"
[[level]]
study = "{{PatientName}} {{StudyDescription}}"
{FILES}
"""
BY_DATE = f"""
title = "all"
[[level]]
group = "{{StudyDate:%Y}}"
[[level]]
group = "{{StudyDate:%Y-%m}}"
[[level]]
study = "{{PatientName}}"
{FILES}
"""
LEAP_DAY = date(2024, 2, 29)


@dataclass
class Shown:
    """An archive, and a layout over it."""

    folder: Path
    text: str
    orthanc: CountingOrthanc = field(default_factory=CountingOrthanc)
    day: date = LEAP_DAY
    now: float = 0.0
    store: Store = field(init=False)
    catalog: Catalog = field(init=False)
    tree: Tree = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "catalog.sqlite", self.placer(self.text), now=lambda: self.now)
        self.catalog = Catalog(self.orthanc, self.store, InstanceCache())
        self.tree = self.tree_of(self.text)

    def placer(self, *texts: str) -> Placer:
        """Return what places by these layouts."""
        return Placer([load_text(text, "test.toml") for text in texts], lambda: self.day)

    def tree_of(self, text: str) -> Tree:
        """Return a tree over the same catalog."""
        layout = load_text(text, "test.toml")
        return Tree(
            layout,
            self.catalog,
            self.orthanc,
            Deletions(self.orthanc, self.orthanc, lambda act: act()),
            datetime(2024, 1, 1, tzinfo=UTC),
            DerivedFiles(self.orthanc),
        )

    def add(self, patient: str, study: int = 1, series: int = 1, number: int = 1, **tags: Any) -> Self:
        """Give a file to Orthanc."""
        self.orthanc.store(dicom.instance(patient, study, series, number, tags=tags))
        return self

    def entries(self, *path: str) -> dict[str, Entry]:
        """Return what is in a folder, by name."""
        return {entry.name: entry for entry in self.tree.list(path)}

    def names(self, *path: str) -> list[str]:
        """Return the names in a folder."""
        return sorted(self.entries(*path))

    def walk(self, *path: str) -> dict[tuple[str, ...], str]:
        """Return all paths below a folder, and Orthanc's ids of what is there."""
        found = {}
        for name, entry in self.entries(*path).items():
            found[*path, name] = entry.resource
            found |= self.walk(*path, name) if entry.is_folder else {}
        return found

    def deleted(self, level: Level, resource: str) -> None:
        """Delete something, and let Orthanc's event come."""
        gone = self.orthanc.below(OrthancId(resource))
        self.orthanc.delete(level, OrthancId(resource))
        self.catalog.synchronizer.handle_deletions(gone)


Show = Callable[[str], Shown]


@pytest.fixture
def show(tmp_path: Path) -> Iterator[Show]:
    """Make a layout over an empty archive."""
    made: list[Shown] = []

    def shown(text: str) -> Shown:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Shown(folder, text))
        return made[-1]

    yield shown
    for one in made:
        one.store.close()


def study_id(patient: str, study: int = 1) -> OrthancId:
    """Return the id of a study."""
    return OrthancId(dicom.orthanc_id(patient, dicom.uid(patient, study)))
