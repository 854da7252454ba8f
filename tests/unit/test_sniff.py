"""Tests of the detection of a file's type from its first bytes."""

import random
import struct
import sys
import zipfile
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.imports import zip_directory
from davfs.imports.sniff import HEAD, FileType, is_junk, sniff, sniff_head
from tests.support.mutants import element
from tests.support.zips import zipped

TEST_FILES = Path(str(pydicom.data.get_testdata_file("CT_small.dcm"))).parent
CT = (TEST_FILES / "CT_small.dcm").read_bytes()
PREAMBLE = bytes(128) + b"DICM"
STARTS = (
    PREAMBLE,
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x08\x00\x05\x00",
    b"\x02\x00\x00\x00UL",
    b"\x00\x08\x00\x05CS",
    b"",
)


def sample(name: str) -> bytes:
    """Read one of pydicom's own test files."""
    return (TEST_FILES / name).read_bytes()


def encrypted(archive: bytes) -> bytes:
    """Set the bit that says encrypted on the first member."""
    entry = archive.index(b"PK\x01\x02")
    return archive[:6] + b"\x01" + archive[7 : entry + 8] + b"\x01" + archive[entry + 9 :]


def with_method(archive: bytes, method: int) -> bytes:
    """Have the first member say that it is packed in another way."""
    entry = archive.index(b"PK\x01\x02")
    number = method.to_bytes(2, "little")
    return archive[:8] + number + archive[10 : entry + 10] + number + archive[entry + 12 :]


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_bigendian.dcm", "rtplan.dcm", "image_dfl.dcm", "no_meta_group_length.dcm"]
)
def test_files_with_preamble_are_dicom(name: str) -> None:
    """DICOM files of all transfer syntaxes are recognised by their preamble."""
    assert sniff(memoryview(sample(name))) is FileType.DICOM


@pytest.mark.parametrize("name", ["ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm"])
def test_files_without_preamble_may_be_dicom(name: str) -> None:
    """Data sets without preamble are recognised in the transfer syntaxes that DICOM had before it."""
    assert sniff(memoryview(sample(name))) is FileType.MAYBE_DICOM


def test_every_instance_of_pydicom_is_found_with_and_without_its_preamble() -> None:
    """A file with a preamble is detected as DICOM, and without it as possible DICOM."""
    files = [path.read_bytes() for path in TEST_FILES.glob("*.dcm")]
    files = [content for content in files if content[128:132] == b"DICM"]
    assert len(files) > 50
    assert {sniff(memoryview(content)) for content in files} == {FileType.DICOM}
    assert {sniff(memoryview(content)[132:]) for content in files} == {FileType.MAYBE_DICOM}


BODY = CT[336:]


@pytest.mark.parametrize(
    "content",
    [
        BODY[:40],  # nothing but SpecificCharacterSet
        BODY[:-1],
        BODY + b"appended",
        BODY[:300] + b"\xff\xff\xff\x7f" + BODY[304:],
        CT[128:],
        CT[1:],
        b"\0" + CT,
        bytes(128) + CT,
        CT[:128] + b"dicm" + CT[132:],
        b"\0\0\0\0\4\0\0\0\x10\0\0\0" + sample("MR_small_implicit.dcm")[130:],
        element(0x00000002, b"UI", b"1.2.840.10008.1.1") + BODY,
        element(0x00031010, b"LO", b"private") + BODY,
        element(0x00041130, b"CS", b"SET") + BODY,
        element(0x00090010, b"OB", bytes(10_000)) + BODY,
        element(0x00080018, b"UI", b"1.2.3") + element(0x00080005, b"CS", b"ISO_IR 192") + BODY[22:],
        element(0x00081150, b"UN", b"1.2.3", order=">") + b"x" * 100,
        sample("ExplVR_BigEndNoMeta.dcm")[:100],
        sample("MR_small_implicit.dcm")[348:400],
        b"\x01\x01\x01\x01" + bytes(4) + sample("MR_small_implicit.dcm")[348:],
    ],
    ids=range(19),
)
def test_what_says_dicom_without_a_preamble(content: bytes) -> None:
    """Damaged files that resemble DICOM are possible DICOM, about which Orthanc decides."""
    assert sniff(memoryview(content)) is FileType.MAYBE_DICOM


