"""Keeps the identities that an administrator has let in, and that the index does not show: beside others in one study.

The index has the patient of a study's first image alone. The file is beside the catalog, with one JSON array a line;
nobody else can read it, since it has names.
"""

import json
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

_MOST = 10_000
"""Identities that are kept; further ones are known until the next restart."""
_FIELDS = 5

Accepted: TypeAlias = tuple[str, ...]
"""PatientID, PatientName, PatientBirthDate, PatientSex and StudyInstanceUID."""

_log = logging.getLogger(__name__)


class AcceptedIdentities:
    """The file of identities that were let in.

    Args:
        file: The file, which need not exist.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = self._read()

    def all(self) -> tuple[Accepted, ...]:
        """Return all of them."""
        return tuple(self._known)

    def add(self, accepted: Accepted) -> None:
        """Add one; if it cannot be written, it is known until the next restart."""
        if accepted in self._known or len(self._known) >= _MOST:
            return
        self._known[accepted] = None
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(b"\n" + json.dumps(accepted).encode())  # in front, since a crash may have cut the last line
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            _log.warning("an accepted identity could not be written: %s", error.strerror)

    def _read(self) -> dict[Accepted, None]:
        found: dict[Accepted, None] = {}
        try:
            lines = self._file.read_bytes().splitlines()
        except OSError:
            return found
        for line in lines[: 2 * _MOST]:
            with suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, list) and len(value) == _FIELDS and all(isinstance(each, str) for each in value):
                    found[tuple(value)] = None
        return found
