"""Framing of bodies: whatever the framing, all of the bytes or an error, in bounded memory."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.doors.webdav.refusals import Refusal
from davfs.doors.webdav.wire.framing import Body, ChunkedBody, KnownBody

BLOCK = 64 * 1024


class Connection(BytesIO):
    """Bytes of a connection; remembers the largest piece that was asked for."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """See `BytesIO`."""
        self.largest = max(self.largest, size if size is not None else -1)
        return super().read(size)


def read_all(body: Body, size: int) -> bytes:
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
    assert body.finished
    assert source.read() == after


@given(st.binary(), st.integers(1, 100), st.binary())
def test_known_length(content: bytes, size: int, after: bytes) -> None:
    """A body of known length ends there."""
    source = Connection(content + after)
    body = KnownBody(source, len(content))
    assert read_all(body, size) == content
    assert body.finished
    assert source.read() == after


def test_one_large_chunk() -> None:
    """A chunk is never asked for whole."""
    source = Connection(chunked(b"x" * 1_000_000))
    assert len(read_all(ChunkedBody(source), 1_000_000)) == 1_000_000
    assert source.largest <= BLOCK


def test_the_last_chunk_never_comes() -> None:
    """Where Finder announced the length, the body ends there, without waiting for the chunk that it never sends."""
    body = ChunkedBody(Connection(chunked(b"12345", b"678", end=b"")), expected=8)
    assert read_all(body, 100) == b"12345678"
    assert not body.finished


def test_an_empty_file_of_finder() -> None:
    """A file of length 0 needs no chunk at all."""
    assert ChunkedBody(Connection(), expected=0).read(10) == b""


def test_less_than_announced() -> None:
    """A body that ends in order, but before the announced length, is handed over as it is: the upload will notice."""
    body = ChunkedBody(Connection(chunked(b"123")), expected=8)
    assert read_all(body, 100) == b"123"
    assert body.finished


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
    with pytest.raises(Refusal):
        read_all(ChunkedBody(Connection(body)), 100)


def test_a_known_body_breaks_off() -> None:
    """A connection that ends before the body does is an error."""
    with pytest.raises(Refusal, match="2 bytes before"):
        read_all(KnownBody(Connection(b"123"), 5), 2)


def test_nothing_comes() -> None:
    """A connection that falls silent is an error with a status of its own."""

    class Silent(Connection):
        def read(self, _: int | None = -1, /) -> bytes:
            raise TimeoutError

    with pytest.raises(Refusal) as caught:
        KnownBody(Silent(), 5).read(5)
    assert caught.value.value == 408


def test_discarding_is_bounded() -> None:
    """What nobody wants is read up to a limit only."""
    source = Connection(b"x" * 10 * BLOCK)
    body = KnownBody(source, 10 * BLOCK)
    assert not body.discard(2 * BLOCK)
    assert source.tell() == 2 * BLOCK
