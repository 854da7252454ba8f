"""Real clients, and replays of Finder and Explorer, delete folders and move them back: one entry of the trash each."""

from collections.abc import Callable
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.support import dicom
from tests.support.clients import Client, ClientFailed, Connect
from tests.support.clients.commands import Cadaver, Rclone, cadaver, curl, rclone
from tests.support.clients.explorer import Explorer
from tests.support.clients.finder import Finder
from tests.support.clients.gvfs import Gio, gio, gvfs_fuse
from tests.support.clients.mounts import Mounted, davfs2, rclone_mount
from tests.support.clients.programs import run
from tests.support.trashed import Archive, archive, assert_hidden, assert_shown, digests
from tests.support.webdav import WebDav

__all__ = ["archive"]  # pytest finds fixtures by the names in a module
CLIENTS: dict[str, Connect] = {
    "davfs2": davfs2(locks=False),
    "davfs2 with locks": davfs2(locks=True),
    "gio": gio,
    "GVFS FUSE": gvfs_fuse,
    "rclone": rclone,
    "rclone mount": rclone_mount,
    "cadaver": cadaver,
    "curl": curl,
}


def url_of(drive: WebDav) -> str:
    """Return the address to mount."""
    return f"{drive.http.base_url}/"


def delete_folder(client: Client, path: str) -> None:
    """Delete a folder with all that is in it, as this client does it."""
    match client:
        case Mounted():
            remove(client.root / path)
        case Rclone():
            client._rclone("purge", f"drive:{path}")
        case Gio():
            _one_by_one(path, client.list, partial(_remove, client))
        case Cadaver():
            client.delete(path)  # its rmcol takes a folder with parentheses in its name for a file
        case _:
            client.remove_folder(path)


def _remove(client: Gio, path: str) -> None:
    """Remove a file or folder; gio looks for each before, and finds that a folder went with the last of its content."""
    with suppress(ClientFailed) if not path.endswith((".dcm", ".txt")) else nullcontext():
        client.delete(path)


def remove(path: Path) -> None:
    """Remove a folder; a mount that looks for each folder again finds that it went with the last of its content."""
    try:
        run(["rm", "-r", path])
    except ClientFailed as error:
        lines = str(error).splitlines()
        assert all(line.endswith("No such file or directory") for line in lines), lines


def _one_by_one(path: str, contents: Callable[[str], set[str]], delete: Callable[[str], object]) -> None:
    """Delete what is in a folder, then the folder, as Finder, Explorer and GNOME Files do."""
    if not path.endswith((".dcm", ".txt")):
        for name in sorted(contents(path)):
            _one_by_one(f"{path}/{name}", contents, delete)
    delete(path)


def assert_one_entry(archive: Archive, images: dict[str, bytes], patient: str) -> str:
    """Assert that all is hidden everywhere, and is one entry: that of the patient folder; return its path."""
    assert_hidden(archive, images)
    entry = archive.entry(patient)
    assert entry.endswith(f" Doe {patient} ({patient})"), entry
    assert f"Contains:  2 studies, 2 series, {len(images)} images" in archive.serve.get(f"{entry}/deleted.txt").text
    return entry


@pytest.mark.parametrize("at", ["drive", "serve"])
@pytest.mark.parametrize("name", CLIENTS)
def test_it_deletes_a_folder_and_moves_it_back(archive: Archive, name: str, at: str, tmp_path: Path) -> None:
    """Deleting a patient folder is one entry; moved back, all has the same ids, MD5s and paths."""
    drive = archive.door(at)
    patient = f"{name} {at}"
    images = archive.store(patient)
    before = digests(archive.rest)
    with CLIENTS[name](url_of(drive), tmp_path) as client:
        delete_folder(client, f"by-patient/Doe {patient} ({patient})")
        entry = assert_one_entry(archive, images, patient)
        assert entry.removeprefix("trash/") in client.list("trash")
        shown = client.read(f"{entry}/2024-02-29 Study 1/001 CT Series 1/00001.dcm")
        assert shown == next(iter(images.values()))
        with suppress(ClientFailed, OSError):  # some look for what they have moved, at the place that they chose
            client.rename(entry, f"by-patient/{entry.removeprefix('trash/')}")
        assert entry.removeprefix("trash/") not in client.list("trash")
    assert_shown(archive, images)
    assert digests(archive.rest) == before


@pytest.mark.parametrize("at", ["drive", "serve"])
def test_finder(archive: Archive, at: str) -> None:
    """Finder deletes file by file, and looks for files of its own."""
    patient = f"finder {at}"
    images = archive.store(patient)
    drive = archive.door(at)

    def delete(path: str) -> None:
        assert finder.propfind(path).status == (207 if path.endswith(".dcm") else 404)  # it went with its content
        folder, _, name = path.rpartition("/")
        assert finder.propfind(f"{folder}/._{name}").status == 404
        assert finder.delete(path).status == 204

    with Finder(url_of(drive)) as finder:
        _one_by_one(f"by-patient/Doe {patient} ({patient})", lambda path: set(drive.listing(path)), delete)
        entry = assert_one_entry(archive, images, patient)
        assert finder.move(entry, f"by-patient/{entry.removeprefix('trash/')}").status == 201
    assert_shown(archive, images)


@pytest.mark.parametrize("at", ["drive", "serve"])
def test_explorer(archive: Archive, at: str) -> None:
    """Explorer deletes file by file, and looks at each before."""
    patient = f"explorer {at}"
    images = archive.store(patient)
    drive = archive.door(at)

    def delete(path: str) -> None:
        assert explorer.propfind(path).status == (207 if path.endswith(".dcm") else 404)  # it went with its content
        assert explorer.delete(path).status == 204

    with Explorer(url_of(drive)) as explorer:
        _one_by_one(f"by-patient/Doe {patient} ({patient})", lambda path: set(drive.listing(path)), delete)
        entry = assert_one_entry(archive, images, patient)
        assert explorer.move(entry, f"by-patient/{entry.removeprefix('trash/')}").status == 201
    assert_shown(archive, images)


def test_gio_trash(archive: Archive, tmp_path: Path) -> None:
    """GVFS has no trash for network drives: it refuses, and nothing is changed."""
    images = archive.store("gio trash")
    with gio(url_of(archive.drive), tmp_path) as client:
        assert isinstance(client, Gio)
        with pytest.raises(ClientFailed):
            client.session.gio("trash", client._location("by-patient/Doe gio trash (gio trash)"))
    assert_shown(archive, images)


@pytest.mark.parametrize("name", ["davfs2", "GVFS FUSE", "rclone", "rclone mount", "cadaver"])
def test_it_empties_the_trash(archive: Archive, name: str, tmp_path: Path) -> None:
    """Deleting an entry in the trash, file by file or as a whole, deletes it for good, and no more."""
    patient = f"empties {name}"
    images = archive.store(patient)
    others = archive.store(f"stays {name}")
    for each in (patient, f"stays {name}"):
        assert archive.drive.delete(f"by-patient/Doe {each} ({each})").status_code == 204
    with CLIENTS[name](url_of(archive.drive), tmp_path) as client:
        delete_folder(client, archive.entry(patient))
    left = digests(archive.rest)
    assert not [each for each in images.values() if dicom.ids(each).instance in left]
    assert all(dicom.ids(each).instance in left for each in others.values())
    assert archive.move(archive.entry(f"stays {name}")).status_code == 201
    assert_shown(archive, others)
