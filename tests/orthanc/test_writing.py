"""Tests of uploads, new folders and deletions over HTTP: uploaded images are in Orthanc."""

from collections.abc import Iterator

import httpx
import pytest

from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import LEVELS, Server, connected, folders, has, import_by_rest, place, place_of, resource
from tests.support.webdav import WebDav
from tests.support.zips import zipped

LUA = "function ReceivedInstanceFilter(dicom, origin) return dicom.PatientID ~= 'refused' end"


def rejected(drive: WebDav, name: str, content: bytes) -> str:
    """Assert that a refused file was kept, and return the text file beside it."""
    assert drive.listing("inbox/rejected")[name].size == len(content)
    assert drive.get(f"inbox/rejected/{name}").content == content
    return drive.get(f"inbox/rejected/{name}.txt").text


@pytest.fixture(scope="module")
def deleting(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Deleting is allowed; files of the patient "refused" are filtered out."""
    script = tmp_path_factory.mktemp("lua") / "filter.lua"
    script.write_text(LUA)
    settings = {"LuaScripts": [str(script)]}
    with (
        run_orthanc(davfs={"AllowDelete": True, "DeleteForGood": True}, settings=settings) as process,
        connected(process) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def closed(run_orthanc: RunOrthanc) -> Iterator[Server]:
    """Yield a server that does not allow uploads."""
    with run_orthanc(davfs={"AllowUpload": False}) as process, connected(process) as server:
        yield server


# --- store -----------------------------------------------------------------------------------------------------------


def test_uploaded_image_is_in_orthanc(rest: httpx.Client, drive: WebDav) -> None:
    """After 201 Orthanc has the image; a receipt stands for it, with its size and Orthanc's bytes."""
    content = dicom.instance("dropped", pixels=dicom.CT_IMAGE)
    assert drive.put("inbox/dropped.dcm", content).status_code == 201
    assert has(rest, content)
    assert drive.listing("inbox")["dropped.dcm"].size == len(content)
    assert drive.propfind("inbox/dropped.dcm", depth="0")[-1].size == len(content)
    assert drive.get("inbox/dropped.dcm").content == drive.get(place("dropped")).content == content


@pytest.mark.parametrize("name", ["empty", "._scan.dcm", ".DS_Store", "Thumbs.db", "notes.txt"])
def test_other_files_stay_files(rest: httpx.Client, drive: WebDav, name: str) -> None:
    """Empty files, text, and files that desktops leave behind (even with DICOM in them) are kept, and not imported."""
    content = {"empty": b"", "notes.txt": b"call the ward"}.get(name, dicom.instance("junk"))
    before = rest.get("/statistics").json()["CountInstances"]
    assert drive.put(f"inbox/{name}", content).status_code == 201
    assert drive.listing("inbox")[name].size == len(content)
    assert drive.get(f"inbox/{name}").content == content
    assert rest.get("/statistics").json()["CountInstances"] == before
    assert "rejected" not in drive.listing("inbox") or name not in drive.listing("inbox/rejected")


def test_zip_is_imported(rest: httpx.Client, drive: WebDav) -> None:
    """After 201 all images in a ZIP are in Orthanc; the ZIP itself stays."""
    contents = [dicom.instance("zip", number=number) for number in range(1, 6)]
    archive = zipped({f"IMAGES/IM{number}": each for number, each in enumerate([b"read me", *contents])})
    assert drive.put("inbox/study.zip", archive).status_code == 201
    assert all(has(rest, content) for content in contents)
    assert drive.get("inbox/study.zip").content == archive


def test_upload_replaces_what_was_there(rest: httpx.Client, drive: WebDav) -> None:
    """A name takes text, then an image, another image and text again; the images stay in Orthanc."""
    images = [dicom.instance("replaced", number=number) for number in (1, 2)]
    for content in (b"one", b"another", images[0], images[1], images[1], b"", b"the last"):
        assert drive.put("inbox/replaced", content).status_code == 201
        assert drive.get("inbox/replaced").content == content
        assert drive.listing("inbox")["replaced"].size == len(content)
    assert all(has(rest, image) for image in images)


def test_same_image_twice_is_welcome(rest: httpx.Client, drive: WebDav) -> None:
    """Uploading the same file again, under its name or another, is a success and changes nothing."""
    content = dicom.instance("twice")
    names = ["inbox/twice.dcm", "inbox/twice.dcm", "inbox/again.dcm"]
    assert [drive.put(name, content).status_code for name in names] == [201, 201, 201]
    assert list(drive.listing(folders(place("twice"))[-1])) == ["00001.dcm"]
    assert has(rest, content)


def test_contradicting_image_is_refused(rest: httpx.Client, drive: WebDav) -> None:
    """Another file with the identifiers of an image is not imported, and lies in rejected/ with the reason."""
    first, second = (dicom.instance("claim", tags={"SeriesDescription": text}) for text in ("first", "second"))
    assert drive.put("inbox/claim.dcm", first).status_code == 201
    assert drive.put("inbox/claim.dcm", second).status_code == 409
    assert has(rest, first)
    assert drive.get("inbox/claim.dcm").content == first
    assert "different file" in rejected(drive, "claim.dcm", second)


def test_unreadable_image_is_refused(rest: httpx.Client, drive: WebDav) -> None:
    """A DICOM file that is cut off is no image: 415, rejected/ and a reason; twice, twice."""
    cut = dicom.instance("cut")[:300]
    before = rest.get("/statistics").json()["CountInstances"]
    for name in ("cut.dcm", "cut (2).dcm"):
        assert drive.put("inbox/cut.dcm", cut).status_code == 415
        assert "cannot read" in rejected(drive, name, cut)
    assert drive.status("inbox/cut.dcm") == 404
    assert rest.get("/statistics").json()["CountInstances"] == before


def test_refusals_in_a_row_do_no_harm(url: str, drive: WebDav) -> None:
    """After three hundred refused uploads Orthanc still runs: none of them leaks the core's memory."""
    cut = dicom.instance("row", pixels=dicom.ROW)[:900]
    for number in range(300):
        assert drive.put(f"inbox/{number}.dcm", cut).status_code == 415
    assert drive.delete("inbox/rejected").status_code == 204
    assert httpx.get(f"{url}/system", trust_env=False).status_code == 200


def test_filtered_image_is_refused(deleting: Server) -> None:
    """An image that a Lua filter of Orthanc refuses is an error for its uploader, alone and in a ZIP."""
    content = dicom.instance("refused")
    archive = zipped({"IMAGES/IM0": dicom.instance("taken"), "IMAGES/IM1": dicom.instance("refused", number=2)})
    assert deleting.drive.put("inbox/no.dcm", content).status_code == 415
    assert "filter" in rejected(deleting.drive, "no.dcm", content)
    assert deleting.drive.put("inbox/no.zip", archive).status_code == 415
    assert "IMAGES/IM1: " in rejected(deleting.drive, "no.zip", archive)
    assert not has(deleting.rest, content)
    assert has(deleting.rest, dicom.instance("taken"))


def test_folders_that_take_no_files(rest: httpx.Client, drive: WebDav) -> None:
    """Files cannot be put into the root, or into a folder that does not exist; folders cannot be made in a layout."""
    content = dicom.instance("outside")
    for path in ("x.dcm", "README.txt", "by-patient"):
        assert drive.put(path, content).status_code == 403, path
    assert drive.put("by-patient/x/y.dcm", content).status_code == 409
    assert not has(rest, content)
    for path in ("x", "by-patient/x"):
        assert drive.mkcol(path).status_code == 403, path


# --- create folder and delete ----------------------------------------------------------------------------------------


def test_folders_of_the_inbox(rest: httpx.Client, drive: WebDav) -> None:
    """Folders can be made, once and in what exists, filled, and removed with all in them; the image stays."""
    content = dicom.instance("folder")
    assert [drive.mkcol(path).status_code for path in ("inbox/a", "inbox/a/b", "inbox/a")] == [201, 201, 406]
    assert drive.mkcol("inbox/missing/b").status_code == 409
    assert drive.put("inbox/missing/b", b"x").status_code == 409
    assert drive.put("inbox/a/b/x.dcm", content).status_code == 201
    assert drive.put("inbox/a/b/x.dcm/y", b"x").status_code == drive.mkcol("inbox/a/b/x.dcm/y").status_code == 409
    assert drive.put("inbox/a/b", b"x").status_code == 409
    assert drive.mkcol("inbox/a/b/x.dcm").status_code == 406
    assert list(drive.listing("inbox/a/b")) == ["x.dcm"]
    assert drive.delete("inbox/a").status_code == 204
    assert [drive.status(path) for path in ("inbox/a", "inbox/a/b", "inbox/a/b/x.dcm")] == [404, 404, 404]
    assert has(rest, content)


def test_deleting_in_the_inbox_deletes_no_image(rest: httpx.Client, drive: WebDav) -> None:
    """A file and a receipt can be deleted; imported images stay in Orthanc."""
    content = dicom.instance("receipt")
    for name, body in (("gone.txt", b"x"), ("gone.dcm", content)):
        assert drive.put(f"inbox/{name}", body).status_code == 201
        assert drive.delete(f"inbox/{name}").status_code == 204
        assert name not in drive.listing("inbox")
        assert drive.get(f"inbox/{name}").status_code == 404
    assert has(rest, content)


def test_images_cannot_be_deleted_by_default(rest: httpx.Client, drive: WebDav) -> None:
    """Without AllowDelete, DELETE is 403 at every level, and everything is still there."""
    content = dicom.instance("kept")
    import_by_rest(rest, content)
    for path in [*folders(place("kept")), place("kept"), "inbox", "README.txt"]:
        assert drive.delete(path).status_code == 403, path
    assert has(rest, content)
    assert drive.get(place("kept")).content == content


@pytest.mark.parametrize("level", LEVELS)
def test_images_can_be_deleted_where_that_is_allowed(deleting: Server, level: str) -> None:
    """With AllowDelete, the resource that is deleted on the drive is deleted in Orthanc, and nothing else is."""
    content, other = dicom.instance(level), dicom.instance("bystander")
    for one in (content, other):
        deleting.rest.post("/instances", content=one)
    path = place_of(place(level), level)
    assert deleting.rest.get(resource(content, level)).status_code == 200
    assert deleting.drive.delete(path).status_code == 204
    assert deleting.rest.get(resource(content, level)).status_code == 404
    assert deleting.drive.status(path) == deleting.drive.delete(path).status_code == 404
    assert has(deleting.rest, other)


def test_roots_cannot_be_deleted(deleting: Server) -> None:
    """The drive, its layouts and its inbox cannot be deleted, even with AllowDelete."""
    for path in ("", "by-patient", "inbox", "README.txt"):
        assert deleting.drive.delete(path).status_code == 403, path
        assert deleting.drive.status(path) == 207, path


def test_nothing_can_be_written_where_that_is_switched_off(closed: Server) -> None:
    """With AllowUpload false, PUT, MKCOL and DELETE are 403, and nothing is imported."""
    content = dicom.instance("closed")
    for path in ("inbox/x.dcm", "inbox/x.txt", "by-patient/x.dcm", "x"):
        assert closed.drive.put(path, content).status_code == 403, path
        assert closed.drive.mkcol(path).status_code == 403, path
    assert closed.drive.delete("inbox/x").status_code == 403
    assert not has(closed.rest, content)
    assert (
        "cannot" in closed.drive.get("README.txt").text
        or "Nothing can be written" in closed.drive.get("README.txt").text
    )
