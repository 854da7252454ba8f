"""Finder's requests, replayed: mounting, listing, copying files, renaming, deleting and saving."""

import re
import socket
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from itertools import count
from unicodedata import normalize

import pytest

from davfs.demo.process import OrthancProcess
from tests.clients.operations import TEXT, untouched
from tests.support import dicom
from tests.support.clients.finder import Finder, apple_double
from tests.support.doors import COLLECTION, Door, opened
from tests.support.drive import has, import_by_rest, place
from tests.support.webdav import DAV

PROBES = ("._.", ".DS_Store", ".hidden", ".metadata_never_index", ".Spotlight-V100", "._inbox", "Backups.backupdb")
ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")

_folders = count(1)


@pytest.fixture
def finder(server: Door) -> Iterator[Finder]:
    """Finder with the complete server mounted."""
    with Finder(server.url) as each:
        yield each


@pytest.fixture
def folder(server: Door) -> str:
    """The path of an empty folder in the inbox."""
    path = f"inbox/finder {next(_folders)}"
    assert server.drive.mkcol(path).status_code == 201
    return path


def test_it_mounts_for_writing(finder: Finder) -> None:
    """Locks are offered, or Finder mounts read-only; the root is a folder with dates; quota is a number or missing."""
    assert "2" in [each.strip() for each in finder.options().headers["dav"].split(",")]
    root = finder.propfind("").properties()
    assert root[f"{DAV}resourcetype"][0] == 200
    assert_dates(root)
    quota = finder.quota().properties()
    assert {name: text for name, (status, text) in quota.items() if status == 200 and not text.isdigit()} == {}
    assert {status for status, _text in quota.values()} <= {200, 404}


def assert_dates(properties: dict[str, tuple[int, str]]) -> None:
    """Assert that both dates are there, in the forms of RFC 4918 §15.1 and §15.7."""
    modified, created = properties[f"{DAV}getlastmodified"], properties[f"{DAV}creationdate"]
    assert modified[0] == created[0] == 200
    assert parsedate_to_datetime(modified[1]).tzinfo is not None
    assert modified[1].endswith(" GMT")
    assert ISO_TIME.fullmatch(created[1]), created


def test_it_lists(finder: Finder, server: Door) -> None:
    """The folder comes with all that is in it; what is not there is 404, above all the files that Finder looks for."""
    assert {each.name for each in finder.list("").listed[1:]} == set(server.drive.listing(""))
    for folder in ("", "inbox/", "by-patient/"):
        assert [finder.propfind(f"{folder}{name}").status for name in PROBES] == [404] * len(PROBES)


def test_it_reads(finder: Finder, server: Door) -> None:
    """An image is read in parts; a part that was begun is resumed where the file has not changed."""
    content = dicom.instance("finder reads", tags={"PatientName": "Müller^Änne"}, pixels=256 * dicom.ROW)
    import_by_rest(server.rest, content)
    path = place("finder reads", tags={"PatientName": "Müller Änne"})
    properties = finder.propfind(path).properties()
    assert properties[f"{DAV}getcontentlength"] == (200, str(len(content)))
    assert_dates(properties)
    unchanged = ("If-Range", properties[f"{DAV}getlastmodified"][1])
    for headers in ((), (unchanged,)):
        part = finder.get(path, ("Range", "bytes=100001-200000"), *headers)
        assert (part.status, part.body) == (206, content[100_001:200_001])
    changed = ("If-Range", "Mon, 01 Jan 1990 00:00:00 GMT")
    whole = finder.get(path, ("Range", "bytes=100001-200000"), changed)
    assert (whole.status, whole.body) == (200, content)


