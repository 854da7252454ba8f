"""Reads DICOM files over HTTP, in bounded memory.

1. Opening a file sends the request and reads the header of the response, which has the size.
2. The bytes come off the one connection as they are read, and never end early without an error.
3. A position further on is reached with ``Range`` if Orthanc supports it (since 1.12.5, by ``…/attachments/dicom/data``
   alone; its response shows it); otherwise the bytes before are read and discarded. Up to 64 MB are one range, which
   comes to its end even if the instance is deleted; more are several, and a deletion ends them with an error.
4. Closing it before its end closes the connection, so that the rest is not transferred.
"""

import re
from collections.abc import Iterator
from hashlib import md5
from http import HTTPStatus
from typing import Self

from davfs.errors import OrthancError, Unavailable, UnknownResource
from davfs.orthanc.client import OrthancClient
from davfs.orthanc.http_response import HttpResponse
from davfs.orthanc.model import OrthancId
from davfs.orthanc.responses import check_response, check_type, is_proxied, parse_errors

_BLOCK = 1 << 18
"""Bytes of a block: what comes off the network at once is a quarter of that or less."""
_WINDOW = 1 << 23
"""Bytes of a range: Orthanc reads all of them before it sends the first one."""
_LARGEST = 1 << 26
"""Bytes of the largest range, if it is all that is going to be read."""
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class HttpFiles:
    """Opens the DICOM files of one Orthanc.

    Args:
        client: See `davfs.orthanc.http.HttpTransport`.
    """

    def __init__(self, client: OrthancClient) -> None:
        self._client = client
        self.may_support_ranges = True

    def size(self, instance: OrthancId) -> int:
        """Return the size of a file, in bytes."""
        with parse_errors():
            return int(self._attachment(instance, "size"))

    def md5(self, instance: OrthancId) -> str | None:
        """Return the MD5 of a file, None if Orthanc keeps none (``StoreMD5ForAttachments``)."""
        try:
            return self._attachment(instance, "md5").lower()
        except UnknownResource:
            return None

    def _attachment(self, instance: OrthancId, what: str) -> str:
        response = self._client.request("GET", f"/instances/{instance}/attachments/dicom/{what}")
        check_response(response)
        return response.read().decode("ascii")

    def begin(self, instance: OrthancId, start: int = 0, stop: int = 0) -> "HttpStream":
        """Request a file from ``start`` to before ``stop``; the whole file if that is 0, or ranges are not supported.

        Raises:
            UnknownResource: There is no such instance.
            Unavailable: Orthanc does not answer.
            OrthancError: Its response is malformed.
        """
        if start and self.may_support_ranges:
            data = f"/instances/{instance}/attachments/dicom/data"
            stream = self._send(data, {"Range": f"bytes={start}-{stop - 1}"}, start)
            self.may_support_ranges = stream.position == start
            return stream
        return self._send(f"/instances/{instance}/file", {}, 0)

    def _send(self, path: str, headers: dict[str, str], start: int) -> "HttpStream":
        response = self._client.open("GET", path, headers=headers)
        try:
            check_response(response)
            if path.endswith("/file"):
                check_type(response, "application/dicom")
            return HttpStream(response, start)
        except OrthancError:
            response.body.close()
            raise


class HttpStream:
    """The bytes of one response, in their order: from ``position`` to ``end`` of a file of ``size`` bytes.

    Args:
        response: Its body is read.
        start: The requested offset.

    Raises:
        OrthancError: The response lacks the size of the file, or is another part of it.
    """

    def __init__(self, response: HttpResponse, start: int) -> None:
        self.position, self.end, self.size = _extent(response, start)
        self.proxied = is_proxied(response)
        self._body = response.body
        self._left = memoryview(b"")

    def take(self, most: int) -> memoryview:
        """Return the next bytes before the end, at least one and at most so many.

        Raises:
            Unavailable: The connection ended before the file did.
        """
        if not self._left:
            self._left = memoryview(self._body.read(_BLOCK))
        if not self._left:
            raise Unavailable("Orthanc ended a file too early")
        taken, self._left = self._left[:most], self._left[most:]
        self.position += len(taken)
        return taken

    def skip(self, position: int) -> None:
        """Read on to a position, and discard the bytes before."""
        while self.position < position:
            self.take(position - self.position)

    def close(self) -> None:
        """End the response; the connection can be used again if all of it was read."""
        self._body.close()


class HttpFile:
    """`davfs.entry.Readable` file: a context manager that holds one connection until its end.

    Args:
        files: Sends the requests.
        instance: The instance.
        start: Offset of the first read, in bytes.
    """

    def __init__(self, files: HttpFiles, instance: OrthancId, start: int) -> None:
        self._files = files
        self._instance = instance
        self._stream: HttpStream | None
        if start and files.may_support_ranges:
            self._stream, self.size = None, files.size(instance)
        else:
            self._stream = files.begin(instance)
            self.size = self._stream.size

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `davfs.entry.Readable`.

        Raises:
            UnknownResource: The instance was deleted before the last range was requested.
            Unavailable: The connection ended too early, or a proxy sent another file.
            OrthancError: The file was replaced by one of another size after it was opened.
        """
        stop = self.size if stop is None else min(stop, self.size)
        whole, digest = (start, stop) == (0, self.size), None
        while start < stop:
            block = self._at(start, stop).take(stop - start)
            if whole and not start and self._is_doubtful(block):
                digest = md5(usedforsecurity=False)
            start += len(block)
            if digest:
                digest.update(block)
            if digest and start == stop:
                self._check(digest.hexdigest())
            yield block

    def _is_doubtful(self, first: memoryview) -> bool:
        """Return True for a file that does not begin like DICOM, or that may be from another server's cache."""
        return bytes(first[128:132]) != b"DICM" or (self._stream is not None and self._stream.proxied)

    def _check(self, digest: str) -> None:
        """Raise `Unavailable`, before the last block is yielded, if the file is not Orthanc's."""
        if self._files.md5(self._instance) not in (digest, None):
            raise Unavailable("another server sent other bytes in Orthanc's place")

    def _at(self, start: int, stop: int) -> HttpStream:
        stream = self._stream
        if stream is None or not self._leads_to(stream, start):
            self._close()
            least = min(start + _WINDOW, self.size)  # Orthanc refuses a range that ends behind the file
            end = max(stop, least) if stop - start <= _LARGEST else least
            stream = self._files.begin(self._instance, start, end)
            self._stream = stream
        if stream.size != self.size:
            raise OrthancError("a file was replaced while it was read")
        stream.skip(start)
        return stream

    def _leads_to(self, stream: HttpStream, start: int) -> bool:
        """Return True if reading on to a position is cheaper than another request."""
        far = start - stream.position > _BLOCK and self._files.may_support_ranges
        return stream.position <= start < stream.end and not far

    def _close(self) -> None:
        if self._stream:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()


def _extent(response: HttpResponse, start: int) -> tuple[int, int, int]:
    """Return the start and the end of the body in the file, and the size of the whole file."""
    if "content-encoding" in response.headers or not response.headers.get("content-length", "").isdigit():
        raise OrthancError("Orthanc, or a proxy before it, does not tell the size of a file")
    length = int(response.headers["content-length"])
    if response.status != HTTPStatus.PARTIAL_CONTENT:
        return 0, length, length
    parts = _RANGE.fullmatch(response.headers.get("content-range", ""))
    first, last, size = map(int, parts.groups()) if parts else (0, 0, 0)
    if (first, last + 1) != (start, start + length) or not 0 < length <= size - start:
        raise OrthancError("Orthanc answered with another part of a file than was asked for")
    return start, start + length, size
