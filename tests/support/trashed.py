"""An Orthanc with a trash: three drives over it, and what they have to show."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.drive import folders, has, import_by_rest, place, rest_client
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav


@dataclass(frozen=True, slots=True)
class Archive:
    """Three drives over one Orthanc: at its own port, at the plugin's, and ``davfs serve``."""

    rest: httpx.Client
    core: WebDav
    drive: WebDav
    serve: WebDav

    @property
    def drives(self) -> tuple[WebDav, ...]:
        """All drives."""
        return self.core, self.drive, self.serve

    def door(self, name: str) -> WebDav:
        """Return the drive at a door: "core", "drive" or "serve"."""
        return {"core": self.core, "drive": self.drive, "serve": self.serve}[name]

    def store(self, patient: str, studies: int = 2, numbers: int = 2) -> dict[str, bytes]:
        """Store images; return them by their paths in the layout."""
        keys = [(study, number) for study in range(1, studies + 1) for number in range(1, numbers + 1)]
        made = {place(patient, study, 1, number): dicom.instance(patient, study, 1, number) for study, number in keys}
        import_by_rest(self.rest, *made.values())
        return made

    def entry(self, patient: str) -> str:
        """Return the name of the only entry of a patient."""
        found = [each for each in self.drive.listing("trash") if f"({patient})" in each]
        assert len(found) == 1, found
        return f"trash/{found[0]}"

    def move(self, path: str, target: str = "by-patient/back", drive: WebDav | None = None) -> httpx.Response:
        """Move something out of the trash."""
        client = drive or self.drive
        return client.request("MOVE", path, headers={"Destination": client.href(target)})


@pytest.fixture(scope="module")
def archive(plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """Yield an Orthanc with the plugin, and ``davfs serve`` beside it; deleting is allowed."""
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("trash")
    davfs = {"AllowDelete": True, "Server": {"Enabled": True, "Port": port}}
    with ExitStack() as stack:
        process = stack.enter_context(OrthancServer(folder / "orthanc", plugins=[plugin], davfs=davfs))
        servers.append(process)
        serving = stack.enter_context(ServeProcess(folder, process.url, "--allow-delete"))
        serving.ready()
        yield Archive(
            stack.enter_context(rest_client(process)),
            stack.enter_context(WebDav(process.drive_url)),
            stack.enter_context(WebDav(f"http://{LOOPBACK}:{port}/")),
            stack.enter_context(WebDav(serving.url)),
        )
        assert process.running
        servers.remove(process)


def tree(drive: WebDav, folder: str) -> dict[str, bytes]:
    """Return the files below a folder, by their paths in it."""
    found = dict[str, bytes]()
    for name, entry in drive.listing(folder).items():
        path = f"{folder}/{name}"
        if entry.is_folder:
            found |= {f"{name}/{below}": content for below, content in tree(drive, path).items()}
        else:
            found[name] = drive.get(path).content
    return found


def assert_hidden(archive: Archive, paths: dict[str, bytes]) -> None:
    """Assert that no drive shows the images, and that Orthanc has them."""
    for drive in archive.drives:
        for path in paths:
            assert drive.status(path) == 404, path
            assert drive.get(path).status_code == 404, path
        for folder in {each for path in paths for each in folders(path)[2:3]}:
            assert drive.status(folder) == 404, folder
    assert all(has(archive.rest, content) for content in paths.values())


def assert_shown(archive: Archive, paths: dict[str, bytes]) -> None:
    """Assert that all drives show the images where they were, as they were."""
    for drive in archive.drives:
        for path, content in paths.items():
            assert drive.get(path).content == content, path
            assert path.rpartition("/")[2] in drive.listing(path.rpartition("/")[0])


def digests(rest: httpx.Client) -> dict[str, str]:
    """Return the MD5 of each file in Orthanc, by Orthanc's id of the instance."""
    return {each: rest.get(f"/instances/{each}/attachments/dicom/md5").text for each in rest.get("/instances").json()}
