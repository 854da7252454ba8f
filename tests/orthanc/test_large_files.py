"""Files that are made when they are read, through Orthanc's own WebDAV engine, which wants each in memory."""

import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from davfs.demo.process import OrthancProcess
from davfs.doors.collection.memory_limit import LARGEST
from tests.orthanc.conftest import RunOrthanc
from tests.orthanc.test_receipts import STATUS
from tests.support import dicom
from tests.support.drive import Server, connected, import_by_rest, resource
from tests.support.streamed_area import AREA, BLOCK, FILES, python_with_area

TOO_LARGE = STATUS["TooLarge"]
WARNING = re.compile(r"davfs: a file of (\d+) bytes is too large for Orthanc's own WebDAV engine")


@dataclass(frozen=True, slots=True)
class Made:
    """An Orthanc whose drive has the area of generated files, and clients of it."""

    process: OrthancProcess
    server: Server
    spool: Path

    def peak(self) -> int:
        """Return the peak memory use in bytes since `forget_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))

    def forget_peak(self) -> int:
        """Reset the peak to the present use of memory, and return that."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")  # proc(5)
        return self.peak()


@pytest.fixture(scope="module")
def made(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """An Orthanc with the area."""
    python, spool = python_with_area(tmp_path_factory.mktemp("python")), tmp_path_factory.mktemp("spool")
    davfs = {"Python": str(python), "Spool": str(spool)}
    with run_orthanc(davfs=davfs) as process, connected(process) as server:
        server.drive.http.timeout = httpx.Timeout(60)  # seconds: Orthanc answers when it has all 300 MB
        yield Made(process, server, spool)


def test_a_listing_shows_every_size(made: Made) -> None:
    """A folder with a file of 10 GB is listed like any other."""
    listed = made.server.drive.listing(AREA)
    assert {name: entry.size for name, entry in listed.items()} == {name: file.size for name, file in FILES.items()}


@pytest.mark.parametrize("name", ["gigantic.zip", "gigantic.dcm", "instance.dcm"])
def test_what_is_too_large_is_refused(made: Made, name: str) -> None:
    """A file too large for Orthanc's memory is refused before its content is generated."""
    before, path = made.forget_peak(), f"{AREA}/{name}"
    for method, depth in (("GET", None), ("PROPFIND", "0"), ("PROPFIND", "1"), ("GET", "0")):
        headers = {"Depth": depth} if depth else {}
        assert made.server.drive.request(method, path, headers=headers).status_code == TOO_LARGE, method
    # By itself: where a HEAD fails, the core sends a body along, which a client takes for its next answer.
    assert httpx.head(made.process.drive_url + path, trust_env=False).status_code == TOO_LARGE
    assert made.peak() - before < 64 << 20
    assert made.server.drive.get("README.txt").status_code == 200


def test_what_is_refused_is_closed(made: Made) -> None:
    """A file of the inbox that is too large, having come in through another door, does not stay open."""
    with (made.spool / "files" / "dropped.zip").open("wb") as file:
        file.truncate(LARGEST + 1)
    for _ in range(3):
        assert made.server.drive.get("inbox/dropped.zip").status_code == TOO_LARGE
    opened = [each.readlink().name for each in Path(f"/proc/{made.process.pid}/fd").iterdir() if each.is_symlink()]
    assert "dropped.zip" not in opened


def test_a_size_may_be_asked_for_where_the_bytes_may_not(made: Made) -> None:
    """PROPFIND takes half of what GET takes, and clients send it after each upload: its limit is the double."""
    path = f"{AREA}/between.zip"
    assert made.server.drive.propfind(path, depth="0")[-1].size == FILES["between.zip"].size
    assert made.server.drive.get(path).status_code == TOO_LARGE


def test_a_connection_goes_on_after_a_refusal(made: Made) -> None:
    """The response to a refused request leaves the connection usable for the next request."""
    drive = made.server.drive
    connection = http.client.HTTPConnection(drive.host, drive.port, timeout=10)
    for method, headers in (("GET", {}), ("PROPFIND", {"Depth": "0"}), ("GET", {"Depth": "0"})):
        for name, status in (("gigantic.zip", TOO_LARGE), ("odd.bin", 200 if method == "GET" else 207)):
            connection.request(method, drive.href(f"{AREA}/{name}"), headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == status, (method, name)
            assert answer.status != 200 or body == content(name)
    connection.close()


def test_the_log_tells_it_once(made: Made) -> None:
    """Repeated refusals are logged once a minute, with the reason and without a name."""
    for _ in range(5):
        assert made.server.drive.get(f"{AREA}/gigantic.zip").status_code == TOO_LARGE
    log = made.process.log.read_text()
    assert 1 <= len(WARNING.findall(log)) <= 2
    assert "Davfs.Server" in log
    assert "gigantic" not in log


@pytest.mark.parametrize("name", ["large.zip", "odd.bin", "one-buffer.bin", "empty.bin"])
def test_many_buffers_are_one_file(made: Made, name: str) -> None:
    """A file in many buffers comes as it is, and takes memory of twice its size at most: Python's and the core's."""
    before = made.forget_peak()
    answer = made.server.drive.get(f"{AREA}/{name}")
    assert answer.status_code == 200
    assert answer.content == content(name)
    assert made.peak() - before < 2 * FILES[name].size + (32 << 20)


@pytest.mark.parametrize("name", ["short.zip", "long.zip", "longer.zip"])
def test_a_file_of_another_length_is_an_error(made: Made, name: str) -> None:
    """A file that is longer or shorter than announced is neither cut nor padded: the download fails."""
    assert made.server.drive.get(f"{AREA}/{name}").status_code == 500


def test_only_dicom_files_are_served_by_their_id(made: Made) -> None:
    """A file that is not DICOM has its own content, even if its entry refers to an instance and claims to be steady."""
    original = dicom.instance("steady")
    import_by_rest(made.server.rest, original)
    path = f"{AREA}/{resource(original, 'instances').rpartition('/')[2]}.txt"
    for _ in range(3):
        assert made.server.drive.get(path).content == BLOCK[:100]


def content(name: str) -> bytes:
    """Return what a file is made of."""
    size = FILES[name].size
    return (BLOCK * (size // len(BLOCK) + 1))[:size]
