"""Downloads from servers that answer as Orthanc 1.10.1 does not: with ranges, without a length, with other bytes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from davfs.errors import OrthancError, Unavailable, UnknownResource
from davfs.orthanc import Orthanc, OrthancId
from davfs.orthanc.http import HttpTransport
from davfs.orthanc.rest import RestOrthanc
from tests.support.answering import AnsweringClient

CONTENT = bytes(range(256)) * 200_000  # 51 MB
ONE = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")
OTHER = OrthancId("76543210-89abcdef-01234567-89abcdef-01234567")


@dataclass
class Ranging:
    """Answers like Orthanc 1.12.7, which serves ranges of ``data`` alone, and refuses those that end behind the file.

    Attributes:
        content: What it serves.
        headers: Put over those of its answers.
        lost: Bytes that are missing at the end of each answer.
        gone: Whether the instance was deleted.
        served: Paths and ranges that were asked for.
    """

    content: bytes = CONTENT
    headers: dict[str, str | None] = field(default_factory=dict)
    lost: int = 0
    gone: bool = False
    served: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        path, asked = request.url.path.removeprefix(f"/instances/{ONE}/"), request.headers.get("Range", "")
        self.served.append(f"{path} {asked}".strip())
        assert request.method == "GET"
        if self.gone:
            return httpx.Response(404)
        if path == "attachments/dicom/size":
            return httpx.Response(200, text=str(len(self.content)))
        if path == "file":
            return self._part(200, 0, len(self.content))
        if path != "attachments/dicom/data":
            return httpx.Response(404)
        first, last = map(int, re.findall(r"\d+", asked))
        return self._part(206, first, last + 1) if last < len(self.content) else httpx.Response(416)

    def _part(self, status: int, start: int, stop: int) -> httpx.Response:
        told: dict[str, str | None] = {"Content-Length": str(stop - start)}
        if status == httpx.codes.PARTIAL_CONTENT:
            told["Content-Range"] = f"bytes {start}-{stop - 1}/{len(self.content)}"
        headers = {name: value for name, value in (told | self.headers).items() if value is not None}
        return httpx.Response(status, headers=headers, content=self._body(start, stop - self.lost))

    def _body(self, start: int, stop: int) -> Iterator[bytes]:
        for position in range(start, stop, 65536):
            yield self.content[position : min(position + 65536, stop)]


def orthanc(server: Ranging) -> Orthanc:
    """Return an Orthanc that is that server."""
    return RestOrthanc(HttpTransport(AnsweringClient(server)))


def test_from_a_place_on() -> None:
    """A file that is opened at a place behind its beginning is asked for by range, 8 MB at least."""
    server = Ranging()
    with orthanc(server).open_instance(ONE, 30_000_000) as file:
        assert file.size == len(CONTENT)
        assert b"".join(file.buffers(30_000_000)) == CONTENT[30_000_000:]
        assert b"".join(file.buffers(1, 3)) == CONTENT[1:3]
    assert server.served == [
        "attachments/dicom/size",
        "attachments/dicom/data bytes=30000000-51199999",
        "attachments/dicom/data bytes=1-8388608",
    ]


def test_a_long_way() -> None:
    """Where more than 64 MB are to be read, each range is of 8 MB, until few enough are left."""
    content = 2 * CONTENT
    server = Ranging(content)
    with orthanc(server).open_instance(ONE, 30_000_000) as file:
        assert b"".join(file.buffers(30_000_000)) == content[30_000_000:]
    assert server.served == [
        "attachments/dicom/size",
        "attachments/dicom/data bytes=30000000-38388607",
        "attachments/dicom/data bytes=38388608-102399999",
    ]


@pytest.mark.parametrize("start", [0, 1000])
def test_deleted_while_it_is_read(start: int) -> None:
    """A file whose reading has begun is read to its end, if Orthanc has all of it in memory."""
    server = Ranging()
    with orthanc(server).open_instance(ONE, start) as file:
        blocks = file.buffers(start)
        first = bytes(next(blocks))
        server.gone = True
        assert first + b"".join(blocks) == CONTENT[start:]


def test_deleted_on_a_long_way() -> None:
    """If a file that needs several ranges is deleted, reading it ends with an error."""
    content, came = 2 * CONTENT, b""
    server = Ranging(content)
    with orthanc(server).open_instance(ONE, 1000) as file:
        blocks = file.buffers(1000)
        while len(came) < 8 << 20:
            came += next(blocks)
            server.gone = True
        with pytest.raises(UnknownResource):
            next(blocks)
    assert came == content[1000 : 1000 + (8 << 20)]


def test_from_the_beginning() -> None:
    """A whole file is one request, and what is a little further on is read to."""
    server = Ranging()
    with orthanc(server).open_instance(ONE) as file:
        assert b"".join(file.buffers(0, 1000)) == CONTENT[:1000]
        assert b"".join(file.buffers(5000)) == CONTENT[5000:]
    assert server.served == ["file"]


def test_far_on() -> None:
    """A place that is far on in a file that was opened at its beginning is asked for by a range."""
    server = Ranging()
    with orthanc(server).open_instance(ONE) as file:
        assert b"".join(file.buffers(50_000_000, 50_000_010)) == CONTENT[50_000_000:50_000_010]
    assert server.served == ["file", "attachments/dicom/data bytes=50000000-51199999"]


def test_unknown() -> None:
    """Opening a missing file raises an error, for any range."""
    for start in (0, 1000):
        with pytest.raises(UnknownResource):
            orthanc(Ranging()).open_instance(OTHER, start).__enter__()


@pytest.mark.parametrize("start", [0, 1000])
def test_too_short(start: int) -> None:
    """A response that ends before its announced length is an error."""
    with orthanc(Ranging(lost=1)).open_instance(ONE, start) as file, pytest.raises(Unavailable):
        list(file.buffers(start))


@pytest.mark.parametrize("start", [0, 1000])
@pytest.mark.parametrize("headers", [{"Content-Length": None}, {"Content-Encoding": "gzip"}], ids=str)
def test_without_its_size(start: int, headers: dict[str, str | None]) -> None:
    """A file whose size is not known beforehand, as behind a proxy that compresses, is refused."""
    with pytest.raises(OrthancError), orthanc(Ranging(headers=headers)).open_instance(ONE, start) as file:
        list(file.buffers(start))


@pytest.mark.parametrize(
    "told", [None, "", "bytes 0-8388607/51200000", "bytes 1000-8389607/*", "bytes 1000-1/51200000"]
)
def test_another_part(told: str | None) -> None:
    """An answer with another range than was asked for is refused."""
    with (
        orthanc(Ranging(headers={"Content-Range": told})).open_instance(ONE, 1000) as file,
        pytest.raises(OrthancError),
    ):
        list(file.buffers(1000))


@pytest.mark.parametrize("start", [0, 1000])
def test_replaced_while_it_is_read(start: int) -> None:
    """Parts of two files are never put together."""
    server = Ranging()
    with orthanc(server).open_instance(ONE, start) as file:
        next(file.buffers(start))
        server.content = CONTENT + b"more"
        with pytest.raises(OrthancError):
            list(file.buffers(20_000_000))
