"""Images that come to Orthanc past the drive are in the audit trail: from where, by whom, how many."""

import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import PYTHON_PLUGIN, RunOrthanc
from tests.support import cstore, dicom
from tests.support.audit import audit_records
from tests.support.webdav import WebDav

ANY_SENDER = {"DicomAlwaysAllowStore": True, "DicomCheckModalityHost": False}
USERS = {"alice": "secret"}
STOW = """
import orthanc

def store(output, uri, **request):
    orthanc.RestApiPost("/instances", request["body"])
    output.AnswerBuffer("{}", "application/json")

orthanc.RegisterRestCallback("/dicom-web/studies", store)
orthanc.RegisterRestCallback("/bring", store)
"""
"""A script that stores as the DICOMweb plugin does: under a plugin's name."""

Records = list[dict[str, Any]]


@pytest.fixture(scope="module")
def records(plugin: Path, run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Records:
    """All arrivals of one Orthanc, which has stopped."""
    folder = tmp_path_factory.mktemp("arrivals")
    (folder / "script.py").write_text(STOW)
    (port,) = free_ports(1)
    settings = {
        "AuthenticationEnabled": True,
        "RegisteredUsers": USERS,
        "PythonScript": str(folder / "script.py"),
    } | ANY_SENDER
    davfs = {"Server": {"Enabled": True, "Port": port}, "Audit": {"File": str(folder / "audit.jsonl")}}
    server = {"davfs": davfs, "settings": settings, "plugins": [plugin, PYTHON_PLUGIN]}
    with run_orthanc(folder / "orthanc", stops=True, **server) as process:
        _bring(process, folder)
    return [each for each in audit_records(folder / "audit.jsonl") if each["action"] == "arrival"]


def _bring(process: OrthancProcess, folder: Path) -> None:
    by_storescu = [dicom.instance("scu", 1, series, number) for series in (1, 2) for number in (1, 2, 3)]
    files = [folder / f"{number}.dcm" for number in range(len(by_storescu))]
    for file, content in zip(files, by_storescu, strict=True):
        file.write_bytes(content)
    command = ["storescu", "-aet", "MODALITY", "-aec", "ORTHANC", LOOPBACK, str(process.dicom_port), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert cstore.send(process.dicom_port, [dicom.instance("pynetdicom")], title="OTHER") == [cstore.SUCCESS]
    with httpx.Client(base_url=process.url, auth=("alice", "secret"), trust_env=False) as rest:
        for number in (1, 2):
            rest.post("/instances", content=dicom.instance("rest", number=number)).raise_for_status()
        again = rest.post("/instances", content=dicom.instance("rest", number=1))
        assert again.json()["Status"] == "AlreadyStored"
        rest.post("/dicom-web/studies", content=dicom.instance("stow")).raise_for_status()
        rest.post("/bring", content=dicom.instance("script")).raise_for_status()
        rest.post("/instances", content=dicom.instance("Bär")).raise_for_status()
    for url, patient in ((process.drive_url, "door1"), (process.server_url, "door2")):
        with WebDav(url, auth=("alice", "secret")) as drive:
            assert drive.put(f"inbox/{patient}.dcm", dicom.instance(patient)).status_code == 201


def of(records: Records, patient: str, series: int = 1) -> Records:
    """Return the records of a series, without what is the same in all."""
    ids = dicom.ids(dicom.instance(patient, 1, series))
    found = [each for each in records if each.get("study_instance_uid") == dicom.uid(patient, 1)]
    keys = ("protocol", "agent", "address", "user", "level", "sop_instances", "outcome", "door")
    return [{key: each.get(key) for key in keys} for each in found if each["resource"] in {ids.series, ids.instance}]


@pytest.mark.parametrize("series", [1, 2])
def test_dcmtk(records: Records, series: int) -> None:
    """Each series that storescu sends is one record, with the AE title of the sender."""
    (record,) = of(records, "scu", series)
    assert record == {
        "protocol": "dicom",
        "agent": "MODALITY",
        "address": LOOPBACK,
        "user": "",
        "level": "series",
        "sop_instances": 3,
        "outcome": "done",
        "door": None,
    }


def test_another_sender(records: Records) -> None:
    """Senders are told apart."""
    (record,) = of(records, "pynetdicom")
    assert (record["agent"], record["sop_instances"]) == ("OTHER", 1)


def test_rest(records: Records) -> None:
    """What is sent by REST has the user; an image that Orthanc has already did not arrive."""
    (record,) = of(records, "rest")
    expected = {"protocol": "rest", "user": "alice", "address": LOOPBACK, "sop_instances": 2, "agent": None}
    assert {key: record[key] for key in expected} == expected


@pytest.mark.parametrize(("patient", "protocol"), [("stow", "dicomweb"), ("script", "plugin")])
def test_plugins(records: Records, patient: str, protocol: str) -> None:
    """What a plugin stores for a client has the client's name and address."""
    (record,) = of(records, patient)
    assert (record["protocol"], record["user"], record["address"]) == (protocol, "alice", LOOPBACK)


def test_ids_that_are_not_ascii(records: Records) -> None:
    """A PatientID in another character set does not name a wrong series."""
    (record,) = of(records, "Bär")
    assert record["level"] == "instance"


@pytest.mark.parametrize("patient", ["door1", "door2"])
def test_uploads_are_not_reported_twice(records: Records, patient: str) -> None:
    """An upload through the drive is no arrival."""
    assert not of(records, patient)


def test_they_can_be_switched_off(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """With Audit.Arrivals false, there are none."""
    davfs = {"Audit": {"File": str(tmp_path / "audit.jsonl"), "Arrivals": False}}
    with run_orthanc(tmp_path / "orthanc", stops=True, davfs=davfs) as process:
        answer = httpx.post(f"{process.url}/instances", content=dicom.instance("off"), trust_env=False)
        assert answer.json()["Status"] == "Success"
    assert {each["action"] for each in audit_records(tmp_path / "audit.jsonl")} <= {"start", "stop"}


def test_they_are_written_after_a_minute(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """A record is written a minute after the first image of its series, or when Orthanc stops: until then none is."""
    with run_orthanc(tmp_path / "orthanc", davfs={"Audit": {"File": str(tmp_path / "audit.jsonl")}}) as process:
        for number in range(3):
            httpx.post(f"{process.url}/instances", content=dicom.instance("slow", number=number), trust_env=False)
            time.sleep(1)
        assert not [each for each in audit_records(tmp_path / "audit.jsonl") if each["action"] == "arrival"]
