"""The names of the drive do not depend on its catalog: they are the same after each restart, whatever became of it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import import_by_rest, rest_client
from tests.support.webdav import WebDav

COLLIDING = ("doe", "DOE")
"""Two patients with the same name to those who do not tell capitals apart, so each of them is shown with a suffix."""


def archive() -> dict[str, bytes]:
    """Return files with plain names, long ones, others than ASCII, and some that collide."""
    files = {
        f"plain {patient} {study}": dicom.instance(patient, study) for patient in ("a", "b", "c") for study in (1, 2)
    }
    for patient in COLLIDING:
        files[patient] = dicom.instance(patient, tags={"PatientName": patient})
    for study in (1, 2):
        files[f"same study {study}"] = dicom.instance("same", study, tags={"StudyDescription": "the same"})
    for number in (1, 2):
        uid = dicom.uid("same file", number)
        files[f"same file {number}"] = dicom.instance("files", tags={"SOPInstanceUID": uid})
    files["long"] = dicom.instance("long", tags={"PatientName": "日本" * 30, "StudyDescription": "é" * 64})
    return files


def tree(drive: WebDav, folder: str = "by-patient") -> dict[str, bytes]:
    """Return path and content of all files."""
    found: dict[str, bytes] = {}
    for name, entry in drive.listing(folder).items():
        path = f"{folder}/{name}"
        found |= tree(drive, path) if entry.is_folder else {path: drive.get(path).content}
    return found


def seen(server: OrthancProcess) -> dict[str, bytes]:
    """Return the tree of a running server, just as it is."""
    with WebDav(server.drive_url) as drive:
        return tree(drive)


def catalog(folder: Path) -> Path:
    """Return the catalog's file of a server that has this folder."""
    return folder / "storage" / "davfs" / "catalog.sqlite"


@pytest.fixture(scope="module")
def filled(run_orthanc: RunOrthanc) -> tuple[Path, dict[str, bytes]]:
    """The folder of a server that has been stopped, and the tree that it showed."""
    with run_orthanc() as server, rest_client(server) as client:
        files = archive()
        import_by_rest(client, *files.values())
        shown = seen(server)
        assert sorted(shown.values()) == sorted(files.values())
        assert sum("~" in path for path in shown) == 6
        folder = server.folder
    assert catalog(folder).is_file()
    return folder, shown


def _keep(file: Path) -> None:
    """Leave everything as it is."""


def _remove(file: Path) -> None:
    file.unlink()


def _garbage(file: Path) -> None:
    file.write_bytes(b"no database, " * 10_000)


def _overwrite_middle(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3 : len(content) // 2] = b"\xa5" * (len(content) // 2 - len(content) // 3)
    file.write_bytes(content)


def _truncate(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _other_schema(file: Path) -> None:
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("PRAGMA user_version = 99")
        db.execute("DROP TABLE placement")


def _stale_journal(file: Path) -> None:
    file.with_name(f"{file.name}-wal").write_bytes(b"no journal, " * 1000)


DAMAGES = (
    _keep,
    _remove,
    _garbage,
    _overwrite_middle,
    _truncate,
    _other_schema,
    _stale_journal,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__.strip("_"))
def test_names_outlive_the_catalog(
    run_orthanc: RunOrthanc, filled: tuple[Path, dict[str, bytes]], damage: Callable[[Path], None]
) -> None:
    """After a restart with the same data the first look shows the same files under the same names."""
    folder, shown = filled
    damage(catalog(folder))
    with run_orthanc(folder) as server:
        assert seen(server) == shown
        with rest_client(server) as client, WebDav(server.drive_url) as drive:
            added = client.post("/instances", content=dicom.instance("added")).json()
            assert "Doe added (added)" in drive.listing("by-patient")
            client.delete(f"/patients/{added['ParentPatient']}")
        assert seen(server) == shown


def test_names_can_be_asked_for_before_they_are_listed(
    run_orthanc: RunOrthanc, filled: tuple[Path, dict[str, bytes]]
) -> None:
    """A client that goes on after a restart, without a catalog, finds the paths that it knows."""
    folder, shown = filled
    catalog(folder).unlink()
    with run_orthanc(folder) as server, WebDav(server.drive_url) as drive:
        assert {path: drive.get(path).content for path in shown} == shown


def test_killed_server_shows_the_same_names(
    run_orthanc: RunOrthanc, servers: list[OrthancProcess], plugin: Path, tmp_path: Path
) -> None:
    """The names on the drive are the same after Orthanc was killed, also those of studies that had just arrived."""
    killed = OrthancProcess(tmp_path, plugins=[plugin])
    servers.append(killed)
    killed.start()
    try:
        with rest_client(killed) as client:
            import_by_rest(client, *archive().values())
        shown = seen(killed)
    finally:
        killed.kill()
        servers.remove(killed)
    with run_orthanc(tmp_path) as server:
        assert seen(server) == shown


@pytest.mark.parametrize("emptied", [False, True], ids=["log kept", "log emptied"])
def test_what_happened_without_the_plugin_is_shown(run_orthanc: RunOrthanc, *, emptied: bool) -> None:
    """Deletions, arrivals and changes made while the plugin was not loaded show as they do with a new catalog."""
    files = archive()
    with run_orthanc() as server, rest_client(server) as client:
        import_by_rest(client, *files.values())
        assert len(seen(server)) == len(files)
        folder = server.folder
    with (
        run_orthanc(folder, plugins=[], settings={"OverwriteInstances": True}) as server,
        rest_client(server) as client,
    ):
        ids = {name: dicom.ids(content) for name, content in files.items()}
        client.delete(f"/patients/{ids['doe'].patient}")
        client.delete(f"/studies/{ids['plain b 1'].study}")
        client.delete(f"/studies/{ids['same study 1'].study}")
        client.delete(f"/instances/{ids['same file 1'].instance}")
        import_by_rest(client, dicom.instance("arrived"))
        client.delete(f"/patients/{ids['long'].patient}")
        import_by_rest(client, dicom.instance("long", tags={"PatientName": "Short"}))
        if emptied:
            client.delete("/changes")
    with run_orthanc(folder) as server:
        shown = seen(server)
    assert {path.split("/")[1] for path in shown} == {
        "Doe a (a)", "Doe b (b)", "Doe c (c)", "DOE (DOE)", "Doe same (same)", "Doe files (files)",
        "Doe arrived (arrived)", "Short (long)",
    }  # fmt: skip
    assert not any("~" in path for path in shown)
    assert len(shown) == 10
    catalog(folder).unlink()
    with run_orthanc(folder) as server:
        assert seen(server) == shown