def test_it_uploads(finder: Finder, server: Door, folder: str) -> None:
    """A text and an image arrive with the AppleDouble files beside them, which stay as they are."""
    image = dicom.instance("finder uploads", pixels=256 * dicom.ROW)
    for name, content in (("Lübeck.txt", TEXT), ("scan.dcm", image)):
        finder.upload(f"{folder}/{name}", content)
        assert finder.propfind(f"{folder}/{name}").properties()[f"{DAV}getcontentlength"] == (200, str(len(content)))
        assert finder.get(f"{folder}/{name}").body == content
        assert server.drive.get(f"{folder}/{name}").content == content
        assert finder.get(f"{folder}/._{name}").body == apple_double()
    assert set(server.drive.listing(folder)) == {"Lübeck.txt", "._Lübeck.txt", "scan.dcm", "._scan.dcm"}
    assert has(server.rest, image)


def test_file_is_locked_while_it_is_written(finder: Finder, server: Door, folder: str) -> None:
    """Between LOCK and UNLOCK other clients can neither write nor delete nor lock the file."""
    path = f"{folder}/locked.txt"
    assert finder.put_empty(path).status == 201
    token = finder.lock(path).lock_token
    assert server.drive.put(path, b"mine").status_code == server.drive.delete(path).status_code == 423
    assert finder.lock(path).status == 423
    assert finder.put_chunked(path, TEXT, token).status in {200, 204}
    assert finder.unlock(path, token).status == 204
    assert server.drive.get(path).content == TEXT
    assert server.drive.put(path, b"mine").status_code in {200, 201, 204}


def test_folders(finder: Finder, server: Door, folder: str) -> None:
    """A folder is made, renamed, seen to be empty, and removed."""
    old, new = f"{folder}/untitled folder", f"{folder}/Übersicht"
    assert finder.propfind(old).status == 404
    assert finder.make_folder(old).status == 201
    assert finder.propfind(new).status == 404
    assert finder.move(f"{old}/", f"{new}/").status == 201
    assert set(server.drive.listing(folder)) == {"Übersicht"}
    assert len(finder.list(new).listed) == 1
    assert finder.delete(f"{new}/").status == 204
    assert server.drive.listing(folder) == {}


def test_names_are_the_same_composed_and_decomposed(finder: Finder, server: Door, folder: str) -> None:
    """A file written with a decomposed name is listed composed, and found by both spellings."""
    path = f"{folder}/Größe Ångström.txt"
    assert normalize("NFD", path) != path
    assert finder.put_empty(path).status == 201
    assert list(server.drive.listing(folder)) == ["Größe Ångström.txt"]
    assert finder.propfind(path).status == server.drive.status(path) == 207


@pytest.mark.parametrize("content", [TEXT, dicom.instance("finder renames")], ids=["file", "image"])
def test_it_renames_and_deletes(finder: Finder, server: Door, folder: str, content: bytes) -> None:
    """A file moves with the AppleDouble file beside it, and both are deleted."""
    finder.upload(f"{folder}/old", content)
    for name in ("old", "._old"):
        assert finder.move(f"{folder}/{name}", f"{folder}/{name.replace('old', 'new')}").status == 201
    assert set(server.drive.listing(folder)) == {"new", "._new"}
    assert finder.get(f"{folder}/new").body == content
    assert finder.delete(f"{folder}/new").status == finder.delete(f"{folder}/._new").status == 204
    assert server.drive.listing(folder) == {}


def test_safe_save(finder: Finder, server: Door, folder: str) -> None:
    """A program writes a temporary file and moves it over the old one, without an Overwrite header."""
    finder.upload(f"{folder}/report.txt", b"the first version")
    temporary = f"{folder}/.dat.nosync01ab"
    finder.upload(temporary, TEXT)
    assert finder.move(temporary, f"{folder}/report.txt").status == 204
    assert finder.get(f"{folder}/report.txt").body == server.drive.get(f"{folder}/report.txt").content == TEXT
    assert finder.propfind(temporary).status == 404


