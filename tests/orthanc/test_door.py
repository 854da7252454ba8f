"""The six callbacks of the first door, over HTTP: what they answer, and what Orthanc has when they have answered."""

import http.client
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from davfs import errors
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.webdav import Listed, WebDav

REFUSALS = Path(__file__).parent.parent.parent / "davfs" / "doors" / "collection" / "refusals.py"
STATUS = {
    name: int(status) for name, status in re.findall(r"errors\.(\w+): Code\.\w+,\s+# (\d{3})", REFUSALS.read_text())
}
"""Status of each refusal, as the comments of the table have it: it can be imported inside Orthanc only."""

UNPROVOKED = {
    "NotAFolder": "the core lists what it was told to be a folder, and nothing else",
    "Busy": "four imports would have to take half a minute",
    "UnknownResource": "areas turn it into NotFound",
    "BadFile": "the inbox turns it into Rejected",
    "StorageFull": "the inbox turns it into NoSpace",
    "Unavailable": "the index would have to be unreachable",
}
LUA = "function ReceivedInstanceFilter(dicom, origin) return dicom.PatientID ~= 'refused' end"
ABOVE = {"patients": 3, "studies": 2, "series": 1, "instances": 0}
"""How many segments of an instance's path stand below each level."""


def place(patient: str, number: int = 1) -> str:
    """Return the path of an instance of `dicom.instance` in by-patient/."""
    return f"by-patient/Doe {patient} ({patient})/2024-02-29 Study 1/001 CT Series 1/{number:05d}.dcm"


def folders(path: str) -> list[str]:
    """Return the folders above a path, the drive's root first."""
    segments = path.split("/")[:-1]
    return ["/".join(segments[:depth]) for depth in range(len(segments) + 1)]


def import_by_rest(rest: httpx.Client, *contents: bytes) -> None:
    """Give files to Orthanc behind the drive's back."""
    for content in contents:
        assert rest.post("/instances", content=content).json()["Status"] == "Success"


def zipped(*contents: bytes) -> bytes:
    """Return a ZIP of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"IMAGES/IM{number}", content)
    return buffer.getvalue()


def has(rest: httpx.Client, content: bytes) -> bool:
    """Tell whether Orthanc holds exactly this file."""
    answer = rest.get(f"/instances/{dicom.ids(content).instance}/file")
    return answer.status_code == 200 and answer.content == content


def rejected(drive: WebDav, name: str, content: bytes) -> str:
    """Assert that a refused file was kept, and return the text beside it."""
    assert drive.listing("inbox/rejected")[name].size == len(content)
    assert drive.get(f"inbox/rejected/{name}").content == content
    return drive.get(f"inbox/rejected/{name}.txt").text


class Server:
    """An Orthanc with other settings than the shared one's, and clients of it."""

    def __init__(self, process: OrthancProcess, clients: ExitStack) -> None:
        self.drive = clients.enter_context(WebDav(process.drive_url))
        self.rest = clients.enter_context(httpx.Client(base_url=process.url, trust_env=False))


