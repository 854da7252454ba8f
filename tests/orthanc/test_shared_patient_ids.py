"""No image stands under another person's name, in any layout and search, though people share a PatientID or have none.

Orthanc runs without a patient level where it can (1.12.11 and newer), ``davfs serve`` always.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pydicom
import pytest

from davfs.demo.ports import free_ports
from davfs.layout import shipped_names
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.doors import COLLECTION, DOORS, SERVER, STANDALONE
from tests.support.drive import import_by_rest, rest_client
from tests.support.patientless import Patientless
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

KEY = "a key that only this test knows"
PEOPLE = [
    ("", "ALPHA^ANNA"),
    ("", "BRAVO^BEN"),
    ("", "CHARLIE^CID"),
    (None, "DELTA^DORA"),
    ("0000", "ECHO^EMIL"),
    ("0000", "FOX^FAY"),
    ("42", "MEIER^ERIKA"),
    ("42", "MEIER-SCHULZ^ERIKA"),
    ("42", "Meier^Erika"),
]
"""PatientID and PatientName of a study each."""
SUBJECTS = 8
"""How many people they are, as far as pseudonyms go: the last is one of those before."""
OWN = """
title = "documents"
[[level]]
patient = "{PatientName|no name} ({PatientID|no ID})"
files = ["patient.zip", "patient.json"]
[[level]]
study = "{StudyDescription}"
files = ["study.json"]
[[level]]
instance = "{InstanceNumber}.dcm"
"""
RESEARCH = ("research", "research-images")


@dataclass(frozen=True, slots=True)
class Archive:
    """An Orthanc behind all doors: clients of each, and of the REST API."""

    drives: Mapping[str, WebDav]
    rest: httpx.Client


@pytest.fixture(scope="module")
def archive(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """One study of each of the people, in all shipped layouts and one with documents."""
    folder = tmp_path_factory.mktemp("serve")
    (folder / "own.toml").write_text(OWN)
    layouts, (port,) = [*shipped_names(), str(folder / "own.toml")], free_ports(1)
    davfs = {
        "Layouts": layouts,
        "HashKey": KEY,
        "AllowDelete": True,
        "DeleteForGood": True,
        "Server": {"Enabled": True, "Port": port},
    }
    options = ["--allow-delete", "--delete-for-good", *(text for layout in layouts for text in ("--layout", layout))]
    with (
        run_orthanc(davfs=davfs, settings={"PatientLevelEnabled": False}) as process,
        rest_client(process) as rest,
        Patientless(process.url) as relay,
        ServeProcess(folder, relay.url, *options, environment={"DAVFS_HASH_KEY": KEY}) as served,
    ):
        import_by_rest(rest, *(study(number, *person) for number, person in enumerate(PEOPLE)))
        with served.ready().drive() as beside, WebDav(process.drive_url) as own, WebDav(process.server_url) as server:
            yield Archive({COLLECTION: own, SERVER: server, STANDALONE: beside}, rest)
        assert served.stop() == 0, served.text
        assert not [path for path in relay.asked if not path.endswith("-00000000")]  # which finds out who may read
        for log in (served.text, process.log.read_text(errors="replace")):
            assert not re.search(r"could not follow|Unknown resource|Traceback", log), log


@pytest.fixture(params=DOORS)
def drive(request: pytest.FixtureRequest, archive: Archive) -> WebDav:
    """Each door in turn."""
    return archive.drives[request.param]


def study(number: object, patient_id: str | None, name: str) -> bytes:
    """Return an image of a study of its own."""
    uids = {"StudyInstanceUID": dicom.uid(number), "SeriesInstanceUID": dicom.uid(number, 1)}
    tags = uids | {"SOPInstanceUID": dicom.uid(number, 1, 1), "StudyDescription": f"No {number}"}
    return dicom.instance(tags={**tags, "PatientID": patient_id, "PatientName": name})


def walk(drive: WebDav, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the path and content of all files below a folder; of archives what is in them, too."""
    for name, entry in drive.listing(folder).items():
        path = f"{folder}/{name}"
        if entry.is_folder:
            yield from walk(drive, path)
            continue
        content = drive.get(path).content
        yield path, content
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as members:
                yield from ((f"{path}/{member}", members.read(member)) for member in members.namelist())


def images(drive: WebDav, folder: str) -> dict[str, str]:
    """Return the PatientName in all images below a folder, by their paths."""
    found = {path: content for path, content in walk(drive, folder) if path.endswith(".dcm")}
    return {path: str(pydicom.dcmread(io.BytesIO(content)).PatientName) for path, content in found.items()}


def shown(name: str) -> str:
    """Return how the shipped layouts write a name."""
    return name.replace("^", " ")


def assert_own_names(found: Mapping[str, str]) -> None:
    """Assert that no segment of a path has the name of somebody else than the image at its end."""
    for path, name in found.items():
        own, named = shown(name).lower(), path.lower()
        others = {shown(other).lower() for _, other in PEOPLE} - {own}
        assert not [other for other in others if re.search(rf"(^|[/ ]){other}", named)], (path, name)


