"""Layout files are read again when they change, and on demand."""

import logging
from pathlib import Path

import pytest

from davfs.errors import Unavailable
from davfs.running.layout_reloader import LayoutReloader
from davfs.settings.layout_files import LayoutFiles, LoadedLayouts
from tests.unit.test_layout_files import select, titles, write


class Drive:
    """What is told to show something."""

    def __init__(self, selection: LayoutFiles) -> None:
        self.now = 0.0
        self.shown: list[list[str]] = []
        self.tidied = 0
        self.fails = False
        self.reloading = LayoutReloader(selection, self.show, self.tidy, lambda: self.now)

    def show(self, loaded: LoadedLayouts) -> None:
        """Show layouts."""
        if self.fails:
            raise Unavailable("not now")
        self.shown.append(titles(loaded))

    def tidy(self) -> None:
        """Drop what was shown before."""
        self.tidied += 1

    def look(self, times: int = 1) -> None:
        """Look at the files, so many times at intervals."""
        for _ in range(times):
            self.now += 10
            self.reloading.look()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A layout file."""
    return write(tmp_path / "a.toml", "a")


@pytest.fixture
def drive(file: Path) -> Drive:
    """A drive that shows it."""
    return Drive(select(file))


def test_a_change_is_shown(drive: Drive, file: Path) -> None:
    """Once it is complete: a file that somebody is just writing is left alone."""
    drive.look(3)
    write(file, "b")
    drive.look()
    write(file, "bb")
    drive.look()
    assert drive.shown == []
    drive.look(3)
    assert drive.shown == [["bb"]]


def test_it_looks_once_in_a_while(drive: Drive, file: Path) -> None:
    """Whoever calls may do so often."""
    drive.look()
    write(file, "b")
    for _ in range(10):
        drive.reloading.look()
    assert drive.shown == []


def test_former_placements_are_dropped_later(drive: Drive, file: Path) -> None:
    """Requests that began before have some time."""
    write(file, "b")
    drive.reloading.reload()
    assert drive.tidied == 0
    drive.look(3)
    assert drive.tidied == 1


def test_on_demand(drive: Drive, file: Path) -> None:
    """At once, and the answer tells what is shown now."""
    write(file, "b")
    assert titles(drive.reloading.reload()) == ["b"]
    assert drive.shown == [["b"]]
    drive.look(3)
    assert drive.shown == [["b"]]


def test_nothing_changed(drive: Drive) -> None:
    """Then nothing is placed again."""
    assert titles(drive.reloading.reload()) == ["a"]
    assert drive.shown == []


def test_a_bad_version_is_told_once(drive: Drive, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With its line; what was shown stays."""
    write(file, "b", "Quux")
    drive.look(5)
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert told.startswith(f'{file}:3: patient: unknown tag "Quux"')
    assert told.endswith("; its version before stays in force")
    assert drive.shown in ([], [["a"]])


def test_mistakes_at_the_start_are_told(tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each with its line."""
    Drive(select(file, write(tmp_path / "bad.toml", "bad", "Quux")))
    assert "bad.toml:3: " in caplog.text
    assert "this layout is not shown" in caplog.text


def test_what_could_not_be_shown_is_tried_again(drive: Drive, file: Path) -> None:
    """The catalog may be unavailable for a moment."""
    write(file, "b")
    drive.fails = True
    with pytest.raises(Unavailable):
        drive.reloading.reload()
    drive.look()
    drive.fails = False
    drive.look()
    assert drive.shown == [["b"]]
