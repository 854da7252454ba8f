"""The triggers in Orthanc's PostgreSQL database that send a notification of each deletion and each label.

They are part of the transaction that makes the change (docs/adr/0019-several-orthancs.md).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

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


def make(connection: "psycopg.Connection[Any]") -> None:
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
