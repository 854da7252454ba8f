"""Extra files in the folders of a running drive, through every door."""

import io
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from davfs.demo.samples import import_samples
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom, documents
from tests.support.doors import COLLECTION, DOORS, SERVER, STANDALONE
from tests.support.drive import delete_all, import_by_rest, rest_client
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

FILES = """
title = "files"
[[level]]
study = "{PatientID}"
files = ["study.zip", "study.json", "preview.png", "report.pdf"]
[[level]]
series = "{SeriesNumber} {Modality}"
files = ["series.zip"]
[[level]]
instance = "{InstanceNumber:05d}.dcm"
"""
PDF = b"%PDF-1.4\n% a report\n%%EOF\n"
REPORT = documents.encapsulated(PDF, tags={"SeriesNumber": 3})


@dataclass(frozen=True, slots=True)
class Doors:
    """One archive behind all doors: their clients, by name, and one of the REST API."""

    process: OrthancProcess
    drives: dict[str, WebDav]
    rest: httpx.Client


@pytest.fixture(scope="module")
def doors(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """An Orthanc with the plugin and `davfs serve` beside it, both with a layout of extra files, and by-uid."""
    folder = tmp_path_factory.mktemp("generated")
    file = folder / "files.toml"
    file.write_text(FILES, encoding="utf-8")
    (port,) = free_ports(1)
    davfs = {
        "Layouts": [str(file), "by-uid"],
        "AllowDelete": True,
        "DeleteForGood": True,
        "Server": {"Enabled": True, "Port": port},
    }
    with run_orthanc(davfs=davfs) as process, rest_client(process) as rest:
        served = ServeProcess(
            folder, process.url, "--layout", str(file), "--layout", "by-uid", "--allow-delete", "--delete-for-good"
        )
        with served, served.ready().drive() as beside, WebDav(process.drive_url) as own:
            with WebDav(process.server_url) as server:
                yield Doors(process, {COLLECTION: own, SERVER: server, STANDALONE: beside}, rest)
            assert served.stop() == 0, served.text


@pytest.fixture(scope="module", params=DOORS)
def drive(request: pytest.FixtureRequest, doors: Doors) -> WebDav:
    """Each door in turn."""
    return doors.drives[request.param]


@pytest.fixture
def study(doors: Doors) -> dict[str, bytes]:
    """One study of three images, one of them with pixels, and a report: path within the study, and content."""
    delete_all(doors.rest)
    contents = {
        "1 CT/00001.dcm": dicom.instance("p1", 1, 1, 1),
        "1 CT/00002.dcm": dicom.instance("p1", 1, 1, 2),
        "2 CT/00001.dcm": dicom.instance("p1", 1, 2, 1, pixels=dicom.CT_IMAGE),
        "3 DOC/00001.dcm": REPORT,
    }
    import_by_rest(doors.rest, *contents.values())
    return contents


def test_sizes_and_contents(drive: WebDav, study: dict[str, bytes], doors: Doors) -> None:
    """Generated files are listed with the size of their content, and have the expected content."""
    listed = drive.listing("files/p1")
    assert listed.keys() == {
        *(path.partition("/")[0] for path in study),
        "study.zip",
        "study.json",
        "preview.png",
        "report.pdf",
    }
    contents = {name: drive.get(f"files/p1/{name}") for name, each in listed.items() if not each.is_folder}
    for name, answer in contents.items():
        assert answer.status_code == httpx.codes.OK, name
        assert len(answer.content) == listed[name].size, name
    assert contents["report.pdf"].content == PDF
    assert contents["preview.png"].content.startswith(b"\x89PNG\r\n")
    (one,) = doors.rest.get("/studies").json()
    assert contents["study.json"].content == doors.rest.get(f"/studies/{one}").content
    with zipfile.ZipFile(io.BytesIO(contents["study.zip"].content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == study
    with zipfile.ZipFile(io.BytesIO(drive.get("files/p1/1 CT/series.zip").content)) as archive:
        assert archive.namelist() == ["00001.dcm", "00002.dcm"]


def test_unzip(drive: WebDav, study: dict[str, bytes], tmp_path: Path) -> None:
    """Another program than Python takes an archive for a sound one."""
    (tmp_path / "study.zip").write_bytes(drive.get("files/p1/study.zip").content)
    done = subprocess.run(["unzip", "-t", str(tmp_path / "study.zip")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("OK") == len(study)


def test_generated_files_are_read_only(drive: WebDav, doors: Doors) -> None:
    """Generated files can be neither overwritten nor deleted."""
    import_by_rest(doors.rest, dicom.instance("written", pixels=dicom.ROW))
    for name in ("study.zip", "study.json", "preview.png"):
        before = drive.get(f"files/written/{name}").content
        assert drive.put(f"files/written/{name}", b"x").is_client_error, name
        assert drive.delete(f"files/written/{name}").status_code == httpx.codes.FORBIDDEN, name
        assert drive.get(f"files/written/{name}").content == before, name


@pytest.mark.usefixtures("study")
def test_deleting_a_folder_file_by_file(drive: WebDav, doors: Doors) -> None:
    """A client that deletes a study by deleting all that is in it succeeds; images go with their own files alone."""
    before = set(doors.rest.get("/instances").json())
    for name in ("study.zip", "study.json", "preview.png", "report.pdf"):
        assert drive.delete(f"files/p1/{name}").status_code == httpx.codes.NO_CONTENT
        assert drive.status(f"files/p1/{name}") == httpx.codes.NOT_FOUND
    assert drive.listing("files/p1").keys() == {"1 CT", "2 CT", "3 DOC"}
    assert set(doors.rest.get("/instances").json()) == before
    assert drive.delete("files/p1").status_code == httpx.codes.NO_CONTENT
    assert doors.rest.get("/instances").json() == []


@pytest.mark.usefixtures("study")
@pytest.mark.parametrize("name", [SERVER, STANDALONE])
def test_ranges_and_conditions(doors: Doors, name: str) -> None:
    """Mounted drives read an archive in ranges, and ask whether it is still the same."""
    drive, path = doors.drives[name], "files/p1/study.zip"
    whole = drive.get(path)
    step = 100_000
    parts = b""
    for start in range(0, len(whole.content), step):
        part = drive.request("GET", path, headers={"Range": f"bytes={start}-{start + step - 1}"})
        assert part.status_code == httpx.codes.PARTIAL_CONTENT
        parts += part.content
    assert parts == whole.content
    tail = drive.request("GET", path, headers={"Range": "bytes=-22"}).content
    assert tail == whole.content[-22:]
    assert tail.startswith(b"PK\x05\x06")
    assert (
        drive.request("GET", path, headers={"If-None-Match": whole.headers["ETag"]}).status_code
        == httpx.codes.NOT_MODIFIED
    )
    assert drive.head(path).headers["ETag"] == whole.headers["ETag"]
    assert int(drive.head(path).headers["Content-Length"]) == len(whole.content)


def test_what_comes_and_goes(drive: WebDav, doors: Doors) -> None:
    """The first listing after a change shows it, in the sizes too."""
    delete_all(doors.rest)
    import_by_rest(doors.rest, dicom.instance("p1", 1, 1, 1))
    before = drive.listing("files/p1")
    assert before.keys() == {"1 CT", "study.zip", "study.json"}
    import_by_rest(doors.rest, dicom.instance("p1", 1, 1, 2, pixels=dicom.CT_IMAGE), REPORT)
    after = drive.listing("files/p1")
    assert after.keys() == {"1 CT", "3 DOC", "study.zip", "study.json", "preview.png", "report.pdf"}
    assert (after["study.zip"].size or 0) > (before["study.zip"].size or 0) + dicom.CT_IMAGE
    assert len(drive.get("files/p1/study.zip").content) == after["study.zip"].size
    doors.rest.delete(f"/series/{dicom.ids(dicom.instance()).series}").raise_for_status()
    assert drive.listing("files/p1").keys() == {"3 DOC", "study.zip", "study.json", "report.pdf"}
    assert drive.status("files/p1/preview.png") == httpx.codes.NOT_FOUND
    delete_all(doors.rest)
    assert drive.status("files/p1/study.zip") == httpx.codes.NOT_FOUND


def test_by_uid_is_that_of_orthanc(drive: WebDav, doors: Doors) -> None:
    """The layout by-uid and Orthanc's own by-uids show the same entries, and the same in each of them."""
    delete_all(doors.rest)
    import_samples(doors.process.url, lambda *_: None)
    with WebDav(f"{doors.process.url}/webdav/by-uids/") as theirs:
        folders = [""]
        compared = 0
        for folder in folders:
            ours, own = drive.listing(f"by-uid/{folder}"), theirs.listing(folder)
            assert {name: each.is_folder for name, each in ours.items()} == {
                name: each.is_folder for name, each in own.items()
            }
            for name, each in ours.items():
                path = f"{folder}{name}"
                compared += 1
                if each.is_folder:
                    folders.append(f"{path}/")
                    continue
                mine, other = drive.get(f"by-uid/{path}"), theirs.get(path)
                assert each.size == len(mine.content), path
                if name.endswith(".json"):  # which it indents in another way than its REST API does
                    assert mine.json() == other.json(), path
                else:
                    assert mine.content == other.content, path
    statistics = doors.rest.get("/statistics").json()
    studies, series, instances = (statistics[f"Count{level}"] for level in ("Studies", "Series", "Instances"))
    assert compared == 2 * studies + 2 * series + instances  # each study and each series has a folder and a description
