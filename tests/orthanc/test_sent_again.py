"""An image in the trash that is sent to Orthanc again, past the drive, comes out of the trash by itself."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from davfs.demo.ports import LOOPBACK
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import import_by_rest, place, rest_client
from tests.support.webdav import WebDav

ANY_SENDER = {"DicomAlwaysAllowStore": True, "DicomCheckModalityHost": False}
SECONDS = 2.0
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "without audit": {"Audit": {"Enabled": False}},
    "without arrivals": {"Audit": {"Arrivals": False}},
    "quarantine": {"Quarantine": {"Identity": True}},
}


@pytest.fixture(scope="module", params=VARIANTS)
def process(
    request: pytest.FixtureRequest, run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancProcess]:
    """An Orthanc in which deleting is allowed."""
    davfs = {"AllowDelete": True, **VARIANTS[request.param]}
    folder = tmp_path_factory.mktemp("again")
    with run_orthanc(folder / "orthanc", davfs=davfs, settings=ANY_SENDER) as running:
        _wait_for_quarantine(running)
        yield running


def _wait_for_quarantine(process: OrthancProcess) -> None:
    """Wait until the filters know the archive: until then they let nothing in."""
    end = time.monotonic() + 10
    while httpx.post(f"{process.url}/instances", content=dicom.instance("first"), trust_env=False).is_error:
        assert time.monotonic() < end
        time.sleep(0.1)


def by_rest(process: OrthancProcess, content: bytes, _folder: Path) -> None:
    """Send an image to Orthanc's REST API."""
    answer = httpx.post(f"{process.url}/instances", content=content, trust_env=False)
    assert answer.json()["Status"] == "AlreadyStored"


def by_storescu(process: OrthancProcess, content: bytes, folder: Path) -> None:
    """Send an image as a modality does."""
    (folder / "image.dcm").write_bytes(content)
    command = ["storescu", "-aec", "ORTHANC", LOOPBACK, str(process.dicom_port), str(folder / "image.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def shown_within(drive: WebDav, path: str, seconds: float = SECONDS) -> bool:
    """Return True if a path is listed within so many seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if drive.status(path) == 207:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("pause", [0.0, 3.0], ids=["at once", "later"])
@pytest.mark.parametrize("send", [by_rest, by_storescu])
def test_it_is_listed_again(process: OrthancProcess, tmp_path: Path, send: Any, pause: float) -> None:
    """Within two seconds; what was deleted with it and not sent again stays in the trash."""
    patient = f"{send.__name__} {pause}"
    images = {place(patient, number=number): dicom.instance(patient, number=number) for number in (1, 2)}
    with rest_client(process) as rest, WebDav(process.drive_url) as drive:
        import_by_rest(rest, *images.values())
        time.sleep(pause)
        (one, content), (other, _) = images.items()
        assert drive.delete("/".join(one.split("/")[:2])).status_code == 204
        assert (drive.status(one), drive.status(other)) == (404, 404)
        send(process, content, tmp_path)
        assert shown_within(drive, one)
        assert drive.status(other) == 404
        assert drive.get(one).content == content
        assert any(f"({patient})" in each for each in drive.listing("trash"))


def test_a_flood(process: OrthancProcess) -> None:
    """Of many images that are sent again while it looks for them, each comes back."""
    patient = "flood"
    images = {place(patient, number=number): dicom.instance(patient, number=number) for number in range(1, 101)}
    with rest_client(process) as rest, WebDav(process.drive_url) as drive:
        import_by_rest(rest, *images.values())
        (folder,) = {"/".join(each.split("/")[:2]) for each in images}
        assert drive.delete(folder).status_code == 204
        for content in images.values():
            rest.post("/instances", content=content).raise_for_status()
        for each in images:
            assert shown_within(drive, each)
        assert not [each for each in drive.listing("trash") if f"({patient})" in each]


@pytest.mark.parametrize("stopped", [True, False], ids=["before a stop", "at the start"])
def test_restarts(run_orthanc: RunOrthanc, tmp_path: Path, *, stopped: bool) -> None:
    """What is sent again just before Orthanc stops, or before the drive has started, is shown after the start."""
    image, content = place("restart"), dicom.instance("restart")
    options: dict[str, Any] = {"davfs": {"AllowDelete": True}, "settings": ANY_SENDER, "stops": True}
    with run_orthanc(tmp_path / "orthanc", **options) as process:
        with rest_client(process) as rest, WebDav(process.drive_url) as drive:
            import_by_rest(rest, content)
            assert drive.delete("/".join(image.split("/")[:2])).status_code == 204
        time.sleep(3)
        if stopped:
            by_rest(process, content, tmp_path)
    with run_orthanc(tmp_path / "orthanc", **options) as process, WebDav(process.drive_url) as drive:
        if not stopped:
            by_rest(process, content, tmp_path)
        assert shown_within(drive, image)
