"""Layout files are reloaded when they change, and on request."""

import logging
from pathlib import Path

import pytest

from davfs.errors import Unavailable
from davfs.running.layout_reloader import LayoutReloader
from davfs.settings.layout_files import LayoutFiles, LoadedLayouts
from tests.unit.test_layout_files import select, titles, write


class Drive:
    """A drive that records the layouts that it shows."""

    def __init__(self, files: LayoutFiles) -> None:
        self.now = 0.0
        self.shown: list[list[str]] = []
        self.fails = False
        self.reloader = LayoutReloader(files, self.show, lambda: self.now)

    def show(self, loaded: LoadedLayouts) -> None:
        """Show layouts."""
        if self.fails:
            raise Unavailable("not now")
        self.shown.append(titles(loaded))

    def check(self, times: int = 1) -> None:
        """Check the files so many times, at intervals."""
        for _ in range(times):
            self.now += 10
            self.reloader.check_files()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A layout file."""
    return write(tmp_path / "a.toml", "a")


@pytest.fixture
def drive(file: Path) -> Drive:
    """A drive that shows it."""
    return Drive(select(file))


def test_a_change_is_shown(drive: Drive, file: Path) -> None:
    """A changed file is loaded, but not while it is still being written."""
    drive.check(3)
    write(file, "b")
    drive.check()
    write(file, "bb")
    drive.check()
    assert drive.shown == []
    drive.check(3)
    assert drive.shown == [["bb"]]


def test_checks_have_an_interval(drive: Drive, file: Path) -> None:
    """Calls that come too early do nothing."""
    drive.check()
    write(file, "b")
    for _ in range(10):
        drive.reloader.check_files()
    assert drive.shown == []


def test_on_demand(drive: Drive, file: Path) -> None:
    """A reload takes effect at once, and returns the layouts."""
    write(file, "b")
    assert titles(drive.reloader.reload()) == ["b"]
    assert drive.shown == [["b"]]
    drive.check(3)
    assert drive.shown == [["b"]]


def test_nothing_changed(drive: Drive) -> None:
    """Unchanged files are not placed again."""
    assert titles(drive.reloader.reload()) == ["a"]
    assert drive.shown == []


def test_a_bad_version_is_told_once(drive: Drive, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the line; the former version stays."""
    write(file, "b", "Quux")
    drive.check(5)
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told.startswith(f'{file}:3: patient: unknown tag "Quux"')
    assert told.endswith("; its version before stays in force")
    assert drive.shown in ([], [["a"]])


def test_mistakes_at_the_start_are_told(tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log names file and line of each mistake at the start."""
    Drive(select(file, write(tmp_path / "bad.toml", "bad", "Quux")))
    assert "bad.toml:3: " in caplog.text
    assert "this layout is not shown" in caplog.text


def test_what_could_not_be_shown_is_tried_again(drive: Drive, file: Path) -> None:
    """If the index is unavailable for a moment, the layouts are loaded again later."""
    write(file, "b")
    drive.fails = True
    with pytest.raises(Unavailable):
        drive.reloader.reload()
    drive.check()
    drive.fails = False
    drive.check()
    assert drive.shown == [["b"]]
