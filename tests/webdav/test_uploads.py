"""The response to an upload, at every door: all of it is in Orthanc, or an error with the file in rejected/."""

import struct
import zipfile
from collections.abc import Iterator

import httpx
import pytest

from davfs.errors import Refused
from davfs.imports.hazards import check_hazards
from tests.support import dicom, doors
from tests.support.doors import Door
from tests.support.drive import delete_all
from tests.support.mutants import OF_META, deflated, element, mutant
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
process, standalone, door = doors.process, doors.standalone, doors.door

CREATED, UNSUPPORTED = 201, 415
GOOD, OTHER = dicom.instance("p1", number=1), dicom.instance("p1", number=2)


@pytest.fixture(autouse=True)
def empty(door: Door) -> Iterator[None]:
    """Each test starts with nothing in Orthanc and nothing in rejected/."""
    delete_all(door.rest)
    door.drive.delete("inbox/rejected")
    yield
    assert door.rest.get("/system").status_code == httpx.codes.OK


def held(door: Door) -> list[bytes]:
    """Return the files that Orthanc has."""
    return sorted(door.rest.get(f"/instances/{each}/file").content for each in door.rest.get("/instances").json())


def strange(content: bytes) -> bytes:
    """Give TransferSyntaxUID an unknown value representation: Orthanc says "Parameter out of range"."""
    return content.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x10\x00ZZ", 1)


def sequence(tag: int, value: bytes) -> bytes:
    """Return a sequence of one item."""
    return element(tag, b"SQ", element(0xFFFEE000, b"", value, implicit=True))


def is_hazard(content: bytes) -> bool:
    """Return True if Orthanc would not survive a file."""
    try:
        check_hazards(memoryview(content))
    except Refused:
        return True
    return False


def test_a_file_on_which_orthanc_stumbles_is_refused(door: Door) -> None:
    """A file on which Orthanc fails is refused, and kept in rejected/ with Orthanc's reason."""
    answer = door.rest.post("/instances", content=strange(GOOD))
    assert answer.json()["OrthancStatus"] == 3, answer.text
    assert door.drive.put("inbox/strange.dcm", strange(GOOD)).status_code == UNSUPPORTED
    assert door.drive.get("inbox/rejected/strange.dcm").content == strange(GOOD)
    assert "Parameter out of range" in door.drive.get("inbox/rejected/strange.dcm.txt").text
    assert door.drive.status("inbox/strange.dcm") == 404


def test_a_bad_member_of_a_zip_costs_no_good_one(door: Door) -> None:
    """The other members of a ZIP are imported, and the refused one is named."""
    content = zipped({"1": strange(GOOD), "2": GOOD, "3": dicom.instance("p1")[:300], "4": OTHER})
    assert door.drive.put("inbox/mixed.zip", content).status_code == UNSUPPORTED
    assert held(door) == sorted([GOOD, OTHER])
    reasons = door.drive.get("inbox/rejected/mixed.zip.txt").text
    assert reasons.startswith("mixed.zip\nwas refused on ")
    assert "2 of the 4 files to import were refused" in reasons
    assert "\n1: " in reasons
    assert "\n3: " in reasons
    assert door.drive.get("inbox/rejected/mixed.zip").content == content


def test_headers_that_would_end_orthanc(door: Door) -> None:
    """150 damaged headers, most of which crash or hang a bare Orthanc, are refused, and Orthanc goes on."""
    wrong = [content for seed in range(600) if is_hazard(content := mutant([GOOD, OTHER], seed, OF_META))][:150]
    assert len(wrong) == 150
    for number, content in enumerate(wrong):
        assert door.drive.put(f"inbox/{number}.dcm", content).status_code == UNSUPPORTED, number
    assert held(door) == []
    assert len(door.drive.listing("inbox/rejected")) == 300


@pytest.mark.parametrize("hidden", [0x00081140, 0x7FE00008])
def test_deep_sequences_would_end_orthanc(door: Door, hidden: int) -> None:
    """Deeply nested sequences, also in place of pixels, are refused, and Orthanc goes on."""
    start = GOOD.index(b"\x08\x00\x16\x00UI")
    deep = element(0x00081150, b"UI", b"1.2.3\0")
    for _ in range(60):
        deep = sequence(0x00081140, deep)
    content = GOOD[:start] + sequence(hidden, deep) + GOOD[start:]
    assert door.drive.put("inbox/a.dcm", content).status_code == UNSUPPORTED
    assert door.drive.get("inbox/rejected/a.dcm").content == content
    assert held(door) == []


