"""Tests of the inbox's worker threads, and of the memory that they share with requests."""

import gc
import hashlib
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from davfs.errors import Busy, PathError
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CHANGED, CT, MR, TEST_FILES, names
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox


def test_a_busy_queue_refuses_and_keeps_nothing(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """While the only worker is busy, other imports are refused with `Busy`; ordinary files need no worker."""
    orthanc.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(inbox.write, ("a.dcm",), CT)
        while not orthanc.uploads:
            time.sleep(0.001)
        with pytest.raises(Busy):
            inbox.write(("b.dcm",), MR)
        inbox.write(("c.txt",), b"text")
        orthanc.gate.set()
        first.result(10)
    assert names(inbox) == ["a.dcm", "c.txt"]
    assert orthanc.uploads == 1


def test_the_import_runs_on_a_worker_without_a_copy(
    orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orthanc gets the caller's own memory, on a thread of the queue."""
    seen: list[tuple[str, object]] = []
    genuine = MemoryOrthanc.store

    def store(self: MemoryOrthanc, data: memoryview) -> object:
        seen.append((threading.current_thread().name, data.obj))
        return genuine(self, data)

    monkeypatch.setattr(MemoryOrthanc, "store", store)
    Inbox(orthanc, spool, lanes, Importer(orthanc)).write(("a",), memoryview(CT))
    assert seen[0][0] == "davfs-import-1"
    assert seen[0][1] is CT


class Memory(bytearray):
    """A caller's memory, which can be referred to weakly."""


@pytest.mark.parametrize("data", [CT, BROKEN, CHANGED, zipped({"1": CT}), zipped({"1": BROKEN}), b"text"])
def test_nothing_keeps_the_callers_memory(inbox: Inbox, data: bytes) -> None:
    """The caller's buffer is released without the garbage collector, after a success and after an error."""
    inbox.write(("a",), CT)
    gc.disable()
    try:
        memory = Memory(data)
        held = weakref.ref(memory)
        with suppress(PathError):
            inbox.write(("b",), memoryview(memory))
        del memory
        deadline = time.monotonic() + 5
        while held() is not None and time.monotonic() < deadline:  # the worker may still be about to let go
            time.sleep(0.001)
        assert held() is None
    finally:
        gc.enable()


def test_many_clients_import_at_once(inbox: Inbox, orthanc: MemoryOrthanc) -> None:
    """Different files under different names all arrive."""
    files = [path.read_bytes() for path in (TEST_FILES / "dicomdirtests").rglob("IM0000*")][:12]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda each: inbox.write((hashlib.sha1(each).hexdigest(),), each), files))  # noqa: S324  a name
    assert len(names(inbox)) == len(files)
    assert set(orthanc.files) == set(map(identify, files))
