"""Layouts are added, changed and removed in a running Orthanc while clients list the drive."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.filesystem.layout_area import PLACEHOLDER
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import import_by_rest
from tests.support.webdav import WebDav

STUDIES = 700
"""More than are placed before a reload returns."""
LAYOUT = 'title = "{title}"\n[[level]]\nstudy = "{template}"\n'
IDS = {f"P{number:03d}" for number in range(STUDIES)}


def write(file: Path, title: str, template: str) -> None:
    """Write a layout file."""
    file.write_text(LAYOUT.format(title=title, template=template))


@contextmanager
def listed_all_the_time(url: str, folder: str) -> Iterator[list[set[str]]]:
    """List a folder in a thread, again and again; collect the names in it."""
    found: list[set[str]] = []
    stopping = threading.Event()

    def repeat() -> None:
        with WebDav(url) as drive:
            while not stopping.is_set():
                found.append(set(drive.listing(folder)))

    with ThreadPoolExecutor() as pool:
        running = pool.submit(repeat)
        try:
            yield found
        finally:
            stopping.set()
        running.result()


@pytest.fixture
def files(tmp_path: Path) -> Sequence[Path]:
    """Two layout files, of which the second one is not there yet."""
    files = [tmp_path / "mine.toml", tmp_path / "other.toml"]
    write(files[0], "mine", "{PatientID}")
    return files


def test_layouts_change_while_clients_list(run_orthanc: RunOrthanc, files: Sequence[Path]) -> None:
    """Folders that stay are complete in each listing; a new one is complete or says that it is not yet."""
    (port,) = free_ports(1)
    url, new = f"http://{LOOPBACK}:{port}/", {f"new {one}" for one in IDS}
    davfs = {"Layouts": list(map(str, files)), "Server": {"Enabled": True, "Port": port}}
    with run_orthanc(davfs=davfs, stops=True) as server, WebDav(url) as drive:
        with httpx.Client(base_url=server.url, trust_env=False) as rest:
            import_by_rest(rest, *(dicom.instance(one) for one in sorted(IDS)))
        assert set(drive.listing("mine")) == IDS
        with listed_all_the_time(url, "mine") as seen:
            write(files[1], "other", "{StudyDescription} {PatientID}")
            _reload(url)
            _wait_for(drive, "other", {f"Study 1 {one}" for one in IDS})
        assert seen
        assert all(one == IDS for one in seen)
        with listed_all_the_time(url, "mine") as seen:
            write(files[0], "mine", "new {PatientID}")
            write(files[1], "another", "{StudyID} {PatientID}")
            _reload(url)
            _wait_for(drive, "mine", new)
        assert all(one in (IDS, new) for one in seen)
        assert drive.status("other") == httpx.codes.NOT_FOUND
        folder = server.folder
    write(files[1], "other", "again {PatientID}")
    with run_orthanc(folder, davfs=davfs), WebDav(url) as drive:
        assert set(drive.listing("mine")) == new
        _wait_for(drive, "other", {f"again {one}" for one in IDS})
        assert "complete and up to date" in drive.get("README.txt").text
        write(files[0], "mine", "last {PatientID}")
        _reload(url)  # the server is killed now
    with run_orthanc(folder, davfs=davfs), WebDav(url) as drive:
        assert set(drive.listing("other")) == {f"again {one}" for one in IDS}
        _wait_for(drive, "mine", {f"last {one}" for one in IDS})


def _reload(url: str) -> None:
    answer = httpx.post(f"{url}davfs-api/reload", trust_env=False)
    assert answer.status_code == httpx.codes.OK


def _wait_for(drive: WebDav, folder: str, names: set[str]) -> None:
    """Wait until a folder is complete; before that it has the text about its progress, or is as it was before."""
    for _ in range(10_000):
        shown = set(drive.listing(folder))
        if shown == names:
            return
        assert shown in ({PLACEHOLDER}, IDS)
    raise AssertionError(f"{folder} has {len(shown)} entries")