@pytest.mark.parametrize(
    ("door", "layout"),
    [
        *((COLLECTION, layout) for layout in sorted({*shipped_names(), "documents"} - {*RESEARCH, "recent"})),
        *((door, layout) for door in (SERVER, STANDALONE) for layout in ("by-date", "by-patient", "documents")),
    ],
)
def test_every_image_stands_under_its_own_name(archive: Archive, door: str, layout: str) -> None:
    """Every image is in a folder of its own patient's name, also in archives, and none is missing."""
    found = images(archive.drives[door], layout)
    assert_own_names(found)
    assert {name for _, name in PEOPLE} <= set(found.values())
    if layout == "by-patient":
        assert all(path.split("/")[1].lower().startswith(f"{shown(name)} (".lower()) for path, name in found.items())


def test_documents_tell_of_one_person(drive: WebDav) -> None:
    """The patient.json of a folder describes only the studies of that folder."""
    found = {path: json.loads(text) for path, text in walk(drive, "documents") if path.endswith("patient.json")}
    assert len(found) >= SUBJECTS
    for path, told in found.items():
        name = told["MainDicomTags"].get("PatientName", "MEIER^ERIKA")  # whose studies write it in two ways
        assert path.split("/")[1].lower().startswith(f"{shown(name)} (".lower()), path
        assert len(told["Studies"]) == (2 if path.split("/")[1] == "MEIER ERIKA (42)" else 1), path


@pytest.mark.parametrize("name", ["ALPHA", "BRAVO", "delta dora", "FOX", "MEIER", "schulz"])
def test_search_finds_what_orthanc_finds(archive: Archive, drive: WebDav, name: str) -> None:
    """A search for a name compares the studies' own names, as Orthanc's does."""
    query = {"Level": "Study", "Query": {"PatientName": f"*{name.replace(' ', '^')}*"}, "Expand": True}
    told = archive.rest.post("/tools/find", json=query | {"CaseSensitive": False}).json()
    wanted = {one["MainDicomTags"]["StudyDescription"] for one in told}
    assert wanted
    found = drive.listing(f"search/PatientName={name}")
    assert {re.findall(r"No \d+", each)[0] for each in found} == wanted
    assert_own_names(images(drive, f"search/PatientName={name}"))


@pytest.mark.parametrize("layout", RESEARCH)
def test_pseudonyms_join_nobody(archive: Archive, drive: WebDav, layout: str) -> None:
    """Each person has one pseudonym in paths and files; without a PatientID, each study has its own."""
    people = drive.listing(layout)
    assert all(re.fullmatch(r"[0-9a-f]{16}", name) for name in people)
    studies = len(archive.rest.get("/studies").json())
    assert sum(len(drive.listing(f"{layout}/{name}")) for name in people) == studies
    assert len(people) == studies - (len(PEOPLE) - SUBJECTS)
    found = images(drive, layout)
    assert all(path.split("/")[1] == name for path, name in found.items())
    assert bool(found) is (layout == "research-images")


def test_deleted_are_the_studies_of_the_folder(archive: Archive, drive: WebDav, request: pytest.FixtureRequest) -> None:
    """Other people with the same PatientID, or without one, lose nothing."""
    door = request.node.callspec.params["drive"]
    before = set(archive.rest.get("/studies").json())
    for number, (patient_id, name) in enumerate([("", "GOLF^GIL"), ("", "HOTEL^HAL"), ("0000", "GOLF^GIL")]):
        import_by_rest(archive.rest, study(f"{door} {number}", patient_id, name))
    folder = "by-patient/GOLF GIL (no ID)"
    assert len(drive.listing(folder)) == 1
    assert drive.delete(folder).status_code == httpx.codes.NO_CONTENT
    assert drive.status(folder) == httpx.codes.NOT_FOUND
    left = {folder for folder in drive.listing("by-patient") if "GOLF" in folder or "HOTEL" in folder}
    assert left == {"HOTEL HAL (no ID)", "GOLF GIL (0000)"}
    assert len({*archive.rest.get("/studies").json()} - before) == 2
    for folder in left:
        assert drive.delete(f"by-patient/{folder}").status_code == httpx.codes.NO_CONTENT
    assert set(archive.rest.get("/studies").json()) == before


def test_who_is_renamed_moves(archive: Archive, drive: WebDav, request: pytest.FixtureRequest) -> None:
    """After a modification in Orthanc or a new study with another name, nothing is left under the old name."""
    door = request.node.callspec.params["drive"]
    content = study(f"{door} renamed", f"R {door}", "INDIA^IDA")
    import_by_rest(archive.rest, content)
    assert set(images(drive, f"by-patient/INDIA IDA (R {door})").values()) == {"INDIA^IDA"}
    request_ = {"Replace": {"PatientName": "JULIET^IDA"}, "KeepSource": False}
    answer = archive.rest.post(f"/studies/{dicom.ids(content).study}/modify", json=request_)
    assert answer.status_code == httpx.codes.OK, answer.text
    import_by_rest(archive.rest, study(f"{door} once more", f"R {door}", "KILO^IDA"))
    found = {folder for folder in drive.listing("by-patient") if f"(R {door})" in folder}
    assert found == {f"JULIET IDA (R {door})", f"KILO IDA (R {door})"}
    for folder in found:
        name = folder.partition(" (")[0].replace(" ", "^")
        assert set(images(drive, f"by-patient/{folder}").values()) == {name}
        assert drive.delete(f"by-patient/{folder}").status_code == httpx.codes.NO_CONTENT
