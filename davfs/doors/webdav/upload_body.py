"""Receives the body of a PUT."""

from collections.abc import Generator
from http import HTTPStatus

from davfs.checksums import RunningChecksums
from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.http_errors import HttpError
from davfs.filesystem.area import Upload
from davfs.orthanc import Buffer

_BLOCK = 256 * 1024
"""Bytes that are written at once."""
_LONGEST_NUMBER = 18  # digits


class BrokenUpload(Exception):
    """A client went away before its upload was complete."""


def announced_length(environ: Environ) -> int | None:
    """Return the length of a request body in bytes; None if the client does not announce it.

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


def copy_body(
    environ: Environ, upload: Upload, size: int | None, running: RunningChecksums
) -> Generator[bytes, None, int]:
    """Write the body of a request into an upload; yield an empty block whenever more of it has to be waited for.

    Args:
        environ: The request.
        upload: Takes the bytes.
        size: The announced size in bytes; None for none.
        running: Takes the bytes as well.

    Returns:
        The size of the body in bytes.

    Raises:
        HttpError: The body has not the announced size.
    """
    received = 0
    buffer = memoryview(bytearray(min(size or _BLOCK, _BLOCK)))
    while (count := _read_block(environ, buffer)) != 0:
        if count is None:
            yield b""
        else:
            upload.write(buffer[:count])
            running.update(buffer[:count])
            received += count
    if size not in (None, received):
        reason = f"The upload broke off after {received} of {size} bytes: nothing was stored."
        raise HttpError(HTTPStatus.BAD_REQUEST, reason) from BrokenUpload()
    return received


def _read_block(environ: Environ, buffer: Buffer) -> int | None:
    """Fill a buffer from a body, and return the number of bytes; None where nothing has come yet."""
    try:
        count: int = environ["wsgi.input"].readinto(buffer)
    except BlockingIOError:
        return None
    except HttpError as error:
        raise error from BrokenUpload()
    return count
