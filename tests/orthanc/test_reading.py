"""Everything in Orthanc is on the drive: list, exists and retrieve, over HTTP."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx

from tests.support import dicom
from tests.support.drive import folders, has, import_by_rest, place
from tests.support.webdav import Listed, WebDav

# --- list ------------------------------------------------------------------------------------------------------------


def test_tree_has_a_folder_for_each_level(rest: httpx.Client, drive: WebDav) -> None:
    """Patients, studies, series and files are nested, each once, under the names of the layout."""
    import_by_rest(
        rest, *(dicom.instance("tree", study, series) for study in (1, 2) for series in (1, 2)), dicom.instance("other")
    )
    patient = "by-patient/Doe tree (tree)"
    assert set(drive.listing()) == {"README.txt", "by-patient", "inbox", "search"}
    assert {"Doe tree (tree)", "Doe other (other)"} <= set(drive.listing("by-patient"))
    assert set(drive.listing(patient)) == {"2024-02-29 Study 1", "2024-02-29 Study 2"}
    assert set(drive.listing(f"{patient}/2024-02-29 Study 2")) == {"001 CT Series 1", "002 CT Series 2"}
    assert set(drive.listing(f"{patient}/2024-02-29 Study 2/002 CT Series 2")) == {"00001.dcm"}


def test_entries_tell_what_they_are(rest: httpx.Client, drive: WebDav) -> None:
    """Each entry has its href, display name and date in UTC, and each file its size."""
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


def test_made_up_names_are_not_found(rest: httpx.Client, drive: WebDav) -> None:
    """A made-up name is not found at any level, nor is one below a file, nor a name in upper or lower case."""
    import_by_rest(rest, dicom.instance("real"))
    path = place("real")
    made_up = [f"{folder}/made up".lstrip("/") for folder in [*folders(path), "inbox"]]
    for wrong in [*made_up, f"{path}/x", path.upper(), path.lower(), f"{path}~", "README.txt/x", "inbox/made/up"]:
        for method in ("PROPFIND", "GET", "HEAD"):
            for depth in ("0", "1"):
                assert drive.request(method, wrong, headers={"Depth": depth}).status_code == 404, (method, wrong)
        assert drive.delete(wrong).status_code in {403, 404}, wrong  # 403: nothing can be deleted in that layout


def test_deleting_nothing_is_not_found(drive: WebDav) -> None:
    """DELETE of a missing path is 404 wherever deleting is possible at all."""
    for path in ("nowhere", "nowhere/below", "inbox/nothing", "inbox/nothing/below"):
        assert drive.delete(path).status_code == 404, path


# --- retrieve --------------------------------------------------------------------------------------------------------


def test_files_are_those_of_orthanc(rest: httpx.Client, drive: WebDav) -> None:
    """A hundred different files, one of them of 8 MB, are downloaded as they were uploaded."""
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
    """HEAD is 200 on a file; GET and HEAD on a folder are 404, as the core answers."""
    import_by_rest(rest, dicom.instance("head"))
    assert drive.head(place("head")).status_code == 200
    for folder in folders(place("head"))[1:]:
        assert drive.head(folder).status_code == drive.get(folder).status_code == 404


def test_no_get_is_taken_for_a_propfind(rest: httpx.Client, drive: WebDav) -> None:
    """GET sends the file's content, with any Depth header, and after any PROPFIND on the same connection."""
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
    """Eight clients that request sizes and bytes of the same files each get the right response."""
    contents = [dicom.instance("crowd", number=number, pixels=number * dicom.ROW) for number in (1, 2)]
    import_by_rest(rest, *contents)

    def ask(client: int) -> None:
        for turn in range(40):
            number = (client + turn) % 2
            path, content = place("crowd", number=number + 1), contents[number]
            if (client + turn) % 3:
                assert drive.propfind(path, depth="0")[-1].size == len(content)
            else:
                assert drive.get(path).content == content

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(ask, range(8)))