@pytest.fixture(scope="module")
def deleting(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Deleting is allowed; files of the patient "refused" are filtered out."""
    script = tmp_path_factory.mktemp("lua") / "filter.lua"
    script.write_text(LUA)
    settings = {"LuaScripts": [str(script)]}
    with run_orthanc(davfs={"AllowDelete": True}, settings=settings) as process, ExitStack() as clients:
        yield Server(process, clients)


@pytest.fixture(scope="module")
def closed(run_orthanc: RunOrthanc) -> Iterator[Server]:
    """Nothing can be written."""
    with run_orthanc(davfs={"AllowUpload": False}) as process, ExitStack() as clients:
        yield Server(process, clients)


@pytest.fixture(scope="module")
def small(run_orthanc: RunOrthanc) -> Iterator[Server]:
    """A spool of 1 MB, in which nothing lives longer than two seconds."""
    with run_orthanc(davfs={"SpoolMaximumSize": 1, "SpoolMaximumAge": 2}) as process, ExitStack() as clients:
        yield Server(process, clients)


# --- list ------------------------------------------------------------------------------------------------------------


def test_tree_has_a_folder_for_each_level(rest: httpx.Client, drive: WebDav) -> None:
    """Patients, studies, series and files stand in one another, each once, under the names of the layout."""
    import_by_rest(
        rest, *(dicom.instance("tree", study, series) for study in (1, 2) for series in (1, 2)), dicom.instance("other")
    )
    patient = "by-patient/Doe tree (tree)"
    assert set(drive.listing()) == {"README.txt", "by-patient", "inbox"}
    assert {"Doe tree (tree)", "Doe other (other)"} <= set(drive.listing("by-patient"))
    assert set(drive.listing(patient)) == {"2024-02-29 Study 1", "2024-02-29 Study 2"}
    assert set(drive.listing(f"{patient}/2024-02-29 Study 2")) == {"001 CT Series 1", "002 CT Series 2"}
    assert set(drive.listing(f"{patient}/2024-02-29 Study 2/002 CT Series 2")) == {"00001.dcm"}


def test_entries_tell_what_they_are(rest: httpx.Client, drive: WebDav) -> None:
    """Each entry has its href and display name, its date in UTC, and a file the size of its bytes."""
    content = dicom.instance("entry", pixels=dicom.ROW)
    import_by_rest(rest, content)
    path = place("entry")
    for folder in folders(path):
        for entry in drive.listing(folder).values():
            assert entry.href == drive.href(f"{folder}/{entry.name}".lstrip("/"))
            assert entry.displayname == entry.name
            assert entry.is_folder == (not entry.name.endswith((".dcm", ".txt")))
            assert_recent(entry)
    assert drive.listing(folders(path)[-1])["00001.dcm"].size == len(content)
    assert drive.listing()["README.txt"].size == len(drive.get("README.txt").content)


def assert_recent(entry: Listed) -> None:
    """Assert that both dates of an entry are of this test run, in UTC."""
    for name in ("creationdate", "getlastmodified"):
        date = datetime.strptime(entry.text(name) or "", "%Y-%m-%dT%H:%M:%S%z")
        assert abs(datetime.now(UTC) - date) < timedelta(minutes=10), name


def test_depth_0_is_the_thing_itself(rest: httpx.Client, drive: WebDav) -> None:
    """PROPFIND with depth 0 answers for a folder alone, and for a file (behind its folder) with its size."""
    content = dicom.instance("depth")
    import_by_rest(rest, content)
    path = place("depth")
    for folder in folders(path):
        (found,) = drive.propfind(folder, depth="0")
        assert found.is_folder
        assert found.href.rstrip("/") == drive.href(folder).rstrip("/")
    for depth in ("0", "1"):
        found = drive.propfind(path, depth=depth)[-1]
        assert (found.name, found.size, found.is_folder) == ("00001.dcm", len(content), False)


# --- exists ----------------------------------------------------------------------------------------------------------


def test_names_that_nobody_has_are_not_found(rest: httpx.Client, drive: WebDav) -> None:
    """A made-up name leads nowhere at any level, nor does one below a file, nor a name in other letters."""
    import_by_rest(rest, dicom.instance("real"))
    path = place("real")
    made_up = [f"{folder}/made up".lstrip("/") for folder in [*folders(path), "inbox"]]
    for wrong in [*made_up, f"{path}/x", path.upper(), path.lower(), f"{path}~", "README.txt/x", "inbox/made/up"]:
        for method in ("PROPFIND", "GET", "HEAD"):
            for depth in ("0", "1"):
                assert drive.request(method, wrong, headers={"Depth": depth}).status_code == 404, (method, wrong)
        assert drive.delete(wrong).status_code in {403, 404}, wrong  # 403: nothing can be deleted in that layout


def test_deleting_nothing_is_not_found(drive: WebDav) -> None:
    """DELETE of what is not there says so wherever deleting is possible at all."""
    for path in ("nowhere", "nowhere/below", "inbox/nothing", "inbox/nothing/below"):
        assert drive.delete(path).status_code == 404, path


# --- retrieve --------------------------------------------------------------------------------------------------------


def test_files_are_those_of_orthanc(rest: httpx.Client, drive: WebDav) -> None:
    """A hundred different files, one of them of 8 MB, come as uploaded and as Orthanc's REST API has them."""
    contents = {n: dicom.instance("many", number=n, pixels=8 << 20 if n == 50 else n * 1024) for n in range(1, 101)}
    import_by_rest(rest, *contents.values())
    listed = drive.listing(folders(place("many"))[-1])
    assert {name: entry.size for name, entry in listed.items()} == {
        f"{number:05d}.dcm": len(content) for number, content in contents.items()
    }
    for number, content in contents.items():
        answer = drive.http.get(listed[f"{number:05d}.dcm"].href)
        assert answer.content == content
        assert answer.headers["Content-Type"] == "application/dicom"
        assert has(rest, content)


def test_head_finds_files_only(rest: httpx.Client, drive: WebDav) -> None:
    """HEAD is 200 on a file; GET and HEAD on a folder are 404, as the core has it."""
    import_by_rest(rest, dicom.instance("head"))
    assert drive.head(place("head")).status_code == 200
    for folder in folders(place("head"))[1:]:
        assert drive.head(folder).status_code == drive.get(folder).status_code == 404


def test_no_get_is_taken_for_a_propfind(rest: httpx.Client, drive: WebDav) -> None:
    """Whatever PROPFIND came before on the connection, and with a Depth header or without, GET gives the real bytes."""
    content = dicom.instance("real bytes", pixels=dicom.ROW)
    import_by_rest(rest, content)
    target = drive.href(place("real bytes"))
    connection = http.client.HTTPConnection(drive.host, drive.port, timeout=10)
    socket = None
    for before in ("0", "1", "infinity", "2", "-1", "x", "", None):
        for depth in ("0", "1", "infinity", None):
            for method, value in (("PROPFIND", before), ("GET", depth), ("HEAD", depth), ("GET", depth)):
                connection.request(method, target, headers={} if value is None else {"Depth": value})
                socket = socket or connection.sock
                answer = connection.getresponse()
                body = answer.read()
                if method == "GET":
                    assert (answer.status, body) == (200, content), (before, depth)
    assert connection.sock is socket, "the connection was not kept"
    connection.close()


def test_concurrent_propfinds_and_gets_stay_apart(rest: httpx.Client, drive: WebDav) -> None:
    """Eight clients that ask for the sizes and the bytes of the same files get each what they asked for."""
    contents = [dicom.instance("crowd", number=number, pixels=number * dicom.ROW) for number in (1, 2)]
    import_by_rest(rest, *contents)

    def ask(client: int) -> None:
        for turn in range(40):
            number = (client + turn) % 2
            path, content = place("crowd", number + 1), contents[number]
            if (client + turn) % 3:
                assert drive.propfind(path, depth="0")[-1].size == len(content)
            else:
                assert drive.get(path).content == content

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(ask, range(8)))


