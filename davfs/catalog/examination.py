"""Looking for damage in the catalog's file, where no digest tells (`davfs.catalog.file_digest`)."""

import sqlite3

from davfs.orthanc.model import Level

_LEVELS = ", ".join(f"'{level.value}'" for level in Level)
_IMPOSSIBLE = {
    "resource": f"NOT json_valid(tags) OR NOT json_valid(labels) OR level NOT IN ({_LEVELS})"
    " OR typeof(coalesce(updated, 0)) <> 'integer'",
    "placement": "typeof(coalesce(date, 0)) <> 'integer'",
    "holding": "typeof(date) <> 'integer'",
}
"""Conditions that nothing in a table meets unless it is damaged."""


def examine_all(db: sqlite3.Connection) -> None:
    """Look for damage; values that are possible, but not those that were written, cannot be found.

    Raises:
        sqlite3.DatabaseError: It is damaged.
    """
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok" or any(
        db.execute(f"SELECT 1 FROM {table} WHERE {impossible} LIMIT 1").fetchone()  # noqa: S608  constants
        for table, impossible in _IMPOSSIBLE.items()
    ):
        raise sqlite3.DatabaseError("it is damaged")
    for table in ("resource", "placement", "holding"):
        for _ in db.execute(f"SELECT * FROM {table}"):  # noqa: S608  one of these three
            pass  # text that cannot be decoded
