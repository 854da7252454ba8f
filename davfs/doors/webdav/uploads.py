"""The bodies of PUT requests on their way into the drive."""

import logging
from collections.abc import Callable
from http import HTTPStatus

from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError
from davfs.entry import Entry
from davfs.filesystem.area import Upload
from davfs.orthanc import Buffer

_log = logging.getLogger(__name__)


_LONGEST_NUMBER = 18  # digits


class Sink:
    """What WsgiDAV writes a body into: nothing is stored before the whole of it has come.

    Args:
        upload: Takes the bytes; it is given up unless all of them come.
        expected: Number of bytes that the client announced; None where it did not.
        finish: Stores what has come.

    Attributes:
        entry: What was stored; None before.
    """

    entry: Entry | None

    def __init__(self, upload: Upload, expected: int | None, finish: Callable[[Upload], Entry]) -> None:
        self._upload = upload.__enter__()
        self._expected = expected
        self._finish = finish
        self._received = 0
        self.entry = None

    def write(self, block: Buffer) -> None:
        """Take a part of a body.

        Raises:
            DavfsError: It cannot be taken.
        """
        self._upload.write(block)
        self._received += len(block)

    def close(self) -> None:
        """Store what has come.

        Raises:
            HttpError: It is not all, or cannot be stored.
        """
        if self._expected is not None and self._received != self._expected:
            raise HttpError(
                HTTPStatus.BAD_REQUEST,
                f"The upload broke off after {self._received} of {self._expected} bytes: nothing was stored.",
            )
        self.entry = self._finish(self._upload)

    def release(self) -> None:
        """Give up what was not stored."""
        self._upload.__exit__(None, None, None)


def announced(environ: Environ) -> int | None:
    """Return how many bytes the body of a request has; None where the client does not tell.

    Finder sends bodies in chunks, and their length in a header of its own.

    Raises:
        HttpError: The length is no number.
    """
    value = environ.get("CONTENT_LENGTH") or environ.get("HTTP_X_EXPECTED_ENTITY_LENGTH")
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= _LONGEST_NUMBER):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The length of the body is no number.")
    return int(value)
