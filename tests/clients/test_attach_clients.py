"""Real clients, and replays of Finder and Explorer, drop papers and pictures on a study."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.support import dicom, doors, pictures
from tests.support.attaching import Study
from tests.support.clients import Client, ClientFailed, Connect
from tests.support.clients.commands import cadaver, curl, rclone
from tests.support.clients.explorer import Explorer
from tests.support.clients.finder import Finder, apple_double
from tests.support.clients.gvfs import gio
from tests.support.clients.mounts import davfs2, rclone_mount
from tests.support.clients.programs import wait_until
from tests.support.doors import Door

# pytest finds fixtures by the names in a module.
process, standalone, door, server = doors.process, doors.standalone, doors.door, doors.server

CLIENTS: dict[str, Connect] = {
    "davfs2": davfs2(locks=False),
    "davfs2 with locks": davfs2(locks=True),
    "gio": gio,
    "rclone": rclone,
    "rclone mount": rclone_mount,
    "cadaver": cadaver,
    "curl": curl,
}
_numbers = count(1)


@pytest.fixture
def study(server: Door) -> Study:
    """A study of its own for each test and door."""
    return Study(server.rest, f"client {server.name} {next(_numbers)}")


@contextmanager
def connected(name: str, server: Door, tmp_path: Path) -> Iterator[Client]:
    """Connect a client; what it has not uploaded yet is uploaded at the end of the block."""
    with ExitStack() as stack:
        yield stack.enter_context(CLIENTS[name](server.url, tmp_path))


def files() -> dict[str, bytes]:
    """Return one file of each kind."""
    return {"report.pdf": pictures.PDF, "scan.png": pictures.picture()[0], "photo.jpg": pictures.photograph()}


def is_there(server: Door, path: str) -> bool:
    """Return True if the drive lists a file."""
    return server.drive.status(path) == 207


@pytest.mark.parametrize("name", CLIENTS)
def test_it_attaches(server: Door, study: Study, name: str, tmp_path: Path) -> None:
    """What a client copies to a study is attached to it once, and the client reads back what it wrote."""
    with connected(name, server, tmp_path) as client:
        for file, content in files().items():
            client.write(f"{study.folder}/{file}", content)
            wait_until(partial(is_there, server, f"{study.folder}/{file}"), f"{file} arrives")
            assert client.read(f"{study.folder}/{file}") == content
        assert files().keys() <= client.list(study.folder)
    attached = {each["SeriesDescription"]: each for each in study.attached()}
    assert attached.keys() == {"report", "scan", "photo"}
    assert server.rest.get(f"/instances/{attached['report']['ID']}/pdf").content == pictures.PDF
    assert study.file(attached["scan"]["ID"]).PixelData == pictures.picture()[1]
    assert pictures.photograph() in study.file(attached["photo"]["ID"]).PixelData


@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_refused_is_not_lost(server: Door, study: Study, name: str, tmp_path: Path) -> None:
    """What cannot be attached lies in inbox/rejected/, even if the client reports a success and drops it."""
    file = f"{name} {server.name}.docx"
    content = b"PK\x03\x04" + file.encode() * 10
    with suppress(ClientFailed, OSError), connected(name, server, tmp_path) as client:
        with suppress(ClientFailed, OSError):  # davfs2 and rclone mount see no error
            client.write(f"{study.folder}/{file}", content)
        wait_until(lambda: server.drive.status(f"inbox/rejected/{file}") == 207, "the refused file")
    assert server.drive.get(f"inbox/rejected/{file}").content == content
    assert "can be attached" in server.drive.get(f"inbox/rejected/{file}.txt").text
    assert not study.attached()


def test_finder(server: Door, study: Study) -> None:
    """Finder writes an empty file, locks it, and writes the content; then an AppleDouble file beside it."""
    with Finder(server.url) as finder:
        for file, content in files().items():
            finder.upload(f"{study.folder}/{file}", content)
            assert finder.get(f"{study.folder}/{file}").body == content
        assert finder.get(f"{study.folder}/._report.pdf").body == apple_double()
        assert {*files(), "._report.pdf"} <= {each.name for each in finder.list(study.folder).listed}
    assert len(study.attached()) == len(files())


def test_finder_saves(server: Door, study: Study) -> None:
    """A program on macOS writes a hidden temporary file, and moves it over the document: that is attached."""
    with Finder(server.url) as finder:
        finder.upload(f"{study.folder}/.dat.nosync01ab", pictures.PDF)
        assert not study.attached()
        assert finder.move(f"{study.folder}/.dat.nosync01ab", f"{study.folder}/report.pdf").status == 201
        assert finder.propfind(f"{study.folder}/.dat.nosync01ab").status == 404
        assert study.only()["DocumentTitle"] == "report"
        finder.upload(f"{study.folder}/.dat.nosync01ac", pictures.pdf(2))
        assert finder.move(f"{study.folder}/.dat.nosync01ac", f"{study.folder}/report.pdf").status == 204
        assert finder.get(f"{study.folder}/report.pdf").body == pictures.pdf(2)
    assert len(study.attached()) == 2


def test_explorer(server: Door, study: Study) -> None:
    """Explorer writes an empty file, locks it, sets its times, writes the content, and sets the times again."""
    with Explorer(server.url) as explorer:
        for file, content in {**files(), "desktop.ini": b"[x]", "Thumbs.db": b"\xd0\xcf"}.items():
            explorer.upload(f"{study.folder}/{file}", content)
            assert explorer.get(f"{study.folder}/{file}").body == content
    assert len(study.attached()) == len(files())


def test_explorer_saves(server: Door, study: Study) -> None:
    """A program sets the old version aside, gives the new one its name, and deletes the old: both stay attached."""
    document, temporary, backup, owner = (
        f"{study.folder}/{name}" for name in ("Befund.txt", "~WRD0001.tmp", "~WRL0002.tmp", "~$Befund.txt")
    )
    with Explorer(server.url) as explorer:
        explorer.upload(document, b"the first version")
        explorer.upload(owner, bytes(162))
        explorer.upload(temporary, b"the second version")
        assert explorer.move(document, backup).status == 201
        assert explorer.move(temporary, document).status == 201
        assert explorer.delete(backup).status == explorer.delete(owner).status == 204
        assert explorer.get(document).body == b"the second version"
    assert [each["DocumentTitle"] for each in study.attached()] == ["Befund", "Befund"]


def test_lock_of_a_free_name(server: Door, study: Study) -> None:
    """A lock on a free name makes an empty file, which is not attached; the content under the lock is."""
    with Explorer(server.url) as explorer:
        token = explorer.lock(f"{study.folder}/report.pdf").lock_token
        assert not study.attached()
        assert server.drive.put(f"{study.folder}/report.pdf", pictures.PDF).status_code == 423
        assert explorer.put(f"{study.folder}/report.pdf", pictures.PDF, token).status == 204
        assert explorer.unlock(f"{study.folder}/report.pdf", token).status == 204
    assert study.only()


def test_images_by_mount(server: Door, study: Study, tmp_path: Path) -> None:
    """DICOM that a mounted drive gets into a study's folder is imported if it agrees, and kept in rejected/ if not."""
    patient = study.patient.rpartition("(")[2][:-1]
    fitting = dicom.instance(patient, number=7)
    other = dicom.instance(f"other {patient}")
    name = f"other {server.name}.dcm"
    with connected("davfs2", server, tmp_path) as client:
        client.write(f"{study.folder}/fitting.dcm", fitting)
        client.write(f"{study.folder}/{name}", other)
    wait_until(lambda: server.drive.status(f"inbox/rejected/{name}") == 207, "the refused image")
    assert server.rest.get(f"/instances/{dicom.ids(fitting).instance}/file").content == fitting
    assert server.rest.get(f"/instances/{dicom.ids(other).instance}").status_code == 404
