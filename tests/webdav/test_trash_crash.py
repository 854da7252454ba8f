"""A crash of Orthanc leaves each study as it was, or as it was to be: shown, in the trash, or gone, and never in part.

``make test-crash ROUNDS=200`` crashes it so many times, at random moments of deletions, restorations and purges.
"""

import os
import random
import threading
import time
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import httpx

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom, loads
from tests.support.drive import place, rest_client
from tests.support.trashed import tree
from tests.support.webdav import WebDav
from tests.webdav.test_crash import wait_until_ready

ROUNDS = int(os.environ.get("TEST_ROUNDS", "2"))
PATIENTS = 4
STUDIES, IMAGES = (1, 2), range(1, 13)
SECONDS = 30


class State(Enum):
    """Where a study is."""

    SHOWN = "shown"
    TRASHED = "trashed"
    GONE = "gone"


@dataclass
class Patient:
    """A patient, and the states in which each of the studies may be."""

    name: str
    states: set[State] = field(default_factory=lambda: {State.GONE})
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def folder(self) -> str:
        """The folder in the layout."""
        return "/".join(place(self.name).split("/")[:2])

    def images(self, study: int) -> dict[str, str]:
        """Return Orthanc's ids of the images of a study, by their paths in the layout."""
        found = ((number, dicom.instance(self.name, study, 1, number)) for number in IMAGES)
        return {place(self.name, study, 1, number): dicom.ids(content).instance for number, content in found}

    def store(self, rest: httpx.Client) -> None:
        """Store all images."""
        for study in STUDIES:
            for number in IMAGES:
                rest.post("/instances", content=dicom.instance(self.name, study, 1, number)).raise_for_status()
        self.states = {State.SHOWN}


def entry_of(drive: WebDav, patient: Patient) -> str | None:
    """Return the path of a patient's entry; None if there is none."""
    return next((f"trash/{name}" for name in drive.listing("trash") if f"({patient.name})" in name), None)


def act(drives: tuple[WebDav, WebDav], patients: list[Patient], chance: random.Random) -> None:
    """Delete, restore or purge a patient's studies, and note what is known of them then."""
    patient, (core, drive) = chance.choice(patients), drives
    if not patient.lock.acquire(blocking=False):
        return
    try:
        if patient.states == {State.SHOWN}:
            patient.states = {State.SHOWN, State.TRASHED}
            if chance.choice(drives).delete(patient.folder).status_code == 204:
                patient.states = {State.TRASHED}
        elif patient.states == {State.TRASHED} and (entry := entry_of(core, patient)):
            if chance.random() < 0.7:
                patient.states = {State.TRASHED, State.SHOWN}
                headers = {"Destination": drive.href(f"by-patient/back {patient.name}")}
                if drive.request("MOVE", entry, headers=headers).is_success:
                    patient.states = {State.SHOWN}
            else:
                patient.states = {State.TRASHED, State.GONE}
                if chance.choice(drives).delete(entry).is_success:
                    patient.states = {State.GONE}
    finally:
        patient.lock.release()


def state_of(drive: WebDav, patient: Patient, study: int, entry: dict[str, bytes]) -> State:
    """Return where a study is; fail if a part of it is elsewhere."""
    images = patient.images(study)
    folder = "/".join(next(iter(images)).split("/")[:4])
    shown = set(drive.listing(folder)) if drive.status(folder) == 207 else set()
    trashed = {path for path in images if any(path.endswith(below) for below in entry)}
    assert shown in (set(), {path.rpartition("/")[2] for path in images}), f"{len(shown)} images are shown"
    assert trashed in (set(), images.keys()), f"{len(trashed)} images are in the trash"
    assert not (shown and trashed)
    return State.SHOWN if shown else State.TRASHED if trashed else State.GONE


def check(rest: httpx.Client, drive: WebDav, patient: Patient) -> None:
    """Assert that each study is as a whole where it may be; what is gone is gone from Orthanc soon."""
    path = entry_of(drive, patient)
    entry = tree(drive, path) if path else {}
    found = {study: state_of(drive, patient, study, entry) for study in STUDIES}
    assert set(found.values()) <= patient.states, (found, patient.states)
    deadline = time.monotonic() + SECONDS
    for study, state in found.items():
        wanted = set() if state is State.GONE else set(patient.images(study).values())
        while set(patient.images(study).values()) & set(rest.get("/instances").json()) != wanted:
            assert time.monotonic() < deadline, f"Orthanc has not all, or some, of a study that is {state.value}"
            time.sleep(0.2)


def test_crashes(plugin: Path, servers: list[OrthancProcess], tmp_path: Path) -> None:
    """Orthanc is killed while studies are deleted, restored and purged through both doors."""
    (port,) = free_ports(1)
    davfs = {"AllowDelete": True, "Server": {"Enabled": True, "Port": port}}
    process = OrthancProcess(tmp_path, plugins=[plugin], davfs=davfs)
    chance = random.Random(ROUNDS)  # noqa: S311
    patients = [Patient(f"crash {number}") for number in range(PATIENTS)]
    servers.append(process)
    with WebDav(process.drive_url) as core, WebDav(f"http://{LOOPBACK}:{port}/") as drive, rest_client(process) as rest:
        for _ in range(ROUNDS):
            with process:
                wait_until_ready(drive)
                for patient in patients:
                    check(rest, drive, patient)
                    if patient.states != {State.SHOWN}:
                        clear(drive, patient)
                        patient.store(rest)
                workers = [random.Random(chance.random()) for _ in range(3)]  # noqa: S311
                with loads.repeated([lambda one=one: act((core, drive), patients, one) for one in workers]):  # type: ignore[misc]
                    time.sleep(chance.uniform(0.02, 1.0))
                    process.kill()
        with process:
            wait_until_ready(drive)
            for patient in patients:
                check(rest, drive, patient)
    servers.remove(process)


def clear(drive: WebDav, patient: Patient) -> None:
    """Restore what is in the trash, for the next round."""
    if entry := entry_of(drive, patient):
        headers = {"Destination": drive.href(f"by-patient/back {patient.name}")}
        assert drive.request("MOVE", entry, headers=headers).is_success
