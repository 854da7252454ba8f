"""The catalog's file: kept over a restart, rebuilt if it cannot be used, placed again for another layout."""

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from davfs.catalog import schema
from davfs.catalog.database import Database
from davfs.filesystem.search.saved_searches import SavedSearches
from davfs.orthanc import Level, OrthancId
from tests.support import catalog, dicom, layouts
from tests.support.catalog import BY_NAME, Index
from tests.support.layouts import BY_DATE, Show, study_id

# pytest finds fixtures by the names in a module.
index = catalog.index
show = layouts.show

A, B = dicom.instance("a"), dicom.instance("b")


def test_restart_keeps_the_facts(index: Index) -> None:
    """After a restart, only new and changed resources are requested; deletions meanwhile are noticed."""
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
    """Another template places the indexed resources again, without a request to Orthanc."""
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
    """Resources that were indexed before the process was killed are not requested again."""
    index.orthanc.store(A)
    index.names()
    file = _killed(index, tmp_path)
    index.orthanc.asked = 0
    with closing(Index(index.orthanc, file)) as again:
        assert again.names() == ["a"]
    assert index.orthanc.asked == 0


def test_path_after_a_restart(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete index finds a path before it is compared with Orthanc again, whatever the size of the archive."""
    shown = show(BY_DATE).add("a")
    shown.catalog.reconciler.reconcile(lambda _done, _total: None)
    shown.add("b", StudyDate="20230101")
    shown.store.close()
    shown.__post_init__()
    shown.catalog.synchronizer.building = True

    def refuse(_level: Level) -> list[OrthancId]:
        raise AssertionError("all resources are asked for")

    monkeypatch.setattr(shown.orthanc, "ids", refuse)
    assert shown.tree.stat(("2024", "2024-02", "Doe a")).resource == study_id("a")
    assert shown.tree.stat(("2023", "2023-01", "Doe b")).resource == study_id("b")


def _killed(index: Index, folder: Path) -> Path:
    """Copy the file as it is while it is open."""
    for suffix in ("", "-wal"):
        shutil.copy(f"{index.file}{suffix}", f"{folder / 'copy.sqlite'}{suffix}")
    return folder / "copy.sqlite"


def test_damage_after_a_crash(index: Index, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A catalog that was not closed is used at once, checked in the background, and rebuilt if it is damaged."""
    for number in range(100):
        index.orthanc.store(dicom.instance(f"p{number:03d}"))
    index.names()
    index.store._database._pool.close_idle()  # what is in the journal gets into the file
    file = tmp_path / "copy.sqlite"
    content = bytearray(index.file.read_bytes())
    middle = len(content) // 2 // 4096 * 4096
    content[middle : middle + 4096] = bytes(4096)
    file.write_bytes(content)
    with closing(Index(index.orthanc, file)) as again:
        for _ in schema.TABLES:
            again.store.check_next()
        assert "the catalog was damaged and is rebuilt" in caplog.text
        assert len(again.names()) == 100


def test_digest_of_a_checked_file_only(index: Index, tmp_path: Path) -> None:
    """After a crash, a catalog gets a digest only once it has been checked."""
    index.orthanc.store(A)
    index.names()
    file, digest = _killed(index, tmp_path), tmp_path / "copy.sqlite-digest"
    with closing(Index(index.orthanc, file)):
        pass
    assert not digest.exists()
    with closing(Index(index.orthanc, file)) as again:
        for _ in schema.TABLES:
            again.store.check_next()
        assert again.names() == ["a"]
    assert digest.exists()


@pytest.mark.parametrize("found", [False, True])
def test_files_are_for_their_owner_alone(tmp_path: Path, *, found: bool) -> None:
    """Only the owner can read the files, also where an older version left them readable by all."""
    kept, before = tmp_path / "catalog.sqlite", os.umask(0o022)
    try:
        if found:
            with closing(sqlite3.connect(kept)) as db:
                db.execute("pragma journal_mode = wal")
                assert stat.S_IMODE(kept.stat().st_mode) == 0o644
        database = Database(kept, _make_a_table, lambda: None)
        database.open()
        database.is_checked = True  # as `Store.check_next` leaves it, of a file that was found
        with database.write() as db:
            db.execute("insert into x values (1)")
        open_now = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        database.close()
        searches = SavedSearches(tmp_path / "searches.json")
        searches.add("PatientName=doe", "me")
    finally:
        os.umask(before)
    assert open_now == dict.fromkeys(("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"), 0o600)
    closed = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    names = ("catalog.sqlite", "catalog.sqlite-digest", "searches.json")
    assert {name: closed[name] for name in names} == dict.fromkeys(names, 0o600)


def _make_a_table(db: sqlite3.Connection, *, check_damage: bool) -> None:  # noqa: ARG001  as `PrepareDatabase` has it
    db.execute("create table if not exists x (y)")
