"""The tables of the index's SQLite file, its version, and the check for damage.

`resources`, `placements`, `rows` and `change_log` read and write the tables. A file of another version is replaced by
an empty one, from which the index is built again.
"""

import sqlite3

from davfs.orthanc.model import Level

VERSION = 5
_TABLES = """
CREATE TABLE resource (
    id TEXT PRIMARY KEY, level TEXT NOT NULL, parent TEXT, tags TEXT NOT NULL, patient TEXT NOT NULL,
    labels TEXT NOT NULL, updated INTEGER
) WITHOUT ROWID;
CREATE INDEX resource_parent ON resource (parent);
CREATE INDEX resource_level ON resource (level);

CREATE TABLE placement (
    layout TEXT NOT NULL, folder TEXT NOT NULL, key TEXT NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL, date INTEGER,
    PRIMARY KEY (layout, folder, key, node, name)
) WITHOUT ROWID;
CREATE INDEX placement_node ON placement (node);
CREATE TABLE holding (
    layout TEXT NOT NULL, folder TEXT NOT NULL, node TEXT NOT NULL, name TEXT NOT NULL, holder TEXT NOT NULL,
    date INTEGER NOT NULL,
    PRIMARY KEY (layout, folder, node, name, holder)
) WITHOUT ROWID;
CREATE INDEX holding_holder ON holding (holder);
CREATE INDEX holding_date ON holding (layout, folder, node, date);

CREATE TABLE entry (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, level TEXT NOT NULL, id TEXT NOT NULL, date TEXT NOT NULL
);
CREATE TABLE layout (key TEXT PRIMARY KEY, day TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
"""``resource`` has the indexed resources; ``placement`` which folder shows which node under which name; ``holding`` the
members (column ``holder``) of groups and patient folders; ``entry`` the last entries of Orthanc's change log that
were read; ``layout`` the day for which each layout was placed; ``state`` single values."""
_LEVELS = ", ".join(f"'{level.value}'" for level in Level)
_IMPOSSIBLE = {
    "resource": f"NOT json_valid(tags) OR NOT json_valid(labels) OR level NOT IN ({_LEVELS})"
    " OR typeof(coalesce(updated, 0)) <> 'integer'",
    "placement": "typeof(coalesce(date, 0)) <> 'integer'",
    "holding": "typeof(date) <> 'integer'",
}
"""Conditions that no row of a table meets unless the table is damaged."""


def create_or_check(db: sqlite3.Connection, *, check_damage: bool) -> None:
    """Create the tables in an empty database; check another one.

    Raises:
        sqlite3.DatabaseError: It has another version, or is damaged.
    """
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError(f"schema {version} instead of {VERSION}")
    if version == 0:
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    elif check_damage:
        _check_damage(db)


def _check_damage(db: sqlite3.Connection) -> None:
    """Read everything; a value that is possible but not the one that was written is not found (see `file_digest`)."""
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok" or any(
        db.execute(f"SELECT 1 FROM {table} WHERE {impossible} LIMIT 1").fetchone()  # noqa: S608  constants
        for table, impossible in _IMPOSSIBLE.items()
    ):
        raise sqlite3.DatabaseError("it is damaged")
    for table in _IMPOSSIBLE:
        for _ in db.execute(f"SELECT * FROM {table}"):  # noqa: S608  one of these three
            pass  # raises an error for text that cannot be decoded


def delete_all(db: sqlite3.Connection) -> None:
    """Delete all resources and placements."""
    for table in _IMPOSSIBLE:
        db.execute(f"DELETE FROM {table}")  # noqa: S608  one of these three


def read_state(db: sqlite3.Connection, key: str) -> str | None:
    """Return a value of the table ``state``; None if it was never written."""
    found = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def write_state(db: sqlite3.Connection, key: str, value: str) -> None:
    """Write a value of the table ``state``."""
    db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))
