"""Orthanc's PostgreSQL database: notifications of what any Orthanc on it deletes or labels.

Orthanc logs neither. Two triggers in its database send them, as part of the transaction that makes the change
(docs/adr/0019-several-orthancs.md). They are made by the first drive that is configured for several Orthancs.

psycopg, which is optional, is imported by the functions that need it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from davfs.errors import ConfigurationError, Unavailable
from davfs.orthanc.model import Level, OrthancId

if TYPE_CHECKING:
    import psycopg

_CHANNEL = "davfs"
_AT_ONCE = 1000
"""Notifications that are returned together, about."""
_LEVELS = {"0": Level.PATIENT, "1": Level.STUDY, "2": Level.SERIES}
"""``resourceType`` in the database, as ``OrthancPluginResourceType``; instances are 3, and send no notifications."""
_DETECTION = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""Options of libpq, in seconds: a server that does not answer any more is noticed."""
_SETTINGS = {"Host": "host", "Port": "port", "Database": "dbname", "Username": "user", "Password": "password"}
"""Keys of the section ``PostgreSQL`` in Orthanc's configuration, and libpq's names for them."""

_TRIGGERS = (
    (
        "resources",
        "davfs_deleted",
        """
        CREATE OR REPLACE FUNCTION davfs_deleted() RETURNS trigger AS $$ BEGIN
          PERFORM pg_notify('davfs', 'deleted ' || OLD.resourceType || ' ' || OLD.publicId);
          RETURN NULL;
        END $$ LANGUAGE plpgsql
        """,
        """
        CREATE TRIGGER davfs_deleted AFTER DELETE ON resources
          FOR EACH ROW WHEN (OLD.resourceType < 3) EXECUTE PROCEDURE davfs_deleted()
        """,
    ),
    (
        "labels",  # since orthanc-postgresql 5.0
        "davfs_labelled",
        """
        CREATE OR REPLACE FUNCTION davfs_labelled() RETURNS trigger AS $$ BEGIN
          PERFORM pg_notify('davfs', 'labelled ' || resourceType || ' ' || publicId) FROM resources
            WHERE internalId = COALESCE(NEW.id, OLD.id) AND resourceType < 3;
          RETURN NULL;
        END $$ LANGUAGE plpgsql
        """,
        """
        CREATE TRIGGER davfs_labelled AFTER INSERT OR DELETE ON labels
          FOR EACH ROW EXECUTE PROCEDURE davfs_labelled()
        """,
    ),
)
"""Tables, the triggers on them, and the commands that make the function and the trigger."""


@dataclass(frozen=True, slots=True)
class Notification:
    """A change in Orthanc's database.

    Attributes:
        deleted: True if the resource was deleted, False if a label was added or removed.
        level: The level of the resource.
        id: Orthanc's id of it.
    """

    deleted: bool
    level: Level
    id: OrthancId


class Notifications(Protocol):
    """The notifications since a connection was made."""

    def wait(self, seconds: float) -> Sequence[Notification]:
        """Wait for notifications, for so many seconds at most.

        Raises:
            Unavailable: The connection is lost.
        """

    def close(self) -> None:
        """Close the connection."""


class PostgresNotifications:
    """Implements `Notifications`.

    Args:
        parameters: Options of libpq.
        schema: The schema of Orthanc's tables.

    Raises:
        Unavailable: The server does not answer, or does not allow what is needed.
    """

    def __init__(self, parameters: Mapping[str, Any], schema: str) -> None:
        import psycopg  # noqa: PLC0415  optional

        self._error = psycopg.Error
        try:
            self._connection = psycopg.connect(**parameters, autocommit=True, application_name="davfs")
        except psycopg.ProgrammingError as error:  # libpq's text has the whole URI, with its password
            raise Unavailable("PostgreSQL.ConnectionUri is not one that libpq reads") from error
        except psycopg.Error as error:
            raise Unavailable(_reason(error)) from error
        try:
            self._connection.execute("SELECT set_config('search_path', %s, false)", (schema,))
            _make_triggers(self._connection)
            self._connection.execute(f"LISTEN {_CHANNEL}")
        except psycopg.Error as error:
            self.close()
            raise Unavailable(_reason(error)) from error

    def wait(self, seconds: float) -> Sequence[Notification]:
        """See `Notifications`."""
        try:
            found = list(self._connection.notifies(timeout=seconds, stop_after=1))
            if found:
                found += self._connection.notifies(timeout=0, stop_after=_AT_ONCE)
        except self._error as error:
            raise Unavailable(_reason(error)) from error
        return [parsed for each in found if (parsed := parse(each.payload))]

    def close(self) -> None:
        """See `Notifications`."""
        self._connection.close()

    @classmethod
    def of_orthanc(cls, orthanc: Mapping[str, Any]) -> Self:
        """Connect as Orthanc does, by the section ``PostgreSQL`` of its configuration."""
        section = orthanc["PostgreSQL"]
        return cls(_parameters(section), section.get("Schema", "public"))


def check(orthanc: Mapping[str, Any]) -> None:
    """Check that Orthanc stores its index in PostgreSQL, and that psycopg is installed.

    Args:
        orthanc: Orthanc's whole configuration.

    Raises:
        ConfigurationError: The administrator has to change something; the message says what.
    """
    section = orthanc.get("PostgreSQL")
    if not isinstance(section, Mapping) or section.get("EnableIndex") is not True:
        reason = "for several Orthancs on one PostgreSQL, and this Orthanc has none: PostgreSQL.EnableIndex is not true"
        raise ConfigurationError(f"Davfs.Cluster is true, which is {reason}")
    try:
        import psycopg  # noqa: F401, PLC0415  optional
    except ImportError as error:
        remedy = "install psycopg into the virtual environment of Davfs.Python, and libpq (Debian's package libpq5)"
        raise ConfigurationError(f"Davfs.Cluster is true, and PostgreSQL cannot be asked: {remedy}") from error


def parse(payload: str) -> Notification | None:
    """Return a notification from its text; None if it is not one of ours."""
    kind, _, rest = payload.partition(" ")
    level, _, resource = rest.partition(" ")
    if kind not in {"deleted", "labelled"} or level not in _LEVELS:
        return None
    return Notification(kind == "deleted", _LEVELS[level], OrthancId(resource))


def _parameters(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return libpq's options for a section ``PostgreSQL``."""
    if uri := section.get("ConnectionUri"):
        return {"conninfo": uri, **_DETECTION}
    given = {name: section[key] for key, name in _SETTINGS.items() if section.get(key)}
    return {"host": "localhost", "sslmode": "require" if section.get("EnableSsl") else "disable"} | given | _DETECTION


def _make_triggers(connection: "psycopg.Connection[Any]") -> None:
    """Make the triggers that are missing; where all are there, nothing is written or locked."""
    for table, trigger, function, command in _TRIGGERS:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('davfs'))")  # against another node that starts
            if not _is_missing(connection, table, trigger):
                continue
            connection.execute("SET LOCAL lock_timeout = '3s'")
            connection.execute(function)
            connection.execute(command)


def _is_missing(connection: "psycopg.Connection[Any]", table: str, trigger: str) -> bool:
    """Return True if the table is there without the trigger."""
    found = connection.execute(
        "SELECT to_regclass(%(table)s) IS NOT NULL AND NOT EXISTS"
        " (SELECT FROM pg_trigger WHERE tgrelid = to_regclass(%(table)s) AND tgname = %(trigger)s)",
        {"table": table, "trigger": trigger},
    ).fetchone()
    return bool(found and found[0])


def _reason(error: Exception) -> str:
    """Return the first line of an error's text, which has no passwords."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
