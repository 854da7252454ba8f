"""The audit file: one JSON object a line, readable by its owner alone."""

import logging
import os
from collections import deque
from pathlib import Path

from davfs.audit.json_lines import encode_line
from davfs.audit.record import AuditRecord

_log = logging.getLogger(__name__)

_MODE = 0o600


class AuditFile:
    """Appends records to a file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[bytes] = deque(maxlen=10_000)

    def write(self, records: list[AuditRecord]) -> None:
        """Append records; those that cannot be written are tried again with the next ones."""
        self._waiting.extend(map(encode_line, records))
        if self._waiting:
            try:
                self._append(b"".join(self._waiting))
            except OSError as error:
                _log.warning("the audit file cannot be written: %s", error.strerror)

    def close(self, _seconds: float) -> bool:
        """Write what is left."""
        self.write([])
        return not self._waiting

    def _append(self, content: bytes) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            os.write(file, content)
        finally:
            os.close(file)
        self._waiting.clear()
