"""Files, whole and damaged, by ``POST /instances`` and by each door: the drive imports whatever Orthanc takes.

``TEST_MUTANTS`` says how many damaged ones (`make test-differential`: thousands). From 1000 on a bare Orthanc is
given also those that should end it, and is started anew where they do.
"""

import os
import re
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import httpx
import pydicom.data
import pytest

from davfs.demo.process import OrthancProcess
from davfs.errors import Refused
from davfs.imports.hazards import check_hazards
from tests.support import doors
from tests.support.doors import COLLECTION, SERVER, Door
from tests.support.drive import rest_client
from tests.support.mutants import mutant

# pytest finds fixtures by the names in a module.
process, standalone = doors.process, doors.standalone

MUTANTS = int(os.environ.get("TEST_MUTANTS", "110"))
THOROUGH = MUTANTS >= 1000
SEED = int(os.environ.get("TEST_SEED", "20240229"))
LARGEST = 50 << 20 if THOROUGH else 40_000
LARGEST_MUTANT = 16_000
CREATED, UNSUPPORTED = (201, 204), 415
SECONDS = 60
"""Time limit of a request to a drive: hundreds of them, on a machine that may be busy."""
MEMORY = 2 << 30
"""Address space of a bare Orthanc, in bytes: with 4 GB to spare, it takes files whose meta header claims them."""
PATIENCE = 8
"""Seconds after which a bare Orthanc is taken to hang."""

DIRECTORY = b"1.2.840.10008.1.3.10"
IDENTIFIER = re.compile(rb"\x00[0-2]\.\d+\.\d+\.|UI[\x05-\x40]\x00[0-2]\.\d")
"""A UID as it stands in a data set, behind the last byte of its length."""


def whole() -> list[bytes]:
    """Return pydicom's own files, those of pydicom-data where it is installed, and what lies beside them."""
    folder = Path(str(pydicom.data.get_testdata_file("CT_small.dcm"))).parents[1]
    paths = {*folder.glob("*_files/**/*"), *folder.glob("palettes/*")}
    if more := find_spec("data_store"):  # what pydicom-data installs
        paths |= {path for place in more.submodule_search_locations or () for path in Path(place).glob("data/**/*")}
    return [path.read_bytes() for path in sorted(paths) if path.is_file() and 0 < path.stat().st_size <= LARGEST]


@pytest.fixture(scope="module")
def corpus() -> list[bytes]:
    """At least 300 files, the same ones for the same seed."""
    files = whole()
    small = [content for content in files if len(content) <= LARGEST_MUTANT]
    files += [mutant(small, SEED + number) for number in range(MUTANTS)]
    assert len(files) >= 300
    return files


@pytest.fixture(scope="module")
def all_doors(process: OrthancProcess, standalone: Door) -> Iterator[list[Door]]:
    """The three doors, over two Orthancs of their own."""
    with doors.opened(COLLECTION, process) as first, doors.opened(SERVER, process) as second:
        for door in (first, second, standalone):
            door.drive.http.timeout = door.rest.timeout = httpx.Timeout(SECONDS)
        yield [first, second, standalone]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Bare"]:
    """An Orthanc without the drive."""
    server = Bare(tmp_path_factory.mktemp("bare"))
    yield server
    server.stop()


class Bare:
    """An Orthanc without the drive, which is started anew where a file has ended it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._start()

    def _start(self) -> None:
        self._process = OrthancProcess(self._folder)
        self._process.start()
        resource.prlimit(self._process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        self._rest = rest_client(self._process)
        self._rest.timeout = httpx.Timeout(PATIENCE)

    def takes(self, content: bytes) -> bool | None:
        """Return whether it has imported a file byte for byte, which is deleted again; None where that ended it."""
        try:
            answer = self._rest.post("/instances", content=content)
        except httpx.TransportError:
            self.stop()
            self._start()
            return None
        if answer.status_code != httpx.codes.OK or not isinstance(answer.json(), dict):
            return False
        path = f"/instances/{answer.json()['ID']}"
        assert self._rest.get(f"{path}/file").content == content
        assert self._rest.delete(path).status_code == httpx.codes.OK
        return True

    def stop(self) -> None:
        """End it."""
        self._rest.close()
        self._process.kill()


def is_hazard(content: bytes) -> bool:
    """Return True if the drive keeps a file from Orthanc, for its own good."""
    try:
        check_hazards(memoryview(content))
    except Refused:
        return True
    return False


def says_dicom(content: bytes) -> bool:
    """Return True if anybody would call a file DICOM, directories of media aside; by other means than the drive's."""
    head = content[:2000]
    has_prefix = content[128:132] == b"DICM" or b"DICM\x02\x00" in head
    return DIRECTORY not in head and (has_prefix or bool(IDENTIFIER.search(head)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an upload: its status, and the files in Orthanc and in rejected/."""

    status: int
    held: list[bytes]
    rejected: bytes | None


def upload(door: Door, name: str, content: bytes) -> Outcome:
    """Upload a file by a door, look what became of it, and leave nothing in Orthanc."""
    try:
        status = door.drive.put(f"inbox/{name}", content).status_code
    except httpx.RemoteProtocolError:  # the connection was idle for too long, and closed in this moment
        status = door.drive.put(f"inbox/{name}", content).status_code
    ids = door.rest.get("/instances").json()
    held = [door.rest.get(f"/instances/{each}/file").content for each in ids]
    for each in ids:
        door.rest.delete(f"/instances/{each}")
    kept = door.drive.get(f"inbox/rejected/{name}") if status == UNSUPPORTED else None
    return Outcome(status, held, kept.content if kept is not None and kept.is_success else None)


def one_after_the_other(some: list[Door], name: str, content: bytes) -> list[Outcome]:
    """Upload a file by doors of the same Orthanc."""
    return [upload(door, f"{name}{door.name}", content) for door in some]


def judged(content: bytes, outcome: Outcome, *, taken: bool | None) -> str:
    """Return what is wrong with an outcome, empty for nothing."""
    if taken:
        right = outcome.status in CREATED and outcome.held == [content]
        return "" if right else f"Orthanc takes it, and it is answered with {outcome.status}"
    if outcome.held:
        return "Orthanc does not take it, and has it"
    if outcome.status == UNSUPPORTED:
        return "" if outcome.rejected == content else "it is refused, and not in rejected/"
    if outcome.status not in CREATED:
        return f"it is answered with {outcome.status}"
    return "it says DICOM, and is kept without a word" if says_dicom(content) else ""


def test_what_orthanc_takes_is_imported(all_doors: list[Door], bare: Bare, corpus: list[bytes]) -> None:
    """Files that Orthanc does not take are refused and kept, or ordinary files if they do not look like DICOM."""
    wrong = []
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as another:
        for number, content in enumerate(corpus):
            taken = None if not THOROUGH and is_hazard(content) else bare.takes(content)
            through_serve = one.submit(upload, all_doors[2], str(number), content)
            both = another.submit(one_after_the_other, all_doors[:2], str(number), content)
            for door, outcome in zip(all_doors, [*both.result(), through_serve.result()], strict=True):
                if problem := judged(content, outcome, taken=taken):
                    wrong.append(f"{number} ({len(content)} bytes, {content[:40]!r}…) at {door.name}: {problem}")
    assert wrong == []
