"""A listing shows all that Orthanc had committed when the request arrived: no test here sleeps, or asks twice."""

import io
import itertools
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import cstore, dicom
from tests.support.drive import LEVELS, Server, connected, delete_all, import_by_rest, place, resource
from tests.support.webdav import WebDav
from tests.support.zips import zipped

TURNS = 200
LOOKS = ("root", "patient", "study", "series", "propfind", "get")
"""Where to look first after a change: four listings, and two requests for a file itself."""
DELETED = {
    "root": "patients",
    "patient": "studies",
    "study": "series",
    "series": "instances",
    "propfind": "studies",
    "get": "patients",
}
"""What is deleted so that this look shows it."""
KEPT = {"Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"], "Force": True}

Upload: TypeAlias = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class File:
    """A DICOM file, and the segments of its path on the drive."""

    content: bytes
    path: tuple[str, ...]

    def at(self, depth: int) -> str:
        """Return the path of the folder of that depth: 1 for the layout, 2 for the patient, 5 for the file itself."""
        return "/".join(self.path[:depth])

    def resource(self, level: str) -> str:
        """Return the REST path of its resource at a level."""
        return resource(self.content, level)


def file(patient: str, study: int = 1, series: int = 1, number: int = 1, **options: Any) -> File:
    """Return a file of `dicom.instance`."""
    path = place(patient, study, series, number, options.get("tags"))
    return File(dicom.instance(patient, study, series, number, **options), tuple(path.split("/")))


def made(look: str, number: int) -> File:
    """Return the file whose arrival a look has to show; number 0 keeps the folder there."""
    match look:
        case "patient":
            return file(look, study=number)
        case "study":
            return file(look, series=number)
        case "series":
            return file(look, number=number)
    return file(f"{look} {number}")


def shows(drive: WebDav, look: str, wanted: File) -> bool:
    """Return True if a listing shows the file; its content must be right if it can be read."""
    if look == "propfind":
        return drive.status(wanted.at(5)) == 207
    if look == "get":
        answer = drive.get(wanted.at(5))
        assert answer.status_code == 404 or dicom.ids(answer.content) == dicom.ids(wanted.content)
        return answer.status_code == 200
    depth = LOOKS.index(look) + 1
    return wanted.path[depth] in drive.listing(wanted.at(depth))


def import_all(rest: httpx.Client, files: Iterable[File]) -> None:
    """Give many files to Orthanc, as one ZIP."""
    archive = zipped({str(number): each.content for number, each in enumerate(files)})
    assert all(one["Status"] == "Success" for one in rest.post("/instances", content=archive).json())


@contextmanager
def modality(port: int) -> Iterator[Upload]:
    """Send files by C-STORE, all in one association."""
    entity = AE(ae_title="DAVFS")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", port)
    assert association.is_established
    transport: Any = association.dul.socket
    transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each file waits for delayed ACKs

    def send(content: bytes) -> None:
        assert association.send_c_store(pydicom.dcmread(io.BytesIO(content))).Status == cstore.SUCCESS

    try:
        yield send
    finally:
        association.release()


@pytest.fixture(scope="module")
def orthanc(run_orthanc: RunOrthanc) -> Iterator[OrthancProcess]:
    """Deleting is allowed on the shared drive."""
    with run_orthanc(davfs={"AllowDelete": True, "DeleteForGood": True}) as server:
        yield server


@pytest.fixture(scope="module")
def overwriting(run_orthanc: RunOrthanc) -> Iterator[Server]:
    """A drive and a REST API where an instance with known identifiers replaces the one that is there."""
    with run_orthanc(settings={"OverwriteInstances": True}) as process, connected(process) as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(rest: httpx.Client) -> None:
    """Each test starts with an empty archive."""
    delete_all(rest)


@pytest.mark.parametrize("listed", [False, True], ids=["unseen", "listed"])
def test_first_file_of_all(run_orthanc: RunOrthanc, *, listed: bool) -> None:
    """The very first file in an empty archive can be read by its name at once."""
    first = file("first")
    with run_orthanc() as server, WebDav(server.drive_url) as drive:
        if listed:
            assert drive.listing("by-patient") == {}
        assert httpx.post(f"{server.url}/instances", content=first.content, trust_env=False).status_code == 200
        assert [drive.status(first.at(depth)) for depth in range(5, 0, -1)] == [207] * 5


@pytest.mark.parametrize("by", ["REST", "drive"])
@pytest.mark.parametrize("look", LOOKS)
def test_what_is_uploaded_is_shown(rest: httpx.Client, drive: WebDav, look: str, by: str) -> None:
    """A new upload is in the next answer, two hundred times in a row."""
    rest.post("/instances", content=made(look, 0).content)
    for number in range(1, TURNS + 1):
        arriving = made(look, number)
        assert not shows(drive, look, arriving), number
        if by == "REST":
            assert rest.post("/instances", content=arriving.content).status_code == 200
        else:
            assert drive.put("inbox/arriving.dcm", arriving.content).status_code == 201
        assert shows(drive, look, arriving), number


def test_what_a_modality_sends_is_shown(orthanc: OrthancProcess, rest: httpx.Client, drive: WebDav) -> None:
    """Images that arrive by C-STORE are in the next listing of a folder, two hundred times in a row."""
    import_all(rest, [made(look, 0) for look in LOOKS])
    with modality(orthanc.dicom_port) as send:
        for number, look in zip(range(1, TURNS + 1), itertools.cycle(LOOKS), strict=False):
            arriving = made(look, number)
            assert not shows(drive, look, arriving), (number, look)
            send(arriving.content)
            assert shows(drive, look, arriving), (number, look)