# --- store -----------------------------------------------------------------------------------------------------------


def test_uploaded_image_is_in_orthanc(rest: httpx.Client, drive: WebDav) -> None:
    """When 201 comes back Orthanc has the image; a receipt stands for it, with its size and Orthanc's bytes."""
    content = dicom.instance("dropped", pixels=dicom.CT_IMAGE)
    assert drive.put("inbox/dropped.dcm", content).status_code == 201
    assert has(rest, content)
    assert drive.listing("inbox")["dropped.dcm"].size == len(content)
    assert drive.propfind("inbox/dropped.dcm", depth="0")[-1].size == len(content)
    assert drive.get("inbox/dropped.dcm").content == drive.get(place("dropped")).content == content


@pytest.mark.parametrize("name", ["empty", "._scan.dcm", ".DS_Store", "Thumbs.db", "notes.txt"])
def test_other_files_stay_files(rest: httpx.Client, drive: WebDav, name: str) -> None:
    """Empty files, what desktops leave behind (even with DICOM in it), and text are kept, and not imported."""
    content = {"empty": b"", "notes.txt": b"call the ward"}.get(name, dicom.instance("junk"))
    before = rest.get("/statistics").json()["CountInstances"]
    assert drive.put(f"inbox/{name}", content).status_code == 201
    assert drive.listing("inbox")[name].size == len(content)
    assert drive.get(f"inbox/{name}").content == content
    assert rest.get("/statistics").json()["CountInstances"] == before
    assert "rejected" not in drive.listing("inbox") or name not in drive.listing("inbox/rejected")


def test_zip_is_imported(rest: httpx.Client, drive: WebDav) -> None:
    """All images in a ZIP are in Orthanc when 201 comes back; the ZIP itself stays."""
    contents = [dicom.instance("zip", number=number) for number in range(1, 6)]
    archive = zipped(b"read me", *contents)
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
    """Three hundred refused uploads later Orthanc still runs: none of them keeps hold of the core's memory."""
    cut = dicom.instance("row", pixels=dicom.ROW)[:900]
    for number in range(300):
        assert drive.put(f"inbox/{number}.dcm", cut).status_code == 415
    assert drive.delete("inbox/rejected").status_code == 204
    assert httpx.get(f"{url}/system", trust_env=False).status_code == 200


