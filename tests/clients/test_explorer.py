"""Explorer's requests, replayed: connecting, listing, copying files, renaming, deleting and saving."""

from collections.abc import Iterator
from itertools import count

import pytest

from davfs.demo.process import OrthancProcess
from tests.clients.operations import TEXT, untouched
from tests.support import dicom
from tests.support.clients.explorer import Explorer
from tests.support.doors import COLLECTION, Door, opened
from tests.support.drive import has, import_by_rest, place

PROBES = ("desktop.ini", "AutoRun.inf", "folder.jpg", "Thumbs.db")

_folders = count(1)


@pytest.fixture
def explorer(server: Door) -> Iterator[Explorer]:
    """Explorer with the complete server connected."""
    with Explorer(server.url) as each:
        yield each


@pytest.fixture
def folder(server: Door) -> str:
    """The path of an empty folder in the inbox."""
    path = f"inbox/explorer {next(_folders)}"
    assert server.drive.mkcol(path).status_code == 201
    return path


def test_it_connects(explorer: Explorer, server: Door) -> None:
    """Every folder on the way offers locks in Microsoft's way, and is listed without a slash at its end."""
    for path in ("", "inbox", "by-patient"):
        headers = explorer.options(path).headers
        assert {"1", "2"} <= {each.strip() for each in headers["dav"].split(",")}
        assert headers["ms-author-via"] == "DAV"
        assert explorer.propfind(path).listed[0].is_folder
        answer = explorer.propfind(path, depth="1")
        assert {each.name for each in answer.listed[1:]} == set(server.drive.listing(path))
        assert b":multistatus" in answer.body  # elements without a prefix are not understood
        assert [explorer.propfind(f"{path}/{name}".lstrip("/")).status for name in PROBES] == [404] * len(PROBES)


def test_it_reads(explorer: Explorer, server: Door) -> None:
    """An image is described as a file of its size, and read as a whole."""
    content = dicom.instance("explorer reads", pixels=64 * dicom.ROW)
    import_by_rest(server.rest, content)
    path = place("explorer reads")
    (entry,) = explorer.propfind(path).listed
    assert (entry.is_folder, entry.size) == (False, len(content))
    assert explorer.head(path).headers["content-length"] == str(len(content))
    assert explorer.get(path).body == content


def test_it_uploads(explorer: Explorer, server: Door, folder: str) -> None:
    """A text and an image arrive, and Windows may set the times of both."""
    image = dicom.instance("explorer uploads", pixels=64 * dicom.ROW)
    for name, content in (("Übersicht (1).txt", TEXT), ("scan.dcm", image)):
        explorer.upload(f"{folder}/{name}", content)
        assert explorer.head(f"{folder}/{name}").headers["content-length"] == str(len(content))
        assert explorer.get(f"{folder}/{name}").body == server.drive.get(f"{folder}/{name}").content == content
    assert set(server.drive.listing(folder)) == {"Übersicht (1).txt", "scan.dcm"}
    assert has(server.rest, image)


def test_times_can_be_set_in_layouts(explorer: Explorer, server: Door) -> None:
    """Setting an image's times in a layout succeeds, so that Windows can copy from there; the image is unchanged."""
    content = dicom.instance("explorer touches")
    import_by_rest(server.rest, content)
    path = place("explorer touches")
    explorer.assert_times_set(path)
    assert server.drive.get(path).content == content


def test_lock_is_given_back_without_brackets(explorer: Explorer, server: Door, folder: str) -> None:
    """Some versions send the token bare; the file is free afterwards."""
    path = f"{folder}/locked.txt"
    explorer.put(path, b"")
    token = explorer.lock(path).lock_token
    assert server.drive.put(path, b"mine").status_code == 423
    assert explorer.unlock(path, token.strip("<>")).status == 204
    assert server.drive.put(path, b"mine").status_code in {200, 201, 204}


def test_lock_makes_a_file(explorer: Explorer, server: Door, folder: str) -> None:
    """LOCK on a new name makes an empty file (RFC 4918 §7.3), which HEAD finds."""
    path = f"{folder}/new.txt"
    answer = explorer.lock(path)
    assert answer.status == 201
    assert explorer.head(path).status == 200
    assert explorer.put(path, TEXT, answer.lock_token).status in {200, 204}
    assert explorer.unlock(path, answer.lock_token).status == 204
    assert server.drive.get(path).content == TEXT


def test_folders(explorer: Explorer, server: Door, folder: str) -> None:
    """Folders can be made, renamed and removed together with their content; success is never answered with 207."""
    old, new = f"{folder}/New folder", f"{folder}/Befunde"
    assert explorer.make_folder(old).status == 201
    explorer.upload(f"{old}/x.txt", TEXT)
    assert explorer.move(old, new).status == 201
    assert server.drive.get(f"{new}/x.txt").content == TEXT
    assert explorer.propfind(old).status == 404
    assert explorer.delete(new).status == 204
    assert server.drive.listing(folder) == {}


