"""Records the open SQLite connections of this process, each with the test that opened it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def counted() -> Iterator[dict[sqlite3.Connection, str]]:
    """Have `sqlite3.connect` record which connections are open.

    A connection that is in the record is not freed, so the garbage collector cannot close it in the owner's place.

    Returns:
        Open connections, and the test that opened each.
    """
    opened: dict[sqlite3.Connection, str] = {}
    connect = sqlite3.connect

    class Counted(sqlite3.Connection):
        def close(self) -> None:
            super().close()
            opened.pop(self, None)

    def connect_counted(database: Any, *arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(database, *arguments, factory=Counted, **options)
        opened[connection] = os.environ.get("PYTEST_CURRENT_TEST", "no test")
        return connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", connect_counted)
        yield opened
