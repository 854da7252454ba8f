"""Files of Orthanc's storage folder: each is the one that Orthanc would send, or is left to Orthanc."""

from pathlib import Path

import pytest

from davfs.errors import ConfigurationError, UnknownResource
from davfs.orthanc.model import Level
from davfs.orthanc.storage_folder import StorageFolder
from tests.support.dicom import instance
from tests.support.memory_orthanc import MemoryOrthanc

FILE = instance("ONE")
UUID = "0f1e2d3c-0a1b-2c3d-4e5f-00112233aabb"


class Archive:
    """An Orthanc with one instance, and its storage folder."""

    def __init__(self, folder: Path) -> None:
        self.orthanc = MemoryOrthanc()
        self.id = self.orthanc.store(FILE).id
        self.file = folder / UUID[:2] / UUID[2:4] / UUID
        self.file.parent.mkdir(parents=True)
        self.file.write_bytes(FILE)
        self.storage = StorageFolder(folder, self.orthanc)

    def read(self, uuid: str = UUID, size: int = len(FILE), *part: int) -> bytes | None:
        """Return what the folder has for the instance; None if Orthanc has to be asked."""
        found = self.storage.open(self.id, uuid, size)
        if found is None:
            return None
        with found as opened:
            return b"".join(opened.buffers(*part))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An archive."""
    return Archive(tmp_path)


def test_files(archive: Archive) -> None:
    """A file is read as a whole, or in part."""
    assert archive.read() == FILE
    assert archive.read(UUID, len(FILE), 128, 132) == b"DICM"
    assert archive.read(UUID, len(FILE), 10) == FILE[10:]


@pytest.mark.parametrize(
    "content",
    [FILE[:-1], FILE + b"\0", bytes(len(FILE)), b""],
    ids=["shorter", "longer", "not DICOM, as when it is encrypted", "empty"],
)
def test_other_content(archive: Archive, content: bytes) -> None:
    """A file that cannot be the instance's is left to Orthanc, and closed."""
    archive.file.write_bytes(content)
    before = sorted(Path("/proc/self/fd").iterdir())
    assert archive.read() is None
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_missing_files(archive: Archive, tmp_path: Path) -> None:
    """A file that is kept elsewhere, or a link, is left to Orthanc; and a name that leads out of the folder."""
    archive.file.rename(tmp_path / "elsewhere")
    assert archive.read() is None
    archive.file.symlink_to(tmp_path / "elsewhere")
    assert archive.read() is None
    assert archive.read("../../elsewhere") is None
    assert archive.read("") is None


def test_size_in_orthanc(archive: Archive) -> None:
    """An instance that was replaced by one of another size meanwhile is left to Orthanc."""
    archive.file.write_bytes(FILE + b"\0")
    assert archive.read(UUID, len(FILE) + 1) is None


def test_deleted_instances(archive: Archive) -> None:
    """A file that is left of a deleted instance is not opened."""
    archive.orthanc.delete(Level.INSTANCE, archive.id)
    with pytest.raises(UnknownResource):
        archive.read()


def test_folder(tmp_path: Path) -> None:
    """A folder that is not there is a mistake in the configuration."""
    with pytest.raises(ConfigurationError, match=r"StorageFolder: '.*/none' cannot be read"):
        StorageFolder(tmp_path / "none", MemoryOrthanc())
