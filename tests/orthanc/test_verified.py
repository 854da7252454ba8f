"""Names are Orthanc's although its tags changed without a word in its log of changes."""

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import import_by_rest, place, resource, rest_client
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

BOUND = 15
"""Seconds within which a small archive has been read again."""
A, B = dicom.instance("a"), dicom.instance("b")
A_RENAMED = dicom.instance("a", tags={"PatientName": "Roe"})
REPLACING = {"OverwriteInstances": True}


def people(drive: WebDav) -> set[str]:
    """Return the folders of patients."""
    return set(drive.listing("by-patient"))


def change_tags(folder: Path, old: str, new: str) -> None:
    """Write other tags into the index of a server that has been stopped: what a reconstruction mends."""
    with closing(sqlite3.connect(folder / "storage" / "index")) as db, db:
        db.execute("UPDATE MainDicomTags SET value = replace(value, ?, ?)", (old, new))


@pytest.fixture(scope="module")
def damaged(run_orthanc: RunOrthanc) -> Iterator[OrthancProcess]:
    """A server whose patients and studies have tags that their files do not have, and whose catalog knows better."""
    with run_orthanc() as server, rest_client(server) as rest, WebDav(server.drive_url) as drive:
        import_by_rest(rest, *(dicom.instance(name) for name in ("one", "two", "three")))
        import_by_rest(rest, *(dicom.instance("many", study) for study in range(1, 6)))
        assert people(drive) == {f"Doe {name} ({name})" for name in ("one", "two", "three", "many")}
        folder = server.folder
    change_tags(folder, "Doe^", "Wrong^")
    change_tags(folder, "Study 1", "Wrong 1")
    (port,) = free_ports(1)
    with run_orthanc(folder, davfs={"Server": {"Enabled": True, "Port": port}}) as server:
        yield server


@pytest.mark.parametrize(("patient", "door"), [("one", "drive_url"), ("two", "server_url")])
def test_reconstruction_shows_with_the_next_look(damaged: OrthancProcess, patient: str, door: str) -> None:
    """A look at a folder finds that it has another name, and all listings have that."""
    content = dicom.instance(patient)
    with WebDav(getattr(damaged, door)) as drive, rest_client(damaged) as rest:
        assert drive.status(f"by-patient/Doe {patient} ({patient})") == httpx.codes.NOT_FOUND
        wrong = f"Wrong {patient} ({patient})"
        assert wrong in people(drive)
        assert drive.status(f"by-patient/{wrong}/2024-02-29 Study 1") == httpx.codes.NOT_FOUND
        assert set(drive.listing(f"by-patient/{wrong}")) == {"2024-02-29 Wrong 1"}
        path = f"by-patient/{wrong}/2024-02-29 Wrong 1/001 CT Series 1/00001.dcm"
        assert drive.get(path).status_code == httpx.codes.OK
        for level in ("patients", "studies"):
            assert rest.post(f"{resource(content, level)}/reconstruct", content="{}").status_code == httpx.codes.OK
        assert drive.status(f"by-patient/{wrong}/2024-02-29 Wrong 1") == httpx.codes.NOT_FOUND
        assert drive.status(f"by-patient/{wrong}") == httpx.codes.NOT_FOUND
        assert f"Doe {patient} ({patient})" in people(drive)
        assert wrong not in people(drive)
        assert drive.get(path).status_code == httpx.codes.NOT_FOUND
        assert drive.get(place(patient)).content == content


def test_reconstruction_of_one_of_many_studies(damaged: OrthancProcess) -> None:
    """A look at the folder of a patient with several studies finds that one of them has another name, and whose."""
    right, wrong = (f"by-patient/{name} many (many)" for name in ("Doe", "Wrong"))
    with WebDav(damaged.drive_url) as drive, rest_client(damaged) as rest:
        people(drive)
        drive.status(right)
        names = {f"2024-02-29 Study {number}" for number in range(2, 6)}
        for _ in range(2):
            assert set(drive.listing(wrong)) == {"2024-02-29 Wrong 1", *names}
        assert rest.post(f"{resource(dicom.instance('many'), 'studies')}/reconstruct", content="{}").is_success
        assert set(drive.listing(wrong)) == names
        assert set(drive.listing(right)) == {"2024-02-29 Study 1"}


