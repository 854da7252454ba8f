"""Layouts are placed, changed, removed and moved on to another day in steps, while the archive changes."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from davfs.catalog import connections, database, placed_layouts, placements
from davfs.catalog.placing import Placement, Placer, TaggedResource
from davfs.catalog.plan import Folder, Plan
from davfs.errors import Unavailable
from davfs.layout import HashKey, load_text
from davfs.orthanc import Level
from tests.support.layouts import FILES, study_id
from tests.support.placed import ACTIONS, LAYOUTS, STUDIES, TEXTS, PlacedDrive, expected, tags


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlacedDrive]:
    """An index of forty studies, which is changed in small steps."""
    monkeypatch.setattr(placements, "_STUDIES", 7)
    monkeypatch.setattr("davfs.catalog.store._STEPS", 1)
    monkeypatch.setattr("davfs.catalog.layout_table._ROWS", 7)
    monkeypatch.setattr("davfs.catalog.layout_table._FOLDERS", 5)
    folder = tmp_path / "drive"
    folder.mkdir()
    made = PlacedDrive(folder)
    for number in range(STUDIES):
        made.add(f"P{number % 11}", number, tags=tags(number))
    made.catalog.refresh()
    yield made
    made.store.close()


def test_new_layout_is_placed_in_steps(drive: PlacedDrive, tmp_path: Path) -> None:
    """A new layout is incomplete until the last step; the others are shown as before, and nothing is asked."""
    drive.orthanc.asked = 0
    drive.change(*LAYOUTS[:2])
    assert drive.incomplete() == [LAYOUTS[1]]
    percentages = []
    while drive.incomplete():
        percentages.append(drive.catalog.percentage(Plan.of(LAYOUTS[1])) or 0)
        assert drive.store.place_next()
    assert percentages == sorted(percentages)
    assert len(percentages) > 2
    assert not drive.store.place_next()
    assert drive.orthanc.asked == 0
    assert drive.content() == expected(drive, tmp_path / "fresh")


def test_generation_changes_with_the_last_step(drive: PlacedDrive) -> None:
    """What was computed from the index stays cached while a layout is being placed, until it is complete."""
    drive.change(*LAYOUTS[:2])
    generation = drive.store.generation
    while drive.incomplete():
        assert drive.store.generation == generation
        drive.store.place_next()
    assert drive.store.generation == generation + 1


def test_small_archives_are_complete_at_once(tmp_path: Path) -> None:
    """Steps of the usual size place a small archive before a reload returns, and before a start ends."""
    shown = PlacedDrive(tmp_path)
    for number in range(3):
        shown.add(f"P{number}")
    shown.catalog.refresh()
    shown.change(*LAYOUTS)
    assert shown.incomplete() == []
    shown.store.close()
    shown.layouts = LAYOUTS[1:3]
    shown.__post_init__()
    assert shown.incomplete() == []
    shown.store.close()


def test_killed_in_the_middle(drive: PlacedDrive, tmp_path: Path) -> None:
    """Placing goes on where it was, also with what changed in between."""
    drive.change(*LAYOUTS)
    for number in range(2):
        drive.store.place_next()
        done = drive.catalog.percentage(Plan.of(LAYOUTS[1])) or 0
        drive.add(f"late {number}", tags=tags(number))
        killed = drive.kill(tmp_path / f"killed {number}")
        assert (killed.catalog.percentage(Plan.of(LAYOUTS[1])) or 0) >= done > 0
        assert killed.finish().content() == expected(killed, tmp_path / f"fresh {number}")
        killed.store.close()


@contextmanager
def full_disk(drive: PlacedDrive, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fill the disk, so that the file cannot grow."""
    connect = connections.connect

    def connected(file: Path) -> sqlite3.Connection:
        db = connect(file)
        db.execute("PRAGMA max_page_count = 1")  # as many as there are
        return db

    with closing(sqlite3.connect(drive.folder / "catalog.sqlite")) as db:  # leaves no page free
        db.execute("VACUUM")
    drive.store._database._pool.close_idle()
    with monkeypatch.context() as patch:
        patch.setattr(connections, "connect", connected)
        yield


