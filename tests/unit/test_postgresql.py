"""Notifications of Orthanc's database: their text, and how Orthanc's configuration names the database."""

import sys
from typing import Any

import pytest

from davfs.errors import ConfigurationError
from davfs.orthanc import postgresql
from davfs.orthanc.model import Level, OrthancId
from davfs.orthanc.postgresql import Notification

ONE = OrthancId("11111111-11111111-11111111-11111111-11111111")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (f"deleted 1 {ONE}", Notification(deleted=True, level=Level.STUDY, id=ONE)),
        (f"deleted 0 {ONE}", Notification(deleted=True, level=Level.PATIENT, id=ONE)),
        (f"labelled 2 {ONE}", Notification(deleted=False, level=Level.SERIES, id=ONE)),
        (f"deleted 3 {ONE}", None),
        (f"deleted {ONE}", None),
        (f"renamed 1 {ONE}", None),
        ("", None),
    ],
)
def test_text(payload: str, expected: Notification | None) -> None:
    """A notification has a kind, a level and an id; texts of other programs on the channel are ignored."""
    assert postgresql.parse(payload) == expected


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, {"host": "localhost", "sslmode": "disable"}),
        (
            {"Host": "db", "Port": 5433, "Database": "o", "Username": "u", "Password": "p", "EnableSsl": True},
            {"host": "db", "port": 5433, "dbname": "o", "user": "u", "password": "p", "sslmode": "require"},
        ),
        (
            {"ConnectionUri": "postgresql://db/o?sslmode=prefer", "Host": "other"},
            {"conninfo": "postgresql://db/o?sslmode=prefer"},
        ),
    ],
)
def test_same_connection_as_orthanc(section: dict[str, Any], expected: dict[str, Any]) -> None:
    """The section PostgreSQL is read as Orthanc reads it; a URI wins over the single keys."""
    found = postgresql._parameters(section)
    assert expected.items() <= found.items()
    assert found.keys() - expected.keys() == postgresql._DETECTION.keys()


@pytest.mark.parametrize("section", [None, "no", {}, {"EnableIndex": False}, {"EnableStorage": True}])
def test_no_database(section: Any) -> None:
    """Davfs.Cluster without PostgreSQL as Orthanc's index is refused, and the message names the missing key."""
    with pytest.raises(ConfigurationError, match=r"PostgreSQL\.EnableIndex"):
        postgresql.check({} if section is None else {"PostgreSQL": section})


def test_no_psycopg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Davfs.Cluster without psycopg, which is optional, is refused, and the message says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match="install psycopg"):
        postgresql.check({"PostgreSQL": {"EnableIndex": True}})
