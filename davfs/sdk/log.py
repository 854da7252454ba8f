"""Writes Python's log records to Orthanc's log."""

import logging

from _davfs_sdk import lib


class OrthancLogHandler(logging.Handler):
    """Writes records as Orthanc's errors, warnings and (with ``--verbose``) information."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. Line breaks become spaces: they would look like other messages in the log."""
        line = " ".join(self.format(record).splitlines()).encode("utf-8", "replace").replace(b"\0", b" ")
        lib.davfs_log(_severity(record.levelno), line)


def _severity(level: int) -> int:
    if level >= logging.ERROR:
        return int(lib.DAVFS_ERROR)
    return int(lib.DAVFS_WARNING if level >= logging.WARNING else lib.DAVFS_INFO)


def install() -> None:
    """Send the records of the ``davfs`` loggers to Orthanc, and nowhere else: scripts may share the interpreter."""
    logger = logging.getLogger("davfs")
    handler = OrthancLogHandler()
    handler.setFormatter(logging.Formatter("davfs: %(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
