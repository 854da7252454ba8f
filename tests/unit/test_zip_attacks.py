"""ZIPs that were made to hurt: hostile names, overlapping members, and members that lie about themselves."""

import stat
import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path as DiskPath

import pytest

from davfs.errors import Refused, Unavailable
from davfs.imports.importer import Importer
from davfs.imports.progress import Progress
from davfs.imports.sniff import FileType, sniff
from davfs.imports.zip_directory import has_few_members
from davfs.imports.zip_import import ZipImporter, ZipLimits
from tests.support import dicom
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CT
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.zips import RawMember, raw_zip, stored, zipped

# pytest finds fixtures by the names in a module.
orthanc = inboxes.orthanc

HOSTILE_NAMES = [
    b"/etc/passwd",
    b"../../../../etc/passwd",
    b"..\\..\\windows\\system32\\x",
    b"C:\\x",
    b"\\\\server\\share\\x",
    b"a\0b",
    b"CON",
    b"NUL.dcm",
    b"a:b",
    b"/dev/null",
    b"x" * 65535,
    b"a/" * 30000 + b"x",
    b"\xff\xfe\xfd",
    b"\xed\xa0\x80",
    b"\xc0\xaf..\xc0\xaf",
    "\u202egpj.exe".encode(),
    b"\x1b[2J",
    b"%s%n{0}",
    b"<script>",
    b" ",
    b".",
    b"..",
]
SMALL = dicom.instance("p1")


def refusal(importer: ZipImporter, content: bytes) -> Refused:
    """Import a ZIP that is refused."""
    with pytest.raises(Refused) as caught:
        importer.import_zip(content)
    return caught.value


@pytest.fixture
def importer(orthanc: MemoryOrthanc, tmp_path: DiskPath) -> ZipImporter:
    """An importer with a scratch folder of its own, below an empty folder."""
    scratch = tmp_path / "a" / "scratch"
    scratch.mkdir(parents=True)
    return ZipImporter(Importer(orthanc), scratch=scratch)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_are_never_paths(
    importer: ZipImporter, orthanc: MemoryOrthanc, tmp_path: DiskPath, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    """A member is imported whatever it is called, also through the disk, and nothing is written but in scratch/."""
    monkeypatch.setattr("davfs.imports.zip_members._IN_MEMORY", 0)
    assert len(importer.import_zip(raw_zip(stored(name, CT))).imported) == 1
    assert orthanc.files == {identify(CT): CT}
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "scratch"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_are_shown_harmlessly(importer: ZipImporter, name: bytes) -> None:
    """The details of a refusal show a name as one short line without control characters."""
    details = refusal(importer, raw_zip(stored(name, BROKEN))).details
    assert len(details) == 1
    assert details[0].isprintable()
    assert len(details[0]) < 300
    assert details[0].endswith(": Orthanc cannot read it as a DICOM file.")


def test_members_of_one_name_are_members_of_their_own(importer: ZipImporter, orthanc: MemoryOrthanc) -> None:
    """Members of the same name are each imported or refused on their own."""
    refused = refusal(importer, raw_zip(stored(b"x", CT), stored(b"x", BROKEN), stored(b"x", SMALL)))
    assert refused.reason.startswith("1 of the 3 files")
    assert set(orthanc.files) == {identify(CT), identify(SMALL)}


def test_links_and_devices_are_files(importer: ZipImporter, tmp_path: DiskPath) -> None:
    """Members marked as links or devices are handled as plain files, and nothing is created on the disk."""
    kinds = (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK)
    members = [stored(b"%x" % kind, b"/etc/passwd", (kind | 0o777) << 16) for kind in kinds]
    result = importer.import_zip(raw_zip(*members, stored(b"IM1", CT, (stat.S_IFLNK | 0o777) << 16)))
    assert (len(result.imported), result.ignored) == (1, len(kinds))
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "scratch"]


