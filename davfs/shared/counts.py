"""Counts what a transaction changes in the inbox of several Orthancs: names, bytes, contents and properties."""

from dataclasses import dataclass, field

from davfs.shared.session import Session
from davfs.spool.property_database import OVERHEAD

PROPERTY_SIZE = f"octet_length(path) + octet_length(name) + octet_length(value) + {OVERHEAD}"
"""Bytes that a property counts (`davfs.spool.property_database.cost`)."""
ORIGINALS = (
    "SELECT coalesce(sum(size), 0)::bigint FROM davfs_content"
    " WHERE id IN (SELECT content FROM davfs_name WHERE content IS NOT NULL AND instance IS NOT NULL)"
)
"""The bytes of all originals."""
_ALL_PROPERTIES = f"SELECT coalesce(sum({PROPERTY_SIZE}), 0) FROM davfs_property"
_COUNT = f"""
WITH touched AS (UPDATE davfs_name SET modified = clock_timestamp() WHERE path = ANY(%(folders)s)),
    stored AS (INSERT INTO davfs_content SELECT %(content)s, %(stored)s WHERE %(content)s::bigint IS NOT NULL)
UPDATE davfs_usage SET names = names + %(names)s, bytes = bytes + %(bytes)s,
    properties = CASE WHEN %(properties)s::boolean THEN ({_ALL_PROPERTIES}) ELSE properties END
RETURNING names, bytes + properties
"""


@dataclass(slots=True)
class Uncounted:
    """What a transaction has changed, and not counted yet.

    Attributes:
        names: Names that were added.
        bytes: Bytes of contents that were added.
        content: The content that is added; None for none.
        released: Contents that may have no name any more.
        folders: Paths of folders in which something came or went.
        properties: Whether there are other properties.
    """

    names: int = 0
    bytes: int = 0
    content: int | None = None
    released: set[int] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    properties: bool = False

    def count(self, session: Session) -> tuple[int, int]:
        """Write it into the tables; return the number of all names, and the bytes of all."""
        stored = self.bytes
        if self.released:
            unused = "id = ANY(%(ids)s) AND NOT EXISTS (SELECT FROM davfs_name WHERE davfs_name.content = id)"
            query = f"DELETE FROM davfs_content WHERE {unused} RETURNING size"
            stored -= sum(size for (size,) in session.execute(query, {"ids": list(self.released)}))
        values = {
            "names": self.names,
            "content": self.content,
            "stored": self.bytes,
            "bytes": stored,
            "folders": list(self.folders),
            "properties": self.properties,
        }
        names, size = session.execute(_COUNT, values).first
        return names, size
