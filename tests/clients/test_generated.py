"""Real clients read, copy, synchronise and delete generated files."""

import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom, documents, doors
from tests.support.browser import Browser
from tests.support.clients import ClientFailed, Connect, RangeReader
from tests.support.clients.commands import cadaver, rclone, rclone_settings
from tests.support.clients.gvfs import gvfs_fuse
from tests.support.clients.mounts import Mounted, davfs2, rclone_mount
from tests.support.clients.programs import run, wait_until
from tests.support.doors import STANDALONE, Door
from tests.support.drive import delete_all, has, import_by_rest, rest_client
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

# pytest finds fixtures by the names in a module.
door, server = doors.door, doors.server

STEM = "Kopf & 50% #1 (neu) Ü"
LAYOUT = """
title = "files"
[[level]]
study = "{PatientID}"
files = ["{StudyDescription|study}.zip", "study.json", "preview.png", "report.pdf"]
[[level]]
series = "{SeriesNumber} {Modality}"
files = ["series.zip"]
[[level]]
instance = "{InstanceNumber:05d}.dcm"
"""
FOLDER = "files/p1"
ARCHIVE = f"{FOLDER}/{STEM}.zip"
ABOUT = {"StudyDescription": STEM}
STUDY = {
    "1 CT/00001.dcm": dicom.instance("p1", 1, 1, 1, tags=ABOUT),
    "1 CT/00002.dcm": dicom.instance("p1", 1, 1, 2, tags=ABOUT),
    "2 CT/00001.dcm": dicom.instance("p1", 1, 2, 1, tags=ABOUT, pixels=dicom.CT_IMAGE),
    "3 DOC/00001.dcm": documents.encapsulated(b"%PDF-1.4\n%%EOF\n", tags=ABOUT | {"SeriesNumber": 3}),
}

CLIENTS: dict[str, Connect] = {
    "davfs2 with locks": davfs2(locks=True),
    "GVFS, FUSE": gvfs_fuse,
    "rclone mount": rclone_mount,
    "rclone": rclone,
    "cadaver": cadaver,
}


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout of extra files, some of whose names are difficult."""
    file = tmp_path_factory.mktemp("layout") / "files.toml"
    file.write_text(LAYOUT, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def process(
    plugin: Path, servers: list[OrthancProcess], layout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancProcess]:
    """An Orthanc with that layout at both doors of the plugin; files may be deleted."""
    (port,) = free_ports(1)
    davfs = {
        "Layouts": [str(layout)],
        "AllowDelete": True,
        "DeleteForGood": True,
        "Server": {"Enabled": True, "Port": port},
    }
    with OrthancServer(tmp_path_factory.mktemp("orthanc"), plugins=[plugin], davfs=davfs) as started:
        servers.append(started)
        try:
            yield started
            assert started.running, f"Orthanc ended during the tests:\n{started.log_tail(100)}"
        finally:
            servers.remove(started)


@pytest.fixture(scope="module")
def standalone(process: OrthancProcess, layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """The same layout as ``davfs serve`` shows it."""
    options = ("--layout", str(layout), "--allow-delete", "--delete-for-good")
    with (
        ServeProcess(tmp_path_factory.mktemp("serve"), process.url, *options) as served,
        served.ready().drive() as drive,
        rest_client(process) as rest,
    ):
        yield Door(STANDALONE, served.url, drive, rest)
        assert served.stop() == 0, served.text


def filled(place: Door) -> dict[str, bytes]:
    """Store the study, and return the content of all files in its folder by their path in it."""
    delete_all(place.rest)
    import_by_rest(place.rest, *STUDY.values())
    return {path.removeprefix(f"{FOLDER}/"): content for path, content in below(place.drive, FOLDER)}


def below(drive: WebDav, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of all files below a folder of the drive."""
    for name, entry in drive.listing(folder).items():
        path = f"{folder}/{name}"
        if entry.is_folder:
            yield from below(drive, path)
        else:
            yield path, drive.get(path).content