def test_long_names_of_zips_in_a_zip_take_no_memory(importer: ZipImporter) -> None:
    """Paths of members do not repeat the names of the ZIPs around them in memory: thousands would need gigabytes."""
    inner = raw_zip(*(stored(b"%d" % number, BROKEN[:300]) for number in range(600)))
    outer = raw_zip(stored(b"\xb0" * 65535, inner))
    tracemalloc.start()
    refused = refusal(importer, outer)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.reason.startswith("600 of the 600")
    assert sum(map(len, refused.details)) < 50_000
    assert peak < 20 << 20


@pytest.mark.parametrize("copies", [2, 3000])
def test_overlapping_members(importer: ZipImporter, orthanc: MemoryOrthanc, copies: int) -> None:
    """Many entries of the directory that lead to the same bytes count with all that they unpack to."""
    blank = bytes(4 << 20)
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(blank) + packer.flush()
    first = RawMember(b"0", packed, len(blank), zlib.crc32(blank), zlib.DEFLATED)
    others = (first._replace(name=b"%d" % number, header=0) for number in range(1, copies))
    content = raw_zip(first, *others)
    began = time.thread_time()
    if copies == 2:
        assert importer.import_zip(content).ignored == 2
    else:
        assert refusal(importer, content).reason == "The ZIP unpacks to more than is allowed."
    assert time.thread_time() - began < 10
    assert orthanc.files == {}


def test_members_that_overlap_in_part(importer: ZipImporter, orthanc: MemoryOrthanc) -> None:
    """A member can have the next one in its bytes; what both unpack to is checked."""
    inner = stored(b"b", CT)
    outer = stored(b"a", bytes(5000) + inner.local())
    lying = inner._replace(header=30 + 1 + 5000)
    assert len(importer.import_zip(raw_zip(outer, lying)).imported) == 1
    assert set(orthanc.files) == {identify(CT)}


def extra64(*values: int) -> bytes:
    """Return a ZIP64 field."""
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


BIG, HUGE = 0xFFFFFFFF, (1 << 64) - 1


@pytest.mark.parametrize(
    "member",
    [
        stored(b"x", CT)._replace(size=BIG, extra=extra64(HUGE)),
        stored(b"x", CT)._replace(size=BIG, packed=BIG, extra=extra64(HUGE, HUGE)),
        stored(b"x", CT)._replace(size=BIG, packed=BIG, extra=extra64(len(CT), HUGE)),
        stored(b"x", CT)._replace(size=BIG, packed=BIG, extra=extra64(1 << 63, 1 << 63)),
        stored(b"x", CT)._replace(packed=BIG, extra=extra64(1 << 40)),
        stored(b"x", CT)._replace(header=BIG, extra=extra64(HUGE)),
        stored(b"x", CT)._replace(header=BIG, extra=extra64(1 << 63)),
        stored(b"x", CT)._replace(header=BIG),
        stored(b"x", CT)._replace(size=BIG, extra=struct.pack("<2H", 1, 8)),
        stored(b"x", CT)._replace(size=BIG, extra=struct.pack("<2HL", 1, 0xFFFF, 7)),
        stored(b"x", CT)._replace(size=BIG, extra=b"\1"),
        stored(b"x", CT)._replace(size=len(CT) - 1),
        stored(b"x", CT)._replace(size=len(CT) + 1),
        stored(b"x", CT)._replace(crc=1),
        stored(b"x", CT)._replace(size=0),
        stored(b"x", CT)._replace(method=zlib.DEFLATED),
    ],
)
def test_sizes_and_places_that_are_lies(importer: ZipImporter, orthanc: MemoryOrthanc, member: RawMember) -> None:
    """The ZIP is refused, in little memory, and the image beside it is imported unless the ZIP claims too much."""
    content = raw_zip(stored(b"y", SMALL), member)
    tracemalloc.start()
    reason = refusal(importer, content).reason
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20
    if reason == "The ZIP unpacks to more than is allowed.":
        assert orthanc.files == {}
    else:
        assert reason.startswith("1 of the 2 files")
        assert set(orthanc.files) == {identify(SMALL)}


