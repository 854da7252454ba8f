"""Algorithms of checksums, and the checksums that Orthanc keeps."""

import hashlib
import zlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from davfs import checksums
from davfs.checksums import Algorithm, RunningChecksums
from davfs.derived.checksums import StoredChecksums
from davfs.entry import DICOM, Entry, EntryKind
from davfs.errors import DatabaseGone, Unavailable
from davfs.orthanc.model import Instance, Level, OrthancId
from tests.support import dicom
from tests.support.memory_orthanc import MemoryOrthanc

CONTENT = b"some bytes"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).digest()


class CountingOrthanc(MemoryOrthanc):
    """Counts requests for checksums."""

    asked = 0

    def instance_md5(self, instance: OrthancId) -> str:
        """See `Orthanc`."""
        self.asked += 1
        return super().instance_md5(instance)


class GoneOrthanc(MemoryOrthanc):
    """An Orthanc whose answer is always this error."""

    error: Unavailable = DatabaseGone("gone")

    def instance_md5(self, instance: OrthancId) -> str:  # noqa: ARG002  as `Orthanc` has it
        """See `Orthanc`."""
        raise self.error


def stored(orthanc: MemoryOrthanc, content: bytes) -> Instance:
    """Store an image, and return it as Orthanc describes it."""
    (found,) = orthanc.instances([orthanc.store(content).id])
    return found


def entry(instance: Instance, name: str = "a.dcm") -> Entry:
    """Return the entry of an image."""
    when = datetime(2024, 2, 29, tzinfo=UTC)
    return Entry(name, EntryKind.FILE, when, instance.size, instance.uuid, DICOM, instance.id, steady=True)


def test_all_at_once() -> None:
    """Each algorithm computes what the standard library does, over any blocks."""
    running = RunningChecksums(Algorithm)
    for block in (CONTENT[:3], bytearray(CONTENT[3:4]), memoryview(CONTENT)[4:]):
        running.update(block)
    assert running.digests() == {
        Algorithm.MD5: MD5,
        Algorithm.SHA1: hashlib.sha1(CONTENT, usedforsecurity=False).digest(),
        Algorithm.SHA256: hashlib.sha256(CONTENT).digest(),
        Algorithm.SHA512: hashlib.sha512(CONTENT).digest(),
        Algorithm.ADLER32: zlib.adler32(CONTENT).to_bytes(4),
    }


def test_owncloud_form() -> None:
    """What is written in ownCloud's form is parsed again; unknown algorithms are left out, and upper case is read."""
    sums = RunningChecksums([Algorithm.SHA1, Algorithm.MD5]).digests()
    assert checksums.parse(checksums.written(sums)) == sums
    assert checksums.parse(f"md5:{MD5.hex().upper()} CRC9:zz") == {Algorithm.MD5: MD5}
    with pytest.raises(ValueError, match="hexadecimal"):
        checksums.parse("MD5:xyz")


@pytest.mark.parametrize(
    ("text", "found"), [(MD5.hex(), {Algorithm.MD5: MD5}), ("", {}), ("abc", {}), ("abcd", {}), ("zz" * 16, {})]
)
def test_what_is_no_md5(text: str, found: dict[Algorithm, bytes]) -> None:
    """What is no MD5 is none."""
    assert checksums.md5_of(text) == found


def test_asked_once() -> None:
    """Orthanc is asked once for the checksum of a file, and once for that of its replacement."""
    orthanc = CountingOrthanc()
    kept = StoredChecksums(orthanc)
    image = dicom.instance("kept")
    shown = entry(stored(orthanc, image))
    for _ in range(3):
        assert kept.of([shown]) == {"a.dcm": checksums.md5_of(hashlib.md5(image, usedforsecurity=False).hexdigest())}
    assert orthanc.asked == 1


def test_replaced_meanwhile() -> None:
    """An image that is replaced while its checksum is asked for has none, rather than that of the other."""
    orthanc = CountingOrthanc()
    shown = entry(stored(orthanc, dicom.instance("kept")))
    instances = orthanc.instances
    orthanc.instances = lambda ids: [replace(one, uuid="newer") for one in instances(ids)]  # type: ignore[method-assign]
    assert StoredChecksums(orthanc).of([shown]) == {}


def test_without_a_checksum() -> None:
    """An image whose checksum Orthanc does not keep has none, and Orthanc is not asked for it again."""
    orthanc = CountingOrthanc()
    image = entry(stored(orthanc, dicom.instance("kept")))
    orthanc.keeps_md5 = False
    kept = StoredChecksums(orthanc)
    for _ in range(2):
        assert kept.of([image]) == {}
    assert orthanc.asked == 1
    assert kept.of([]) == {}


def test_back_again() -> None:
    """An image that is gone has no checksum; one that comes back, from the trash for example, has its own."""
    orthanc = CountingOrthanc()
    image = entry(stored(orthanc, dicom.instance("kept")))
    backup = orthanc.backup()
    orthanc.delete(Level.INSTANCE, OrthancId(image.resource))
    kept = StoredChecksums(orthanc)
    assert kept.of([image]) == {}
    orthanc.restore(backup)
    assert kept.of([image]).keys() == {"a.dcm"}


def test_only_stored_files() -> None:
    """Orthanc is not asked about files that the drive makes or keeps, even if they belong to an image."""
    orthanc = CountingOrthanc()
    image = entry(stored(orthanc, dicom.instance("kept")))
    made = [image._replace(steady=False, etag="0" * 32), image._replace(steady=False, resource="")]
    assert StoredChecksums(orthanc).of(made) == {}
    assert orthanc.asked == 0
    assert all(map(StoredChecksums(orthanc).is_current, made))


def test_during_an_outage() -> None:
    """While Orthanc's database is gone there are none; any other failure is one of the request."""
    orthanc = GoneOrthanc()
    shown = entry(stored(orthanc, dicom.instance("kept")))
    assert StoredChecksums(orthanc).of([shown]) == {}
    orthanc.error = Unavailable("no answer")
    with pytest.raises(Unavailable):
        StoredChecksums(orthanc).of([shown])
