"""Nothing in the trash shows through any door, in any folder, search or generated file; and it comes back as it was."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from davfs.orthanc import OrthancId
from davfs.orthanc.client import OrthancClient
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.rest import RestOrthanc
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.doors import COLLECTION, DOORS, SERVER, STANDALONE
from tests.support.drive import delete_all, import_by_rest, rest_client
from tests.support.serving import ServeProcess
from tests.support.trashing import restore, trash
from tests.support.waiting import eventually
from tests.support.webdav import WebDav

FILES = """
title = "files"
[[level]]
study = "{PatientID} {StudyDescription}"
files = ["study.zip", "study.json", "preview.png"]
[[level]]
series = "{SeriesNumber} {Modality}"
files = ["series.zip"]
[[level]]
instance = "{InstanceNumber:05d}.dcm"
"""
YEARS = """
title = "years"
[[level]]
group = "{StudyDate:%Y}"
[[level]]
study = "{PatientID}"
[[level]]
instance = "{SeriesNumber} {InstanceNumber}.dcm"
"""
PSEUDONYMS = """
title = "pseudonyms"
anonymised = true
[[level]]
patient = "{PatientID:hash}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
LOOKED_UP = 2.0
"""Seconds until the plugin has looked up images that may have been sent again: a test before has just deleted them."""
FIRST, SECOND = (dicom.instance("p1", 1, 1, number, pixels=dicom.CT_IMAGE) for number in (1, 2))
MR = dicom.instance("p1", 1, 2, 1, tags={"Modality": "MR"})
OLD = dicom.instance("old", 1, 1, 1, tags={"StudyDate": "19990101"})
STUDY = "files/p1 Study 1"


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive behind all doors."""

    process: OrthancProcess
    drives: dict[str, WebDav]
    rest: httpx.Client
    orthanc: RestOrthanc


@pytest.fixture(scope="module")
def shared(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An Orthanc with both doors of the plugin, and `davfs serve` beside it."""
    folder = tmp_path_factory.mktemp("hidden")
    files = []
    for number, text in enumerate((FILES, YEARS, PSEUDONYMS)):
        files.append(folder / f"{number}.toml")
        files[-1].write_text(text, encoding="utf-8")
    (port,) = free_ports(1)
    davfs = {
        "Layouts": list(map(str, files)),
        "HashKey": "a secret of this test",
        "AllowDelete": True,  # without it, another drive's first deletion may take a second to hide a file at door 1
        "Server": {"Enabled": True, "Port": port},
    }
    options = [f"--layout={file}" for file in files]
    with (
        run_orthanc(davfs=davfs) as process,
        rest_client(process) as rest,
        ServeProcess(folder, process.url, *options, environment={"DAVFS_HASH_KEY": "a secret of this test"}) as served,
        served.ready().drive() as beside,
        WebDav(process.drive_url) as own,
        WebDav(process.server_url) as server,
        _client(process) as client,
    ):
        drives = {COLLECTION: own, SERVER: server, STANDALONE: beside}
        yield Archive(process, drives, rest, RestOrthanc(HttpTransport(client)))
        assert served.stop() == 0, served.text


def _client(process: OrthancProcess) -> OrthancClient:
    return http_client(process.url)


@pytest.fixture
def archive(shared: Archive) -> Archive:
    """The archive with four images of two patients."""
    delete_all(shared.rest)
    import_by_rest(shared.rest, FIRST, SECOND, MR, OLD)
    time.sleep(LOOKED_UP)
    return shared


@pytest.fixture(params=DOORS)
def drive(request: pytest.FixtureRequest, archive: Archive) -> WebDav:
    """Each door in turn."""
    return archive.drives[request.param]


def instances(*contents: bytes) -> list[OrthancId]:
    """Return Orthanc's ids of images."""
    return [OrthancId(dicom.ids(content).instance) for content in contents]


def walk(drive: WebDav, folder: str = "") -> dict[str, bytes]:
    """Return all files below a folder with their bytes, and the folders without; not the trash."""
    found = dict[str, bytes]()
    for name, entry in drive.listing(folder).items():
        path = f"{folder}/{name}".lstrip("/")
        if path == "trash":
            continue
        if entry.is_folder:
            found |= {path: b"", **walk(drive, path)}
        elif not name.startswith("README"):
            answer = drive.get(path)
            assert answer.status_code == 200, path
            found[path] = _comparable(path, answer.content)
    return found


def _comparable(path: str, content: bytes) -> bytes:
    """Return content without what differs between two archives of the same images: dates."""
    if path.endswith(".zip"):
        return "\n".join(sorted(zipfile.ZipFile(io.BytesIO(content)).namelist())).encode()
    if path.endswith(".json"):
        found = json.loads(content)
        return repr([(key, found[key]) for key in sorted(found) if key not in {"LastUpdate", "IsStable"}]).encode()
    return content


