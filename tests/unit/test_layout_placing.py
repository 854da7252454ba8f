"""The thread that places layouts: it goes on after errors, ends when it is stopped, and logs how far it is."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from davfs.catalog import layout_placing, placements
from davfs.catalog.layout_placing import LayoutPlacing
from davfs.errors import Unavailable
from tests.support.placed import LAYOUTS, PlacedDrive, tags


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlacedDrive]:
    """An index of twenty studies, where a step places one."""
    monkeypatch.setattr(placements, "_STUDIES", 1)
    monkeypatch.setattr("davfs.catalog.store._STEPS", 0)
    monkeypatch.setattr(layout_placing, "_RETRY", 0.01)
    made = PlacedDrive(tmp_path)
    for number in range(20):
        made.add(f"P{number}", tags=tags(number))
    made.catalog.refresh()
    yield made
    made.store.close()


def wait_until_complete(drive: PlacedDrive) -> None:
    """Wait until all layouts are complete."""
    end = time.monotonic() + 60
    while drive.incomplete():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_layouts_are_placed(drive: PlacedDrive, caplog: pytest.LogCaptureFixture) -> None:
    """A layout is complete after some steps; the log has its beginning, each tenth and its end."""
    caplog.set_level(logging.INFO)
    drive.change(*LAYOUTS[:2])
    steps: list[int] = []
    placing = LayoutPlacing(drive.catalog, lambda: steps.append(1))
    placing.start()
    wait_until_complete(drive)
    while "complete after" not in caplog.text:
        time.sleep(0.01)
    assert placing.stop(10)
    assert len(steps) >= 20
    lines = [record for record in caplog.records if "the layout 'all' is" in record.getMessage()]
    assert lines[0].levelno == lines[-1].levelno == logging.WARNING
    assert "being placed: 0 % of the archive is in it" in lines[0].getMessage()
    assert 3 < len(lines) < 12


def test_it_goes_on_after_errors(drive: PlacedDrive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails is tried again, whatever the error was."""
    errors: list[Exception] = [Unavailable("the disk is full"), ValueError("a mistake")]
    place_next = drive.store.place_next

    def failing() -> bool:
        if errors:
            raise errors.pop()
        return place_next()

    monkeypatch.setattr(drive.store, "place_next", failing)
    drive.change(*LAYOUTS[:2])
    placing = LayoutPlacing(drive.catalog, lambda: None)
    placing.start()
    wait_until_complete(drive)
    assert not errors
    assert placing.stop(10)


def test_a_day_begins_without_a_request(drive: PlacedDrive) -> None:
    """The thread moves the index on to a new day, so that no request has to."""
    drive.change(LAYOUTS[4])
    changed = threading.Event()
    placing = LayoutPlacing(drive.catalog, lambda: changed.set() if drive.store.layouts.placer.day == drive.day else 0)
    drive.day = drive.day.replace(year=2031)
    placing.start()
    assert changed.wait(60)
    assert placing.stop(10)


def test_it_stops_in_the_middle(drive: PlacedDrive) -> None:
    """The thread ends after the step that runs, and the next process goes on with the others."""
    drive.change(*LAYOUTS[:2])
    stepped = threading.Event()
    placing = LayoutPlacing(drive.catalog, stepped.set)
    placing.start()
    assert stepped.wait(60)
    placing.interrupt()
    assert placing.stop(10)
    assert drive.incomplete() == [LAYOUTS[1]]
