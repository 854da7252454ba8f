"""A connection to PostgreSQL that sends prepared statements, with little work for each.

A request to the inbox takes about ten statements. psycopg's cursors need four times the CPU time for one, where psycopg
calls libpq through ctypes (docs/adr/0019-several-orthancs.md); ``psycopg.pq`` is its interface to libpq itself.
"""

import os
import re
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from davfs.errors import Unavailable

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq.abc import PGresult

_PARAMETER = re.compile(r"%\((\w+)\)s")
_ERROR = 7
"""``PGRES_FATAL_ERROR``."""
_IDLE = 0
"""``PQTRANS_IDLE``: no transaction is open."""
_BINARY = 1
_TYPES: Mapping[int, Callable[[bytes], Any]] = {
    16: lambda text: text == b"t",
    17: lambda text: bytes.fromhex(text[2:].decode()),
    **dict.fromkeys((20, 21, 23, 1700), int),
    701: float,
}
"""Readers of values by the number of their type (pg_type.dat): boolean, bytea, integers, a sum of them, a float."""
_ESCAPED = re.compile(r'(["\\])')


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a statement.

    Attributes:
        rows: What it returned.
        count: The number of rows that it changed or returned.
    """

    rows: list[tuple[Any, ...]]
    count: int

    @property
    def first(self) -> tuple[Any, ...]:
        """The first row."""
        return self.rows[0]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.rows)

    def __bool__(self) -> bool:
        return bool(self.rows)


class Session:
    """A connection, for one thread at a time.

    Args:
        connection: A connection, in which each statement is a transaction.
    """

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        import psycopg  # noqa: PLC0415  optional

        self._error = psycopg.Error
        self._connection = connection
        self._prepared: dict[str, bytes] = {}
        self.close = connection.close

    def execute(self, statement: str, values: Mapping[str, object] | None = None, *, binary: bool = False) -> Rows:
        """Execute a statement.

        Args:
            statement: It, with ``%(name)s`` for each value; or several ones without values.
            values: The values. Bytes are sent as they are, lists as arrays.
            binary: Whether all that it returns are bytes, to be received as they are.

        Raises:
            Unavailable: It failed, or the connection is lost.
        """
        try:
            result = self._sent(statement, values, binary=binary)
        except self._error as error:
            raise Unavailable(f"PostgreSQL: {error}") from error
        if result.status == _ERROR:
            message = result.error_message.decode(errors="replace").strip().partition("\n")[0]
            raise Unavailable(f"PostgreSQL: {message}")
        return Rows(list(_received(result, binary=binary)), result.command_tuples or 0)

    def interrupt(self) -> None:
        """Have a statement that another thread executes fail, and all later ones."""
        with suppress(OSError, self._error), socket.socket(fileno=os.dup(self._connection.fileno())) as used:
            used.shutdown(socket.SHUT_RDWR)

    @property
    def has_ended(self) -> bool:
        """True if the server has ended it, while it was not used: then its socket can be read."""
        if self._connection.closed:
            return True
        ended = select.poll()
        ended.register(self._connection.fileno(), select.POLLIN)
        return bool(ended.poll(0))

    @property
    def is_idle(self) -> bool:
        """True if it is not in a transaction."""
        return self._connection.pgconn.transaction_status == _IDLE

    def _sent(self, statement: str, values: Mapping[str, object] | None, *, binary: bool) -> "PGresult":
        connection = self._connection.pgconn
        if values is None and not binary:
            return connection.exec_(statement.encode())
        command, names = _numbered(statement)
        name = self._prepared.get(statement)
        if name is None:
            name = b"davfs_%d" % len(self._prepared)
            made = connection.prepare(name, command)
            if made.status == _ERROR:
                return made
            self._prepared[statement] = name
        given: list[Any] = [_written((values or {})[each]) for each in names]
        formats = [_BINARY if isinstance(each, memoryview) else 0 for each in given]
        return connection.exec_prepared(name, given, formats, _BINARY if binary else 0)


@lru_cache(maxsize=256)
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a statement with PostgreSQL's own parameters, and the names of their values."""
    names: dict[str, int] = {}
    numbered = _PARAMETER.sub(lambda found: f"${names.setdefault(found[1], len(names) + 1)}", statement)
    return numbered.encode(), tuple(names)


def _written(value: object) -> "bytes | memoryview | None":
    match value:
        case None:
            return None
        case bytes() | memoryview():
            return memoryview(value)
        case list():
            return ("{" + ",".join(_ESCAPED.sub(r"\\\1", str(each)).join('""') for each in value) + "}").encode()
    text = str(value).encode()
    if b"\0" in text:  # libpq would end the text there
        raise Unavailable("PostgreSQL: a text has a zero byte")
    return text


def _received(result: "PGresult", *, binary: bool) -> Iterator[tuple[Any, ...]]:
    columns = range(result.nfields)
    readers = [bytes if binary else _TYPES.get(result.ftype(column), bytes.decode) for column in columns]
    for row in range(result.ntuples):
        found = (result.get_value(row, column) for column in columns)
        yield tuple(None if value is None else read(value) for value, read in zip(found, readers, strict=True))
