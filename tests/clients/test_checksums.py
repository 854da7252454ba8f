"""Proof of a copy by rclone: what it calls the same is the same, and what has been copied is not copied again."""

import re
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.clients import Connect
from tests.support.clients.mounts import davfs2, rclone_mount
from tests.support.doors import SERVER, Door, opened
from tests.support.drive import import_by_rest, place, resource
from tests.support.orthanc_server import OrthancServer
from tests.webdav.test_checksums import CHECKED, digest

IMAGES = {place("proved", number=number): dicom.instance("proved", number=number, pixels=4096) for number in (1, 2, 3)}
VENDORS = ("owncloud", "nextcloud", "other")


@pytest.fixture(scope="module")
def process(
    plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancProcess]:
    """An Orthanc with some images."""
    folder = tmp_path_factory.mktemp("orthanc")
    (folder / "checked.toml").write_text(CHECKED)
    layouts = ["by-patient", str(folder / "checked.toml")]
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}, "Layouts": layouts}
    settings = {"MaximumStorageCacheSize": 0}  # what is damaged on the disk would be served from memory
    with OrthancServer(folder, plugins=[plugin], davfs=davfs, settings=settings) as process:
        servers.append(process)
        yield process
        servers.remove(process)


@pytest.fixture(scope="module")
def drive(process: OrthancProcess) -> Iterator[Door]:
    """The drive's own port, and images in the archive."""
    with opened(SERVER, process) as each:
        import_by_rest(each.rest, *IMAGES.values())
        yield each


