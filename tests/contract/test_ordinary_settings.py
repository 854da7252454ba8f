"""Orthanc's own settings that change nothing about the drive (docs/settings.md), at both doors."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom, doors
from tests.support.doors import Door
from tests.support.drive import import_by_rest, place, place_of, resource
from tests.support.orthanc_server import OrthancServer

FILTER = "function ReceivedInstanceFilter(dicom, origin) return dicom.PatientID ~= 'refused' end"
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "low": {
        "HttpThreadsCount": 2,
        "KeepAlive": True,
        "ConcurrentJobs": 1,
        "LimitFindResults": 1,
        "LimitFindInstances": 1,
        "HttpCompressionEnabled": True,
        "CheckRevisions": True,
        "StorageAccessOnFind": "Never",
        "StorageCompression": True,
        "MaximumStorageCacheSize": 0,
    },
    "high": {
        "HttpThreadsCount": 200,
        "KeepAlive": False,
        "ConcurrentJobs": 16,
        "LimitFindResults": 1000,
        "LimitFindInstances": 1000,
        "HttpCompressionEnabled": False,
        "StorageAccessOnFind": "Always",
    },
}
PATIENTS = 5
TAKEN = (201, 204)


@pytest.fixture(scope="module", params=SETTINGS)
def process(
    request: pytest.FixtureRequest,
    plugin: Path,
    servers: list[OrthancProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OrthancProcess]:
    """An Orthanc with these settings, and a Lua script that takes no image of one patient."""
    folder = tmp_path_factory.mktemp("orthanc")
    script = folder / "filter.lua"
    script.write_text(FILTER)
    settings = {**SETTINGS[request.param], "LuaScripts": [str(script)]}
    davfs = {"AllowDelete": True, "DeleteForGood": True, "Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    with OrthancServer(folder, plugins=[plugin], davfs=davfs, settings=settings) as each:
        servers.append(each)
        yield each
        servers.remove(each)


@pytest.fixture(scope="module", params=[doors.COLLECTION, doors.SERVER])
def door(request: pytest.FixtureRequest, process: OrthancProcess) -> Iterator[Door]:
    """Each door of the plugin in turn, over an archive of five patients of its own."""
    with doors.opened(request.param, process) as each:
        import_by_rest(each.rest, *(dicom.instance(patient) for patient in patients(each)))
        yield each


def patients(door: Door) -> list[str]:
    """Return the PatientIDs that a door's tests begin with."""
    return [f"{door.name}{number}" for number in range(PATIENTS)]


def test_all_is_listed(door: Door) -> None:
    """Layouts and searches show everything, whatever C-FIND would be limited to."""
    folders = {place_of(place(patient), "patients").removeprefix("by-patient/") for patient in patients(door)}
    assert folders <= set(door.drive.listing("by-patient"))
    assert len(door.drive.listing(f"search/PatientID={door.name},Modality=CT")) >= PATIENTS


def test_uploads(door: Door) -> None:
    """An image can be uploaded twice; another one with its identifiers is refused."""
    content = dicom.instance(f"{door.name} up", pixels=dicom.ROW)
    other = dicom.instance(f"{door.name} up", pixels=dicom.ROW, tags={"ImageComments": "other"})
    for name in ("first", "again"):
        assert door.drive.put(f"inbox/{door.name}-{name}.dcm", content).status_code in TAKEN
    assert door.drive.put(f"inbox/{door.name}-other.dcm", other).status_code == 409
    assert f"{door.name}-other.dcm.txt" in door.drive.listing("inbox/rejected")
    assert door.rest.get(f"{resource(content, 'instances')}/file").content == content


def test_reading(door: Door) -> None:
    """A file comes back byte for byte, and in part where the door has ranges."""
    patient = patients(door)[0]
    content = dicom.instance(patient)
    assert door.drive.get(place(patient)).content == content
    if door.name == doors.SERVER:
        part = door.drive.request("GET", place(patient), headers={"Range": "bytes=100-299"})
        assert (part.status_code, part.content) == (206, content[100:300])


def test_deleting(door: Door) -> None:
    """A deleted patient is gone from Orthanc and from the next listing."""
    patient = f"{door.name} gone"
    import_by_rest(door.rest, dicom.instance(patient))
    folder = place_of(place(patient), "patients")
    assert door.drive.delete(folder).status_code == 204
    assert folder.removeprefix("by-patient/") not in door.drive.listing("by-patient")
    assert door.rest.get(resource(dicom.instance(patient), "patients")).status_code == 404


def test_what_a_filter_refuses(door: Door) -> None:
    """An image that a Lua script does not let in lies in rejected/, and Orthanc does not have it."""
    content = dicom.instance("refused", door.name)
    assert door.drive.put(f"inbox/{door.name}.dcm", content).status_code == 415
    assert door.drive.get(f"inbox/rejected/{door.name}.dcm").content == content
    assert door.rest.get(resource(content, "instances")).status_code == 404