def test_disk_that_becomes_full_in_the_middle(
    drive: PlacedDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Placing goes on in memory where it was, and the result is in the file when it can be written again."""
    monkeypatch.setattr(database, "_RETRY_INTERVAL", 0.0)
    drive.change(*LAYOUTS)
    drive.store.place_next()
    with full_disk(drive, monkeypatch):
        content = drive.finish().content()
        assert not drive.store.return_to_file()
    assert content == expected(drive, tmp_path / "fresh")
    assert drive.store.return_to_file()
    drive.store.close()
    drive.__post_init__()
    assert drive.incomplete() == []
    assert drive.content() == content


def test_disk_that_is_full_and_no_memory(drive: PlacedDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that cannot be written changes nothing; it is done when there is room again."""
    drive.change(*LAYOUTS)
    monkeypatch.setattr(database, "_LARGEST_COPY", 0)
    before = drive.store.layouts.progress
    with full_disk(drive, monkeypatch):
        for _ in range(3):
            with pytest.raises(Unavailable):
                drive.finish()
        assert drive.incomplete()
        assert drive.store.layouts.progress.keys() == before.keys()
    drive.store._database._pool.close_idle()
    assert drive.finish().content() == expected(drive, tmp_path / "fresh")


def test_other_key_of_hashes(drive: PlacedDrive, tmp_path: Path) -> None:
    """With another HashKey nothing is shown under the old pseudonyms: an anonymised layout is placed again."""
    text = 'title = "all"\n[[level]]\npatient = "{PatientID:hash}"\n[[level]]\nstudy = "{StudyInstanceUID:hash}"\n'
    old, new = (
        replace(load_text(f"anonymised = true\n{text}", "test.toml", key=key), anonymised=key)
        for key in map(HashKey, (b"a" * 32, b"b" * 32))
    )
    drive.change(old)
    drive.finish()
    drive.store.close()
    drive.layouts = (new,)
    drive.__post_init__()
    assert drive.incomplete() == [new]
    assert drive.finish().content() == expected(drive, tmp_path / "fresh")


def test_removed_layout_is_deleted_in_steps(drive: PlacedDrive, tmp_path: Path) -> None:
    """Requests that began before still read it for some seconds, and true; then its rows go a few at a time."""
    drive.change(*LAYOUTS[:3])
    drive.finish()
    drive.change(LAYOUTS[0])
    former = Folder(Plan.of(LAYOUTS[2]))
    drive.add("late", tags=tags(1))
    drive.catalog.refresh()
    assert "Doe late" in {row.name for row in drive.store.contents(former).rows}
    assert not drive.store.place_next()
    drive.now += 6
    steps = 0
    while drive.store.place_next():
        steps += 1
    assert steps > 10
    assert drive.content() == expected(drive, tmp_path / "fresh")


def test_wanted_again_while_it_is_deleted(drive: PlacedDrive, tmp_path: Path) -> None:
    """A layout that comes back is shown when all its old placements are deleted, and all new ones there."""
    drive.change(*LAYOUTS[:3])
    drive.finish()
    drive.change(LAYOUTS[0])
    drive.now += 6
    for _ in range(4):
        drive.store.place_next()
    drive.add("P1", 99, tags=tags(2)).orthanc.delete(Level.STUDY, study_id("P0", 0))
    drive.catalog.refresh()
    drive.change(*LAYOUTS[:3])
    assert drive.incomplete() == list(LAYOUTS[1:3])
    drive.catalog.synchronizer.handle_deletions([study_id("P0", 0)])
    assert drive.finish().content() == expected(drive, tmp_path / "fresh")


def test_changed_back_at_once(drive: PlacedDrive) -> None:
    """A layout that is back within seconds was kept up to date, and is complete."""
    drive.change(LAYOUTS[1])
    drive.add("late", tags=tags(1))
    drive.catalog.refresh()
    drive.change(LAYOUTS[0])
    assert drive.incomplete() == []


def test_titles_and_files_are_not_placed(drive: PlacedDrive) -> None:
    """Layouts that exchange their titles, or get other extra files, stay complete."""
    drive.change(*LAYOUTS[:2])
    drive.finish()
    texts = (TEXTS[1], TEXTS[0].replace('"all"', '"other"').replace("{InstanceNumber}", "{SOPInstanceUID}"))
    drive.change(*(load_text(text, "test.toml") for text in texts))
    assert drive.incomplete() == []
    assert not drive.store.place_next()


def test_new_day_places_what_enters_or_leaves(
    drive: PlacedDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On any other day, later or earlier, the placements are those of that day at once; few studies are visited."""
    drive.change(*LAYOUTS)
    drive.finish()
    visited: set[str] = set()
    place = Placer.place

    def noted(placer: Placer, plan: Plan, lineage: Sequence[TaggedResource]) -> Sequence[Placement]:
        visited.add(lineage[0].id)
        return place(placer, plan, lineage)

    monkeypatch.setattr(Placer, "place", noted)
    for number, days in enumerate((1, 1, 28, 400, -399, -1, -30, 60, -3000, 3001)):
        drive.day += timedelta(days=days)
        visited.clear()
        drive.catalog.refresh()
        assert drive.incomplete() == []
        assert abs(days) > 1 or len(visited) < STUDIES / 4
        assert drive.content() == expected(drive, tmp_path / f"fresh {number}")
    assert not drive.store.place_next()


def test_day_of_the_placements_survives_a_restart(drive: PlacedDrive, tmp_path: Path) -> None:
    """After days without the drive, the first request sees the right day."""
    drive.change(*LAYOUTS)
    drive.finish()
    drive.store.close()
    drive.day += timedelta(days=17)
    drive.__post_init__()
    drive.catalog.refresh()
    assert drive.content() == expected(drive, tmp_path / "fresh")


def test_midnight_in_the_middle_of_placing(drive: PlacedDrive, tmp_path: Path) -> None:
    """Studies that were placed on the day before are placed again, the others for the new day."""
    drive.change(*LAYOUTS)
    drive.store.place_next()
    drive.day += timedelta(days=20)
    drive.catalog.refresh()
    drive.store.place_next()
    drive.day -= timedelta(days=5)
    assert drive.finish().content() == expected(drive, tmp_path / "fresh")


def test_clock_that_jumps_far(drive: PlacedDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If too many studies enter or leave, the layout is incomplete until they are placed again, never wrong."""
    drive.change(*LAYOUTS)
    drive.finish()
    monkeypatch.setattr(placed_layouts, "_AT_ONCE", 3)
    drive.day += timedelta(days=35)
    drive.catalog.refresh()
    assert drive.incomplete() == [LAYOUTS[4], LAYOUTS[5]]
    drive.add("P1", 99, tags=tags(2))
    assert drive.finish().content() == expected(drive, tmp_path / "fresh")
    assert drive.incomplete() == []


ZONES = (
    (ZoneInfo("Europe/Berlin"), datetime(2024, 3, 30, 22, 30, tzinfo=UTC)),  # summer time begins
    (ZoneInfo("Europe/Berlin"), datetime(2024, 10, 26, 21, 30, tzinfo=UTC)),  # and ends
    (ZoneInfo("America/Sao_Paulo"), datetime(2018, 11, 4, 2, 30, tzinfo=UTC)),  # at midnight
    (ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 9, 30, tzinfo=UTC)),  # a day that did not exist
    (timezone(timedelta(hours=-12)), datetime(2024, 5, 20, 11, 30, tzinfo=UTC)),
)


@pytest.mark.parametrize(("zone", "moment"), ZONES)
def test_midnight_in_a_time_zone(drive: PlacedDrive, zone: timezone, moment: datetime) -> None:
    """The first listing after midnight has the window of that day, also where clocks are changed that night."""
    clock = moment
    drive.day = clock.astimezone(zone).date()
    text = f'title = "all"\n[where]\nStudyDate = "today"\n[[level]]\nstudy = "{{StudyDate}}"\n{FILES}'
    layout = load_text(text, "test.toml")
    for days in range(-3, 4):
        drive.add("near", 1000 + days, tags={"StudyDate": f"{drive.day + timedelta(days=days):%Y%m%d}"})
    drive.change(layout)
    drive.finish()
    for _ in range(52):
        clock += timedelta(minutes=30)
        drive.day = clock.astimezone(zone).date()
        drive.catalog.refresh()
        assert [row.name for row in drive.catalog.rows(Folder(Plan.of(layout)))] == [f"{drive.day:%Y%m%d}"]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_meanwhile(drive: PlacedDrive, tmp_path: Path, seed: int) -> None:
    """After any changes of layouts, archive, day and process, in any order, each layout has what a new index has."""
    chance = random.Random(seed)  # noqa: S311  the same in each run
    for number in range(40):
        chance.choice(ACTIONS)(drive, chance)
        if chance.random() < 0.5:
            drive.catalog.refresh()
        if number % 15 == 14:
            check_complete(drive, tmp_path / f"fresh {number}")
    assert drive.finish().content() == expected(drive, tmp_path / "fresh")
    assert drive.incomplete() == []


def check_complete(drive: PlacedDrive, folder: Path) -> None:
    """Assert that the layouts that are complete, and shown, have what a new index has."""
    drive.catalog.refresh()
    wanted, found = expected(drive, folder), drive.content()
    for layout in drive.layouts:
        key = Plan.of(layout).key
        if drive.catalog.percentage(Plan.of(layout)) is None:
            assert found[key] == wanted[key]