@pytest.mark.parametrize("by", ["REST", "drive"])
@pytest.mark.parametrize("look", LOOKS)
def test_what_is_deleted_is_not_shown(rest: httpx.Client, drive: WebDav, look: str, by: str) -> None:
    """A deleted resource is not in the next answer, two hundred times in a row."""
    files = [made(look, number) for number in range(TURNS + 1)]
    import_all(rest, files)
    level = DELETED[look]
    for number, leaving in enumerate(files[1:], 1):
        assert shows(drive, look, leaving), number
        if by == "REST":
            assert rest.delete(leaving.resource(level)).status_code == 200
        else:
            assert drive.delete(leaving.at(LEVELS.index(level) + 2)).status_code == 204
        assert not shows(drive, look, leaving), number


@pytest.mark.parametrize("look", LOOKS)
def test_what_comes_back_is_shown_again(rest: httpx.Client, drive: WebDav, look: str) -> None:
    """A patient who is deleted and uploaded again is there, and stays there, at every level."""
    returning = made(look, 1)
    rest.post("/instances", content=returning.content)
    for turn in range(TURNS):
        rest.delete(returning.resource("patients"))
        rest.post("/instances", content=returning.content)
        for again in range(4):
            assert shows(drive, look, returning), (turn, again)


def test_patient_comes_back_with_another_name(rest: httpx.Client, drive: WebDav) -> None:
    """The folders of a patient who is uploaded again with other tags have the new names, and no others."""
    for turn in range(TURNS):
        tags = {"PatientName": f"Name {turn}", "StudyDescription": f"Study {turn}", "SeriesDescription": f"S {turn}"}
        renamed = file("renamed", tags=tags)
        rest.delete(renamed.resource("patients"))
        rest.post("/instances", content=renamed.content)
        listed = [list(drive.listing(renamed.at(depth))) for depth in range(1, 5)]
        assert listed == [[name] for name in renamed.path[1:]]


@pytest.mark.parametrize("look", LOOKS)
def test_emptied_log_of_changes_hides_nothing(rest: httpx.Client, drive: WebDav, look: str) -> None:
    """An instance that arrives just before the log of changes is emptied is shown."""
    rest.post("/instances", content=made(look, 0).content)
    for number in range(1, 51):
        arriving = made(look, number)
        assert not shows(drive, look, arriving), number
        rest.post("/instances", content=arriving.content)
        assert rest.delete("/changes").status_code == 200
        assert shows(drive, look, arriving), number


@pytest.mark.parametrize("emptied", [False, True], ids=["log kept", "log emptied"])
@pytest.mark.parametrize("level", ["patients", "studies"])
def test_changed_tags_change_names(overwriting: Server, level: str, *, emptied: bool) -> None:
    """Tags that are changed in place change the names in the next listing, and the old ones lead nowhere."""
    drive, rest = overwriting.drive, overwriting.rest
    patient = f"{level} {emptied}"
    old = file(patient)
    rest.post("/instances", content=old.content)
    depth = LEVELS.index(level) + 1
    for turn in range(20):
        replaced = {"PatientName" if level == "patients" else "StudyDescription": f"Turn {turn}"}
        new = file(patient, tags=replaced)
        assert old.path[depth] in drive.listing(old.at(depth))
        replaced |= {"PatientID": patient} if level == "patients" else {}
        assert rest.post(f"{new.resource(level)}/modify", json={"Replace": replaced} | KEPT).status_code == 200
        if emptied:
            rest.delete("/changes")
        listed = drive.listing(new.at(depth))
        assert new.path[depth] in listed, turn
        assert old.path[depth] not in listed, turn
        assert (drive.status(old.at(5)), drive.status(new.at(5))) == (404, 207)
        old = new


@pytest.mark.parametrize("emptied", [False, True], ids=["log kept", "log emptied"])
@pytest.mark.parametrize("look", ["listing", "propfind", "get"])
def test_overwritten_file_is_the_new_one(overwriting: Server, look: str, *, emptied: bool) -> None:
    """Once an instance was overwritten, its size in the next answer and its bytes are those of the new file."""
    drive, rest = overwriting.drive, overwriting.rest
    for turn in range(50):
        new = file(look, pixels=dicom.ROW * (turn + 1))
        import_by_rest(rest, new.content)
        if emptied:
            rest.delete("/changes")
        if look == "listing":
            assert drive.listing(new.at(4))[new.path[4]].size == len(new.content), turn
        if look == "propfind":
            assert drive.propfind(new.at(5), depth="0")[-1].size == len(new.content), turn
        for _ in range(3):
            answer = drive.get(new.at(5))
            assert (answer.status_code, answer.content) == (200, new.content), turn


def test_receipt_of_an_overwritten_file(overwriting: Server) -> None:
    """A receipt serves the bytes that Orthanc has now, and is listed with their size."""
    drive = overwriting.drive
    for turn in range(5):
        content = dicom.instance("receipt", pixels=dicom.ROW * (turn + 1))
        assert drive.put(f"inbox/{turn}.dcm", content).status_code == 201
        for name in drive.listing("inbox"):
            assert drive.propfind(f"inbox/{name}", depth="0")[-1].size == len(content)
            assert drive.get(f"inbox/{name}").content == content
