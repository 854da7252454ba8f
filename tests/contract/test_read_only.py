"""An Orthanc that is read-only (``ReadOnly``, since 1.12.5): the drive reads, and says that nothing can be changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom, doors
from tests.support.doors import Door
from tests.support.drive import import_by_rest, place, rest_client
from tests.support.orthanc_server import OrthancServer
from tests.support.read_only import read_only
from tests.support.serving import ServeProcess

CONTENT = dicom.instance("read-only")
LINE = "Orthanc is read-only"


@pytest.fixture(scope="module")
def process(
    plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancProcess]:
    """An Orthanc with one image, that is started once more as read-only; versions before 1.12.5 do not know that."""
    folder = tmp_path_factory.mktemp("orthanc")
    with OrthancServer(folder) as process, rest_client(process) as rest:
        import_by_rest(rest, CONTENT)
    davfs = {"AllowDelete": True, "Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    with OrthancServer(folder, plugins=[plugin], davfs=davfs, settings={"ReadOnly": True}) as each:
        servers.append(each)
        yield each
        servers.remove(each)


@pytest.fixture(scope="module")
def beside(process: OrthancProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, str]]:
    """The stand-alone drive beside an Orthanc that is read-only, and its log."""
    with (
        read_only(process.url) as url,
        ServeProcess(tmp_path_factory.mktemp("serve"), url, "--allow-delete") as served,
        served.ready().drive() as drive,
        rest_client(process) as rest,
    ):
        yield Door(doors.STANDALONE, served.url, drive, rest), served.text
        assert served.stop() == 0, served.text


def check(door: Door, log: str) -> None:
    """Check that a drive can be read, that nothing can be changed, and that clients and the log are told."""
    image = place("read-only")
    patient = "/".join(image.split("/")[:2])
    assert door.drive.get(image).content == CONTENT
    assert "Nothing can be written" in door.drive.get("README.txt").text
    answers = {
        "PUT": door.drive.put("inbox/new.dcm", dicom.instance("new")),
        "text": door.drive.put("inbox/new.txt", b"text"),
        "MKCOL": door.drive.mkcol("inbox/folder"),
        "search": door.drive.mkcol("search/PatientName=a"),
        "DELETE": door.drive.delete(image),
        "patient": door.drive.delete(patient),
    }
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(answers, 403)
    assert door.drive.get(image).content == CONTENT
    assert log.count(LINE) == 1
    if door.name == doors.COLLECTION:
        return
    assert all("read-only" in answer.text for answer in answers.values())
    for path in ("", "inbox/", image):
        told = door.drive.request("OPTIONS", path)
        assert told.headers["DAV"] == "1"
        assert set(told.headers["Allow"].split(", ")) <= {"GET", "HEAD", "OPTIONS", "PROPFIND"}
    assert door.drive.request("LOCK", "inbox/", headers={"Depth": "0"}).status_code == 403
    locks = door.drive.request("PROPFIND", "inbox/", headers={"Depth": "0"})
    assert b"lockentry" not in locks.content


def test_beside(beside: tuple[Door, str]) -> None:
    """The stand-alone drive asks Orthanc whether it is read-only."""
    check(*beside)


@pytest.mark.parametrize("name", [doors.COLLECTION, doors.SERVER])
def test_inside(process: OrthancProcess, name: str) -> None:
    """The plugin asks its Orthanc whether it is read-only; if this version does not know the setting, uploads go on."""
    with doors.opened(name, process) as door:
        if door.rest.get("/system").json().get("ReadOnly"):
            check(door, process.log.read_text())
        else:
            assert door.drive.put("inbox/new.dcm", dicom.instance("new")).status_code in (201, 204)
            assert LINE not in process.log.read_text()
