"""The inbox in the database of several Orthancs: what is done through any node is what a model of it says."""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path as DiskPath
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis.stateful import rule

from davfs.shared.database import SharedDatabase
from davfs.shared.spool import SharedSpool
from tests.cluster.test_cluster import OPERATIONS
from tests.support.postgresql import PostgresServer
from tests.support.spool import DAY
from tests.support.spool_model import MAXIMUM, Model


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of these tests' own."""
    with PostgresServer() as server:
        SharedModel.server = server
        yield server


class SharedModel(Model):
    """The inbox of two nodes, which take turns."""

    server: ClassVar[PostgresServer]

    def __init__(self) -> None:
        super().__init__()
        self.server.empty()
        self.root = DiskPath(tempfile.mkdtemp())
        self._databases: list[SharedDatabase] = []
        self._spools: list[SharedSpool] = []
        self._open()

    @property
    def spool(self) -> SharedSpool:
        """See `Model`: the one whose turn it is."""
        return next(self._turns)

    def leftovers(self) -> list[object]:
        """See `Model`."""
        return [file for folder in self.root.iterdir() for file in folder.rglob("*") if file.is_file()]

    def teardown(self) -> None:
        """Remove the folder."""
        for database in self._databases:
            database.close()
        shutil.rmtree(self.root)

    @rule()
    def restart(self) -> None:
        """Open the spool again, as another process does."""
        for database in self._databases:
            database.close()
        self._open()

    def _open(self) -> None:
        self._databases = [SharedDatabase(self.server.connect) for _ in "ab"]
        self._spools = [
            SharedSpool(database, self.root / name, maximum_size=MAXIMUM, maximum_age=DAY)
            for name, database in zip("ab", self._databases, strict=True)
        ]
        self._turns = cycle(self._spools)


TestModel = pytest.mark.timeout(1800)(SharedModel.TestCase)
TestModel.settings = settings(max_examples=max(1, OPERATIONS // 40), stateful_step_count=40, deadline=None)
