"""The audit file: one JSON object a line, appended to a file that its owner alone can read.

The file is opened for each write, so that another program may move it away, as logrotate does, and it is locked while
it is written, so that two processes may share it. A write that fails, on a full disk for example, leaves no part of a
line.
"""

import errno
import fcntl
import logging
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from davfs.audit.backlog import Backlog
from davfs.audit.json_lines import encode_line
from davfs.audit.record import AuditRecord
from davfs.audit.rotation import delete_oldest, rotate

_log = logging.getLogger(__name__)

_MODE = 0o600
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
_TRIES, _TRY_SECONDS = 25, 0.02
_AT_ONCE = 64 * 1024
_SYNC_SECONDS = 5.0
_RETRY_SECONDS = 1.0
_REMINDER_SECONDS = 300.0
_FIRST_TIME = re.compile(rb'\{"time":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)')


@dataclass(frozen=True, slots=True)
class FileLimits:
    """When a file is full, and how many are kept.

    Attributes:
        size: Bytes; 0 for no limit.
        age: Seconds since its first record; 0 for no limit.
        files: Number of full files that are kept; 0 for all.
    """

    size: int = 0
    age: int = 0
    files: int = 0


class AuditFile:
    """Appends records to a file, and begins a new one when it is full.

    Args:
        path: The file.
        limits: When it is full.
        now: Clock for the age and the names of files.
    """

    def __init__(
        self,
        path: Path,
        limits: FileLimits = FileLimits(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._limits = limits
        self._now = now
        self._backlog = Backlog(encode_line)
        self._synced = self._retry = self._reminder = self._rotation_retry = 0.0

    def write(self, records: list[AuditRecord]) -> None:
        """Append records; those that cannot be written are kept, and tried again every second."""
        self._backlog.add(records)
        if self._backlog and time.monotonic() >= self._retry:
            self._flush()

    def close(self, _seconds: float) -> bool:
        """Write what is left."""
        self._synced = 0.0
        self._flush()
        if self._backlog:
            _log.warning("%d records of the audit trail are lost", len(self._backlog) + self._backlog.lost)
        return not self._backlog

    def _flush(self) -> None:
        try:
            while self._backlog:
                with self._opened() as file:
                    self._fill(file)
        except OSError as error:
            self._failed(error)
        else:
            self._succeeded()

    def _fill(self, file: int) -> None:
        """Append records until there are none, or the file is full."""
        while self._backlog:
            lines = self._backlog.first(_AT_ONCE)
            if self._is_full(file, sum(map(len, lines))) and self._rotate(file):
                return
            _append(file, b"".join(lines))
            self._backlog.remove(len(lines))
        if time.monotonic() >= self._synced + _SYNC_SECONDS:
            os.fsync(file)
            self._synced = time.monotonic()

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Open the file that has the path now, and lock it."""
        with ExitStack() as opened:
            for _ in range(_TRIES):
                file = os.open(self._path, _FLAGS, _MODE)
                opened.callback(os.close, file)
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise OSError(errno.EINVAL, "it is no ordinary file")
                if _is_locked(file) and os.path.samestat(os.fstat(file), self._path.stat()):
                    break
                time.sleep(_TRY_SECONDS)
            else:
                raise OSError(errno.EAGAIN, "another process has it locked")
            yield file

    def _rotate(self, file: int) -> bool:
        """Give the file its final name; return False if that is not possible, and it has to become too long."""
        if time.monotonic() < self._rotation_retry:
            return False
        try:
            os.fsync(file)
            rotate(self._path, self._now())
        except OSError as error:
            self._rotation_retry = time.monotonic() + _REMINDER_SECONDS
            _log.warning("the audit file '%s' is full, and cannot be renamed: %s", self._path, error.strerror)
            return False
        try:
            delete_oldest(self._path, self._limits.files)
        except OSError as error:
            _log.warning("an old file beside '%s' cannot be deleted: %s", self._path, error.strerror)
        return True

    def _is_full(self, file: int, more: int) -> bool:
        size = os.fstat(file).st_size
        if not size:
            return False
        if self._limits.size and size + more > self._limits.size:
            return True
        first = _FIRST_TIME.match(os.pread(file, 64, 0)) if self._limits.age else None
        if not first:
            return False
        began = datetime.fromisoformat(first[1].decode()).replace(tzinfo=UTC)
        return (self._now() - began).total_seconds() >= self._limits.age

    def _failed(self, error: OSError) -> None:
        now = time.monotonic()
        self._retry = now + _RETRY_SECONDS
        if now >= self._reminder:
            self._reminder = now + _REMINDER_SECONDS
            waiting = f"{len(self._backlog)} records wait, {self._backlog.lost} are lost"
            _log.warning("the audit file '%s' cannot be written: %s; %s", self._path, error.strerror, waiting)

    def _succeeded(self) -> None:
        if self._reminder:
            _log.warning("the audit file '%s' can be written again", self._path)
        self._retry = self._reminder = 0.0


def _append(file: int, content: bytes) -> None:
    """Append lines, all of them or none.

    Raises:
        OSError: They could not be written.
    """
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":  # the end of a line is missing since the machine stopped
        content = b"\n" + content
    if os.write(file, content) < len(content):
        os.ftruncate(file, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _is_locked(file: int) -> bool:
    """Lock a file; return False if another process has it locked. Some network file systems have no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise
    return True
