"""Tests of the lanes: a job never waits for jobs of another kind."""

import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from davfs.elements import files
from davfs.entry import Entry
from davfs.errors import Busy, Conflict, OrthancError
from davfs.filesystem.inbox import Inbox
from davfs.imports import lanes as lanes_module
from davfs.imports import zip_directory
from davfs.imports.lanes import SMALL, Lanes
from davfs.orthanc import Buffer, OrthancId, StoreResult
from tests.support import dicom
from tests.support import inbox as inboxes
from tests.support.inbox import CT, MR, TEST_FILES, names
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox

SOON = 10.0
ZIP = zipped({"a.dcm": MR})
SMALL_PLANE, LARGE_PLANE = (  # Rows and Columns, as MR has them, and of 50 MB
    struct.pack("<HH2sHHHH2sHH", 0x28, 0x10, b"US", 2, width, 0x28, 0x11, b"US", 2, width) for width in (64, 5000)
)


class Held(threading.Event):
    """Set to let Orthanc go on; ``begun`` is set once it has a file that it is held up with."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()


@pytest.fixture
def held(orthanc: MemoryOrthanc, monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """Orthanc takes its time over MR until this is set, as over a file that its parser finds hard."""
    event = Held()
    genuine = orthanc.store

    def store(content: Buffer) -> StoreResult:
        if bytes(content[: len(MR)]) == MR:
            event.begun.set()
            assert event.wait(SOON)
        return genuine(content)

    monkeypatch.setattr(orthanc, "store", store)
    yield event
    event.set()


@contextmanager
def uploading(inbox: Inbox, lanes: Lanes, held: Held, *files: tuple[str, bytes]) -> Iterator[list[Future[Entry]]]:
    """Upload files on threads of their own; in the block, a worker or the queue of a lane has each of them."""
    with ThreadPoolExecutor(len(files)) as pool:
        uploads = []
        for number, (name, content) in enumerate(files):
            uploads.append(pool.submit(inbox.write, (name,), content))
            # One worker in each lane of these tests: all but the first upload wait.
            assert held.begun.wait(SOON)
            until(lambda: len(lanes.zips._waiting) + len(lanes.large._waiting) >= number)  # noqa: B023
        yield uploads


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_zip_delays_no_single_file(inbox: Inbox, lanes: Lanes, held: Held) -> None:
    """However many ZIPs are being imported, or wait for that, a DICOM file is imported at once."""
    files = [(f"{number}.zip", ZIP) for number in range(3)]
    with uploading(inbox, lanes, held, *files) as uploads:
        inbox.write(("a.dcm",), CT)
        assert not uploads[0].done()
        assert names(inbox) == ["a.dcm"]
        held.set()
    assert uploads[0].result(SOON).name == "0.zip"


def test_a_large_file_delays_no_small_one(
    inbox: Inbox, lanes: Lanes, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orthanc may need long for a file of many megabytes; those of the usual size have workers of their own."""
    large = MR + bytes(SMALL)
    monkeypatch.setattr(lanes_module, "_COMPLEX", len(large))
    with uploading(inbox, lanes, held, ("large.dcm", large)) as uploads:
        inbox.write(("a.dcm",), CT)
        assert not uploads[0].done()
        held.set()
    assert {entry.name for entry in inbox.list(())} == {"a.dcm", "large.dcm"}


