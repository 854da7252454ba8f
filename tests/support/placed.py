"""An index whose layouts, archive, day and process are changed by tests, and what a new index has."""

import random
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Self
from zlib import crc32

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.packing import unpack
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Plan
from davfs.catalog.store import Store
from davfs.layout import Layout, load_text
from davfs.orthanc import Level, OrthancId
from tests.support import dicom
from tests.support.catalog import CountingOrthanc
from tests.support.layouts import BY_DATE, BY_MODALITY, FILES

TODAY = date(2024, 5, 20)
STUDIES = 40
BY_PATIENT = f'title = "all"\n[[level]]\npatient = "{{PatientName}}"\n[[level]]\nstudy = "{{StudyDate}}"\n{FILES}'
BY_LABEL = f'title = "all"\n[[level]]\ngroup = "{{Labels|none}}"\n[[level]]\nstudy = "{{PatientName}}"\n{FILES}'
RECENT = f"""
title = "all"
[where]
StudyDate = ["last 30 days", "20200101"]
[[level]]
group = "{{StudyDate}}"
[[level]]
study = "{{PatientName}}"
{FILES}
"""
NEW_SERIES = f"""
title = "all"
[where]
SeriesDate = ["today", "last 2 months"]
[[level]]
study = "{{PatientName}}"
[[level]]
group = "{{Modality}}"
{FILES}
"""
TEXTS = (BY_DATE, BY_MODALITY, BY_PATIENT, BY_LABEL, RECENT, NEW_SERIES)
LAYOUTS = tuple(load_text(text, "test.toml") for text in TEXTS)


@dataclass
class PlacedDrive:
    """An index of an archive in memory, with clocks that tests set."""

    folder: Path
    layouts: tuple[Layout, ...] = LAYOUTS[:1]
    orthanc: CountingOrthanc = field(default_factory=CountingOrthanc)
    day: date = TODAY
    now: float = 0.0
    store: Store = field(init=False)
    catalog: Catalog = field(init=False)

    def __post_init__(self) -> None:
        placer = Placer(self.layouts, lambda: self.day)
        self.store = Store(self.folder / "catalog.sqlite", placer, now=lambda: self.now)
        self.catalog = Catalog(self.orthanc, self.store, InstanceCache())

    def add(self, patient: str, study: int = 1, series: int = 1, tags: Mapping[str, str] | None = None) -> Self:
        """Give a series to Orthanc."""
        self.orthanc.store(dicom.instance(patient, study, series, 1, tags=dict(tags or {})))
        for one, resource in self.orthanc._resources.items():  # the same date whenever a test runs
            updated = datetime.fromtimestamp(crc32(one.encode()) % 1_000_000_000, UTC)
            self.orthanc._resources[one] = replace(resource, updated=updated)
        return self

    def change(self, *layouts: Layout) -> None:
        """Place by other layouts, and do no steps at once."""
        self.layouts = layouts
        self.store.change_layouts(Placer(layouts, lambda: self.day))

    def finish(self) -> Self:
        """Do all steps, and what is due later."""
        self.catalog.refresh()
        self.now += 100
        while self.store.place_next():
            pass
        return self

    def incomplete(self) -> list[Layout]:
        """Return the layouts that are not complete."""
        return [layout for layout in self.layouts if self.catalog.percentage(Plan.of(layout)) is not None]

    def kill(self, folder: Path) -> "PlacedDrive":
        """Return a drive over the file as it is at this moment, as after kill -9."""
        folder.mkdir()
        for file in self.folder.glob("catalog.sqlite*"):
            shutil.copy(file, folder / file.name)
        return PlacedDrive(folder, self.layouts, self.orthanc, self.day, self.now)

    def content(self) -> dict[str, set[object]]:
        """Return all that the file has of each layout, but those that are being deleted."""
        with self.store.read() as db:
            kept = dict(db.execute("SELECT id, key FROM layout WHERE placed IS NULL OR placed >= 0"))
            rows = db.execute("SELECT id, layout, parent, node, name, date FROM folder")
            folders = {each[0]: each[1:] for each in rows if each[1] in kept}
            resources = dict(db.execute("SELECT id, orthanc FROM resource"))
            found: dict[str, set[object]] = {key: set() for key in kept.values()}
            for number, (layout, *_, date_below) in folders.items():
                found[kept[layout]].add((path_of(number, folders), date_below))
            for folder, resource, name, shown in db.execute("SELECT folder, resource, name, date FROM placement"):
                if folder in folders:
                    place = path_of(folder, folders), unpack(resources[resource]), name, shown
                    found[kept[folders[folder][0]]].add(place)
            for layout, day, resource in db.execute("SELECT layout, day, resource FROM dated"):
                if layout in kept:
                    found[kept[layout]].add((day, unpack(resources[resource])))
        return found


