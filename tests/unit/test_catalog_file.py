"""The catalog's file: kept over a restart, made anew where it cannot be used, placed anew for another layout."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from davfs.orthanc import Level, OrthancId
from tests.support import catalog, dicom
from tests.support.catalog import BY_NAME, Index

# pytest finds fixtures by the names in a module.
index = catalog.index

A, B = dicom.instance("a"), dicom.instance("b")


def test_restart_keeps_the_facts(index: Index) -> None:
    """A restart asks Orthanc for nothing that is known; what came and went meanwhile is seen."""
    index.orthanc.store(A)
    index.orthanc.store(B)
    index.names()
    index.orthanc.asked = 0
    index = index.restart()
    assert index.names() == ["a", "b"]
    assert index.orthanc.asked == 0
    index.close()
    index.orthanc.delete(Level.PATIENT, OrthancId(dicom.orthanc_id("b")))
    index.orthanc.store(dicom.instance("c"))
    assert index.restart().names() == ["a", "c"]


def test_new_layout_is_placed_without_asking(index: Index) -> None:
    """Another template moves what is known, and Orthanc is not asked."""
    index.orthanc.store(A)
    index.names()
    index.orthanc.asked = 0
    index = index.restart(BY_NAME)
    assert index.names() == ["Doe a"]
    assert index.orthanc.asked == 0


def _garbage(file: Path) -> None:
    file.write_bytes(b"no database " * 1000)


def _truncated(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _other_schema(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


@pytest.mark.parametrize("damage", [_garbage, _truncated, _other_schema])
@pytest.mark.parametrize("crashed", [False, True])
def test_bad_file_is_made_anew(index: Index, tmp_path: Path, damage: Callable[[Path], None], *, crashed: bool) -> None:
    """A file that is damaged, or of another version, is no reason not to start."""
    for number in range(100):
        index.orthanc.store(dicom.instance(f"p{number:03d}"))
    index.names()
    if not crashed:
        index.store.close()
    file = tmp_path / "copy.sqlite"
    for suffix in ("", "-wal"):
        if Path(f"{index.file}{suffix}").exists():
            shutil.copy(f"{index.file}{suffix}", f"{file}{suffix}")
    damage(file)
    with closing(Index(index.orthanc, file)) as again:
        assert len(again.names()) == 100
        again.compare()
        assert again.store.ids(Level.SERIES) == set(index.orthanc.ids(Level.SERIES))
        assert len(again.restart().names()) == 100


def test_crash_loses_nothing(index: Index, tmp_path: Path) -> None:
    """What was learned before the process was killed is there afterwards, and Orthanc is not asked again."""
    index.orthanc.store(A)
    index.names()
    for suffix in ("", "-wal"):
        shutil.copy(f"{index.file}{suffix}", f"{tmp_path / 'copy.sqlite'}{suffix}")
    index.orthanc.asked = 0
    with closing(Index(index.orthanc, tmp_path / "copy.sqlite")) as again:
        assert again.names() == ["a"]
    assert index.orthanc.asked == 0