@pytest.mark.parametrize("hard", [MR + bytes(1 << 20), MR + b"1.2.840.10008.1.2.1.99"], ids=["elements", "deflated"])
def test_a_file_that_is_hard_to_parse_delays_no_other_one(
    inbox: Inbox, lanes: Lanes, held: Held, hard: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files with very many data elements, or an unknown number, go into the lane of complex files."""
    monkeypatch.setattr(files, "_HEAD", len(MR) + 100)
    with uploading(inbox, lanes, held, ("hard.dcm", hard)) as uploads:
        inbox.write(("small.dcm",), CT)
        inbox.write(("large.dcm",), dicom.instance("large", pixels=SMALL + 1024))
        assert not uploads[0].done()
        held.set()
    assert len(names(inbox)) == 3


def test_large_pixels_that_are_compared_delay_no_upload(
    inbox: Inbox, orthanc: MemoryOrthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes of compressed pixels can be hundreds of megabytes, which take seconds to decode."""
    gate, begun, threads = threading.Event(), threading.Event(), list[str]()

    def uncompressed(_content: Buffer, _instance: OrthancId | None) -> bytes:
        threads.append(threading.current_thread().name)
        begun.set()
        assert gate.wait(SOON)
        raise OrthancError("cannot be decoded")

    monkeypatch.setattr(orthanc, "uncompressed", uncompressed)
    plain, packed = ((TEST_FILES / name).read_bytes() for name in ("MR_small.dcm", "MR_small_RLE.dcm"))
    assert all(SMALL_PLANE in content for content in (plain, packed))
    inbox.write(("a.dcm",), plain.replace(SMALL_PLANE, LARGE_PLANE))
    with ThreadPoolExecutor(1) as pool:
        comparing = pool.submit(inbox.write, ("b.dcm",), packed.replace(SMALL_PLANE, LARGE_PLANE))
        assert begun.wait(SOON)
        inbox.write(("c.dcm",), CT)
        assert not comparing.done()
        gate.set()
        with pytest.raises(Conflict, match="cannot be compared here"):
            comparing.result(SOON)
    assert all(name.startswith("davfs-import-complex") for name in threads), threads


def test_a_deletion_delays_no_upload(inbox: Inbox, lanes: Lanes) -> None:
    """A patient with thousands of files takes Orthanc long to delete."""
    gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        deletion = pool.submit(lanes.deletions.run, lambda: gate.wait(SOON))
        inbox.write(("a.dcm",), CT)
        inbox.write(("a.zip",), ZIP)
        assert not deletion.done()
        gate.set()


def test_one_zip_too_many_is_refused_at_once(inbox: Inbox, lanes: Lanes, held: Held) -> None:
    """A ZIP beyond the maximum number of waiting ones is refused at once, and not kept."""
    lanes.zips._patience = SOON
    files = [(f"{number}.zip", ZIP) for number in range(5)]
    with uploading(inbox, lanes, held, *files):
        before = time.monotonic()
        with pytest.raises(Busy, match="full"):
            inbox.write(("more.zip",), ZIP)
        assert time.monotonic() - before < 1
        held.set()
    assert names(inbox) == [f"{number}.zip" for number in range(5)]


def test_many_members_without_images_wait_like_any_zip(
    inbox: Inbox, lanes: Lanes, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search of 50,000 members for an image takes seconds, in the lane."""
    monkeypatch.setattr(zip_directory, "_FEW", 1)
    text = zipped({"a.txt": b"text", "b.txt": b"text"})
    with uploading(inbox, lanes, held, ("a.zip", ZIP), ("b.zip", text)) as uploads:
        assert not uploads[1].done()
        held.set()
        assert uploads[1].result(SOON).size == len(text)
    lanes.zips.refuse()
    with pytest.raises(Busy):
        inbox.write(("c.zip",), text)


def test_a_document_that_is_a_zip_does_not_wait(inbox: Inbox, lanes: Lanes, held: Held) -> None:
    """Those of office programs are, and have few members."""
    with uploading(inbox, lanes, held, *[(f"{number}.zip", ZIP) for number in range(3)]):
        inbox.write(("a.docx",), zipped({"a.xml": b"text", "b.xml": b"text"}))
        assert names(inbox) == ["a.docx"]
        held.set()


def test_the_threads_are_named_after_their_work(lanes: Lanes) -> None:
    """Thread names show the lane."""
    kinds = (lanes.small, lanes.large, lanes.complex, lanes.zips, lanes.deletions)
    found = [kind.run(lambda: threading.current_thread().name) for kind in kinds]
    assert [name.removeprefix("davfs-") for name in found] == [
        "import-1",
        "import-large-1",
        "import-complex-1",
        "import-zip-1",
        "delete-1",
    ]


def test_all_lanes_stop_within_one_time_limit() -> None:
    """A lane that hangs uses up the time of the others, and no more."""
    lanes, gate = Lanes(workers=1), threading.Event()
    with ThreadPoolExecutor(2) as pool:
        hanging = [pool.submit(lane.run, lambda: gate.wait(SOON)) for lane in (lanes.small, lanes.zips)]
        until(lambda: not lanes.small._waiting and not lanes.zips._waiting)
        before = time.monotonic()
        assert not lanes.stop(0.1)
        assert time.monotonic() - before < 1
        assert lanes.zips.stopping
        with pytest.raises(Busy, match="stopping"):
            lanes.deletions.run(lambda: None)
        gate.set()
        assert all(one.result(SOON) for one in hanging)
    assert lanes.stop(SOON)