def path_of(folder: int, folders: dict[int, tuple[int, int, bytes | str, str, int]]) -> tuple[str, ...]:
    """Return the nodes and names of a folder and of those above it."""
    path: tuple[str, ...] = ()
    while folder:
        _, folder, node, name, _ = folders[folder]
        path = (unpack(node), name, *path)
    return path


def expected(drive: PlacedDrive, folder: Path) -> dict[str, set[object]]:
    """Return what an index has that is built from nothing at this moment."""
    folder.mkdir()
    with closing(PlacedDrive(folder, drive.layouts, drive.orthanc, drive.day).store) as store:
        fresh = Catalog(drive.orthanc, store, InstanceCache())
        fresh.reconciler.reconcile(lambda _done, _total: None)
        other = object.__new__(PlacedDrive)
        other.store = store
        return other.content()


def tags(seed: float) -> dict[str, str]:
    """Return tags of a study and a series."""
    chance = random.Random(seed)  # noqa: S311  the same in each run
    day = TODAY + timedelta(days=chance.randrange(-80, 10))
    return {
        "StudyDate": chance.choice([f"{day:%Y%m%d}", f"{day:%Y%m%d}", "20200101", "", "nothing"]),
        "SeriesDate": f"{day:%Y%m%d}",
        "Modality": chance.choice(["CT", "MR"]),
    }


def any_study(drive: PlacedDrive, chance: random.Random) -> OrthancId:
    """Return a study."""
    return chance.choice(sorted(drive.orthanc.ids(Level.STUDY)))


def forget(drive: PlacedDrive, chance: random.Random) -> None:
    """Delete a study, and let Orthanc's event come."""
    study = any_study(drive, chance)
    gone = drive.orthanc.below(study)
    drive.orthanc.delete(Level.STUDY, study)
    drive.catalog.synchronizer.handle_deletions(gone)


def label(drive: PlacedDrive, chance: random.Random) -> None:
    """Label a study, and let the index read it."""
    study = any_study(drive, chance)
    drive.orthanc.label(study, chance.choice(["a", "b"]))
    drive.catalog.synchronizer.handle_label_changes([(Level.STUDY, study)])


def restart(drive: PlacedDrive, _: random.Random) -> None:
    """Close the file and open it again."""
    drive.store.close()
    drive.__post_init__()


def change_layouts(drive: PlacedDrive, chance: random.Random) -> None:
    """Want other layouts."""
    drive.change(*chance.sample(LAYOUTS, chance.randrange(1, 7)))


def step(drive: PlacedDrive, chance: random.Random) -> None:
    """Do some steps."""
    for _ in range(chance.randrange(20)):
        drive.store.place_next()


def add(drive: PlacedDrive, chance: random.Random) -> None:
    """Give a series to Orthanc, of an old study or a new one."""
    drive.add(f"P{chance.randrange(11)}", chance.randrange(60), chance.randrange(3), tags(chance.random()))


def rename(drive: PlacedDrive, chance: random.Random) -> None:
    """Give a study another patient."""
    drive.orthanc.rename(any_study(drive, chance), {"PatientName": f"N{chance.randrange(9)}"})


def retag(drive: PlacedDrive, chance: random.Random) -> None:
    """Give a study another date."""
    drive.orthanc.retag(any_study(drive, chance), {"StudyDate": tags(chance.random())["StudyDate"]})


def move_clocks(drive: PlacedDrive, chance: random.Random) -> None:
    """Set the clocks, one of them forwards only."""
    drive.now += chance.choice([1, 4, 9])
    drive.day += timedelta(days=chance.choice([-40, -1, 0, 0, 1, 2, 60]))


ACTIONS = (change_layouts, step, add, rename, retag, forget, label, restart, move_clocks)