def test_safe_save_of_images(finder: Finder, server: Door, folder: str) -> None:
    """An image that replaces another one under its name is in Orthanc, and so is the old one."""
    images = [dicom.instance("finder saves", number=number) for number in (1, 2)]
    for name, image in zip(("scan.dcm", "scan.tmp"), images, strict=True):
        finder.upload(f"{folder}/{name}", image)
    assert finder.move(f"{folder}/scan.tmp", f"{folder}/scan.dcm").status == 204
    assert finder.get(f"{folder}/scan.dcm").body == images[1]
    assert all(has(server.rest, image) for image in images)


@pytest.mark.parametrize(
    "content", [TEXT, dicom.instance("finder stalls", pixels=256 * dicom.ROW)], ids=["file", "image"]
)
def test_last_chunk_that_never_comes(finder: Finder, server: Door, folder: str, content: bytes) -> None:
    """Where the announced length has arrived the upload ends, though some versions never send the chunk of length 0."""
    path = f"{folder}/stalled"
    assert finder.put_empty(path).status == 201
    token = finder.lock(path).lock_token
    headers = (("Host", finder.host), ("Accept", "*/*"), *Finder.chunked(content, token))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    request = f"PUT {finder.href(path)} HTTP/1.1\r\n{head}\r\n{len(content):x}\r\n".encode() + content + b"\r\n"
    with socket.create_connection((server.drive.host, server.drive.port), timeout=10) as connection:
        connection.sendall(request)
        assert connection.recv(4096).split()[1] in {b"200", b"201", b"204"}
    assert finder.unlock(path, token).status == 204
    assert server.drive.get(path).content == content


def test_layouts_are_read_only(finder: Finder, server: Door) -> None:
    """Adding, renaming, moving and deleting in a layout are refused, also of the metadata files of macOS."""
    with untouched(server, "finder kept") as path:
        refused = [
            finder.put_empty("by-patient/._x"),
            finder.put_empty("by-patient/.DS_Store"),
            finder.make_folder("by-patient/untitled folder"),
            finder.move(path, f"{path}.old"),
            finder.move(path, "inbox/moved.dcm"),
            finder.delete(path),
        ]
    assert [answer.status for answer in refused] == [403] * len(refused)


# --- Orthanc's own port -----------------------------------------------------------------------------------------------


@pytest.fixture
def limited(process: OrthancProcess) -> Iterator[tuple[Finder, Door]]:
    """Finder with the drive mounted at Orthanc's own port."""
    with opened(COLLECTION, process) as door, Finder(door.url) as each:
        yield each, door


def test_orthancs_port_takes_uploads(limited: tuple[Finder, Door]) -> None:
    """A text and an image arrive with the AppleDouble files beside them; the locks around them protect nothing."""
    finder, door = limited
    image = dicom.instance("finder limited")
    files = {"a.txt": TEXT, "._a.txt": apple_double(), "scan.dcm": image, "._scan.dcm": apple_double()}
    assert finder.make_folder("inbox/limited").status == 201
    for name, content in files.items():
        path = f"inbox/limited/{name}"
        assert finder.propfind(path).status == 404
        assert finder.put_empty(path).status == 201
        token = finder.lock(path).headers["lock-token"]
        assert finder.put_chunked(path, content, token).status == 201
        assert finder.unlock(path, token).status == 204
        assert finder.get(path).body == content
    assert {each.name for each in finder.list("inbox/limited").listed[1:]} == set(files)
    assert has(door.rest, image)


def test_orthancs_port_has_limits(limited: tuple[Finder, Door]) -> None:
    """Dates are not in a form that Finder reads, and renaming is refused; deleting works."""
    finder, door = limited
    properties = finder.propfind("").properties()
    assert ISO_TIME.fullmatch(properties[f"{DAV}getlastmodified"][1])
    assert finder.put_empty("inbox/stays.txt").status == 201
    assert finder.move("inbox/stays.txt", "inbox/moved.txt").status == 400
    assert {"stays.txt"} == {"stays.txt", "moved.txt"} & set(door.drive.listing("inbox"))
    assert finder.delete("inbox/stays.txt").status == 204
