"""search/ over HTTP, at each door."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from tests.support import dicom, doors
from tests.support.doors import COLLECTION, Door
from tests.support.drive import delete_all, import_by_rest, resource

# pytest finds fixtures by the names in a module.
door, process, standalone = doors.door, doors.process, doors.standalone

QUERY = "PatientName=müller,Modality=CT,StudyDate=20240101-20241231"
STUDY = "2024-02-29 Müller Jürgen (search) Study 1"
IMAGE = dicom.instance("search", tags={"PatientName": "Müller^Jürgen"})
DONE = {HTTPStatus.CREATED, HTTPStatus.NO_CONTENT}
README = "README.txt"


@pytest.fixture(autouse=True)
def archive(door: Door) -> Iterator[None]:
    """One patient in Orthanc, and no search that is saved."""
    delete_all(door.rest)
    import_by_rest(door.rest, IMAGE)
    yield
    for name in door.drive.listing("search"):
        door.drive.delete(f"search/{name}")


def test_searching(door: Door) -> None:
    """A search leads to the study, and down to the bytes of its image; others are not there."""
    assert "search" in door.drive.listing()
    assert [*door.drive.listing(f"search/{QUERY}")] == [STUDY]
    path = f"search/MODALITY=ct, PatientName=muller/{STUDY}/001 CT Series 1/00001.dcm"
    assert door.drive.get(path).content == IMAGE
    assert door.drive.listing("search/Modality=MR") == {}
    assert [door.drive.status(f"search/{name}") for name in ("PatientNam=doe", "doe", "Modality=MR/x")] == [404] * 3
    assert "StudyDescription" in door.drive.get("search/README.txt").text


def test_freshness(door: Door) -> None:
    """A study that has arrived or was deleted is shown so in the next listing of a search."""
    second = dicom.instance("search", 2, tags={"PatientName": "Müller^Jürgen"})
    import_by_rest(door.rest, second)
    assert [*door.drive.listing(f"search/{QUERY}")] == [STUDY, f"{STUDY[:-1]}2"]
    door.rest.delete(resource(second, "studies"))
    assert [*door.drive.listing(f"search/{QUERY}")] == [STUDY]
    assert door.drive.status(f"search/{QUERY}/{STUDY[:-1]}2") == 404


def test_saving(door: Door) -> None:
    """A folder that is made is a search that is listed, until it is deleted."""
    assert door.drive.mkcol(f"search/{QUERY}").status_code == HTTPStatus.CREATED
    assert {*door.drive.listing("search")} == {README, QUERY}
    assert door.drive.mkcol(f"search/{QUERY}").status_code in {405, 406}
    assert door.drive.mkcol("search/PatientNam=doe").status_code == HTTPStatus.BAD_REQUEST
    assert door.drive.delete(f"search/{QUERY}").status_code in DONE
    assert {*door.drive.listing("search")} == {README}
    assert [*door.drive.listing(f"search/{QUERY}")] == [STUDY]


def test_refusals(door: Door) -> None:
    """Files and folders in a search can be neither added nor deleted."""
    place = f"search/{QUERY}/{STUDY}"
    asked = [
        door.drive.put("search/new.dcm", b"x"),
        door.drive.put(f"{place}/new.dcm", b"x"),
        door.drive.mkcol(f"{place}/new"),
        door.drive.delete(place),
        door.drive.delete(f"search/{README}"),
        door.drive.delete("search"),
    ]
    assert [answer.status_code for answer in asked] == [HTTPStatus.FORBIDDEN] * len(asked)
    assert door.drive.status(place) == HTTPStatus.MULTI_STATUS


def test_renaming(door: Door) -> None:
    """Explorer makes a folder, and renames it then; Orthanc's own port has no MOVE."""
    assert door.drive.mkcol("search/New folder").status_code == HTTPStatus.CREATED
    assert {*door.drive.listing("search")} == {README, "New folder"}
    assert door.drive.listing("search/New folder") == {}
    if door.name == COLLECTION:
        return
    target = {"Destination": door.drive.href(f"search/{QUERY}"), "Overwrite": "F"}
    wrong = target | {"Destination": door.drive.href("search/PatientNam=doe")}
    assert door.drive.request("MOVE", "search/New folder", headers=wrong).status_code == HTTPStatus.BAD_REQUEST
    assert door.drive.request("MOVE", "search/New folder", headers=target).status_code == HTTPStatus.CREATED
    assert {*door.drive.listing("search")} == {README, QUERY}
    assert [*door.drive.listing(f"search/{QUERY}")] == [STUDY]
