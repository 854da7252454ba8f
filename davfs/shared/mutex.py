"""Locks on paths that hold between nodes: advisory locks of PostgreSQL, all in one session of each node.

They end with the session. If that is lost while a path is locked, another node can lock it too. Nothing is torn even
then, since each change is a transaction; but ``If-Match`` may have been checked against what is replaced by now.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from davfs.entry import Path
from davfs.errors import Busy, Unavailable
from davfs.shared.database import PROGRAM, SharedDatabase
from davfs.spool.property_database import path_key

if TYPE_CHECKING:
    from davfs.shared.session import Session

_KEY = f"{PROGRAM} + 1, hashtext(current_schema() || '/' || %(path)s)"
"""Two paths of one hash wait for each other."""
_SHORTEST, _LONGEST = 0.01, 0.2
"""Seconds between two attempts, at first and at last."""


class PathMutex:
    """Locks on paths; a node asks for one only if no other request to it has that path (`PathLocks`).

    Args:
        database: Has the locks.
        patience: Seconds that a request waits for a lock.
    """

    def __init__(self, database: SharedDatabase, patience: float = 10.0) -> None:
        self._database = database
        self._patience = patience
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._pause = threading.Event()  # never set

    @contextmanager
    def hold(self, path: Path) -> Iterator[None]:
        """Hold the lock of a path.

        Raises:
            Busy: Another node holds it for too long.
            Unavailable: The database does not answer.
        """
        self._wait(path)
        try:
            yield
        finally:
            with suppress(Unavailable):
                self._call(f"SELECT pg_advisory_unlock({_KEY})", path)

    def _wait(self, path: Path) -> None:
        end, pause = time.monotonic() + self._patience, _SHORTEST
        while not self._call(f"SELECT pg_try_advisory_lock({_KEY})", path):
            if time.monotonic() >= end:
                raise Busy(path, "Another request is changing this path, which takes long. Try again later.")
            self._pause.wait(pause)
            pause = min(2 * pause, _LONGEST)

    def _call(self, query: str, path: Path) -> bool:
        with self._lock:
            if self._session is None or self._session.has_ended:
                self._session = self._database.new_session()
            return bool(self._session.execute(query, {"path": path_key(path)}).first[0])