def test_filtered_image_is_refused(deleting: Server) -> None:
    """What a Lua filter of Orthanc refuses is an error for the one who dropped it, alone and in a ZIP."""
    content, archive = dicom.instance("refused"), zipped(dicom.instance("taken"), dicom.instance("refused", number=2))
    assert deleting.drive.put("inbox/no.dcm", content).status_code == 415
    assert "filter" in rejected(deleting.drive, "no.dcm", content)
    assert deleting.drive.put("inbox/no.zip", archive).status_code == 415
    assert "IMAGES/IM1: " in rejected(deleting.drive, "no.zip", archive)
    assert not has(deleting.rest, content)
    assert has(deleting.rest, dicom.instance("taken"))


def test_layouts_take_no_files(rest: httpx.Client, drive: WebDav) -> None:
    """Files and folders cannot be put outside of the inbox."""
    content = dicom.instance("outside")
    for path in ("x.dcm", "by-patient/x.dcm", "by-patient/x/y.dcm", "README.txt", "by-patient"):
        assert drive.put(path, content).status_code == 403, path
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
    """A file and a receipt can be removed; what was imported stays in Orthanc."""
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


@pytest.mark.parametrize("level", ABOVE)
def test_images_can_be_deleted_where_that_is_allowed(deleting: Server, level: str) -> None:
    """With AllowDelete, the resource that is deleted on the drive is deleted in Orthanc, with all below it alone."""
    content, other = dicom.instance(level), dicom.instance("bystander")
    for one in (content, other):
        deleting.rest.post("/instances", content=one)
    found = dicom.ids(content)
    resource = dict(zip(ABOVE, (found.patient, found.study, found.series, found.instance), strict=True))[level]
    segments = place(level).split("/")
    path = "/".join(segments[: len(segments) - ABOVE[level]])
    assert deleting.rest.get(f"/{level}/{resource}").status_code == 200
    assert deleting.drive.delete(path).status_code == 204
    assert deleting.rest.get(f"/{level}/{resource}").status_code == 404
    assert deleting.drive.status(path) == deleting.drive.delete(path).status_code == 404
    assert has(deleting.rest, other)


def test_roots_cannot_be_deleted(deleting: Server) -> None:
    """Not even with AllowDelete do the drive, its layouts and its inbox go."""
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


# --- receipts, quota, expiry -----------------------------------------------------------------------------------------


def test_receipt_goes_with_its_image(rest: httpx.Client, drive: WebDav) -> None:
    """Once the image is deleted through REST its receipt cannot be opened any more, and is not listed then."""
    content = dicom.instance("recalled")
    for method in ("PROPFIND", "GET"):
        assert drive.put("inbox/recalled.dcm", content).status_code == 201
        rest.delete(f"/instances/{dicom.ids(content).instance}")
        assert drive.request(method, "inbox/recalled.dcm", headers={"Depth": "0"}).status_code == 404
        assert "recalled.dcm" not in drive.listing("inbox")


def test_listing_shows_no_receipt_without_image(rest: httpx.Client, drive: WebDav) -> None:
    """The first listing after the image was deleted through REST does not show its receipt."""
    content = dicom.instance("unlisted")
    assert drive.put("inbox/unlisted.dcm", content).status_code == 201
    rest.delete(f"/instances/{dicom.ids(content).instance}")
    assert "unlisted.dcm" not in drive.listing("inbox")


def test_spool_has_a_quota(small: Server) -> None:
    """Ordinary files share 1 MB; images do not count, and what is deleted or expired makes room."""
    half = b"x" * 600_000
    assert small.drive.put("inbox/first", half).status_code == 201
    assert small.drive.put("inbox/second", half).status_code == STATUS["NoSpace"]
    assert small.drive.status("inbox/second") == 404
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
    known = {kind.__name__ for root in (errors.PathError, errors.OrthancError) for kind in root.__subclasses__()}
    assert known - {"Forbidden"} == set(STATUS)
    assert set(PROVOKED) | set(UNPROVOKED) == set(STATUS)
