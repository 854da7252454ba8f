"""The bytes of files in the database: rows of a megabyte, under numbers that are never used again."""

from collections.abc import Iterator
from typing import Self

from davfs.entry import Entry
from davfs.errors import Unavailable
from davfs.shared.database import SharedDatabase
from davfs.shared.session import Session

CHUNK = 1 << 20
"""Bytes of a row."""


def store(session: Session, content: memoryview) -> int:
    """Store bytes within a transaction; return their number, for `davfs.shared.names.Names.add_content`."""
    first = "INSERT INTO davfs_chunk VALUES (nextval('davfs_content_id'), 0, %(bytes)s) RETURNING content"
    number: int = session.execute(first, {"bytes": content[:CHUNK]}).first[0]
    for index, start in enumerate(range(CHUNK, len(content), CHUNK), 1):
        values = {"content": number, "number": index, "bytes": content[start : start + CHUNK]}
        session.execute("INSERT INTO davfs_chunk VALUES (%(content)s, %(number)s, %(bytes)s)", values)
    return number


class SharedFile:
    """A file of the database, open for reading: `davfs.entry.Content`.

    Args:
        entry: Its entry.
        database: Has it.
        content: Its number.
    """

    def __init__(self, entry: Entry, database: SharedDatabase, content: int) -> None:
        self._database = database
        self._content = content
        self.entry = entry

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """Yield the bytes in blocks; no connection is in use between two of them.

        Raises:
            Unavailable: The database does not answer, or the file was deleted or replaced meanwhile.
        """
        stop = self.entry.size if stop is None else min(stop, self.entry.size)
        while start < stop:
            block = self._chunk(start // CHUNK)[start % CHUNK :][: stop - start]
            yield block
            start += len(block)

    def _chunk(self, number: int) -> memoryview:
        query = "SELECT bytes FROM davfs_chunk WHERE content = %(content)s AND number = %(number)s"
        found = self._database.rows(query, {"content": self._content, "number": number}, binary=True)
        if not found:
            raise Unavailable("the file was deleted or replaced while it was read")
        return memoryview(found[0][0])
