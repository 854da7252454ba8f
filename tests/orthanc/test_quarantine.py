"""An image that contradicts the identity that the archive has under its PatientID does not get in, and is kept."""

import io
import subprocess
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import PYTHON_PLUGIN, RunOrthanc
from tests.support import cstore, dicom
from tests.support.audit import audit_records
from tests.support.drive import has, rest_client
from tests.support.waiting import eventually
from tests.support.webdav import WebDav

ERROR, BUSY = 0xA900, 0xA700
"""Answers to C-STORE: an error of the data set; out of resources, to be tried again (DICOM PS3.4 B.2.3)."""
DOORS = ("door 1", "door 2")
PATIENCE = 10
"""Seconds for what another thread does."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An Orthanc with a quarantine, and clients of both doors and of the REST API."""

    process: OrthancProcess
    rest: httpx.Client
    doors: dict[str, WebDav]

    @property
    def drive(self) -> WebDav:
        """The second door."""
        return self.doors["door 2"]

    def store(self, *contents: bytes) -> list[int]:
        """Send instances by C-STORE, in one association; return their statuses."""
        return cstore.send(self.process.dicom_port, contents)

    def post(self, content: bytes) -> httpx.Response:
        """Send an instance by the REST API."""
        return self.rest.post("/instances", content=content)

    def held(self, patient: str) -> dict[str, bytes]:
        """Return the files in a patient's folder in quarantine."""
        folder = f"inbox/quarantine/{patient}"
        if self.drive.status(folder) == 404:
            return {}
        return {name: self.drive.get(f"{folder}/{name}").content for name in self.drive.listing(folder)}


@pytest.fixture(scope="module")
def archive(run_orthanc: RunOrthanc) -> Iterator[Archive]:
    """An Orthanc with a quarantine, shared by the tests: each has patients of its own."""
    with run_orthanc(davfs=settings(), stops=True) as process, clients(process) as found:
        yield found


def settings() -> dict[str, Any]:
    """Return settings with a quarantine and the drive's own server."""
    (port,) = free_ports(1)
    return {"Server": {"Enabled": True, "Port": port}, "Quarantine": {"Identity": True}}


class clients:  # noqa: N801  a context manager
    """Open clients of a server that lets instances in."""

    def __init__(self, process: OrthancProcess) -> None:
        self.archive = Archive(
            process,
            rest_client(process),
            {"door 1": WebDav(process.drive_url), "door 2": WebDav(process.server_url)},
        )

    def __enter__(self) -> Archive:
        first = person(dicom.uid(time.monotonic()), "FIRST^F")
        assert eventually(lambda: self.archive.post(first).status_code == 200)
        return self.archive

    def __exit__(self, *_: object) -> None:
        self.archive.rest.close()
        for door in self.archive.doors.values():
            door.close()


def person(patient: str | None, name: str | bytes, birth: str = "", sex: str = "", **more: Any) -> bytes:
    """Return an instance of a person; each in a study of its own."""
    key = (patient, name, birth, sex, *more.items())
    tags = {"PatientID": patient, "PatientName": name, "PatientBirthDate": birth, "PatientSex": sex, **more}
    return dicom.instance(patient or "none", repr(key), tags=tags)


