"""GET and HEAD of files through door 2 (RFC 9110 §13 and §14)."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path as DiskPath

import httpx
import pytest

from davfs.entry import Entry, EntryKind, Opened, Path
from davfs.errors import NotFound
from tests.support.inbox import CT
from tests.support.local_server import SINCE, LocalServer, local_server

CONTENT = bytes(range(256)) * 40
FILE = "inbox/file.bin"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A door with an ordinary file, an empty one and an image."""
    with local_server(tmp_path_factory.mktemp("door")) as door:
        for name, content in (("file.bin", CONTENT), ("empty", b""), ("ct.dcm", CT)):
            door.inbox.write((name,), content)
        yield door


def get(door: LocalServer, path: str = FILE, **headers: str) -> httpx.Response:
    """Send GET with headers, whose names are written with underscores."""
    return door.drive.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(("path", "content"), [(FILE, CONTENT), ("inbox/empty", b""), ("inbox/ct.dcm", CT)])
def test_whole_files(door: LocalServer, path: str, content: bytes) -> None:
    """GET sends all bytes with all headers of the file, and HEAD the same headers without the bytes."""
    answer, head = door.drive.get(path), door.drive.head(path)
    assert (answer.status_code, answer.content) == (200, content)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag", "last-modified", "accept-ranges"):
        assert answer.headers[name] == head.headers[name]
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["etag"].startswith('"')
    assert answer.headers["accept-ranges"] == "bytes"


def test_audit(door: LocalServer) -> None:
    """Reading a file is audited with Orthanc's id, and HEAD is not."""
    named = {"User-Agent": "audited"}
    door.drive.request("HEAD", "inbox/ct.dcm", headers=named)
    get(door, "inbox/ct.dcm", Range="bytes=0-1", **named)
    get(door, "inbox/ct.dcm", **named)
    (image,) = door.orthanc.files
    assert door.trail.shown("audited") == [("read", image, "partial"), ("read", image, "done")]


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=100-199", slice(100, 200)), ("bytes=10000-", slice(10000, None)), ("bytes=-5", slice(-5, None))],
)
def test_ranges(door: LocalServer, asked: str, part: slice) -> None:
    """A range is answered with 206 and its Content-Range."""
    answer = get(door, Range=asked)
    start, stop, _ = part.indices(len(CONTENT))
    assert (answer.status_code, answer.content) == (206, CONTENT[part])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"


def test_behind_the_end(door: LocalServer) -> None:
    """A range beyond the end is refused with the file's size, also for an empty file."""
    for path, size in ((FILE, len(CONTENT)), ("inbox/empty", 0)):
        answer = get(door, path, Range=f"bytes={size}-")
        assert (answer.status_code, answer.content) == (416, b"")
        assert answer.headers["content-range"] == f"bytes */{size}"


def test_several_ranges(door: LocalServer) -> None:
    """Several parts at once are answered with the whole file."""
    answer = get(door, Range="bytes=0-1,5-6")
    assert (answer.status_code, answer.content) == (200, CONTENT)


def test_if_range(door: LocalServer) -> None:
    """A download is continued if the file is unchanged, and started again if it is not."""
    head = door.drive.head(FILE).headers
    assert get(door, Range="bytes=1-", If_Range=head["etag"]).status_code == 206
    for other in ('"other"', f"W/{head['etag']}", "Thu, 01 Jan 1970 00:00:00 GMT", head["last-modified"]):
        answer = get(door, Range="bytes=1-", If_Range=other)
        assert (answer.status_code, answer.content) == (200, CONTENT)


def test_not_modified(door: LocalServer) -> None:
    """A client that has the file gets 304 without a body, and the connection serves the next request."""
    tag = door.drive.head(FILE).headers["etag"]
    answer = get(door, If_None_Match=tag)
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert door.drive.request("HEAD", FILE, headers={"If-None-Match": tag}).status_code == 304
    assert get(door, If_None_Match='"other"').content == CONTENT


def test_precondition(door: LocalServer) -> None:
    """A client that requires one version does not get another."""
    answer = get(door, If_Match='"other"')
    assert (answer.status_code, answer.content) == (412, b"")
    assert get(door, If_Match=door.drive.head(FILE).headers["etag"]).content == CONTENT


def test_folders_and_nothing(door: LocalServer) -> None:
    """HEAD of a folder is 200, and of a missing path 404."""
    assert door.drive.head("inbox").status_code == 200
    assert door.drive.head("inbox/none").status_code == 404
    assert get(door, "inbox/none").status_code == 404
    assert get(door, "none/none", If_None_Match="*").status_code == 404


class Broken:
    """An area with files that end early: ``short`` without a word, ``torn`` with an error."""

    entry = Entry("short", EntryKind.FILE, SINCE, 100_000, "tag")

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        return self.entry._replace(name=path[-1])

    def list(self, path: Path) -> list[Entry]:
        """See `Area`."""
        raise NotFound(path, "Nothing is there.")

    def read(self, path: Path) -> "BrokenContent":
        """See `Area`."""
        return BrokenContent(self.stat(path))


class BrokenContent(Opened):
    """Half of what was announced."""

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry, nullcontext(memoryview(bytes(entry.size))))

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:  # noqa: ARG002  Content's form
        """See `Content`."""
        yield memoryview(bytes(50_000))
        if self.entry.name == "torn":
            raise OSError("the disk is gone")


@pytest.mark.parametrize("name", ["short", "torn"])
def test_breaks_off(tmp_path: DiskPath, name: str) -> None:
    """A download that cannot be completed breaks the connection, so that the client sees an error."""
    with local_server(tmp_path) as door:
        door.areas["broken"] = Broken()
        with pytest.raises(httpx.RemoteProtocolError):
            door.drive.get(f"broken/{name}")
        assert door.drive.get("README.txt").status_code == 200