@pytest.mark.parametrize("content", [TEXT, dicom.instance("explorer renames")], ids=["file", "image"])
def test_it_renames_and_deletes(explorer: Explorer, server: Door, folder: str, content: bytes) -> None:
    """A file moves to a name that is free, not to one that is taken (Overwrite: F), and is deleted."""
    for name in ("old", "taken"):
        explorer.upload(f"{folder}/{name}", content if name == "old" else b"taken")
    assert explorer.move(f"{folder}/old", f"{folder}/taken").status == 412
    assert explorer.get(f"{folder}/taken").body == b"taken"
    assert explorer.move(f"{folder}/old", f"{folder}/new").status == 201
    assert set(server.drive.listing(folder)) == {"new", "taken"}
    assert explorer.get(f"{folder}/new").body == content
    assert explorer.delete(f"{folder}/new").status == 204
    assert explorer.propfind(f"{folder}/new").status == 404


def test_office_saves(explorer: Explorer, server: Door, folder: str) -> None:
    """Office writes a temporary file, sets the old one aside, renames the new one, and deletes the old."""
    document, temporary, backup, owner = (
        f"{folder}/{name}" for name in ("Befund.docx", "~WRD0001.tmp", "~WRL0002.tmp", "~$Befund.docx")
    )
    explorer.upload(document, b"PK the first version")
    explorer.upload(owner, bytes(162))
    explorer.upload(temporary, b"PK the second version")
    assert explorer.move(document, backup).status == 201
    assert explorer.move(temporary, document).status == 201
    assert explorer.delete(backup).status == explorer.delete(owner).status == 204
    assert server.drive.get(document).content == b"PK the second version"
    assert set(server.drive.listing(folder)) == {"Befund.docx"}


def test_safe_save(explorer: Explorer, server: Door, folder: str) -> None:
    """A temporary file moves over the old one."""
    for name, content in (("report.txt", b"the first version"), ("report.tmp", TEXT)):
        explorer.upload(f"{folder}/{name}", content)
    assert explorer.move(f"{folder}/report.tmp", f"{folder}/report.txt", overwrite="T").status == 204
    assert server.drive.get(f"{folder}/report.txt").content == TEXT
    assert set(server.drive.listing(folder)) == {"report.txt"}


def test_layouts_are_read_only(explorer: Explorer, server: Door) -> None:
    """Files and folders of a layout cannot be written, renamed or deleted."""
    with untouched(server, "explorer kept") as path:
        refused = [
            explorer.put("by-patient/desktop.ini", b""),
            explorer.lock("by-patient/new.txt"),
            explorer.make_folder("by-patient/New folder"),
            explorer.move(path, f"{path}.old"),
            explorer.delete(path),
        ]
    assert [answer.status for answer in refused] == [403] * len(refused)


# --- Orthanc's own port -----------------------------------------------------------------------------------------------


@pytest.fixture
def limited(process: OrthancProcess) -> Iterator[tuple[Explorer, Door]]:
    """Explorer with the drive connected at Orthanc's own port."""
    with opened(COLLECTION, process) as door, Explorer(door.url) as each:
        yield each, door


def test_orthancs_port_takes_uploads(limited: tuple[Explorer, Door]) -> None:
    """A text and an image arrive, can be read, and deleted; the locks around them protect nothing."""
    explorer, door = limited
    image = dicom.instance("explorer limited")
    assert explorer.make_folder("inbox/limited").status == 201
    for name, content in {"a.txt": TEXT, "scan.dcm": image}.items():
        path = f"inbox/limited/{name}"
        assert explorer.propfind(path).status == 404
        assert explorer.put(path, b"").status == 201
        token = explorer.lock(path).headers["lock-token"]
        assert explorer.set_times(path, token).status == 207
        assert explorer.put(path, content, token).status == 201
        assert explorer.unlock(path, token).status == 204
        assert explorer.get(path).body == content
    assert {each.name for each in explorer.propfind("inbox/limited", depth="1").listed[1:]} == {"a.txt", "scan.dcm"}
    assert has(door.rest, image)
    assert explorer.delete("inbox/limited").status == 204


def test_orthancs_port_has_limits(limited: tuple[Explorer, Door]) -> None:
    """Folders below the drive's root have no OPTIONS, times that are set are not confirmed, and renaming is refused."""
    explorer, door = limited
    assert (explorer.options("").status, explorer.options("inbox").status) == (200, 404)
    assert explorer.put("inbox/stays.txt", TEXT).status == 201
    assert explorer.set_times("inbox/stays.txt", None).properties() == {}
    assert explorer.move("inbox/stays.txt", "inbox/moved.txt").status == 400
    assert {"stays.txt"} == {"stays.txt", "moved.txt"} & set(door.drive.listing("inbox"))
    assert explorer.delete("inbox/stays.txt").status == 204