def directory64(size: int, offset: int) -> bytes:
    """Return a ZIP with a ZIP64 end of the directory that says this."""
    content = raw_zip(stored(b"x", CT))
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, len(content) - 22, 1)
    return content[:-22] + end + locator + content[-22:]


@pytest.mark.parametrize("size", [0, 1, BIG, HUGE, 1 << 63])
@pytest.mark.parametrize("offset", [0, BIG, HUGE, 1 << 63])
def test_a_zip64_directory_that_is_a_lie(importer: ZipImporter, size: int, offset: int) -> None:
    """A ZIP with a false ZIP64 directory is imported or refused, without any other error."""
    content = directory64(size, offset)
    assert sniff(memoryview(content)) in {FileType.ZIP, FileType.NOTHING}
    with suppress(Refused):
        importer.import_zip(content)


def test_a_small_member_that_unpacks_to_much(importer: ZipImporter, orthanc: MemoryOrthanc) -> None:
    """No more is unpacked than the ZIP says, in whichever way it is packed."""
    packed = zlib.compress(CT + bytes(100 << 20), 1, wbits=-zlib.MAX_WBITS)
    lie = RawMember(b"x", packed, len(CT), zlib.crc32(CT), zlib.DEFLATED)
    tracemalloc.start()
    assert "damaged" in refusal(importer, raw_zip(lie._replace(size=1000))).reason
    began = time.thread_time()
    importer.import_zip(raw_zip(lie))
    assert time.thread_time() - began < 5
    assert tracemalloc.get_traced_memory()[1] < 10 << 20
    tracemalloc.stop()
    assert set(orthanc.files) == {identify(CT)}


def test_the_number_of_members_is_no_lie() -> None:
    """A ZIP that says it has few members is looked into at once only if it has few."""
    members = [stored(b"%d.txt" % number, b"") for number in range(1000)]
    assert has_few_members(memoryview(raw_zip(*members[:100])))
    assert not has_few_members(memoryview(raw_zip(*members)))
    assert not has_few_members(memoryview(raw_zip(*members, count=1)))
    assert not has_few_members(memoryview(raw_zip(*members)[:-40] + raw_zip(*members)[-22:]))


def never_ending(headers: int, tail: bytes) -> bytes:
    """Return members without sizes and a directory: the stream of each goes through the next ones to the end."""
    streamed = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 8, zlib.DEFLATED, 0, 0, 0, 0, 0, 0, 0)
    block = struct.pack("<BHH", 0, len(streamed), len(streamed) ^ 0xFFFF)
    return streamed + (block + streamed) * (headers - 1) + tail


@pytest.mark.parametrize("read", ["sniff", "import"])
def test_members_without_an_end_cost_no_more_than_the_zip(
    importer: ZipImporter, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    """Members of unknown size are not each unpacked to the end of the ZIP, which would take hours."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    tail = packer.compress(bytes(64 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    content = never_ending(2000, tail)
    assert len(content) < 200_000
    monkeypatch.setattr("davfs.imports.zip_directory._MEASURED", 256 << 20, raising=False)
    began = time.thread_time()
    if read == "sniff":
        sniff(memoryview(content))
    else:
        with pytest.raises(Refused):
            importer.import_zip(content)
    assert time.thread_time() - began < 10


def test_an_import_ends_where_the_drive_stops(importer: ZipImporter) -> None:
    """An import ends between any two members when the drive stops."""
    progress = Progress(lambda: progress.total > 0)
    with pytest.raises(Unavailable, match="The drive is stopping"):
        importer.import_zip(zipped({str(number): b"x" for number in range(100)}), progress)


def test_limits_count_what_is_found_without_a_directory(orthanc: MemoryOrthanc) -> None:
    """Members that are found by their headers count as those of the directory do."""
    content = b"".join(stored(b"%d" % number, SMALL).local() for number in range(20))
    limited = ZipImporter(Importer(orthanc), limits=ZipLimits(members=5))
    assert refusal(limited, content).reason == "The ZIP has more than 5 members."
