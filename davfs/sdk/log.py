"""Python's logging, written to Orthanc's log."""

import logging

from _davfs_sdk import lib


class CoreHandler(logging.Handler):
    """Writes records as Orthanc's errors, warnings and (with ``--verbose``) information."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; line breaks would look like other messages in the log, so they become spaces."""
        line = " ".join(self.format(record).splitlines()).encode("utf-8", "replace").replace(b"\0", b" ")
        if record.levelno >= logging.ERROR:
            lib.OrthancPluginLogError(lib.davfs_context, line)
        elif record.levelno >= logging.WARNING:
            lib.OrthancPluginLogWarning(lib.davfs_context, line)
        else:
            lib.OrthancPluginLogInfo(lib.davfs_context, line)


def audit(line: str) -> None:
    """Write one line of information at the price of a C call: there is one for each file that is read."""
    lib.OrthancPluginLogInfo(lib.davfs_context, f"davfs: audit {line}".encode("utf-8", "replace"))


def install() -> None:
    """Send the records of the ``davfs`` loggers to Orthanc, and nowhere else: the interpreter may be shared."""
    logger = logging.getLogger("davfs")
    handler = CoreHandler()
    handler.setFormatter(logging.Formatter("davfs: %(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