@pytest.mark.parametrize("hidden", [0x00081140, 0x7FE00008])
def test_exceptions_of_its_libraries_do_not_end_orthanc(door: Door, hidden: int) -> None:
    """A file over which DCMTK throws an exception that nobody catches is refused."""
    start = GOOD.index(b"\x08\x00\x16\x00UI")
    record = sequence(0x00041220, element(0x00041430, b"CS", b"A" * 40))
    content = GOOD[:start] + sequence(hidden, record) + GOOD[start:]
    taken = door.rest.post("/instances", content=content).status_code == httpx.codes.OK  # by newer versions
    delete_all(door.rest)
    assert door.drive.put("inbox/a.dcm", content).status_code == (httpx.codes.CREATED if taken else UNSUPPORTED)
    assert held(door) == [content] * taken


def test_what_is_hidden_in_deflated_files(door: Door) -> None:
    """Nested sequences behind 130 MB of zeros, deflated to 130 KB, are refused, and Orthanc goes on."""
    deep = element(0x00081150, b"UI", b"1.2.3\0")
    for _ in range(6000):
        start = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
        deep = start + deep + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    for padding in (0, 130 << 20):
        behind = element(0x00291001, b"OB", bytes(padding)) + sequence(0x0040A730, deep)
        content = deflated(GOOD, behind, b"1.2.840.10008.1.2.1.99")
        assert door.drive.put("inbox/a.dcm", content).status_code == UNSUPPORTED
    assert held(door) == []


def test_what_would_keep_orthanc_for_minutes(door: Door) -> None:
    """A sequence of a million items is refused."""
    content = GOOD + element(0x0040A730, b"SQ", element(0xFFFEE000, b"", b"", implicit=True) * 1_000_000)
    assert door.drive.put("inbox/a.dcm", content).status_code == UNSUPPORTED
    assert held(door) == []


def test_members_that_would_end_orthanc(door: Door) -> None:
    """The same files in a ZIP are refused, and the valid image after them is imported."""
    wrong = [content for seed in range(600, 700) if is_hazard(content := mutant([OTHER], seed, OF_META))]
    members = {f"{number}": content for number, content in enumerate(wrong)} | {"good": GOOD}
    assert door.drive.put("inbox/wrong.zip", zipped(members)).status_code == UNSUPPORTED
    assert held(door) == [GOOD]


def test_zips_of_all_kinds(door: Door) -> None:
    """Readable members are imported, unreadable ones that may be DICOM are refused; text is neither."""
    images = zipped({"1": GOOD, "notes.txt": b"text"})
    with_password = bytearray(images)
    for place in (6, images.index(b"PK\x01\x02") + 8):
        with_password[place] |= 1
    cases = {
        "bzip2": (zipped({"1": GOOD}, zipfile.ZIP_BZIP2), CREATED, [GOOD]),
        "lzma": (zipped({"1": GOOD}, zipfile.ZIP_LZMA), CREATED, [GOOD]),
        "inner": (zipped({"1.zip": images, "2.zip": zipped({"3.zip": zipped({"4": OTHER})})}), CREATED, [GOOD, OTHER]),
        "program": (b"MZ" + bytes(4000) + images, CREATED, [GOOD]),
        "part": (b"PK\x07\x08" + images, CREATED, [GOOD]),
        "text": (zipped({"notes.txt": b"text", "1.zip": zipped({"x": b"text"})}), CREATED, []),
        "password": (bytes(with_password), UNSUPPORTED, []),
        "cut": (zipped({"1": GOOD, "2": OTHER})[:-100], UNSUPPORTED, [GOOD, OTHER]),
        "damaged": (zipped({"1": GOOD, "2": OTHER}, zipfile.ZIP_STORED).replace(b"CT", b"MR", 1), UNSUPPORTED, [OTHER]),
    }
    for name, (content, status, images_of_it) in cases.items():
        delete_all(door.rest)
        assert door.drive.put(f"inbox/{door.name} {name}.zip", content).status_code == status, name
        assert held(door) == sorted(images_of_it), name
        folder = "inbox/rejected" if status == UNSUPPORTED else "inbox"
        assert door.drive.get(f"{folder}/{door.name} {name}.zip").content == content
