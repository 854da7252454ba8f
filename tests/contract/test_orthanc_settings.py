"""Responses to uploads if Orthanc's own settings change, delete or lose stored files."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom, doors
from tests.support.doors import Door
from tests.support.drive import import_by_rest, resource
from tests.support.orthanc_server import OrthancServer

JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
TAKEN = (201, 204)
ROUTER = "function OnStoredInstance(id, tags) if tags['PatientID'] == 'routed' then Delete(id) end end"


@pytest.fixture(scope="module")
def process(
    plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancProcess]:
    """An Orthanc that transcodes what it stores, hands on what is of one patient, and keeps nothing in memory."""
    folder = tmp_path_factory.mktemp("orthanc")
    script = folder / "router.lua"
    script.write_text(ROUTER)
    settings = {"IngestTranscoding": JPEG_LOSSLESS, "LuaScripts": [str(script)], "MaximumStorageCacheSize": 0}
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    with OrthancServer(folder, plugins=[plugin], davfs=davfs, settings=settings) as each:
        servers.append(each)
        yield each
        servers.remove(each)


@pytest.fixture(scope="module", params=[doors.COLLECTION, doors.SERVER])
def door(request: pytest.FixtureRequest, process: OrthancProcess) -> Iterator[Door]:
    """Each door of the plugin in turn."""
    with doors.opened(request.param, process) as each:
        yield each


def stored(process: OrthancProcess) -> set[Path]:
    """Return the files in Orthanc's storage."""
    return {path for path in (process.folder / "storage").glob("??/??/*") if path.is_file()}


def wait_until_gone(door: Door, content: bytes) -> None:
    """Wait until the script has deleted an image."""
    end = monotonic() + 10
    while door.rest.get(resource(content, "instances")).status_code != 404:
        assert monotonic() < end
        sleep(0.02)


def test_a_router_has_taken_it(door: Door) -> None:
    """An image that a script deletes as soon as it is stored was uploaded, and is found with its size."""
    content = dicom.instance("routed", door.name)
    for _ in range(3):
        assert door.drive.put("inbox/routed.dcm", content).status_code in TAKEN
        assert door.drive.propfind("inbox/routed.dcm", depth="0")[-1].size == len(content)
        assert door.drive.listing("inbox")["routed.dcm"].size == len(content)
    wait_until_gone(door, content)
    assert door.drive.listing("inbox")["routed.dcm"].size == len(content)
    assert door.drive.get("inbox/routed.dcm").status_code == 404


def test_a_stored_file_that_is_lost(process: OrthancProcess, door: Door) -> None:
    """An image whose file is gone from Orthanc's storage is no success when it is dropped once more."""
    before = stored(process)
    content = dicom.instance("lost", door.name)
    import_by_rest(door.rest, content)
    held = door.rest.get(f"{resource(content, 'instances')}/file").content
    for file in stored(process) - before:
        file.unlink()
    for name, dropped in (("sent", content), ("held", held)):
        assert door.drive.put(f"inbox/{door.name}-{name}.dcm", dropped).status_code == 409
        assert "lost or damaged" in door.drive.get(f"inbox/rejected/{door.name}-{name}.dcm.txt").text


def test_what_was_sent_is_read_back(door: Door) -> None:
    """Orthanc transcodes what it stores: the file has the size that was sent, and its bytes, also of a second form."""
    content = dicom.instance("transcoded", door.name, pixels=dicom.ROW)
    assert door.drive.put("inbox/sent.dcm", content).status_code in TAKEN
    held = door.rest.get(f"{resource(content, 'instances')}/file").content
    assert held != content
    assert door.drive.put("inbox/held.dcm", held).status_code in TAKEN
    for name, expected in (("sent.dcm", content), ("held.dcm", held)):
        assert door.drive.listing("inbox")[name].size == len(expected)
        assert door.drive.get(f"inbox/{name}").content == expected


def test_rclone_finds_what_it_has_sent(process: OrthancProcess, tmp_path: Path) -> None:
    """Files that Orthanc transcodes count as uploaded: rclone's check succeeds, and a second copy sends no file."""
    for number in (1, 2):
        (tmp_path / f"{number}.dcm").write_bytes(dicom.instance("rclone", number=number, pixels=dicom.ROW))
    target = f":webdav,url='{process.server_url}':inbox/rclone"
    for command in (["copy"], ["check", "--download"], ["copy", "-v"]):
        done = subprocess.run(
            ["rclone", "--config", "/dev/null", "--retries", "1", *command, str(tmp_path), target],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert "Copied" not in done.stderr