def on_disk(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder of this machine, by path."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", CLIENTS)
def test_reading(server: Door, name: str, tmp_path: Path) -> None:
    """A client lists all generated files, and reads each whole, and an archive from its middle."""
    files = filled(server)
    generated = {f"{STEM}.zip", "study.json", "preview.png", "report.pdf"}
    with CLIENTS[name](server.url, tmp_path) as client:
        assert client.list(FOLDER) == {*generated, "1 CT", "2 CT", "3 DOC"}
        for file in generated:
            assert client.read(f"{FOLDER}/{file}") == files[file], file
        if isinstance(client, RangeReader):
            assert client.read_range(ARCHIVE, 300_001, 5000) == files[f"{STEM}.zip"][300_001:305_001]
        if isinstance(client, Mounted):
            used_in_place(client, files, tmp_path / "copy")


def used_in_place(client: Mounted, files: Mapping[str, bytes], copy: Path) -> None:
    """Assert that programs open an archive where it is mounted, at its end first, and copy the folder as a whole."""
    with zipfile.ZipFile(client.root / ARCHIVE) as archive:
        assert {member: archive.read(member) for member in reversed(archive.namelist())} == STUDY
    run(["unzip", "-tq", client.root / ARCHIVE])
    run(["cp", "-r", client.root / FOLDER, copy])
    assert on_disk(copy) == files


def test_synchronising(door: Door, tmp_path: Path) -> None:
    """At every door, rclone copies all generated files, and a second run transfers nothing."""
    files = filled(door)
    here = tmp_path / "copy"
    both: list[str | Path] = [
        f"drive:{FOLDER}",
        here,
        "--config",
        rclone_settings(door.url, tmp_path),
        "--retries",
        "1",
    ]
    run(["rclone", "sync", *both])
    assert on_disk(here) == files
    run(["rclone", "sync", "--immutable", *both])  # fails where it has to change a file
    run(["rclone", "check", "--download", *both])


@pytest.mark.parametrize("name", ["GVFS, FUSE", "rclone mount", "rclone", "cadaver"])
def test_deleting_all(server: Door, name: str, tmp_path: Path) -> None:
    """A study's folder can be deleted with its content, and nothing of it is left in Orthanc."""
    filled(server)
    with CLIENTS[name](server.url, tmp_path) as client:
        if isinstance(client, Mounted):
            run(["rm", "-rf", client.root / FOLDER])
        elif name == "rclone":
            run(["rclone", "--config", tmp_path / "rclone.conf", "purge", f"drive:{FOLDER}"])
        else:
            client.remove_folder(FOLDER)
    assert server.drive.status(FOLDER) == httpx.codes.NOT_FOUND
    assert server.rest.get("/instances").json() == []


def test_archive_into_the_inbox(server: Door, tmp_path: Path) -> None:
    """An archive that is dragged from a layout into inbox/ brings nothing new, and all that has been deleted since."""
    filled(server)
    before = server.rest.get("/changes?last").json()["Last"]
    target = f"inbox/{server.name}.zip"
    with CLIENTS["rclone mount"](server.url, tmp_path) as client:
        content = client.read(ARCHIVE)
        client.write(target, content)
        wait_until(lambda: server.drive.get(target).content == content, "the archive is in inbox/")
    assert [name for name in server.drive.listing("inbox") if server.name in name] == [f"{server.name}.zip"]
    assert server.rest.get("/changes?last").json()["Last"] == before
    delete_all(server.rest)
    assert server.drive.put(f"inbox/again {server.name}.zip", content).status_code == httpx.codes.CREATED
    assert all(has(server.rest, image) for image in STUDY.values())


def test_browser(server: Door, tmp_path: Path) -> None:
    """The page of a folder shows them with their sizes; pictures open in the browser, archives are downloaded."""
    files = filled(server)
    with Browser(tmp_path) as browser:
        browser.open(server.url + FOLDER)
        rows = (
            "[...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(each => each.innerText.trim()))"
        )
        shown = {row[0]: row[1] for row in browser.wait_for(rows)}
        assert shown.keys() == {f"{STEM}.zip", "study.json", "preview.png", "report.pdf", "1 CT", "2 CT", "3 DOC"}
        assert shown["report.pdf"] == f"{len(files['report.pdf'])}\N{NO-BREAK SPACE}B"
        browser.click("a[href$='.zip']")
        assert browser.wait_for_event("Browser.downloadWillBegin")["suggestedFilename"] == f"{STEM}.zip"
        while browser.wait_for_event("Browser.downloadProgress")["state"] != "completed":
            pass
        assert (browser.downloads / f"{STEM}.zip").read_bytes() == files[f"{STEM}.zip"]
        for file, media_type in (("preview.png", "image/png"), ("report.pdf", "application/pdf")):
            browser.open(f"{server.url}{FOLDER}/{file}")
            assert browser.run("document.contentType") == media_type


