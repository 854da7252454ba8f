"""Loads for a drive: imports, a large archive, many clients."""

import io
import itertools
import random
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx

from tests.support import dicom
from tests.support.webdav import WebDav

_SECONDS = 20
_TEMPLATE_PATIENT = "T-0000000"
_STORED_TOGETHER = 500
"""Members of each ZIP that fills an archive."""


def instances(numbers: Sequence[int], prefix: str = "L") -> Iterator[bytes]:
    """Yield the DICOM file of a patient for each number; made from one template, which is quick.

    Args:
        numbers: Each is a patient's, below 10 million.
        prefix: First character of the PatientIDs.
    """
    template = dicom.instance(_TEMPLATE_PATIENT)
    uids = [dicom.uid(_TEMPLATE_PATIENT, *(1, 1, 1)[:depth]) for depth in (1, 2, 3)]
    for number in numbers:
        content = template
        content = content.replace(_TEMPLATE_PATIENT.encode(), f"{prefix}-{number:07d}".encode())
        for depth, uid in enumerate(uids):
            other = f"1.2.{ord(prefix)}.{depth}.1{number:09d}".ljust(len(uid), "1")
            content = content.replace(uid.encode(), other.encode())
        yield content


def zipped(contents: Iterator[bytes]) -> bytes:
    """Return a ZIP of DICOM files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number:06d}.dcm", content)
    return buffer.getvalue()


def fill(rest: httpx.Client, patients: int) -> None:
    """Store small instances until an Orthanc has a number of patients."""
    if rest.get("/statistics").json()["CountPatients"] >= patients:
        return
    for start in range(0, patients, _STORED_TOGETHER):
        content = zipped(instances(range(start, min(start + _STORED_TOGETHER, patients))))
        rest.post("/instances", content=content, timeout=120).raise_for_status()


@contextmanager
def repeated(acts: Sequence[Callable[[], object]]) -> Iterator[None]:
    """Repeat each function on a thread of its own until the end of the block; errors are ignored."""
    stopping = threading.Event()

    def repeat(act: Callable[[], object]) -> None:
        while not stopping.is_set():
            with suppress(httpx.HTTPError, OSError, AssertionError):
                act()

    with ThreadPoolExecutor(len(acts), "load") as pool:
        running = [pool.submit(repeat, act) for act in acts]
        try:
            yield
        finally:
            stopping.set()
    for each in running:
        each.result()


class MixedClient:
    """A client that uploads, lists, downloads and deletes at random.

    Args:
        url: The drive.
        name: Differs from that of the others.
    """

    def __init__(self, url: str, name: str) -> None:
        self._drive = WebDav(url, seconds=_SECONDS)
        self._name = name
        self._chance = random.Random(name)  # noqa: S311 - the same mixture in each run
        self._numbers = itertools.count(1)

    def act(self) -> None:
        """Do one thing at random."""
        self._chance.choice([self._put, self._zip, self._plain, self._walk, self._walk, self._download, self._delete])()

    def close(self) -> None:
        """Close all connections."""
        self._drive.close()

    def _content(self) -> bytes:
        return dicom.instance(self._name, number=next(self._numbers), pixels=64 * 1024)

    def _put(self) -> None:
        self._drive.put(f"inbox/{self._name}-{next(self._numbers)}.dcm", self._content())

    def _zip(self) -> None:
        self._drive.put(f"inbox/{self._name}.zip", zipped(self._content() for _ in range(20)))

    def _plain(self) -> None:
        self._drive.put(f"inbox/{self._name}.txt", b"x" * 100_000)
        moved = self._drive.href(f"inbox/{self._name}-{next(self._numbers)}.txt")
        self._drive.request("MOVE", f"inbox/{self._name}.txt", headers={"Destination": moved})

    def _walk(self) -> str:
        path = "by-patient"
        for _ in range(3):
            names = list(self._drive.listing(path))
            if not names:
                break
            path += f"/{self._chance.choice(names)}"
        return path

    def _download(self) -> None:
        path = self._walk()
        for name in list(self._drive.listing(path))[:5]:
            self._drive.get(f"{path}/{name}")

    def _delete(self) -> None:
        self._drive.delete(self._walk())
