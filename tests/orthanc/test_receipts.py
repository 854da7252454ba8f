"""Receipts, quota and expiry of the inbox, and the status of each refusal."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from davfs import errors
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import Server, connected, has, resource
from tests.support.webdav import WebDav

ERROR_CODES = Path(__file__).parent.parent.parent / "davfs" / "doors" / "collection" / "error_codes.py"
STATUS = {
    name: int(status)
    for name, status in re.findall(r"errors\.(\w+): ErrorCode\.\w+,\s+# (\d{3})", ERROR_CODES.read_text())
}
"""Status of each refusal, as the comments of the table have it: it can be imported inside Orthanc only."""

UNPROVOKED = {
    "NotAFolder": "the core lists what it was told to be a folder, and nothing else",
    "TooLarge": "test_large_files.py does, with a drive that has such files",
    "Busy": "four imports would have to take half a minute",
    "UnknownResource": "areas turn it into NotFound",
    "BadFile": "the inbox turns it into Rejected",
    "NotAnonymised": "test_research.py does, with a layout that has such images",
    "StorageFull": "the inbox turns it into NoSpace",
    "UploadTooLarge": "tests/unit/test_layout_uploads.py does, with a smaller limit",
    "UnreadableMark": "tests/unit/test_trash.py does, with a damaged mark",
    "Unavailable": "the index would have to be unreachable",
}


@pytest.fixture(scope="module")
def small_process(run_orthanc: RunOrthanc) -> Iterator[OrthancProcess]:
    """An Orthanc with a spool of 1 MB, in which nothing lives longer than two seconds."""
    with run_orthanc(davfs={"SpoolMaximumSize": 1, "SpoolMaximumAge": 2}) as process:
        yield process


@pytest.fixture(scope="module")
def small(small_process: OrthancProcess) -> Iterator[Server]:
    """Yield clients of the server with the small spool."""
    with connected(small_process) as server:
        yield server


# --- receipts, quota, expiry -----------------------------------------------------------------------------------------


def test_receipt_goes_with_its_image(rest: httpx.Client, drive: WebDav) -> None:
    """Once the image is deleted through REST its receipt cannot be opened any more, and is not listed then."""
    content = dicom.instance("recalled")
    for method in ("PROPFIND", "GET"):
        assert drive.put("inbox/recalled.dcm", content).status_code == 201
        rest.delete(resource(content, "instances"))
        assert drive.request(method, "inbox/recalled.dcm", headers={"Depth": "0"}).status_code == 404
        assert "recalled.dcm" not in drive.listing("inbox")


def test_listing_shows_no_receipt_without_image(rest: httpx.Client, drive: WebDav) -> None:
    """The first listing after the image was deleted through REST does not show its receipt."""
    content = dicom.instance("unlisted")
    assert drive.put("inbox/unlisted.dcm", content).status_code == 201
    rest.delete(resource(content, "instances"))
    assert "unlisted.dcm" not in drive.listing("inbox")


def test_spool_has_a_quota(small: Server, small_process: OrthancProcess) -> None:
    """Ordinary files share 1 MB; images do not count, and what is deleted or expired makes room."""
    half = b"x" * 600_000
    assert small.drive.put("inbox/first", half).status_code == 201
    for _ in range(2):
        assert small.drive.put("inbox/second", half).status_code == STATUS["NoSpace"] == 503
    assert small.drive.status("inbox/second") == 404
    assert small_process.log.read_text().count("davfs: an upload was refused: The inbox is full.") == 1
    assert small.drive.put("inbox/image", dicom.instance("quota", pixels=2 << 20)).status_code == 201
    assert small.drive.put("inbox/first", half).status_code == 201
    assert small.drive.delete("inbox/first").status_code == 204
    assert small.drive.put("inbox/second", half).status_code == 201


def test_what_was_dropped_expires(small: Server) -> None:
    """Files and receipts are listed for two seconds, and not much longer; the image stays."""
    content = dicom.instance("expired")
    dropped = monotonic()
    assert (
        small.drive.put("inbox/old.txt", b"x").status_code == small.drive.put("inbox/old", content).status_code == 201
    )
    assert {"old.txt", "old"} <= set(small.drive.listing("inbox"))
    while {"old.txt", "old"} & set(small.drive.listing("inbox")):
        assert monotonic() - dropped < 6
        sleep(0.1)
    assert monotonic() - dropped > 1.5
    assert small.drive.get("inbox/old").status_code == small.drive.status("inbox/old.txt") == 404
    assert has(small.rest, content)


# --- refusals --------------------------------------------------------------------------------------------------------


def conflicting(drive: WebDav) -> httpx.Response:
    """Upload two files with the same identifiers."""
    first, second = (dicom.instance("table", tags={"StudyDescription": text}) for text in ("first", "second"))
    assert drive.put("inbox/table.dcm", first).status_code == 201
    return drive.put("inbox/table.dcm", second)


PROVOKED: dict[str, Callable[[WebDav], httpx.Response]] = {
    "NotFound": lambda drive: drive.delete("inbox/nothing"),
    "AlreadyExists": lambda drive: drive.mkcol("inbox"),
    "ParentMissing": lambda drive: drive.mkcol("inbox/missing/folder"),
    "IsAFolder": lambda drive: (drive.mkcol("inbox/is a folder"), drive.put("inbox/is a folder", b"x"))[1],
    "BadName": lambda drive: drive.put("inbox/" + "x" * 256, b"x"),
    "Conflict": conflicting,
    "Rejected": lambda drive: drive.put("inbox/bad.dcm", dicom.instance("table")[:200]),
    "NoSpace": lambda drive: drive.put("inbox/large", bytes((1 << 20) + 1)),
}


@pytest.mark.parametrize("error", PROVOKED)
def test_refusal_has_its_status(small: Server, error: str) -> None:
    """Each refusal that can be provoked gives the status that the table promises."""
    assert PROVOKED[error](small.drive).status_code == STATUS[error]


def test_table_knows_every_error() -> None:
    """Every error about a path and of Orthanc has a row, and is provoked above or has a reason why not."""
    roots = (errors.PathError, errors.OrthancError, errors.Rejected)
    known = {kind.__name__ for root in roots for kind in root.__subclasses__()}
    assert known - {"Forbidden"} == set(STATUS)
    assert set(PROVOKED) | set(UNPROVOKED) == set(STATUS)
