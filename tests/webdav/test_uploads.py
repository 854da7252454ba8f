"""What the answer to an upload means, at every door: in Orthanc in full, or an error with the file in rejected/."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support import dicom, doors
from tests.support.doors import Door
from tests.support.drive import delete_all
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
process, standalone, door = doors.process, doors.standalone, doors.door

UNSUPPORTED = 415
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
    """Give TransferSyntaxUID a value representation that nobody knows: Orthanc says "Parameter out of range"."""
    return content.replace(b"\x02\x00\x10\x00UI", b"\x02\x00\x10\x00ZZ", 1)


def test_a_file_on_which_orthanc_stumbles_is_refused(door: Door) -> None:
    """Whatever Orthanc's code says: it cannot have this file, so the client learns it, and the file is kept aside."""
    answer = door.rest.post("/instances", content=strange(GOOD))
    assert answer.json()["OrthancStatus"] == 3, answer.text
    assert door.drive.put("inbox/strange.dcm", strange(GOOD)).status_code == UNSUPPORTED
    assert door.drive.get("inbox/rejected/strange.dcm").content == strange(GOOD)
    assert "Parameter out of range" in door.drive.get("inbox/rejected/strange.dcm.txt").text
    assert door.drive.status("inbox/strange.dcm") == 404


def test_a_bad_member_of_a_zip_costs_no_good_one(door: Door) -> None:
    """Those behind it are imported, and the bad one is named."""
    content = zipped({"1": strange(GOOD), "2": GOOD, "3": dicom.instance("p1")[:300], "4": OTHER})
    assert door.drive.put("inbox/mixed.zip", content).status_code == UNSUPPORTED
    assert held(door) == sorted([GOOD, OTHER])
    reasons = door.drive.get("inbox/rejected/mixed.zip.txt").text
    assert "2 of the 4 files to import were refused" in reasons
    assert "\n1: " in reasons
    assert "\n3: " in reasons
    assert door.drive.get("inbox/rejected/mixed.zip").content == content
