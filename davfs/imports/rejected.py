"""Keeps uploads that Orthanc refused in ``inbox/rejected/``, each beside a text file with the reason."""

import logging
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePosixPath

from davfs.errors import AlreadyExists, Busy, PathError
from davfs.imports.complete_file import CompleteFile
from davfs.spool.files import InboxFiles
from davfs.spool.items import LONGEST_NAME

REJECTED = "rejected"
"""The folder of the inbox that holds what Orthanc refused."""

_LOG = logging.getLogger(__name__)
_ATTEMPTS = 5
_LONGEST_SUFFIX = 32  # bytes; a longer one is part of a name with a dot


class RejectedFolder:
    """The folder ``rejected/`` of a spool."""

    def __init__(self, spool: InboxFiles) -> None:
        self._spool = spool

    def keep(self, refusal: PathError, file: CompleteFile, details: tuple[str, ...]) -> None:
        """Keep a refused upload and the reason; if that fails, the refusal is an error all the same.

        Args:
            refusal: The error, with the path that the upload had and the reason.
            file: The upload.
            details: Further lines of the text.
        """
        when = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        lines = ["/".join(refusal.path), f"was refused on {when}.", "", refusal.reason, *details, ""]
        try:
            self._write(refusal.path[-1], file, "\n".join(lines).encode())
        except (PathError, OSError) as error:
            _LOG.warning("a refused file could not be kept in the inbox: %s", type(error).__name__)

    def _write(self, name: str, file: CompleteFile, text: bytes) -> None:
        with suppress(AlreadyExists):
            self._spool.make_folder((REJECTED,))
        for _ in range(_ATTEMPTS):
            free = self._free_name(name)
            with suppress(AlreadyExists):  # another refusal of the same name was faster
                file.keep((REJECTED, free), replace=False)
                self._spool.write((REJECTED, f"{free}.txt"), text)
                return
        raise Busy((REJECTED, name), "Others take each free name first.")

    def _free_name(self, name: str) -> str:
        """Return the name, or the name with a number, so that neither the file nor its text exists."""
        taken = {item.entry.name for item in self._spool.list((REJECTED,))}
        number = 1
        while not taken.isdisjoint({candidate := numbered(name, number), f"{candidate}.txt"}):
            number += 1
        return candidate


def numbered(name: str, number: int) -> str:
    """Put a number before the suffix of a name, and shorten its stem until ``.txt`` fits behind it."""
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > _LONGEST_SUFFIX:
        suffix = ""
    ending = suffix if number == 1 else f" ({number}){suffix}"
    stem = name.removesuffix(suffix).encode()
    return stem[: LONGEST_NAME - len(f"{ending}.txt".encode())].decode(errors="ignore") + ending
