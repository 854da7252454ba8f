"""Connections to SQLite files are closed, also if a start fails or is interrupted."""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from davfs.catalog.database import Database
from davfs.errors import ConfigurationError
from davfs.running import assembly
from davfs.settings import setup
from davfs.spool.spool import Spool
from tests.support.memory_orthanc import MemoryOrthanc

Count = Callable[[], int]


def _prepare_nothing(_db: sqlite3.Connection, *, check_damage: bool) -> None:
    """Make nothing in a database."""


@pytest.fixture
def opened(open_connections: Mapping[sqlite3.Connection, str]) -> Count:
    """Return how many connections are open of those that were opened in the test."""
    before = set(open_connections)
    return lambda: len(open_connections.keys() - before)


@pytest.fixture
def database(opened: Count, tmp_path: Path) -> Database:  # noqa: ARG001  its connections are counted
    """An open file."""
    database = Database(tmp_path / "catalog.sqlite", _prepare_nothing, lambda: None)
    database.open()
    return database


def test_idle_connections(opened: Count, database: Database) -> None:
    """The end closes each connection that was ever lent: two for reading at the same time, and that for writing."""
    with database.read() as one, database.read() as other, database.write() as third:
        assert len({id(one), id(other), id(third)}) == 3
    assert opened() == 3
    database.close()
    assert not opened()


def test_end_while_somebody_reads(opened: Count, database: Database) -> None:
    """A request that has not ended keeps its connection, and closes it; so does one that comes later still."""
    with database.read() as db:
        database.close()
        assert db.execute("SELECT 1").fetchone() == (1,)
        assert opened() == 1
    assert not opened()
    with database.read() as late:
        assert late.execute("SELECT 1").fetchone() == (1,)
    assert not opened()


@pytest.mark.parametrize("error", [sqlite3.DatabaseError("damaged"), ValueError("another mistake")])
def test_file_that_cannot_be_prepared(tmp_path: Path, opened: Count, error: Exception) -> None:
    """The error is raised, and nothing stays open."""

    def prepare(_db: sqlite3.Connection, *, check_damage: bool) -> None:  # noqa: ARG001  as the database has it
        raise error

    database = Database(tmp_path / "catalog.sqlite", prepare, lambda: None)
    with pytest.raises(type(error)):
        database.open()
    assert not opened()


def test_catalog_that_cannot_be_used(tmp_path: Path, opened: Count) -> None:
    """A drive that does not start for its configuration's sake leaves no properties open."""
    spool = Spool(tmp_path / "spool", maximum_size=0, maximum_age=0)
    spool.set_property((), "{urn:x}a", b"<a/>")
    spool.close()
    (tmp_path / "catalog.sqlite").symlink_to(tmp_path / "none" / "there")
    davfs = {"Spool": str(tmp_path / "spool"), "Catalog": str(tmp_path / "catalog.sqlite")}
    checked = setup.prepare(
        {"Davfs": davfs, "StorageDirectory": str(tmp_path / "index")}, str(tmp_path / "orthanc.json")
    )
    with pytest.raises(ConfigurationError, match=r"Davfs\.Catalog"):
        assembly.assemble(checked, MemoryOrthanc(), lambda _seconds: None)
    assert not opened()


def test_spool_that_cannot_be_used(tmp_path: Path, opened: Count) -> None:
    """A drive that does not start for its configuration's sake leaves no catalog open."""
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "files").write_bytes(b"no folder")
    index, configuration = tmp_path / "index", str(tmp_path / "orthanc.json")
    davfs = {"Spool": str(tmp_path / "spool"), "Catalog": str(tmp_path / "catalog.sqlite")}
    checked = setup.prepare({"Davfs": davfs, "StorageDirectory": str(index)}, configuration)
    with pytest.raises(ConfigurationError, match=r"Davfs\.Spool"):
        assembly.assemble(checked, MemoryOrthanc(), lambda _seconds: None)
    assert not opened()
