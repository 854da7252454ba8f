"""Large DICOM files over HTTP: to and from a real Orthanc, in bounded memory."""

import hashlib
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from davfs.demo.process import OrthancProcess
from davfs.entry import Readable
from davfs.errors import Unavailable, UnknownResource
from davfs.orthanc import Level, Orthanc, OrthancId, StoreStatus
from davfs.orthanc.client import Limits
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.ranges import RangeCache
from davfs.orthanc.rest import RestOrthanc
from tests.support import large
from tests.support.orthanc_server import OrthancServer
from tests.support.relay import Relay

ROOT = Path(__file__).parents[2]
FRAMES = int(os.environ.get("DAVFS_TEST_FRAMES", "200"))
"""Frames of the large file, of half a megabyte each: 2048 make a gigabyte, which takes a minute or two."""
GROWTH = 64 << 20
"""Bytes of memory that a transfer may take."""

# The limit is on memory that is not a file's (RLIMIT_DATA), for a process of its own: what needs more fails in it.
SCRIPT = """
import hashlib, mmap, resource, sys
from davfs.orthanc import OrthancId
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.ranges import RangeCache
from davfs.orthanc.rest import RestOrthanc

url, work, argument, growth = sys.argv[1:]
orthanc = RestOrthanc(HttpTransport(http_client(url)))
ranges = RangeCache(orthanc)
orthanc.last_change()
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
limit = int(status["VmData"].split()[0]) * 1024 + int(growth)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
if work == "store":
    with open(argument, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
        print(orthanc.store(memoryview(content)).id)
else:
    with ranges.open_instance(OrthancId(argument)) as file:
        digest = hashlib.sha256()
        for block in file.buffers(int(work)):
            assert len(block) <= 1 << 20
            digest.update(block)
        print(digest.hexdigest())
ranges.close()
"""


@dataclass(frozen=True)
class Archive:
    """An Orthanc without the plugin, and the large file that it was sent."""

    server: OrthancProcess
    file: Path
    instance: OrthancId

    @property
    def size(self) -> int:
        """Bytes of the large file."""
        return self.file.stat().st_size

    def part(self, start: int, stop: int) -> bytes:
        """Return some of the large file."""
        with self.file.open("rb") as file:
            file.seek(start)
            return file.read(stop - start)


def bounded(url: str, work: str, argument: str) -> str:
    """Do something in a process that may not take more memory."""
    command = [sys.executable, "-c", SCRIPT, url, work, argument, str(GROWTH)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def archive(servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An Orthanc with the large file, uploaded in bounded memory."""
    folder = tmp_path_factory.mktemp("transfer")
    file = folder / "large.dcm"
    large.write(file, FRAMES)
    with OrthancServer(folder / "server") as server:
        servers.append(server)
        yield Archive(server, file, OrthancId(bounded(server.url, "store", str(file))))
        servers.remove(server)
    file.unlink()


@pytest.fixture
def relay(archive: Archive) -> Iterator[Relay]:
    """A relay in front of that Orthanc."""
    with Relay(archive.server.http_port) as relay:
        yield relay


@pytest.fixture
def relayed(relay: Relay) -> Iterator[Orthanc]:
    """That Orthanc behind the relay."""
    with http_client(f"http://127.0.0.1:{relay.port}") as client:
        yield RestOrthanc(HttpTransport(client))


@pytest.mark.parametrize("start", [0, 60_000_001])
def test_download(archive: Archive, start: int) -> None:
    """A large file comes whole, and from a place in its midst, in bounded memory."""
    with archive.file.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as content:
        expected = hashlib.sha256(memoryview(content)[start:]).hexdigest()
    assert bounded(archive.server.url, str(start), archive.instance) == expected


def test_upload_again(archive: Archive) -> None:
    """Any buffer can be sent, and Orthanc knows the file again."""
    with http_client(archive.server.url) as client:
        stored = RestOrthanc(HttpTransport(client)).store(bytearray(archive.file.read_bytes()))
    assert (stored.id, stored.status) == (archive.instance, StoreStatus.ALREADY_STORED)


def test_reader_that_stops(archive: Archive, relay: Relay) -> None:
    """A reader that stops early does not transfer the rest, and the connection can be used again."""
    with http_client(f"http://127.0.0.1:{relay.port}", limits=Limits(read=10.0, connections=1)) as client:
        orthanc = RestOrthanc(HttpTransport(client))
        for _ in range(4):
            with orthanc.open_instance(archive.instance) as file:
                assert file.size == archive.size
                assert next(file.buffers())
        assert orthanc.counts().instances
    assert relay.received < archive.size


def test_connection_that_breaks(archive: Archive, relay: Relay, relayed: Orthanc) -> None:
    """A file that does not come whole is an error, never a short file."""
    relay.cut_after = 50 << 20
    with relayed.open_instance(archive.instance) as file, pytest.raises(Unavailable):
        read(file)
    with pytest.raises(Unavailable):
        relayed.open_instance(archive.instance).__enter__()


def read(file: Readable) -> int:
    """Read a file to its end, and return how much came."""
    return sum(map(len, file.buffers()))


def test_small_ranges_one_after_the_other(archive: Archive, relay: Relay, relayed: Orthanc) -> None:
    """A large file that is read in consecutive small ranges is transferred about once."""
    step = 10 << 20
    cache = RangeCache(relayed, largest=1 << 20)
    for start in range(0, archive.size, step):
        with cache.open_instance(archive.instance) as file:
            stop = min(start + step, archive.size)
            assert b"".join(file.buffers(start, stop)) == archive.part(start, stop)
    cache.close()
    assert relay.received < 1.5 * archive.size


def test_kept_in_memory(archive: Archive, relay: Relay, relayed: Orthanc) -> None:
    """A file of a moderate size that is read in small ranges, in any order, is transferred a few times at most."""
    cache = RangeCache(relayed, largest=1 << 30, capacity=1 << 30)
    for start in [*range(0, archive.size, 10 << 20), *range(archive.size - 1000, 0, -10 << 20)]:
        with cache.open_instance(archive.instance) as file:
            assert b"".join(file.buffers(start, start + 999)) == archive.part(start, start + 999)
    cache.close()
    assert relay.received < 2.5 * archive.size


def test_deleted_while_it_is_read(archive: Archive, tmp_path: Path) -> None:
    """A download that has begun is read to its end although the instance is deleted; it cannot be opened again."""
    small = tmp_path / "small.dcm"
    large.write(small, 20, patient="gone")
    with http_client(archive.server.url) as client:
        orthanc = RestOrthanc(HttpTransport(client))
        cache = RangeCache(orthanc, largest=0)
        instance = orthanc.store(small.read_bytes()).id
        for _ in range(2):
            with cache.open_instance(instance) as file:
                next(file.buffers(0, 100))
        with cache.open_instance(instance) as file:
            blocks = file.buffers(100)
            first = bytes(next(blocks))
            orthanc.delete(Level.INSTANCE, instance)
            assert first + b"".join(blocks) == small.read_bytes()[100:]
        with pytest.raises(UnknownResource):
            cache.open_instance(instance)
        cache.close()
