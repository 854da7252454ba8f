"""ZIPs at both doors of a running server: no other upload waits, progress is shown, and they end when Orthanc stops."""

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.doors import COLLECTION, SERVER, opened
from tests.support.drive import has, rest_client
from tests.support.webdav import WebDav
from tests.support.zips import zipped

MEMBERS = 800
"""Enough for some seconds, in which a test can look."""
HOSTILE = 24 << 20
"""Zeros behind an image: three million data elements, for which Orthanc's parser takes 12 seconds or more."""
SOON = 60.0


@pytest.fixture(scope="module")
def process(run_orthanc: RunOrthanc) -> Iterator[OrthancProcess]:
    """An Orthanc with both doors open."""
    (port,) = free_ports(1)
    with run_orthanc(davfs={"Server": {"Enabled": True, "Port": port}}, stops=True) as server:
        yield server


@pytest.fixture(params=[COLLECTION, SERVER])
def door(request: pytest.FixtureRequest) -> str:
    """Each door of the plugin in turn."""
    return str(request.param)


def images(patient: str, count: int = MEMBERS) -> dict[str, bytes]:
    """Return so many images of a patient by their names in a ZIP; they differ in nothing but their UIDs."""
    uid = dicom.uid(patient)[:-6]
    one = dicom.instance(patient, tags={"SOPInstanceUID": f"{uid}000000"})
    return {
        f"{number}.dcm": one.replace(f"{uid}000000".encode(), f"{uid}{number:06d}".encode()) for number in range(count)
    }


@contextmanager
def uploading(url: str, files: dict[str, bytes]) -> Iterator[list[Future[httpx.Response]]]:
    """Upload files on threads of their own."""
    with ThreadPoolExecutor(len(files)) as pool:
        yield [
            pool.submit(httpx.put, f"{url}inbox/{name}", content=content, timeout=SOON, trust_env=False)
            for name, content in files.items()
        ]


def duration(drive: WebDav, patient: str, number: int) -> float:
    """Upload an image, and return how many seconds that took."""
    content = dicom.instance(patient, number=number)
    before = time.monotonic()
    assert drive.put(f"inbox/{patient}-{number}.dcm", content).status_code == 201
    return time.monotonic() - before


def test_hostile_zips_delay_no_image(process: OrthancProcess, door: str) -> None:
    """Four ZIPs of 25 KB are refused with their reason, and images are taken meanwhile as ever."""
    contents = [dicom.instance(f"hostile {door} {number}") + bytes(HOSTILE) for number in range(4)]
    zips = {f"{door}-{number}.zip": zipped({"a.dcm": content}) for number, content in enumerate(contents)}
    with opened(door, process) as each:
        alone = statistics.median(duration(each.drive, f"alone {door}", number) for number in range(20))
        with uploading(each.url, zips) as uploads:
            beside = [duration(each.drive, f"beside {door}", number) for number in range(20)]
            answers = [upload.result(SOON) for upload in uploads]
        assert statistics.median(beside) < 2 * alone + 0.1
        assert max(beside) < 2
        assert [answer.status_code for answer in answers] == [415] * 4
        for name in zips:
            assert "data elements" in each.drive.get(f"inbox/rejected/{name}.txt").text


def test_a_zip_tells_how_far_it_is(process: OrthancProcess, door: str) -> None:
    """A text beside it counts its files, and goes with the end of the import; images are taken meanwhile as ever."""
    name = f"told-{door}.zip"
    with opened(door, process) as each:
        path = f"inbox/{name}.progress.txt"
        with uploading(each.url, {name: zipped(images(f"told {door}"))}) as (upload,):
            texts, number = set(), 0
            while not upload.done():
                if path.rpartition("/")[2] in each.drive.listing("inbox"):
                    texts.add(each.drive.get(path).text)
                duration(each.drive, f"meanwhile {door}", number := number + 1)
        assert upload.result().status_code == 201
        assert any(f" of {MEMBERS} files are done" in text for text in texts), texts
        assert each.drive.status(path) == 404
        assert list(each.drive.listing("inbox")).count(name) == 1


def test_a_stop_in_the_midst(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """If Orthanc stops during two uploads, both get 503, it stops in time, and imported images are kept."""
    sent = {door: images(f"stopped {door}", MEMBERS // 2) for door in (COLLECTION, SERVER)}
    (port,) = free_ports(1)
    options = {"folder": tmp_path, "davfs": {"Server": {"Enabled": True, "Port": port}}}
    with ThreadPoolExecutor(2) as pool:
        with run_orthanc(**options, stops=True) as process, rest_client(process) as rest:
            uploads = [pool.submit(put, process, door, members) for door, members in sent.items()]
            while (imported := rest.get("/statistics").json()["CountInstances"]) < 100:
                assert not any(upload.done() for upload in uploads)
                time.sleep(0.02)
        assert [upload.result(SOON) for upload in uploads] == [503, 503]
    with run_orthanc(**options, stops=True) as process, rest_client(process) as rest:
        assert imported <= rest.get("/statistics").json()["CountInstances"] < MEMBERS
        assert [put(process, door, members) for door, members in sent.items()] == [201, 201]
        assert rest.get("/statistics").json()["CountInstances"] == MEMBERS
        assert all(has(rest, members["7.dcm"]) for members in sent.values())


def put(process: OrthancProcess, door: str, members: dict[str, bytes]) -> int:
    """Upload a ZIP by a door, and return the status."""
    url = process.drive_url if door == COLLECTION else process.server_url
    return httpx.put(f"{url}inbox/{door}.zip", content=zipped(members), timeout=SOON, trust_env=False).status_code