def test_a_beginning_that_leaves_it_open() -> None:
    """The first element of a member may be longer than what is looked at: unpacking the whole member shows more."""
    content = element(0x00090010, b"OB", bytes(10_000)) + BODY
    assert sniff_head(memoryview(content)[:HEAD], len(content)) is FileType.UNLIKELY_DICOM
    assert sniff_head(memoryview(bytes(10_000))[:HEAD], 10_000) is FileType.NOTHING


@pytest.mark.parametrize("path", ["/bin/ls", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/etc/passwd", sys.executable])
def test_programs_and_texts_say_nothing(path: str) -> None:
    """No file of this system is detected as DICOM."""
    assert sniff(memoryview(Path(path).read_bytes())) is FileType.NOTHING


@pytest.mark.parametrize(
    "name", ["DICOMDIR", "DICOMDIR-implicit", "DICOMDIR-bigEnd", "DICOMDIR-nopatient", "TINY_ALPHA/DICOMDIR"]
)
def test_directories_of_media_are_no_images(name: str) -> None:
    """A DICOMDIR is distinguished from an image, whatever its name."""
    assert sniff(memoryview(sample(f"dicomdirtests/{name}"))) is FileType.DICOMDIR


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"\x08\x00",
        b"hello",
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        bytes(4096),
        struct.pack("<HHI", 8, 5, 4) + b"text and more of it",
        PREAMBLE[:-1],
    ],
)
def test_other_files_are_nothing(content: bytes) -> None:
    """Texts, pictures, zeros and stumps are ordinary files."""
    assert sniff(memoryview(content)) is FileType.NOTHING


def test_a_zip_is_one_only_with_dicom_in_it() -> None:
    """A ZIP counts where a member is DICOM by the same rule, however deep in its folders."""
    image = sample("CT_small.dcm")
    assert sniff(memoryview(zipped({"a/b/readme.txt": b"text", "a/b/IM1": image}))) is FileType.ZIP
    assert sniff(memoryview(zipped({"IM1": image}, zipfile.ZIP_STORED))) is FileType.ZIP
    assert sniff(memoryview(zipped({"x": sample("ExplVR_LitEndNoMeta.dcm")}))) is FileType.ZIP
    assert sniff(memoryview(zipped({"x.zip": zipped({"IM1": image})}))) is FileType.ZIP
    for members in ({}, {"x.txt": b"text"}, {"a/._IM1": image}, {"__MACOSX\\a\\IM1": image}):
        assert sniff(memoryview(zipped(members))) is FileType.NOTHING
    assert sniff(memoryview(zipped({"DICOMDIR": sample("dicomdirtests/DICOMDIR")}))) is FileType.NOTHING


@pytest.mark.parametrize("name", ["IM1", "IM1.dcm", "folder/00001", "images.zip", "notes.txt", "a/b.PDF", "viewer.exe"])
def test_members_that_cannot_be_read_count_by_their_names(name: str) -> None:
    """Encrypted, damaged or unsupported members are refused, unless their names say that they are no images."""
    archive = zipped({name: sample("CT_small.dcm")})
    start = 30 + len(name)
    for content in (
        encrypted(archive),
        archive[:start] + bytes(200) + archive[start + 200 :],
        with_method(archive, 9),
        with_method(archive, 93),
    ):
        is_image = "IM" in name or "im" in name or "1" in name
        assert sniff(memoryview(content)) is (FileType.ZIP if is_image else FileType.NOTHING)


def test_other_ways_to_pack() -> None:
    """Members are detected in all supported methods."""
    for compression in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        assert sniff(memoryview(zipped({"IM1": CT}, compression))) is FileType.ZIP
        assert sniff(memoryview(zipped({"IM1": b"text" * 100}, compression))) is FileType.NOTHING


