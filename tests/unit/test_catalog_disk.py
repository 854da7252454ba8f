"""The disk under the catalog's file: full, locked, read-only, or with other bytes than were written."""

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from davfs.catalog import connections, database
from davfs.errors import ConfigurationError, Unavailable
from davfs.orthanc import Level, OrthancId
from davfs.running import assembly
from davfs.settings import setup
from tests.support import catalog as catalogs
from tests.support import dicom
from tests.support.catalog import BY_NAME, Index
from tests.support.memory_orthanc import MemoryOrthanc

# pytest finds fixtures by the names in a module.
index = catalogs.index

A, B = dicom.instance("a"), dicom.instance("b")
PATIENT_A = OrthancId(dicom.orthanc_id("a"))

Trouble = Callable[[Index, pytest.MonkeyPatch], AbstractContextManager[None]]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the timeouts of the database."""
    monkeypatch.setattr(connections, "BUSY_TIMEOUT", 0.2)
    monkeypatch.setattr(database, "_RETRY_INTERVAL", 0.0)


@contextmanager
def _full(index: Index, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the file unable to grow."""
    connect = connections.connect

    def connected(file: Path) -> sqlite3.Connection:
        db = connect(file)
        db.execute("PRAGMA max_page_count = 1")  # as many as there are
        return db

    with closing(sqlite3.connect(index.file)) as db:  # leaves no page free
        db.execute("VACUUM")
    index.store._database._pool.close_idle()
    with monkeypatch.context() as patch:
        patch.setattr(connections, "connect", connected)
        yield


