"""Descriptions, pictures and reports, from a running Orthanc over HTTP; and from the same files in a folder."""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.uid import CTImageStorage

from davfs.commands.preview.command import main_tags
from davfs.commands.preview.folder import DicomFolder
from davfs.demo.process import OrthancProcess
from davfs.derived.documents import Documents
from davfs.derived.file import DerivedFile
from davfs.errors import UnknownResource
from davfs.orthanc import Instance, Level, OrthancId
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.rest import RestOrthanc
from tests.orthanc.conftest import RunOrthanc
from tests.support import documents
from tests.support.drive import import_by_rest, rest_client
from tests.support.images import FILES, PATIENTS, contents

PDFS = tuple(
    documents.encapsulated(b"%PDF-1.4\n" + end, number) for number, end in enumerate((b"%%EOF", b"%%EOF\n"), 1)
)
NAMES = ("CT_small.dcm", "examples_ybr_color.dcm", "test-SR.dcm", "rtplan.dcm", "waveform_ecg.dcm", "MR_small.dcm")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of real files of several kinds, and of two reports."""
    folder = tmp_path_factory.mktemp("files")
    found = [(FILES / name).read_bytes() for name in NAMES]
    for number, content in enumerate([*found, *PDFS, *contents(PATIENTS[0])]):
        (folder / f"{number:03d}").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def filled(run_orthanc: RunOrthanc, files: Path) -> Iterator[OrthancProcess]:
    """An Orthanc without plugins that has these files."""
    with run_orthanc(plugins=[]) as process, rest_client(process) as rest:
        import_by_rest(rest, *contents(files))
        yield process


@pytest.fixture
def client(filled: OrthancProcess) -> Iterator[httpx.Client]:
    """Yield a client of Orthanc's REST API."""
    with rest_client(filled) as client:
        yield client


@pytest.fixture
def orthanc(filled: OrthancProcess) -> Iterator[RestOrthanc]:
    """Its REST API."""
    with http_client(filled.url) as client:
        yield RestOrthanc(HttpTransport(client))


def study(orthanc: RestOrthanc, content: bytes) -> list[Mapping[OrthancId, Instance]]:
    """Return the instances of each series of the study that a file belongs to."""
    stored = orthanc.store(content).id
    (instance,) = orthanc.instances([stored])
    (series,) = orthanc.resources([instance.series])
    assert series.parent
    found = orthanc.with_children(Level.STUDY, series.parent).children
    below = [orthanc.with_children(Level.SERIES, one).children for one in found]
    return [{one.id: one for one in orthanc.instances(ids)} for ids in below]


def read(file: DerivedFile | None) -> bytes:
    """Return the content of a file, which must exist and have the listed size."""
    assert file
    with file.open() as opened:
        content = b"".join(opened.buffers())
    assert len(content) == file.size
    return content


@pytest.mark.parametrize(("name", "size"), [("CT_small.dcm", (128, 128)), ("examples_ybr_color.dcm", (320, 240))])
def test_picture(orthanc: RestOrthanc, name: str, size: tuple[int, int]) -> None:
    """The picture of a study of images is a PNG of the size of one of them."""
    content = read(Documents(orthanc).picture(study(orthanc, (FILES / name).read_bytes())))
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == size
    assert content.endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtplan.dcm", "waveform_ecg.dcm"])
def test_no_picture(orthanc: RestOrthanc, name: str) -> None:
    """A study of a structured report, a plan or curves has no picture and no PDF."""
    instances = study(orthanc, (FILES / name).read_bytes())
    assert Documents(orthanc).picture(instances) is None
    assert Documents(orthanc).report(instances) is None


def test_report(orthanc: RestOrthanc) -> None:
    """The report is the first PDF, byte for byte as it was encapsulated; it has no picture."""
    instances = study(orthanc, PDFS[0])
    assert [len(one) for one in instances] == [2]
    assert read(Documents(orthanc).report(instances)) == b"%PDF-1.4\n%%EOF"
    assert Documents(orthanc).picture(instances) is None


@pytest.mark.parametrize("level", [Level.PATIENT, Level.STUDY, Level.SERIES])
def test_description(orthanc: RestOrthanc, client: httpx.Client, level: Level) -> None:
    """A description has the bytes that Orthanc answers."""
    for one in orthanc.ids(level):
        made = Documents(orthanc).description(level, one)
        assert read(made) == client.get(f"/{level.value}/{one}").content
        assert json.loads(read(made))["ID"] == one


def test_stored_file_is_missing(run_orthanc: RunOrthanc) -> None:
    """Where a file is lost from Orthanc's storage, it has no picture, and the next series has."""
    image = (FILES / "MR_small.dcm").read_bytes()
    with run_orthanc(plugins=[]) as process, rest_client(process) as rest:
        import_by_rest(rest, image)
        (stored,) = [
            one for one in (process.folder / "storage").rglob("*") if one.is_file() and one.read_bytes() == image
        ]
        folder = process.folder
    stored.unlink()
    with run_orthanc(folder, plugins=[]) as process, http_client(process.url) as client:
        orthanc = RestOrthanc(HttpTransport(client))
        (lost,) = orthanc.instances(orthanc.ids(Level.INSTANCE))
        other = orthanc.store((FILES / "CT_small.dcm").read_bytes()).id
        (there,) = orthanc.instances([other])
        made = Documents(orthanc).picture([{lost.id: lost}, {there.id: there}])
        assert made
        assert made.etag.startswith(there.uuid)


def test_folder(orthanc: RestOrthanc, files: Path) -> None:
    """Files in a folder tell what Orthanc tells of them: SOP classes, reports, all tags, and how they hang together."""
    folder = DicomFolder(files, main_tags({}))
    for one in orthanc.instances(orthanc.ids(Level.INSTANCE)):
        assert [each.sop_class for each in folder.instances([one.id])] == [one.sop_class]
        assert folder.report(one.id) == orthanc.report(one.id)
        assert _stripped(folder.all_tags(one.id)) == _stripped(orthanc.all_tags(one.id))
        assert folder.picture(one.id) is None
    for level in (Level.PATIENT, Level.STUDY, Level.SERIES):
        for resource in orthanc.ids(level):
            told, found = (_hangs(source.description(level, resource)) for source in (orthanc, folder))
            assert found == told


def _stripped(value: Any) -> Any:
    """Return a value without white space at the end of its texts."""
    if isinstance(value, str):
        return value.rstrip()
    if isinstance(value, Mapping):
        return {key: _stripped(each) for key, each in value.items()}
    return [_stripped(each) for each in value] if isinstance(value, list) else value


def _hangs(description: bytes) -> dict[str, Any]:
    """Return what a description says apart from tags and times, and what tells a patient."""
    told: dict[str, Any] = json.loads(description)
    keys = {"ID", "Type", "ParentPatient", "ParentStudy"}
    below = {key: sorted(told[key]) for key in ("Studies", "Series", "Instances") if key in told}
    patient = told.get("PatientMainDicomTags", {}).get("PatientID") or None
    return {key: value for key, value in told.items() if key in keys} | below | {"patient": patient}


def test_folder_is_no_server(files: Path) -> None:
    """A folder says in words that what is not there is not."""
    folder = DicomFolder(files, main_tags({}))
    gone = OrthancId("gone")
    for question in (folder.picture, folder.report, folder.all_tags):
        with pytest.raises(UnknownResource):
            question(gone)
    with pytest.raises(UnknownResource):
        folder.description(Level.STUDY, gone)
    assert {one.sop_class for one in folder.instances(folder.ids(Level.INSTANCE))} > {CTImageStorage}