CONTRADICTIONS = {
    "birth date": (("DOE^JOHN", "19500101", "M"), ("DOE^JOHN", "19500102", "M"), "another date of birth"),
    "sex": (("DOE^JOHN", "19500101", "M"), ("DOE^JOHN", "19500101", "F"), "another sex"),
    "name": (("DOE^JOHN", "19500101", "M"), ("ROE^JANE", "19500101", "M"), "no part of the name is the same"),
    "name alone": (("DOE^JOHN", "", ""), ("ROE^JANE", "", ""), "no part of the name is the same"),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_a_contradiction_is_refused_by_c_store(archive: Archive, kind: str) -> None:
    """C-STORE answers A900, the archive does not get it, and it lies in quarantine with what contradicts what."""
    known, other, reason = CONTRADICTIONS[kind]
    patient = f"store {kind}"
    good, bad, after = person(patient, *known), person(patient, *other), person(patient, *known, StudyDescription="2")
    assert archive.store(good, bad, after) == [0, ERROR, 0]
    assert archive.rest.get(f"/instances/{dicom.ids(bad).instance}").status_code == 404
    assert eventually(lambda: len(archive.held(patient)) == 2)
    text = next(content.decode() for name, content in archive.held(patient).items() if name.endswith(".txt"))
    assert reason in text
    assert known[0] in text
    assert other[0] in text
    assert "Sent by:          DAVFS" in text


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_a_contradiction_is_refused_by_rest(archive: Archive, kind: str) -> None:
    """POST /instances answers an error, so that no program deletes what it has; the very file lies in quarantine."""
    known, other, _ = CONTRADICTIONS[kind]
    patient = f"rest {kind}"
    good, bad = person(patient, *known), person(patient, *other)
    assert archive.post(good).status_code == 200
    answer = archive.post(bad)
    assert answer.status_code == 500
    assert archive.rest.get(f"/instances/{dicom.ids(bad).instance}").status_code == 404
    assert eventually(lambda: bad in archive.held(patient).values())


@pytest.mark.parametrize("door", DOORS)
def test_a_contradiction_is_refused_by_the_drive(archive: Archive, door: str) -> None:
    """The drive answers 409, and keeps the file under its name."""
    patient = f"drive {door}"
    good, bad = person(patient, "DOE^JOHN", "19500101"), person(patient, "DOE^JOHN", "19600101")
    drive = archive.doors[door]
    assert drive.put(f"inbox/good {door}.dcm", good).status_code == 201
    assert drive.put(f"inbox/bad {door}.dcm", bad).status_code == 409
    held = archive.held(patient)
    assert held[f"bad {door}.dcm"] == bad
    assert b"another date of birth" in held[f"bad {door}.dcm.txt"]
    assert drive.status(f"inbox/bad {door}.dcm") == 404
    assert f"bad {door}.dcm" not in archive.drive.listing("inbox")


def test_storescu_is_told(archive: Archive, tmp_path: Path) -> None:
    """DCMTK's storescu ends with an error, and says which."""
    assert archive.post(person("scu", "DOE^JOHN", "19500101")).status_code == 200
    (tmp_path / "bad.dcm").write_bytes(person("scu", "DOE^JOHN", "19600101"))
    command = ["storescu", "-v", "127.0.0.1", str(archive.process.dicom_port), str(tmp_path / "bad.dcm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Error: DataSetDoesNotMatchSOPClass" in done.stdout + done.stderr
    assert eventually(lambda: archive.held("scu"))


def test_it_is_audited(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """What was not let in is one record of the audit trail for each study and sender, with no name."""
    settings = {"DicomAlwaysAllowStore": True, "DicomCheckModalityHost": False}
    davfs = {"Quarantine": {"Identity": True}, "Audit": {"File": str(tmp_path / "audit.jsonl")}}
    with run_orthanc(tmp_path / "orthanc", stops=True, davfs=davfs, settings=settings) as process:
        good, bad = person("audited", "DOE^JOHN", "19500101"), person("audited", "DOE^JOHN", "19600101")
        assert eventually(lambda: cstore.send(process.dicom_port, [good]) == [cstore.SUCCESS])
        assert cstore.send(process.dicom_port, [bad, bad], title="CT1") == [ERROR] * 2
        with WebDav(process.drive_url) as drive:
            assert eventually(lambda: drive.status("inbox/quarantine/audited") == 207)
    records = [each for each in audit_records(tmp_path / "audit.jsonl") if each["action"] == "quarantine"]
    assert sum(each["sop_instances"] for each in records) == 2
    assert {(each["agent"], each["outcome"], each["reason"]) for each in records} == {("CT1", "refused", "Held")}
    assert {each["study_instance_uid"] for each in records} == {pydicom.dcmread(io.BytesIO(bad)).StudyInstanceUID}
    assert "DOE" not in (tmp_path / "audit.jsonl").read_text()


COMPATIBLE = {
    "the same": ("DOE^JOHN", "19500101", "M"),
    "another case": ("Doe^John", "19500101", "M"),
    "nothing but the name": ("DOE^JOHN", "", ""),
    "no name": ("", "19500101", "M"),
    "married": ("SMITH^JOHN", "19500101", "M"),
    "double name": ("DOE-SMITH^JANE", "19500101", "M"),
    "another order": ("JOHN^DOE", "19500101", "M"),
    "no order": ("John Doe", "19500101", "M"),
    "initials": ("D^J", "19500101", "M"),
    "anonymous": ("ANONYMOUS", "19500101", "M"),
    "another script": ("ドウ^ジョン", "19500101", "M"),
    "three scripts": ("Doe^Jon=道^ジョン=ドウ^ジョン", "19500101", "M"),
    "year of birth": ("DOE^JOHN", "1950", "M"),
    "unknown date of birth": ("DOE^JOHN", "19000101", "M"),
    "another word for unknown sex": ("DOE^JOHN", "19500101", "U"),
}


@pytest.mark.parametrize("kind", COMPATIBLE)
def test_what_does_not_contradict_is_let_in(archive: Archive, kind: str) -> None:
    """A married name, another order or script, and missing values are no contradiction."""
    patient = f"fine {kind}"
    assert archive.store(person(patient, "DOE^JOHN", "19500101", "M"), person(patient, *COMPATIBLE[kind])) == [0, 0]


def test_accents_and_character_sets(archive: Archive) -> None:
    """A name in Latin-1, in UTF-8 and without its umlaut is one name; another one is not, in any character set."""
    latin = {"SpecificCharacterSet": "ISO_IR 100"}
    japanese = {"SpecificCharacterSet": "\\ISO 2022 IR 87"}
    kanji = b"Yamada^Tarou=" + "山田^太郎".encode("iso2022_jp") + b"="
    good = [
        person("müller", "Müller^Jürgen"),
        person("müller", "MUELLER^J"),
        person("müller", "MULLER"),
        person("latin", "Müller^A".encode("latin-1"), **latin),
        person("latin", "MÜLLER^B"),
        person("kanji", kanji, **japanese),
        person("kanji", "山田^花子"),
        person("kanji", "山田太郎"),
    ]
    bad = [
        person("latin", "Möller^C".encode("latin-1"), **latin),
        person("kanji", b"=" + "鈴木^一郎".encode("iso2022_jp"), **japanese),
        person("kanji", "鈴木^一郎"),
    ]
    assert archive.store(*good, *bad) == [0] * len(good) + [ERROR] * len(bad)


@pytest.mark.parametrize("patient", ["", None])
def test_an_empty_id_identifies_nobody(archive: Archive, patient: str | None) -> None:
    """Nobody without a PatientID is compared with others."""
    people = [person(patient, "ALPHA^ANNA", "19500101", "F"), person(patient, "BRAVO^BEN", "19600101", "M")]
    assert archive.store(*people) == [0, 0]


def test_an_identity_without_values_does_not_vouch_for_others(archive: Archive) -> None:
    """A study without name, date and sex under the same PatientID opens the archive to nobody else."""
    known = [person("vouch", "DOE^JOHN", "19500101", "M"), person("vouch", "", "", "")]
    assert archive.store(*known, person("vouch", "ROE^JANE", "19600101", "F")) == [0, 0, ERROR]


@pytest.mark.parametrize("door", DOORS)
def test_what_is_accepted_goes_in(archive: Archive, door: str) -> None:
    """MOVE at door 2, or a copy at door 1, to accepted/ lets it in; then the next ones of its kind get in, too."""
    patient = f"accept {door}"
    bad, next_one = (person(patient, "ROE^JANE", "19600101", "F", StudyDescription=text) for text in "12")
    assert archive.store(person(patient, "DOE^JOHN", "19500101", "M"), bad) == [0, ERROR]
    assert eventually(lambda: len(archive.held(patient)) == 2)
    name = next(name for name in archive.held(patient) if name.endswith(".dcm"))
    source, target = f"inbox/quarantine/{patient}/{name}", f"inbox/accepted/{name}"
    if door == "door 2":
        headers = {"Destination": archive.drive.href(f"inbox/free-{name}")}
        assert archive.drive.request("MOVE", source, headers=headers).status_code == 409  # not everywhere
        headers = {"Destination": archive.drive.href(target)}
        assert archive.drive.request("MOVE", source, headers=headers).status_code == 201
        assert archive.held(patient) == {}
    else:
        content = archive.doors[door].get(source).content
        assert archive.doors[door].put(target, content).status_code == 201
        assert archive.doors[door].delete(source).status_code == 204
        assert archive.held(patient) == {}
    assert archive.rest.get(f"/instances/{dicom.ids(bad).instance}").status_code == 200
    assert archive.store(next_one, person(patient, "DOE^JOHN", "19500101", "M", StudyDescription="3")) == [0, 0]
    assert archive.store(person(patient, "POE^EDGAR", "19700101", "M")) == [ERROR]


def test_a_folder_is_accepted_as_a_whole(archive: Archive) -> None:
    """The folder of a patient can be moved to accepted/ with all that is in it."""
    bad = [person("folder", "ROE^JANE", "19600101", StudyDescription=str(number)) for number in range(3)]
    assert archive.store(person("folder", "DOE^JOHN", "19500101"), *bad) == [0, ERROR, ERROR, ERROR]
    assert eventually(lambda: len(archive.held("folder")) == 6)
    headers = {"Destination": archive.drive.href("inbox/accepted/folder")}
    assert archive.drive.request("MOVE", "inbox/quarantine/folder", headers=headers).status_code == 201
    assert archive.held("folder") == {}
    assert len(archive.drive.listing("inbox/accepted/folder")) == 3
    assert all(archive.rest.get(f"/instances/{dicom.ids(one).instance}").status_code == 200 for one in bad)


def test_quarantine_is_deleted_file_by_file(archive: Archive) -> None:
    """Deleting a file deletes its text, and the last one its folder; nobody else writes there."""
    assert archive.store(person("gone", "DOE^JOHN"), person("gone", "ROE^JANE")) == [0, ERROR]
    assert eventually(lambda: len(archive.held("gone")) == 2)
    name = next(name for name in archive.held("gone") if name.endswith(".dcm"))
    assert archive.drive.put("inbox/quarantine/gone/mine.txt", b"x").status_code == 403
    assert archive.drive.delete(f"inbox/quarantine/gone/{name}").status_code == 204
    assert archive.drive.status("inbox/quarantine/gone") == 404


@pytest.mark.parametrize("way", ["drive", "REST"])
def test_the_good_members_of_a_zip_go_in(archive: Archive, way: str) -> None:
    """A ZIP with one wrong member: the others are imported, and that one lies in quarantine."""
    good = [person(way, "DOE^JOHN", "19500101", StudyDescription=str(number)) for number in range(4)]
    bad = person(way, "DOE^JOHN", "19600101")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for number, content in enumerate([good[0], good[1], bad, good[2], good[3]]):
            file.writestr(f"images/{number}.dcm", content)
    if way == "drive":
        assert archive.drive.put("inbox/images.zip", packed.getvalue()).status_code == 409
    else:
        answer = archive.post(packed.getvalue())
        assert answer.status_code == 200
        assert [one["Status"] for one in answer.json()] == ["Success", "Success", "FilteredOut", "Success", "Success"]
    assert all(has(archive.rest, one) for one in good)
    assert eventually(lambda: bad in archive.held(way).values())


def test_a_sender_that_tries_again_does_not_fill_the_inbox(archive: Archive) -> None:
    """The same instance is kept once, however often it is sent."""
    bad = person("again", "ROE^JANE")
    assert archive.store(person("again", "DOE^JOHN"), *[bad] * 5) == [0, *[ERROR] * 5]
    assert archive.store(person("again", "ROE^JACK")) == [ERROR]
    assert eventually(lambda: len(archive.held("again")) == 4)


def test_who_left_the_archive_is_not_known_any_more(archive: Archive) -> None:
    """After a wrong study was deleted, its PatientID is free for the right person."""
    wrong, right = person("left", "DOE^JOHN", "19500101"), person("left", "ROE^JANE", "19600101")
    assert archive.store(wrong, right) == [0, ERROR]
    assert archive.rest.delete(f"/patients/{dicom.ids(wrong).patient}").status_code == 200
    assert eventually(lambda: archive.store(right) == [0])


def test_a_restart_forgets_nobody(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """The identities in the archive are known after a restart, also those of a time without quarantine."""
    known, bad = person("restart", "DOE^JOHN", "19500101"), person("restart", "ROE^JANE", "19600101")
    with run_orthanc(tmp_path) as process, rest_client(process) as rest:
        assert rest.post("/instances", content=known).status_code == 200
    for _ in range(2):
        with run_orthanc(tmp_path, davfs=settings()) as process, clients(process) as archive:
            assert archive.store(bad, person("restart", "DOE^JOHN", "19500101", StudyDescription="2")) == [ERROR, 0]
            assert eventually(lambda: len(archive.held("restart")) == 2)


def test_without_the_setting_nothing_is_compared(run_orthanc: RunOrthanc) -> None:
    """The quarantine is opt-in."""
    with run_orthanc() as process:
        assert cstore.send(process.dicom_port, [person("off", "DOE^JOHN"), person("off", "ROE^JANE")]) == [0, 0]


SCRIPT = """
import orthanc


def accept(instance):
    return 0


orthanc.RegisterIncomingCStoreInstanceFilter(accept)
"""


@pytest.mark.parametrize("ours_first", [True, False])
def test_another_filter_does_not_open_the_archive(
    run_orthanc: RunOrthanc, plugin: Path, tmp_path: Path, *, ours_first: bool
) -> None:
    """Orthanc asks one plugin's filter of C-STORE alone: if that is another one's, the status differs, and no more."""
    (tmp_path / "filter.py").write_text(SCRIPT)
    plugins = [plugin, PYTHON_PLUGIN] if ours_first else [PYTHON_PLUGIN, plugin]
    script = {"PythonScript": str(tmp_path / "filter.py")}
    with (
        run_orthanc(plugins=plugins, settings=script, davfs=settings()) as process,
        clients(process) as archive,
    ):
        good, bad = person("other", "DOE^JOHN"), person("other", "ROE^JANE")
        assert archive.store(good, bad, bad) == [0, *[ERROR if ours_first else BUSY] * 2]
        assert archive.rest.get(f"/instances/{dicom.ids(bad).instance}").status_code == 404
        assert eventually(lambda: len(archive.held("other")) == 2)


def test_the_first_arrival_after_a_start_is_compared(run_orthanc: RunOrthanc, plugin: Path, tmp_path: Path) -> None:
    """Before it is known whose filter Orthanc asks, a contradiction is refused by the other one."""
    known, bad = person("first", "DOE^JOHN"), person("first", "ROE^JANE")
    (tmp_path / "filter.py").write_text("")
    script = {"PythonScript": str(tmp_path / "filter.py")}
    plugins = [plugin, PYTHON_PLUGIN]
    with run_orthanc(plugins=plugins, settings=script, davfs=settings()) as process, clients(process) as archive:
        assert archive.post(known).status_code == 200
        assert archive.store(bad, known, bad) == [BUSY, 0, ERROR]


def test_a_second_person_in_a_study(run_orthanc: RunOrthanc, tmp_path: Path) -> None:
    """An image of another person in a study is held; once accepted, the next ones get in, after a restart too."""

    def of_study(number: int, *who: str) -> bytes:
        return person("study", *who, StudyInstanceUID="1.2.3.4.5", SOPInstanceUID=f"1.2.3.4.5.{number}")

    known, bad = of_study(1, "DOE^JOHN"), of_study(2, "ROE^JANE", "19600101")
    with run_orthanc(tmp_path, davfs=settings()) as process, clients(process) as archive:
        assert archive.post(known).status_code == 200
        assert archive.drive.put("inbox/study.dcm", bad).status_code == 409
        assert archive.drive.put("inbox/accepted/study.dcm", bad).status_code == 201
        time.sleep(2)  # until the index has read the study again
        assert archive.store(of_study(3, "ROE^JANE"), of_study(4, "POE^EDGAR")) == [0, ERROR]
    with run_orthanc(tmp_path, davfs=settings()) as process, clients(process) as archive:
        assert archive.store(of_study(5, "ROE^JANE"), of_study(6, "POE^EDGAR")) == [0, ERROR]
        archive.rest.delete(f"/studies/{dicom.ids(known).study}")
        assert eventually(lambda: archive.store(of_study(7, "POE^EDGAR")) == [0])
        assert archive.store(of_study(8, "ROE^JANE")) == [ERROR]