@contextmanager
def _locked(index: Index, _monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lock the file in another process."""
    with closing(sqlite3.connect(index.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def _failing(index: Index, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make reads of the disk fail."""
    index.store._database._pool.close_idle()

    def connect(_file: Path) -> sqlite3.Connection:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(connections, "connect", connect)
        yield


TROUBLES = [_full, _locked, _failing]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_listings_go_on(
    index: Index,
    trouble: Trouble,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Changes while the file cannot be written are shown, and are in the file afterwards."""
    index = index.restart(BY_NAME)
    for number in range(20):
        index.orthanc.store(dicom.instance(f"p{number}"))
    index.orthanc.store(A)
    index.names()
    with trouble(index, monkeypatch):
        for number in range(50):
            index.orthanc.store(dicom.instance(f"q{number}"))
        assert len(index.names()) == 71
        assert "is kept in memory until it can" in caplog.text
        index.orthanc.retag(PATIENT_A, {"PatientName": "Roe"})
        assert "Roe" in index.names()
        index.orthanc.delete(Level.PATIENT, PATIENT_A)
        assert len(index.names()) == 70
        if trouble is not _failing:  # which can be written all the same
            assert not index.store.return_to_file()
    index.orthanc.asked = 0
    assert index.store.return_to_file()
    assert len(index.names()) == 70
    index = index.restart()
    assert len(index.names()) == 70
    assert index.orthanc.asked == 0


def test_stop_while_another_process_holds_the_file(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end does not wait for others."""
    index.orthanc.store(A)
    index.names()
    with _locked(index, monkeypatch):
        index.close()


def _change(index: Index, *statements: str) -> None:
    with index.store._database.write() as db:
        for each in statements:
            db.execute(each)


def test_stop_in_the_middle(index: Index, caplog: pytest.LogCaptureFixture) -> None:
    """Long operations end at once when the drive stops, and are rolled back."""
    index.orthanc.store(A)
    assert index.names() == ["a"]
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
    stop = threading.Timer(0.2, index.store.interrupt)
    stop.start()
    with pytest.raises(Unavailable, match="stopping"):
        _change(index, "DELETE FROM resource", endless)
    stop.join()
    assert index.restart().names() == ["a"]
    assert not caplog.records


def test_file_too_large_for_memory(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a copy would take too much memory, the index is shown as it is, and new resources are not."""
    index.orthanc.store(A)
    index.names()
    monkeypatch.setattr(database, "_LARGEST_COPY", 1000)
    with _locked(index, monkeypatch):
        assert index.names() == ["a"]
        index.orthanc.store(B)
        with pytest.raises(Unavailable):
            index.names()
    assert index.names() == ["a", "b"]


def test_file_that_cannot_be_used_at_start(tmp_path: Path) -> None:
    """The error for an unusable catalog file names the setting, the file and the reason."""
    (tmp_path / "catalog").mkdir()
    settings = {"Davfs": {"Spool": str(tmp_path / "spool"), "Catalog": "/sys/kernel/catalog.sqlite"}}
    checked = setup.prepare(settings, str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"Davfs\.Catalog: the file '/sys/kernel/catalog.sqlite' cannot be"):
        assembly.assemble(checked, MemoryOrthanc(), lambda _: None)


def test_file_that_others_hold_at_start(tmp_path: Path) -> None:
    """A file that another program has locked is left as it is."""
    file = tmp_path / "catalog.sqlite"
    settings = {"Davfs": {"Spool": str(tmp_path / "spool"), "Catalog": str(file)}}
    checked = setup.prepare(settings, str(tmp_path))
    assembly.assemble(checked, MemoryOrthanc(), lambda _: None).shutdown.finish(5.0)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConfigurationError, match=r"Davfs\.Catalog: .* database is locked"):
            assembly.assemble(checked, MemoryOrthanc(), lambda _: None)
        other.execute("ROLLBACK")
        assert other.execute("SELECT COUNT(*) FROM state").fetchone()[0]


def test_other_bytes_in_a_closed_file(tmp_path: Path) -> None:
    """Twenty bytes that a disk changes anywhere in the file are noticed when it is opened: all names are right."""
    orthanc = catalogs.CountingOrthanc()
    for number in range(100):
        orthanc.store(dicom.instance(f"p{number:03d}"))
    file = tmp_path / "catalog.sqlite"
    with closing(Index(orthanc, file, BY_NAME)) as index:
        wanted = index.names()
    whole, digest = file.read_bytes(), file.with_name("catalog.sqlite-digest").read_bytes()
    chance = random.Random(1)  # noqa: S311  damage
    for _ in range(10):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[chance.randrange(len(damaged))] ^= chance.randrange(1, 256)
        file.write_bytes(damaged)
        file.with_name("catalog.sqlite-digest").write_bytes(digest)
        with closing(Index(orthanc, file, BY_NAME)) as index:
            assert index.names() == wanted
            index.compare()
            assert index.store.ids(Level.SERIES) == set(orthanc.ids(Level.SERIES))


@pytest.mark.slow
def test_other_bytes_in_an_open_file(tmp_path: Path) -> None:
    """Damage that is met while the catalog is in use costs one answer, and never the next ones."""
    orthanc = catalogs.CountingOrthanc()
    for number in range(100):
        orthanc.store(dicom.instance(f"p{number:03d}"))
    chance = random.Random(1)  # noqa: S311  damage
    for turn in range(8):
        with closing(Index(orthanc, tmp_path / f"{turn}.sqlite", BY_NAME)) as index:
            index.names()
            index.store._database._pool.close_idle()  # what is in the journal gets into the file
            content = bytearray(index.file.read_bytes())
            for _ in range(200):
                content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
            index.file.write_bytes(content)
            for _ in range(3):
                _try(index)
            index.orthanc.store(dicom.instance(f"q{turn}"))
            for _ in range(3):
                _try(index)
            index.names()


def _try(index: Index) -> None:
    try:
        index.compare()
        index.names()
    except Unavailable:
        pass


def test_values_that_make_no_sense(index: Index) -> None:
    """Damage in values is found where they are used, and the file is rebuilt."""
    index.orthanc.store(A)
    index.names()
    with closing(sqlite3.connect(index.file)) as db, db:
        db.execute("UPDATE resource SET tags = '{' WHERE level = 1")
    with pytest.raises(Unavailable):
        index.store.tags(index.orthanc.ids(Level.SERIES)[0])
    assert index.names() == ["a"]


def test_mistake_of_the_program_costs_nothing(index: Index) -> None:
    """An error that has nothing to do with the file is raised as it is, and the file stays."""
    index.orthanc.store(A)
    index.names()
    with pytest.raises(ValueError, match="mistake"), index.store.read():
        raise ValueError("mistake")
    index.orthanc.asked = 0
    assert index.names() == ["a"]
    assert index.orthanc.asked == 0
