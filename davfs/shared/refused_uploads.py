"""Paths whose upload a node has just refused, in the database of all nodes."""

from davfs.entry import Path
from davfs.shared.database import SharedDatabase
from davfs.spool.property_database import path_key

_INSERT = """
INSERT INTO davfs_refused VALUES (%(path)s, clock_timestamp() + %(seconds)s * interval '1 second')
ON CONFLICT (path) DO UPDATE SET expires = excluded.expires
"""


class SharedRefusedUploads:
    """See `davfs.filesystem.drive.RefusedUploads`: a client's next request may reach another node.

    Args:
        database: Has the paths.
        seconds: Seconds for which a path is kept, by the database's clock.
    """

    def __init__(self, database: SharedDatabase, seconds: float) -> None:
        self._database = database
        self._seconds = seconds

    def add(self, path: Path) -> None:
        """Keep a path.

        Raises:
            Unavailable: The database does not answer.
        """
        with self._database.session() as session:
            session.execute("DELETE FROM davfs_refused WHERE expires < clock_timestamp()")
            session.execute(_INSERT, {"path": path_key(path), "seconds": self._seconds})

    def __contains__(self, path: Path) -> bool:
        query = "SELECT true FROM davfs_refused WHERE path = %(path)s AND expires > clock_timestamp()"
        return bool(self._database.rows(query, {"path": path_key(path)}))
