"""Framing of bodies: whatever the framing, all of the bytes or an error, in bounded memory."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.wire.request_body import ChunkedBody, FixedLengthBody, RequestBody

Connection = BytesIO
"""Bytes of a connection."""


def read_all(body: RequestBody, size: int) -> bytes:
    """Read a body in pieces of a size."""
    return b"".join(iter(lambda: body.read(size), b""))


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """Return a body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + end


@given(st.lists(st.binary(min_size=1)), st.integers(1, 100), st.binary())
def test_chunks(chunks: list[bytes], size: int, after: bytes) -> None:
    """Any chunks, read in any pieces, are the body, and what follows it stays on the connection."""
    source = Connection(chunked(*chunks) + after)
    body = ChunkedBody(source)
    assert read_all(body, size) == b"".join(chunks)
    assert body.left == 0
    assert source.read() == after


@given(st.binary(), st.integers(1, 100), st.binary())
def test_known_length(content: bytes, size: int, after: bytes) -> None:
    """A body of known length ends there."""
    source = Connection(content + after)
    body = FixedLengthBody(source, len(content))
    assert read_all(body, size) == content
    assert body.left == 0
    assert source.read() == after


def test_the_last_chunk_never_comes() -> None:
    """Where Finder announced the length, the body ends there, without waiting for the chunk that it never sends."""
    body = ChunkedBody(Connection(chunked(b"12345", b"678", end=b"")), expected=8)
    assert read_all(body, 100) == b"12345678"
    assert body.left is None


def test_an_empty_file_of_finder() -> None:
    """A file of length 0 needs no chunk at all."""
    assert ChunkedBody(Connection(), expected=0).read(10) == b""


def test_less_than_announced() -> None:
    """A body that ends in order, but before the announced length, is handed over as it is: the upload will notice."""
    body = ChunkedBody(Connection(chunked(b"123")), expected=8)
    assert read_all(body, 100) == b"123"
    assert body.left == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5",
        b"5\r\n",
        b"5\r\n123",
        b"5\r\n12345",
        b"5\r\n123456\r\n0\r\n\r\n",
        b"5\n12345\n0\n\n",
        b"-5\r\n12345\r\n0\r\n\r\n",
        b"0x5\r\n12345\r\n0\r\n\r\n",
        b"five\r\n12345\r\n0\r\n\r\n",
        b"\r\n\r\n",
        b"f" * 16 + b"\r\n",
        b"1;" + b"x" * 10_000 + b"\r\n1\r\n0\r\n\r\n",
        b"0\r\n",
        b"0\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    ],
)
def test_bad_chunks(body: bytes) -> None:
    """Wrong framing, or an end before the end, is an error."""
    with pytest.raises(HttpError):
        read_all(ChunkedBody(Connection(body)), 100)


def test_a_known_body_breaks_off() -> None:
    """A connection that ends before the body does is an error."""
    with pytest.raises(HttpError, match="2 bytes before"):
        read_all(FixedLengthBody(Connection(b"123"), 5), 2)


class Slow(Connection):
    """Bytes that arrive one by one: each is there when it was asked for once before."""

    arrived = 0

    def _arrive(self, count: int) -> None:
        if self.arrived < count and self.arrived < len(self.getbuffer()):
            self.arrived += 1
            raise BlockingIOError

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        """See `ByteStream`."""
        self._arrive(self.tell() + 1)
        return BytesIO.readinto(self, buffer[: self.arrived - self.tell()])

    def readline(self, size: int | None = -1, /) -> bytes:
        """See `ByteStream`."""
        end = self.getvalue().find(b"\n", self.tell()) + 1
        self._arrive(end or len(self.getbuffer()))
        return BytesIO.readline(self, size)


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=5), st.binary(max_size=20))
def test_whenever_it_arrives(chunks: list[bytes], after: bytes) -> None:
    """A body that has not arrived yet can be asked for again and again, wherever it stopped."""
    sent = chunked(*chunks, end=b"0\r\nX-Trailer: y\r\n\r\n") + after
    content = b"".join(chunks)
    for body in (ChunkedBody(Slow(sent)), FixedLengthBody(Slow(content + after), len(content))):
        found, silent = b"", 0
        while body.left != 0:
            try:
                found += body.read(7)
            except BlockingIOError:
                silent += 1
        assert found == content
        assert silent > len(content) - 1