@pytest.mark.parametrize("hidden", [(OLD,), (FIRST,), (FIRST, SECOND), (FIRST, SECOND, MR)], ids=len)
def test_all_that_is_shown(archive: Archive, drive: WebDav, hidden: tuple[bytes, ...]) -> None:
    """Every path, and the bytes of every file, are those of an archive in which the images were deleted."""
    whole = walk(drive)
    entry = trash(archive.orthanc, instances(*hidden))
    shown = walk(drive)
    restore(archive.orthanc, entry)
    assert walk(drive) == whole
    for one in instances(*hidden):
        archive.rest.delete(f"/instances/{one}").raise_for_status()
    assert eventually(lambda: shown == walk(drive))  # of a deletion by REST, groups learn in the background


def test_each_request_sees_it(archive: Archive, drive: WebDav) -> None:
    """Files and folders that were read a moment ago are hidden by the next request, and shown by the next one again."""
    paths = {
        f"{STUDY}/1 CT/00001.dcm": 404,
        f"{STUDY}/1 CT/series.zip": 404,
        f"{STUDY}/1 CT": 404,
        f"{STUDY}/2 MR/00001.dcm": 200,
        STUDY: 200,
    }
    for _ in range(5):
        for path, status in paths.items():
            assert drive.listing(STUDY).keys() >= {"1 CT", "2 MR"}
            files = [each for each in paths if each.endswith((".dcm", ".zip"))]
            assert [drive.get(each).status_code for each in files] == [200, 200, 200]
            entry = trash(archive.orthanc, instances(FIRST, SECOND))
            if path in files:
                assert drive.get(path).status_code == status
            else:
                assert drive.status(path) == (207 if status == 200 else status)
            restore(archive.orthanc, entry)
    assert [drive.get(each).status_code for each in files] == [200, 200, 200]


def test_groups(archive: Archive, drive: WebDav) -> None:
    """The folder of a year whose only study is in the trash is gone."""
    assert drive.listing("years").keys() == {"1999", "2024"}
    entry = trash(archive.orthanc, instances(OLD))
    assert drive.listing("years").keys() == {"2024"}
    assert drive.status("years/1999") == drive.status("years/1999/old") == 404
    restore(archive.orthanc, entry)
    assert drive.listing("years/1999").keys() == {"old"}


def test_searches(archive: Archive, drive: WebDav) -> None:
    """A search finds nothing in the trash."""
    assert len(drive.listing("search/PatientID=old")) == 1
    entry = trash(archive.orthanc, instances(OLD))
    assert not drive.listing("search/PatientID=old")
    restore(archive.orthanc, entry)
    assert len(drive.listing("search/PatientID=old")) == 1


def test_receipts(archive: Archive, drive: WebDav) -> None:
    """The receipt of an image in the trash is not shown; it is there again with the image."""
    uploaded = dicom.instance("p1", 1, 1, 9)
    name = f"inbox/{id(drive)}.dcm"
    assert drive.put(name, uploaded).status_code in {201, 204}
    entry = trash(archive.orthanc, instances(uploaded))
    assert name.split("/")[1] not in drive.listing("inbox")
    assert drive.get(name).status_code == 404
    restore(archive.orthanc, entry)
    assert drive.get(name).content == uploaded


@pytest.mark.parametrize("lost", [False, True])
def test_a_restart(run_orthanc: RunOrthanc, tmp_path: Path, *, lost: bool) -> None:
    """What is in the trash stays hidden when Orthanc is killed, and when the index is lost; by any name of its mark."""
    davfs = {"Layouts": ["by-patient", "by-date"]}
    settings = {"UserMetadata": {"what-is-in-the-trash": 4242}, "CheckRevisions": True}
    with (
        run_orthanc(tmp_path, davfs=davfs, settings=settings) as process,
        rest_client(process) as rest,
        _client(process) as client,
    ):
        import_by_rest(rest, FIRST, SECOND, MR, OLD)
        trash(RestOrthanc(HttpTransport(client)), instances(OLD, MR))
        _assert_hidden(process)
    if lost:
        for file in list(tmp_path.rglob("catalog.sqlite*")):
            file.unlink()
    with run_orthanc(tmp_path, davfs=davfs, settings=settings) as process:
        _assert_hidden(process)


def _assert_hidden(process: OrthancProcess) -> None:
    """Check that two layouts show the first series alone."""
    with WebDav(process.drive_url) as drive:
        assert drive.listing("by-patient").keys() == {"Doe p1 (p1)"}
        assert drive.listing("by-date").keys() == {"2024"}
        (study,) = drive.listing("by-patient/Doe p1 (p1)")
        assert drive.listing(f"by-patient/Doe p1 (p1)/{study}").keys() == {"001 CT Series 1"}
