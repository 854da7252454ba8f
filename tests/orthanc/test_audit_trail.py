"""The audit trail of a real Orthanc: what happens to the disk, to syslog and to the process stops no reader."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc, assert_stops
from tests.support import dicom
from tests.support.audit import audit_records
from tests.support.drive import connected, import_by_rest, place
from tests.support.waiting import eventually
from tests.support.webdav import WebDav

PATIENT = "AUDITED"
IMAGES = [dicom.instance(PATIENT, number=number) for number in range(1, 21)]
_DEADLINE = 20.0


def reads(file: Path) -> list[str]:
    """Return the resources that the audit file says were read."""
    return [record["resource"] for record in audit_records(file) if record["action"] == "read"]


def filled(orthanc: OrthancProcess) -> None:
    """Store the images."""
    with connected(orthanc) as server:
        import_by_rest(server.rest, *IMAGES)


def read_all(orthanc: OrthancProcess) -> list[str]:
    """Read all images at both doors; return their ids in that order."""
    for url in (orthanc.drive_url, f"http://{LOOPBACK}:{orthanc.dav_port}/"):
        with WebDav(url) as drive:
            for number, content in enumerate(IMAGES, start=1):
                assert drive.get(place(PATIENT, number=number)).content == content
    return [dicom.ids(content).instance for content in IMAGES] * 2


def davfs(**audit: Any) -> dict[str, Any]:
    """Return settings with both doors."""
    (port,) = free_ports(1)
    return {"Server": {"Enabled": True, "Port": port}, "Audit": audit}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk(run_orthanc: RunOrthanc, small_disk: Path) -> None:
    """While the disk of the audit file is full, everything can be read; the records follow when there is room."""
    file, ballast = small_disk / "audit.jsonl", small_disk / "ballast"
    with run_orthanc(davfs=davfs(File=str(file))) as orthanc:
        filled(orthanc)
        before = read_all(orthanc)
        assert eventually(lambda: sorted(reads(file)) == sorted(before))
        ballast.write_bytes(bytes(os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize))
        while len(reads(file)) < 3 * len(before) and "cannot be written" not in orthanc.log.read_text():
            before += read_all(orthanc)
            time.sleep(1)
        before += read_all(orthanc)
        assert orthanc.log.read_text().count("cannot be written: No space left on device") == 1
        ballast.unlink()
        assert eventually(lambda: sorted(reads(file)) == sorted(before))
        assert eventually(lambda: "can be written again" in orthanc.log.read_text())


def test_read_only_folder_and_logrotate(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """A file that somebody moves away goes on under its name; a folder that is gone meanwhile loses nothing."""
    folder = tmp_path / "audit"
    file = folder / "audit.jsonl"
    with run_orthanc(davfs=davfs(File=str(file))) as orthanc:
        filled(orthanc)
        first = read_all(orthanc)
        assert eventually(lambda: len(reads(file)) == len(first))
        file.rename(folder / "audit.jsonl.1")
        second = read_all(orthanc)
        assert eventually(lambda: file.exists() and len(reads(file)) == len(second))
        folder.rename(tmp_path / "gone")
        third = read_all(orthanc)
        assert eventually(lambda: "cannot be written: No such file or directory" in orthanc.log.read_text())
        (tmp_path / "gone").rename(folder)
        assert eventually(lambda: len(reads(file)) == len(second) + len(third))
        assert len(reads(folder / "audit.jsonl.1")) == len(first)


def test_killed(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """What was done three seconds before the process is killed is in the file, which has complete lines."""
    file = tmp_path / "audit.jsonl"
    with run_orthanc(davfs=davfs(File=str(file))) as orthanc:
        filled(orthanc)
        before = read_all(orthanc)
        time.sleep(3)
        orthanc.kill()
        assert sorted(reads(file)) == sorted(before)
        orthanc.start()


def test_syslog_that_never_reads(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """A syslog server that takes connections and never reads makes nobody wait, and Orthanc stops in time."""
    file = tmp_path / "audit.jsonl"
    with socket.create_server((LOOPBACK, 0)) as silent:
        url = f"tcp://{LOOPBACK}:{silent.getsockname()[1]}"
        with run_orthanc(davfs=davfs(File=str(file), Syslog=url, Format="dicom")) as orthanc:
            filled(orthanc)
            before = list[str]()
            for _ in range(40):
                before += read_all(orthanc)
            assert_stops(orthanc)
            assert sorted(reads(file)) == sorted(before)
            orthanc.start()


def test_no_names(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """Neither the file nor the log has names of patients, or PatientIDs, whatever is done at both doors."""
    file = tmp_path / "audit.jsonl"
    settings = davfs(File=str(file), Listings=True) | {"AllowDelete": True}
    with run_orthanc(davfs=settings, arguments=["--verbose"]) as orthanc:
        filled(orthanc)
        read_all(orthanc)
        with WebDav(orthanc.drive_url) as drive:
            folder = place(PATIENT).rpartition("/")[0]
            drive.listing("by-patient")
            drive.listing("search/PatientName=Doe")
            drive.get(f"{folder}/Doe")
            drive.put("inbox/Doe.dcm", dicom.instance("SECOND"))
            drive.put("inbox/Doe", b"Doe")
            drive.request("DELETE", place(PATIENT))
        done = {"read", "list", "search", "upload", "delete"}
        assert eventually(lambda: done <= {record["action"] for record in audit_records(file)})
        content = file.read_text()
        assert not [word for word in ("Doe", PATIENT, "SECOND", "Study 1", "by-patient") if word in content]
        lines = [line for line in orthanc.log.read_text().splitlines() if "davfs" in line and "audit" in line]
        assert not [line for line in lines if "Doe" in line]