def test_dates_are_no_validators(server: Door) -> None:
    """Finder goes on with a download by `If-Range: <date>`: bytes of two archives must not come into one file."""
    filled(server)
    before = {file: server.drive.get(file) for file in (ARCHIVE, f"{FOLDER}/study.json")}
    time.sleep(1.1)  # HTTP knows no parts of a second
    import_by_rest(server.rest, dicom.instance("p1", 1, 4, 1, tags=ABOUT))
    for file, answer in before.items():
        date = answer.headers["Last-Modified"]
        resumed = server.drive.request("GET", file, headers={"Range": "bytes=100-", "If-Range": date})
        again = server.drive.request("GET", file, headers={"If-Modified-Since": date})
        assert (resumed.status_code, again.status_code) == (httpx.codes.OK, httpx.codes.OK), file
        assert resumed.content == again.content != answer.content, file


def test_options(server: Door) -> None:
    """OPTIONS tells what can be done at a path, however it is encoded: davfs2, GVFS and Explorer begin with it."""
    filled(server)
    for path in (f"{FOLDER}/1 CT", ARCHIVE, f"{FOLDER}/1 CT/00001.dcm"):
        answer = server.drive.options(path)
        assert answer.status_code == httpx.codes.OK, path
        assert "GET" in answer.headers["Allow"], path
        assert "1,2" in answer.headers["DAV"], path


def test_mounting_a_folder_below(server: Door, tmp_path: Path) -> None:
    """A folder with a space in its path can be mounted by itself."""
    filled(server)
    with davfs2(locks=False)(f"{server.url}{FOLDER}/1 CT/", tmp_path) as client:
        assert "00001.dcm" in client.list("")


def test_deleting_file_by_file(server: Door, tmp_path: Path) -> None:
    """A folder can be deleted by deleting all that is in it, though Orthanc deletes it with the last image."""
    filled(server)
    with CLIENTS["davfs2 with locks"](server.url, tmp_path) as client:
        assert isinstance(client, Mounted)
        run(["rm", "-rf", client.root / FOLDER])
    assert server.rest.get("/instances").json() == []


# From here on files cannot be replaced, and are not deleted for half a minute either.


@pytest.mark.parametrize("name", CLIENTS)
def test_overwriting(server: Door, name: str, tmp_path: Path) -> None:
    """A client's attempts to write beside generated files or to rename them change and add no file."""
    files = filled(server)
    with CLIENTS[name](server.url, tmp_path) as client:
        for attempt in (f"{STEM}.zip", "study.json", "new.zip"):
            try:
                client.write(f"{FOLDER}/{attempt}", b"mine")
            except (ClientFailed, OSError):  # some tell of it, others upload later
                continue
        with pytest.raises((ClientFailed, OSError)):
            client.rename(ARCHIVE, f"{FOLDER}/other.zip")
    assert {path.removeprefix(f"{FOLDER}/"): content for path, content in below(server.drive, FOLDER)} == files


@pytest.mark.parametrize("file", ["1 CT/00001.dcm", f"{STEM}.zip"])
@pytest.mark.parametrize("connect", [rclone, rclone_mount])
def test_what_cannot_be_replaced_is_not_lost(server: Door, connect: Connect, file: str, tmp_path: Path) -> None:
    """Rclone deletes what it takes for half of its own upload: a refused PUT must not cost the image."""
    files = filled(server)
    with connect(server.url, tmp_path) as client:
        with suppress(ClientFailed, OSError):
            client.write(f"{FOLDER}/{file}", b"mine")
        time.sleep(3)  # it does so a second later
    assert {path.removeprefix(f"{FOLDER}/"): content for path, content in below(server.drive, FOLDER)} == files