def test_reconstruction_shows_everywhere_soon(damaged: OrthancProcess) -> None:
    """A patient that nobody lists has the new name in the listing of all patients within a bound."""
    with WebDav(damaged.drive_url) as drive, rest_client(damaged) as rest:
        rest.post(f"{resource(dicom.instance('three'), 'studies')}/reconstruct", content="{}")
        rest.post(f"{resource(dicom.instance('three'), 'patients')}/reconstruct", content="{}")
        _soon(lambda: "Doe three (three)" in people(drive))
        assert "Wrong three (three)" not in people(drive)


def _soon(true: Callable[[], bool]) -> None:
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_emptied_log_and_a_stop(run_orthanc: RunOrthanc) -> None:
    """Studies that were stored anew while the plugin was away have their new names, however early it is stopped."""
    with run_orthanc() as server, rest_client(server) as rest, WebDav(server.drive_url) as drive:
        import_by_rest(rest, A, B)
        assert people(drive) == {"Doe a (a)", "Doe b (b)"}
        folder = server.folder
    with run_orthanc(folder, plugins=[], settings=REPLACING) as server, rest_client(server) as rest:
        rest.post("/instances", content=A_RENAMED)
        rest.delete("/changes")
        rest.post("/instances", content=dicom.instance("b", 2))
    for _ in range(2):
        with run_orthanc(folder) as server, WebDav(server.drive_url) as drive:
            assert people(drive) == {"Roe (a)", "Doe b (b)"}


class Backups:
    """A server's data: kept, and brought back under the plugin's catalog."""

    def __init__(self, folder: Path) -> None:
        self._storage, self._kept = folder / "storage", folder / "kept"

    def keep(self) -> None:
        """Copy all but the catalog."""
        shutil.copytree(self._storage, self._kept, ignore=shutil.ignore_patterns("davfs"))

    def restore(self) -> None:
        """Bring the copy back."""
        for each in self._storage.iterdir():
            if each.name != "davfs":
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        shutil.copytree(self._kept, self._storage, dirs_exist_ok=True)


def more(uploads: int) -> list[bytes]:
    """Return files that are stored after a backup was restored: each of a new patient."""
    return [dicom.instance(f"c{number}") for number in range(uploads)]


def shown(uploads: int) -> set[str]:
    """Return the folders of patients that there are then."""
    return {"Doe a (a)", *(f"Doe c{number} (c{number})" for number in range(uploads))}


def test_restored_database(run_orthanc: RunOrthanc) -> None:
    """An older database, restored while Orthanc was stopped, is noticed though its log goes as far as the other one."""
    with run_orthanc() as server, rest_client(server) as rest:
        import_by_rest(rest, A)
        folder = server.folder
    backups = Backups(folder)
    backups.keep()
    with run_orthanc(folder, settings=REPLACING) as server, rest_client(server) as rest:
        rest.post("/instances", content=A_RENAMED)
        import_by_rest(rest, B)
        with WebDav(server.drive_url) as drive:
            assert people(drive) == {"Roe (a)", "Doe b (b)"}
        seen = rest.get("/changes?last").json()["Last"]
    backups.restore()
    with run_orthanc(folder, plugins=[]) as server, rest_client(server) as rest:
        import_by_rest(rest, *more(2))
        assert rest.get("/changes?last").json()["Last"] == seen
    with run_orthanc(folder) as server, WebDav(server.drive_url) as drive:
        assert people(drive) == shown(2)


def test_restored_database_behind_a_running_drive(servers: list[OrthancProcess], tmp_path: Path) -> None:
    """``davfs serve`` that stays while Orthanc is restarted on an older database shows that one's names."""
    http, dicom_port = free_ports(2)
    settings = {"HttpPort": http, "DicomPort": dicom_port, "OverwriteInstances": True}
    server = OrthancProcess(tmp_path / "orthanc", settings=settings)
    servers.append(server)
    backups = Backups(server.folder)
    with ServeProcess(tmp_path, server.url) as served:
        server.start()
        with rest_client(server) as rest:
            import_by_rest(rest, A)
            server.stop()
            backups.keep()
            server.start()
            with served.ready().drive() as drive:
                for uploads in (0, 3):
                    rest.post("/instances", content=A_RENAMED)
                    import_by_rest(rest, B)
                    assert people(drive) == {"Roe (a)", "Doe b (b)"}
                    server.stop()
                    backups.restore()
                    server.start()
                    import_by_rest(rest, *more(uploads))
                    assert people(drive) == shown(uploads)
        assert served.stop() == 0
    server.stop()
    servers.remove(server)
