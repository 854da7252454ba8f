"""The tables of the index's SQLite file, its version, and the check for damage.

`resources`, `placements`, `rows` and `change_log` read and write the tables. A file of another version is replaced by
an empty one, from which the index is built again.
"""

import sqlite3

from davfs.orthanc.model import Level

VERSION = 10
_TABLES = """
CREATE TABLE resource (
    id INTEGER PRIMARY KEY, level INTEGER NOT NULL, orthanc BLOB NOT NULL, parent BLOB, tags TEXT NOT NULL,
    patient TEXT NOT NULL, labels TEXT NOT NULL, updated INTEGER NOT NULL
);
CREATE UNIQUE INDEX resource_orthanc ON resource (level, orthanc);
CREATE INDEX resource_parent ON resource (parent);

CREATE TABLE folder (
    id INTEGER PRIMARY KEY, layout INTEGER NOT NULL, parent INTEGER NOT NULL, node BLOB NOT NULL, key INTEGER NOT NULL,
    name TEXT NOT NULL, date INTEGER NOT NULL
);
CREATE INDEX folder_parent ON folder (parent, key);
CREATE INDEX folder_node ON folder (node);
CREATE TABLE placement (
    folder INTEGER NOT NULL, key INTEGER NOT NULL, resource INTEGER NOT NULL, name TEXT, date INTEGER NOT NULL,
    PRIMARY KEY (folder, key, resource)
) WITHOUT ROWID;
CREATE INDEX placement_resource ON placement (resource);
CREATE TABLE dated (
    layout INTEGER NOT NULL, day INTEGER NOT NULL, resource INTEGER NOT NULL, PRIMARY KEY (layout, day, resource)
) WITHOUT ROWID;
CREATE INDEX dated_resource ON dated (resource);
CREATE TABLE searchable (
    date TEXT NOT NULL, resource INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (date, resource)
) WITHOUT ROWID;

CREATE TABLE entry (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, level TEXT NOT NULL, id TEXT NOT NULL, date TEXT NOT NULL
);
CREATE TABLE mark (study BLOB PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE layout (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, placed INTEGER);
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
"""``resource`` has the indexed resources. ``folder`` has the folders of groups and patients, a row for each way in
which they and the folders above them are spelled, with the latest date below; and the folders in which these begin,
with an empty name. ``placement`` has the resources in these folders; without a name, a member that is not listed
itself. ``searchable`` has the words of studies and of series. ``dated`` has the days of studies on which their
placements by a layout with relative dates depend. ``entry`` has the last entries of Orthanc's change log that were
read; ``mark`` the marks of studies in the trash; ``layout`` how far each layout is placed (`layout_table`); ``state``
single values. Ids and nodes are packed (`packing`); ``key`` is a hash of the folded name."""
LEVELS = tuple(Level)
"""The levels, by their number in the tables."""
LEVEL_NUMBERS = {level: number for number, level in enumerate(LEVELS)}
_IMPOSSIBLE = {
    "resource": f"NOT json_valid(tags) OR NOT json_valid(patient) OR NOT json_valid(labels)"
    f" OR level NOT IN ({', '.join(map(str, LEVEL_NUMBERS.values()))}) OR typeof(updated) <> 'integer'",
    "folder": "typeof(date) <> 'integer' OR typeof(name) <> 'text'",
    "placement": "typeof(date) <> 'integer' OR typeof(name) NOT IN ('text', 'null')",
    "dated": "typeof(day) <> 'integer'",
    "searchable": "typeof(text) <> 'text'",
    "mark": "typeof(value) <> 'blob'",
}
"""Conditions that no row of a table meets unless the table is damaged."""
TABLES = tuple(_IMPOSSIBLE)
"""The tables that are checked for damage."""


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
        for table in TABLES:
            check_table(db, table)


def check_table(db: sqlite3.Connection, table: str) -> None:
    """Read a whole table; a value that is possible but not the one that was written is not found (see `file_digest`).

    Raises:
        sqlite3.Error: It is damaged.
    """
    impossible = _IMPOSSIBLE[table]
    if (
        db.execute(f"PRAGMA quick_check({table})").fetchone()[0] != "ok"
        or db.execute(f"SELECT 1 FROM {table} WHERE {impossible} LIMIT 1").fetchone()  # noqa: S608  constants
    ):
        raise sqlite3.DatabaseError("it is damaged")
    for _ in db.execute(f"SELECT * FROM {table}"):  # noqa: S608  a constant
        pass  # raises an error for text that cannot be decoded


def delete_all(db: sqlite3.Connection) -> None:
    """Delete all resources, placements and marks."""
    for table in TABLES:
        db.execute(f"DELETE FROM {table}")  # noqa: S608  one of these


def read_state(db: sqlite3.Connection, key: str) -> str | None:
    """Return a value of the table ``state``; None if it was never written."""
    found = db.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def write_state(db: sqlite3.Connection, key: str, value: str) -> None:
    """Write a value of the table ``state``."""
    db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))
