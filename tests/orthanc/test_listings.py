"""Tests that a listing belongs to its own request, whatever came before on the same connection."""

import httpx
import pytest

from tests.support import dicom
from tests.support.drive import delete_all, folders, import_by_rest, place, resource
from tests.support.webdav import WebDav

BEFORE = [
    ("PROPFIND", "1"),
    ("PROPFIND", "0"),
    ("PROPFIND", "infinity"),
    ("LOCK", "1"),
    ("UNLOCK", "1"),
    ("PROPPATCH", "1"),
    ("MKCOL", "1"),
    ("DELETE", "1"),
    ("GET", "1"),
    ("HEAD", "1"),
]
"""Requests with a Depth header, and what is in it: the core asks about the folder in some, and lists it in one."""


@pytest.fixture(autouse=True)
def _empty(rest: httpx.Client) -> None:
    """Each test starts with an empty archive."""
    delete_all(rest)


@pytest.mark.parametrize(("method", "depth"), BEFORE)
def test_stale_listing(drive: WebDav, method: str, depth: str) -> None:
    """The response kept for an earlier request is in no later listing, of the same folder or of another one.

    All requests come on one connection, which one thread of Orthanc answers.
    """
    before, after, other = dicom.instance("a", 1), dicom.instance("a", 2), dicom.instance("b")
    patient, apart = "by-patient/Doe a (a)", "by-patient/Doe b (b)"
    import_by_rest(drive.http, before, other)
    drive.request(method, patient, headers={"Depth": depth})
    import_by_rest(drive.http, after)
    assert list(drive.listing(patient)) == ["2024-02-29 Study 1", "2024-02-29 Study 2"]
    drive.request(method, patient, headers={"Depth": depth})
    assert list(drive.listing(apart)) == ["2024-02-29 Study 1"]
    drive.http.delete(resource(before, "studies"))
    assert list(drive.listing(patient)) == ["2024-02-29 Study 2"]


def test_depth_1_of_each_thing(rest: httpx.Client, drive: WebDav) -> None:
    """Folders, files and made-up names are requested in turn with depth 1; each response is about its own path."""
    import_by_rest(rest, dicom.instance("a"))
    path = place("a")
    for _ in range(3):
        for folder in folders(path):
            found = drive.propfind(folder, depth="1")
            assert found[0].is_folder
            assert len(found) > 1
            assert drive.status(f"{folder}/made up".lstrip("/")) == 404
        found = drive.propfind(path, depth="1")
        assert (found[-1].name, found[-1].size) == ("00001.dcm", len(dicom.instance("a")))
        assert drive.get(path).content == dicom.instance("a")


def test_same_name_again(rest: httpx.Client, drive: WebDav) -> None:
    """A name in an unchanged folder is read from memory; once it means another file, that file is served."""
    path = place("a")
    folder = folders(path)[-1]
    versions = [dicom.instance("a", tags={"SOPInstanceUID": dicom.uid("a", 1, 1, 100 + n)}) for n in range(2)]
    for content in versions * 5:
        import_by_rest(rest, content)
        for _ in range(3):
            assert list(drive.listing(folder)) == ["00001.dcm"]
            assert drive.get(path).content == content
        rest.delete(resource(content, "instances"))
