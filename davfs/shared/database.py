"""The PostgreSQL database that several Orthancs share: its connections and transactions.

Names change in transactions under one lock of the database, as the spool's change under one lock of the process
(`davfs.spool.disk`): each is done in full or not at all, whichever node is killed, and at whatever moment.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from weakref import WeakSet

from davfs.errors import Unavailable
from davfs.orthanc.postgresql import Connect
from davfs.shared.schema import make_tables
from davfs.shared.session import Session

PROGRAM = 1684108902
"""Stands for this program where advisory locks have two numbers; Orthanc's have one."""

_MOST = 6
"""Connections of a node; Orthanc needs some for itself, and PostgreSQL's default is 100 in all."""
_MOST_LARGE = 2
"""Connections that may store large files at the same time."""
_PATIENCE = 10.0
"""Seconds that a request waits for a connection."""
_PATIENCE_LARGE = 600.0
_SETTINGS = "SET lock_timeout = '10s'; SET tcp_keepalives_idle = 5; SET tcp_keepalives_count = 3"
"""Locks of a node whose machine is gone are free after some ten seconds."""
_LOCK = f"SELECT pg_advisory_xact_lock({PROGRAM}, hashtext(current_schema()))"
"""The lock of all names."""


class SharedDatabase:
    """The database; thread-safe.

    Args:
        connect: Makes a connection.
        check: Called before each use; raises Unavailable where the database is known to be gone.

    Raises:
        Unavailable: The database does not answer, or does not allow to make the tables.
        ConfigurationError: The tables are those of another version.
    """

    def __init__(self, connect: Connect, check: Callable[[], object] = lambda: None) -> None:
        self._connect = connect
        self._check = check
        self._lock = threading.Lock()
        self._idle: list[Session] = []
        self._busy: WeakSet[Session] = WeakSet()
        self._closed = False
        self._free = threading.BoundedSemaphore(_MOST)
        self._free_large = threading.BoundedSemaphore(_MOST_LARGE)
        with self.session() as session, _transaction(session, "BEGIN"):
            make_tables(session)

    def rows(self, query: str, values: Mapping[str, object], *, binary: bool = False) -> list[tuple[Any, ...]]:
        """Return the rows of a query; see `Session.execute`."""
        with self.session() as session:
            return session.execute(query, values, binary=binary).rows

    @contextmanager
    def names_locked(self, *, durable: bool = True) -> Iterator[Session]:
        """Change tables in one transaction, under the lock of all names.

        Args:
            durable: Whether a change that was committed outlives a crash of the database's machine.

        Raises:
            Unavailable: The database does not answer. Nothing was changed, unless it was lost with the last step.
        """
        quickly = "" if durable else "SET LOCAL synchronous_commit = off; "
        with self.session() as session, _transaction(session, f"BEGIN; {quickly}{_LOCK}"):
            yield session

    @contextmanager
    def storing(self, *, large: bool) -> Iterator[Session]:
        """Begin a transaction in which bytes are stored, before `lock_names`; see `names_locked`."""
        with ExitStack() as held:
            if large:
                held.enter_context(_waited(self._free_large, _PATIENCE_LARGE))
            session = held.enter_context(self.session())
            held.enter_context(_transaction(session, "BEGIN"))
            yield session

    @staticmethod
    def lock_names(session: Session) -> None:
        """Take the lock of all names until the transaction ends."""
        session.execute(_LOCK)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Use a connection.

        Raises:
            Unavailable: There is none.
        """
        with _waited(self._free, _PATIENCE):
            session = self._taken()
            try:
                yield session
            finally:
                self._give_back(session)

    def new_session(self) -> Session:
        """Make a connection that the caller keeps, until this database is closed.

        Raises:
            Unavailable: That is not possible.
        """
        self._check_open()
        session = Session(self._connect())
        session.execute(_SETTINGS)
        with self._lock:
            self._busy.add(session)
        return session

    def close(self) -> None:
        """Close all connections; requests that use one fail."""
        with self._lock:
            self._closed = True
        self.interrupt()

    def interrupt(self) -> None:
        """End all connections: requests that wait for the database fail."""
        with self._lock:
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for session in idle:
            session.close()
        for session in busy:
            session.interrupt()

    def _check_open(self) -> None:
        self._check()
        if self._closed:
            raise Unavailable("the drive is stopping")

    def _taken(self) -> Session:
        """Take an idle connection, or make one."""
        self._check_open()
        while True:
            with self._lock:
                session = self._idle.pop() if self._idle else None
                if session:
                    self._busy.add(session)
            if session is None:
                return self.new_session()
            if not session.has_ended:
                return session
            self._give_back(session)

    def _give_back(self, session: Session) -> None:
        """Keep a connection for the next request, unless it is lost, or within a transaction that failed."""
        is_usable = not session.has_ended and session.is_idle
        with self._lock:
            self._busy.discard(session)
            if is_usable and not self._closed:
                self._idle.append(session)
                return
        session.close()


@contextmanager
def _transaction(session: Session, begin: str) -> Iterator[None]:
    session.execute(begin)
    try:
        yield
        session.execute("COMMIT")
    except BaseException:
        with suppress(Unavailable):
            session.execute("ROLLBACK")
        raise


@contextmanager
def _waited(semaphore: threading.BoundedSemaphore, patience: float) -> Iterator[None]:
    if not semaphore.acquire(timeout=patience):
        raise Unavailable("PostgreSQL: all connections are in use")
    try:
        yield
    finally:
        semaphore.release()
