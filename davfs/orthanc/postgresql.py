"""Orthanc's PostgreSQL database: notifications of what any Orthanc on it deletes or labels.

Orthanc logs neither. Two triggers in its database send them (`davfs.orthanc.triggers`), which are made by the first
drive that is configured for several Orthancs.

psycopg, which is optional, is imported by the functions that need it.
"""

import select
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from davfs.errors import ConfigurationError, Unavailable
from davfs.orthanc import nodes, triggers
from davfs.orthanc.model import Level, OrthancId

if TYPE_CHECKING:
    import psycopg

_CHANNEL = "davfs"
_SILENCE = 3.0
"""Seconds within which the server has to answer."""
_LABELS = (
    "SELECT resourceType, publicId, label FROM labels JOIN resources ON internalId = labels.id WHERE resourceType < 3"
)
_LEVELS = {"0": Level.PATIENT, "1": Level.STUDY, "2": Level.SERIES}
"""``resourceType`` in the database, as ``OrthancPluginResourceType``; instances are 3, and send no notifications."""
_DETECTION = {
    "connect_timeout": 2,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""Options of libpq, in seconds, the last in milliseconds: a server that cannot be reached any more is noticed."""
_SETTINGS = {"Host": "host", "Port": "port", "Database": "dbname", "Username": "user", "Password": "password"}
"""Keys of the section ``PostgreSQL`` in Orthanc's configuration, and libpq's names for them."""


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


Labels = Mapping[tuple[Level, OrthancId], Collection[str]]
"""The labels of all patients, studies and series that have some."""


class Notifications(Protocol):
    """The notifications since a connection was made."""

    def mistakes(self) -> Sequence[str]:
        """Return a sentence for each thing that is wrong with this machine, or with others on the database.

        Raises:
            Unavailable: The connection is lost.
        """

    def labels(self) -> Labels:
        """Return all labels.

        Raises:
            Unavailable: The connection is lost.
        """

    def wait(self, seconds: float) -> Sequence[Notification]:
        """Wait for notifications, for so many seconds at most.

        Raises:
            Unavailable: The connection is lost, or the server does not answer.
        """

    def close(self) -> None:
        """Close the connection."""


class PostgresNotifications:
    """Implements `Notifications`.

    Args:
        section: The section ``PostgreSQL`` of Orthanc's configuration.
        name: Returns this drive's name now, by which others on the database know it (`davfs.settings.node_name`).

    Raises:
        Unavailable: The server does not answer, or does not allow what is needed.
    """

    def __init__(self, section: Mapping[str, Any], name: Callable[[], str]) -> None:
        import psycopg  # noqa: PLC0415  optional

        self._error = psycopg.Error
        self._name, self._named = name, name()
        self._connection = connect(section, self._named)
        try:
            triggers.make(self._connection)
            self._connection.execute(f"LISTEN {_CHANNEL}")
        except psycopg.Error as error:
            self.close()
            raise Unavailable(_reason(error)) from error

    def mistakes(self) -> Sequence[str]:
        """See `Notifications`."""
        try:
            return [*nodes.unlike(self._connection, self._named), *nodes.clock(self._connection, time.time())]
        except self._error as error:
            raise Unavailable(_reason(error)) from error

    def labels(self) -> Labels:
        """See `Notifications`."""
        found: dict[tuple[Level, OrthancId], set[str]] = {}
        try:
            if self._connection.execute("SELECT to_regclass('labels')").fetchone() == (None,):
                return {}  # before orthanc-postgresql 5.0
            for level, resource, label in self._connection.execute(_LABELS):
                found.setdefault((_LEVELS[str(level)], OrthancId(resource)), set()).add(label)
        except self._error as error:
            raise Unavailable(_reason(error)) from error
        return found

    def wait(self, seconds: float) -> Sequence[Notification]:
        """See `Notifications`."""
        try:
            self._check_answer()
            self._rename()
            found = self._received()
            if not found and self._is_readable(seconds):
                self._connection.pgconn.consume_input()
                found = self._received()
        except self._error as error:
            raise Unavailable(_reason(error)) from error
        return [parsed for each in found if (parsed := parse(each))]

    def _rename(self) -> None:
        """Change the name of the connection when the layouts change."""
        if (name := self._name()) != self._named:
            self._connection.execute("SELECT set_config('application_name', %s, false)", (name,))
            self._named = name

    def _check_answer(self) -> None:
        """Send a query that does nothing: a server that hangs keeps its connections open."""
        connection, end = self._connection.pgconn, time.monotonic() + _SILENCE
        connection.send_query(b"SELECT 1")
        connection.flush()
        while connection.is_busy():
            if not self._is_readable(end - time.monotonic()):
                raise Unavailable(f"it does not answer within {_SILENCE:g} seconds")
            connection.consume_input()
        while (result := connection.get_result()) is not None:
            if result.error_message:
                raise Unavailable(result.error_message.decode(errors="replace").strip())

    def _is_readable(self, seconds: float) -> bool:
        """Wait until something has arrived, for so many seconds at most; return True if it has."""
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def _received(self) -> list[str]:
        """Return the texts of all notifications that have arrived."""
        found = []
        while (notification := self._connection.pgconn.notifies()) is not None:
            found.append(notification.extra.decode(errors="replace"))
        return found

    def close(self) -> None:
        """See `Notifications`."""
        self._connection.close()


class Connect(Protocol):
    """Connects to the database."""

    def __call__(self) -> "psycopg.Connection[Any]":
        """Make a connection, in which each statement is a transaction; raises `Unavailable`."""


def connect(section: Mapping[str, Any], name: str = "davfs-inbox") -> "psycopg.Connection[Any]":
    """Connect as Orthanc does, by the section ``PostgreSQL`` of its configuration; see `Connect`.

    Args:
        section: The section.
        name: The connection's name, which every user of the database can read.
    """
    import psycopg  # noqa: PLC0415  optional

    try:
        connection = psycopg.connect(**_parameters(section), autocommit=True, application_name=name)
    except psycopg.ProgrammingError as error:  # libpq's text has the whole URI, with its password
        raise Unavailable("PostgreSQL.ConnectionUri is not one that libpq reads") from error
    except psycopg.Error as error:
        raise Unavailable(_reason(error)) from error
    try:
        connection.execute("SELECT set_config('search_path', %s, false)", (section.get("Schema") or "public",))
    except psycopg.Error as error:
        connection.close()
        raise Unavailable(_reason(error)) from error
    return connection


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
    check_installed("Davfs.Cluster is true", "the virtual environment of Davfs.Python")


def check_installed(setting: str, environment: str) -> None:
    """Check that psycopg is installed.

    Raises:
        ConfigurationError: It is not; the message has these words for the setting that needs it, and its environment.
    """
    try:
        import psycopg  # noqa: F401, PLC0415  optional
    except ImportError as error:
        remedy = f"install psycopg into {environment}, and libpq (Debian's package libpq5)"
        raise ConfigurationError(f"{setting}, and PostgreSQL cannot be asked: {remedy}") from error


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


def _reason(error: Exception) -> str:
    """Return the first line of an error's text, which has no passwords."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