@pytest.mark.parametrize("front", [b"MZ" + bytes(4000), b"PK\x07\x08", b"PK00", zipped({"a": b"x"}), b"%PDF-1.4" * 100])
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_behind_something_else(front: bytes, compression: int) -> None:
    """A ZIP is detected behind other data, as in self-extracting programs."""
    assert sniff(memoryview(front + zipped({"IM1": CT}, compression))) is FileType.ZIP
    assert sniff(memoryview(front + zipped({"1.txt": b"text"}, compression))) is FileType.NOTHING


def test_a_zip_that_was_cut_off() -> None:
    """In a ZIP without its directory, members are found by their local headers."""
    assert sniff(memoryview(zipped({"IM1": CT})[:-30])) is FileType.ZIP
    assert sniff(memoryview(zipped({"IM1": CT})[:5000])) is FileType.ZIP
    assert sniff(memoryview(zipped({"1.txt": b"text" * 1000, "2.txt": b"x"})[:-30])) is FileType.NOTHING
    assert sniff(memoryview(zipped({"1.txt": b"text" * 1000, "IM1": CT})[:-30])) is FileType.ZIP


def test_a_zip_with_too_large_a_directory_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ZIP whose directory is too large is still detected as a ZIP."""
    monkeypatch.setattr(zip_directory, "_LARGEST", 1000)
    assert sniff(memoryview(zipped({f"{number:03d}": b"" for number in range(100)}))) is FileType.ZIP


def test_a_preamble_that_looks_like_a_zip_is_dicom() -> None:
    """The preamble may hold anything (PS3.10 §7.1): the magic behind it counts."""
    assert sniff(memoryview(b"PK\x03\x04" + sample("CT_small.dcm")[4:])) is FileType.DICOM


@given(st.sampled_from(STARTS), st.binary(max_size=2 * HEAD))
def test_garbage_is_sniffed_without_an_error(start: bytes, rest: bytes) -> None:
    """Sniffing arbitrary bytes returns a file type, without an error."""
    assert sniff(memoryview(start + rest)) in FileType


@given(st.integers(0, 2**32), st.integers(1, 40))
def test_damaged_zips_are_sniffed_without_an_error(seed: int, changes: int) -> None:
    """A ZIP with bytes changed anywhere never makes it raise."""
    chance = random.Random(seed)  # noqa: S311  reproducible damage, no secret
    content = bytearray(zipped({"a/1": sample("rtplan.dcm"), "b": b"text" * 100, "c/": b""}))
    for _ in range(changes):
        content[chance.randrange(4, len(content))] = chance.randrange(256)
    assert sniff(memoryview(content)) in FileType


@given(st.binary(max_size=300), st.data())
def test_a_data_set_may_be_cut_off_anywhere(tail: bytes, data: st.DataObject) -> None:
    """Truncated files raise no error."""
    whole = sample("ExplVR_LitEndNoMeta.dcm")
    assert sniff(memoryview(whole[: data.draw(st.integers(0, 500))] + tail)) in FileType


@pytest.mark.parametrize(
    "name",
    [
        "._IM1",
        ".DS_Store",
        "Thumbs.db",
        "THUMBS.DB",
        "desktop.ini",
        ".hidden",
        ".Spotlight-V100",
        "~$report.docx",
        ".metadata_never_index",
        ".~lock.x.odt#",
        ".Trashes",
        "__MACOSX",
    ],
)
def test_what_desktops_leave_behind_is_junk(name: str) -> None:
    """The names of files that desktops leave behind are detected as junk, in any case."""
    assert is_junk(name)


@pytest.mark.parametrize("name", ["IM1", "image.dcm", "_.dcm", "hidden", "study.zip", "~notes", "DS_Store.dcm", ""])
def test_ordinary_names_are_no_junk(name: str) -> None:
    """Names that resemble junk are not taken for it."""
    assert not is_junk(name)
