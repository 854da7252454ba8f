"""Locks on the marks of studies, one for each study that is being changed.

Orthanc compares and writes a mark in one transaction. Whether two of these can overlap is up to its database: the
PostgreSQL plugin has a setting for that (``TransactionMode``). So one program changes a mark at a time: within this
process by these locks, and between several by the lock that is given.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from davfs.orthanc.model import OrthancId


class StudyLocks:
    """Locks by study; as no other locks of the drive, they are held during calls to Orthanc.

    Args:
        between: Returns the lock of a study between several programs.
    """

    def __init__(self, between: Callable[[OrthancId], AbstractContextManager[object]] = nullcontext) -> None:
        self._between = between
        self._guard = threading.Lock()
        self._locks: dict[OrthancId, tuple[threading.Lock, int]] = {}

    @contextmanager
    def hold(self, study: OrthancId) -> Iterator[None]:
        """Hold the lock of a study."""
        with self._guard:
            lock, users = self._locks.get(study, (threading.Lock(), 0))
            self._locks[study] = lock, users + 1
        try:
            with lock, self._between(study):
                yield
        finally:
            with self._guard:
                lock, users = self._locks.pop(study)
                if users > 1:
                    self._locks[study] = lock, users - 1