class Rclone:
    """rclone with one kind of server as its remote.

    Args:
        folder: Holds its configuration.
        url: The drive.
        vendor: What rclone takes the drive for.
    """

    def __init__(self, folder: Path, url: str, vendor: str) -> None:
        self._settings = folder / "rclone.conf"
        self._settings.write_text(f"[drive]\ntype = webdav\nurl = {url}\nvendor = {vendor}\n")

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        """Return the exit code of a command, and all that it prints."""
        command = ["rclone", "--config", self._settings, "--retries", "1", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def copied(self, *arguments: str | Path) -> int:
        """Run a command that copies files, which has to succeed; return how many it has copied."""
        code, said = self.run("-v", *arguments)
        assert code == 0, said
        return len(re.findall(r": (?:Copied|Updated)", said))


@pytest.fixture(params=VENDORS)
def rclone(request: pytest.FixtureRequest, drive: Door, tmp_path: Path) -> Rclone:
    """Return rclone with each kind of server in turn."""
    return Rclone(tmp_path, drive.url, request.param)


@pytest.fixture
def owncloud(drive: Door, tmp_path: Path) -> Rclone:
    """Return rclone with the kind of server that has MD5s."""
    return Rclone(tmp_path, drive.url, "owncloud")


@pytest.fixture
def copy(owncloud: Rclone, tmp_path: Path) -> Path:
    """Return a copy of the archive, which is proved to be complete."""
    assert owncloud.copied("copy", "drive:by-patient", tmp_path / "copy") == len(IMAGES)
    code, said = owncloud.run("check", "--checksum", "drive:by-patient", tmp_path / "copy")
    assert (code, "hashes could not be checked" in said) == (0, False), said
    assert f"{len(IMAGES)} matching files" in said
    return tmp_path / "copy"


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_second_copy(rclone: Rclone, tmp_path: Path) -> None:
    """A second copy out of the archive, or into the inbox, transfers nothing."""
    assert rclone.copied("sync", "drive:by-patient", tmp_path / "copy") == len(IMAGES)
    assert rclone.copied("sync", "drive:by-patient", tmp_path / "copy") == 0
    (tmp_path / "copy" / "notes.txt").write_text("no image")
    target = f"drive:inbox/{tmp_path.name}"
    assert rclone.copied("sync", tmp_path / "copy", target) == len(IMAGES) + 1
    assert rclone.copied("sync", tmp_path / "copy", target) == 0
    assert rclone.copied("sync", "--checksum", tmp_path / "copy", target) == 0
    assert rclone.run("check", "--download", tmp_path / "copy", target)[0] == 0


def test_dates_are_kept(owncloud: Rclone, copy: Path, tmp_path: Path) -> None:
    """Rclone's copy into the inbox has the dates of the files on the disk."""
    target = f"drive:inbox/{tmp_path.name}"
    owncloud.copied("copy", copy, target)
    local, remote = (
        sorted(owncloud.run("lsf", "--recursive", "--files-only", "--format", "tp", each)[1].splitlines())
        for each in (str(copy), target)
    )
    assert local == remote


@pytest.mark.parametrize("way", ["--checksum", "--download"])
def test_damaged_copy(owncloud: Rclone, copy: Path, way: str) -> None:
    """One flipped bit in a copy is found, by the checksums alone as well."""
    flip(copy.parent / "copy" / next(iter(IMAGES)).removeprefix("by-patient/"))
    code, said = owncloud.run("check", way, "drive:by-patient", copy)
    assert code != 0
    assert "1 differences found" in said
    assert f"{len(IMAGES) - 1} matching files" in said


def test_damaged_upload(owncloud: Rclone, copy: Path, tmp_path: Path) -> None:
    """What was uploaded is checked in the same way."""
    target = f"drive:inbox/{tmp_path.name}"
    owncloud.copied("copy", copy, target)
    assert owncloud.run("check", "--checksum", copy, target)[0] == 0
    flip(copy / next(iter(IMAGES)).removeprefix("by-patient/"))
    assert "1 differences found" in owncloud.run("check", "--checksum", copy, target)[1]


def test_damaged_storage(drive: Door, process: OrthancProcess, owncloud: Rclone, tmp_path: Path) -> None:
    """An image that was damaged in Orthanc's storage is not copied without an error; its digest tells what it was."""
    image = dicom.instance("decayed", pixels=8192)
    import_by_rest(drive.rest, image)
    (stored,) = (each for each in process.folder.glob("storage/??/??/*") if each.read_bytes() == image)
    path = place("decayed")
    folder = path.split("/")[1]
    flip(stored)
    code, said = owncloud.run("copy", f"drive:by-patient/{folder}", tmp_path / "decayed")
    assert code != 0
    assert "corrupted on transfer" in said
    answer = drive.drive.request("GET", path, headers={"Want-Repr-Digest": "md5=1"})
    assert (answer.content == image, answer.headers["Repr-Digest"]) == (False, f"md5=:{digest(image)}:")
    drive.rest.delete(resource(image, "patients"))


def test_transcoded_uploads(
    plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Where Orthanc stores uploads in another form, both are proved: what was uploaded, and what the archive has."""
    folder = tmp_path_factory.mktemp("transcoding")
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    settings = {"IngestTranscoding": "1.2.840.10008.1.2.4.80"}
    with OrthancServer(folder, plugins=[plugin], davfs=davfs, settings=settings) as process:
        servers.append(process)
        with opened(SERVER, process) as drive:
            (folder / "sent").mkdir()
            for number in (1, 2):
                (folder / "sent" / f"{number}.dcm").write_bytes(dicom.instance("sent", number=number, pixels=1 << 18))
            rclone = Rclone(folder, drive.url, "owncloud")
            assert [rclone.copied("sync", folder / "sent", "drive:inbox/sent") for _ in range(2)] == [2, 0]
            assert "2 matching files" in rclone.run("check", "--checksum", folder / "sent", "drive:inbox/sent")[1]
            assert [rclone.copied("sync", "drive:by-patient", folder / "copy") for _ in range(2)] == [2, 0]
            code, said = rclone.run("check", "--checksum", "drive:by-patient", folder / "copy")
            assert (code, "hashes could not be checked" in said) == (0, False)
            assert {len(each.read_bytes()) < 1 << 17 for each in (folder / "copy").rglob("*.dcm")} == {True}
        servers.remove(process)


@pytest.mark.parametrize("mount", [davfs2(locks=False), rclone_mount], ids=["davfs2", "rclone mount"])
def test_on_a_mount(drive: Door, process: OrthancProcess, tmp_path: Path, mount: Connect) -> None:
    """md5sum proves what a mounted drive reads, and a copy of it; it finds what is damaged in either."""
    image = dicom.instance(tmp_path.name, pixels=8192)
    import_by_rest(drive.rest, image)
    data = pydicom.dcmread(BytesIO(image), stop_before_pixels=True)
    series = f"checked/{data.StudyInstanceUID}/{data.SeriesInstanceUID}"
    with mount(drive.url, tmp_path):
        mounted = tmp_path / "mnt" / series
        assert md5sum(mounted) == (0, f"{data.SOPInstanceUID}.dcm: OK\n")
        subprocess.run(["cp", "-r", mounted, tmp_path / "copy"], check=True, timeout=60)
        assert md5sum(tmp_path / "copy")[0] == 0
    flip(tmp_path / "copy" / f"{data.SOPInstanceUID}.dcm")
    assert "FAILED" in md5sum(tmp_path / "copy")[1]
    (stored,) = (each for each in process.folder.glob("storage/??/??/*") if each.read_bytes() == image)
    flip(stored)
    (tmp_path / "again").mkdir()
    with mount(drive.url, tmp_path / "again"):
        assert "FAILED" in md5sum(tmp_path / "again" / "mnt" / series)[1]
    drive.rest.delete(resource(image, "patients"))


def md5sum(folder: Path) -> tuple[int, str]:
    """Return the exit code of a check of a folder by its list, and what it prints."""
    command = ["md5sum", "--check", "md5sums.txt"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout


def test_room(owncloud: Rclone) -> None:
    """Rclone shows how much room the inbox has."""
    code, said = owncloud.run("about", "drive:")
    assert code == 0, said
    assert all(word in said for word in ("Total:", "Used:", "Free:"))
