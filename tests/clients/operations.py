"""Operations that every client runs, with the server's state that proves that they were done."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support import dicom
from tests.support.clients import Client, RangeReader
from tests.support.clients.programs import wait_until
from tests.support.doors import Door
from tests.support.drive import has, import_by_rest, place

NAME = "Übersicht & 50% #1 (neu).txt"
TEXT = b"call the ward\n"
NOISE = random.Random(3).randbytes(200_000)  # noqa: S311 - it is to be the same each time
PATIENT = "O'Brien Jürgen"
IMAGE = dicom.instance("archive", tags={"PatientName": "O'Brien^Jürgen", "EncapsulatedDocument": NOISE})
IMAGE_PATH = place("archive", tags={"PatientName": PATIENT})
START, LENGTH = 150_001, 20_000
"""The part of the image that is read."""


class NoCommand(Exception):
    """The client has no command for this operation."""


TIMEOUT = 5
"""Seconds within which the server has an upload: some clients report success before they send it."""


@contextmanager
def untouched(door: Door, patient: str) -> Iterator[str]:
    """Store an image of a new patient, and yield its path; at the end, assert that image and layout are unchanged."""
    content = dicom.instance(patient)
    import_by_rest(door.rest, content)
    path = place(patient)
    before = door.drive.listing("by-patient").keys()
    yield path
    assert door.drive.listing("by-patient").keys() == before
    assert door.drive.get(path).content == content


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder of the inbox and a set of images that belong to one client.

    Attributes:
        door: The door, with the clients that check the server's state.
        folder: Path of the client's folder on the drive.
    """

    door: Door
    folder: str

    def path(self, name: str = NAME) -> str:
        """Return the path of a name in the client's folder."""
        return f"{self.folder}/{name}"

    def image(self, number: int) -> bytes:
        """Return an image that belongs to this client."""
        return dicom.instance(f"{self.door.name} {self.folder}", number=number, pixels=96 * dicom.ROW)

    def has(self, number: int) -> bool:
        """Return True if Orthanc has that image."""
        return has(self.door.rest, self.image(number))

    def content(self, name: str = NAME) -> bytes | None:
        """Return the content of a file in the client's folder; None if it does not exist."""
        answer = self.door.drive.get(self.path(name))
        return answer.content if answer.status_code == 200 else None

    def listed(self, folder: str) -> set[str]:
        """Return the names in a folder of the drive."""
        return set(self.door.drive.listing(folder))

    def put(self, name: str, content: bytes) -> None:
        """Create a file in the client's folder by another client."""
        assert self.door.drive.put(self.path(name), content).status_code in {201, 204}

    def make(self, name: str) -> None:
        """Create a folder in the client's folder by another client."""
        assert self.door.drive.mkcol(self.path(name)).status_code == 201


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    Attributes:
        act: Runs it in the client, and returns the client's result.
        check: Returns True if it was done, by the server's state and the client's result (None if the client failed).
        prepare: Creates the files that the operation needs, before the client connects.
        is_unchanged: Returns True if a refused operation has left everything as it was.
    """

    act: Callable[[Client, Workspace], object]
    check: Callable[[Workspace, object], bool]
    prepare: Callable[[Workspace], None] = lambda _workspace: None
    is_unchanged: Callable[[Workspace], bool] = lambda _workspace: True


def store_image(workspace: Workspace) -> None:
    """Store the image in Orthanc, unless it is there."""
    if not has(workspace.door.rest, IMAGE):
        import_by_rest(workspace.door.rest, IMAGE)


def read_range(client: Client, _workspace: Workspace) -> bytes:
    """Read a part of the image."""
    if not isinstance(client, RangeReader):
        raise NoCommand
    return client.read_range(IMAGE_PATH, START, LENGTH)


def read_back(client: Client, workspace: Workspace) -> tuple[bytes, bytes]:
    """Write a file and an image, and read each after it has arrived at the server."""
    return _read_back(client, workspace, "back.txt", TEXT), _read_back(
        client, workspace, "back.dcm", workspace.image(2)
    )


def _read_back(client: Client, workspace: Workspace, name: str, content: bytes) -> bytes:
    client.write(workspace.path(name), content)
    wait_until(lambda: workspace.content(name) == content, "the server has the file", TIMEOUT)
    return client.read(workspace.path(name))


def folder_with_file(workspace: Workspace) -> None:
    """Create a folder with a file in it."""
    workspace.make("old")
    workspace.put("old/x.txt", TEXT)


OPERATIONS: dict[str, Operation] = {
    "connect": Operation(
        lambda client, _workspace: client.list(""),
        lambda workspace, seen: seen == workspace.listed(""),
    ),
    "list": Operation(
        lambda client, _workspace: client.list(f"by-patient/{PATIENT} (archive)"),
        lambda _workspace, seen: seen == {"2024-02-29 Study 1"},
        prepare=store_image,
    ),
    "read": Operation(
        lambda client, _workspace: client.read(IMAGE_PATH),
        lambda _workspace, seen: seen == IMAGE,
        prepare=store_image,
    ),
    "read a range": Operation(
        read_range,
        lambda _workspace, seen: seen == IMAGE[START : START + LENGTH],
        prepare=store_image,
    ),
    "write a file": Operation(
        lambda client, workspace: client.write(workspace.path(), TEXT),
        lambda workspace, _seen: workspace.content() == TEXT,
    ),
    "write an image": Operation(
        lambda client, workspace: client.write(workspace.path("scan.dcm"), workspace.image(1)),
        lambda workspace, _seen: workspace.has(1) and workspace.content("scan.dcm") == workspace.image(1),
    ),
    "read it back": Operation(
        read_back,
        lambda workspace, seen: seen == (TEXT, workspace.image(2)) and workspace.has(2),
    ),
    "overwrite": Operation(
        lambda client, workspace: client.write(workspace.path("replaced.txt"), TEXT),
        lambda workspace, _seen: workspace.content("replaced.txt") == TEXT,
        prepare=lambda workspace: workspace.put("replaced.txt", b"the first version, a longer one"),
        is_unchanged=lambda workspace: workspace.content("replaced.txt") == b"the first version, a longer one",
    ),
    "overwrite an image": Operation(
        lambda client, workspace: client.write(workspace.path("replaced.dcm"), workspace.image(4)),
        lambda workspace, _seen: (
            workspace.content("replaced.dcm") == workspace.image(4) and workspace.has(3) and workspace.has(4)
        ),
        prepare=lambda workspace: workspace.put("replaced.dcm", workspace.image(3)),
        is_unchanged=lambda workspace: workspace.content("replaced.dcm") == workspace.image(3),
    ),
    "new folder": Operation(
        lambda client, workspace: client.make_folder(workspace.path("new folder")),
        lambda workspace, _seen: "new folder" in workspace.listed(workspace.folder),
    ),
    "rename a file": Operation(
        lambda client, workspace: client.rename(workspace.path("old.txt"), workspace.path("ürgent.txt")),
        lambda workspace, _seen: workspace.content("ürgent.txt") == TEXT and workspace.content("old.txt") is None,
        prepare=lambda workspace: workspace.put("old.txt", TEXT),
        is_unchanged=lambda workspace: workspace.content("old.txt") == TEXT,
    ),
    "rename an image": Operation(
        lambda client, workspace: client.rename(workspace.path("old.dcm"), workspace.path("new.dcm")),
        lambda workspace, _seen: (
            workspace.content("new.dcm") == workspace.image(5) and workspace.content("old.dcm") is None
        ),
        prepare=lambda workspace: workspace.put("old.dcm", workspace.image(5)),
        is_unchanged=lambda workspace: workspace.content("old.dcm") == workspace.image(5),
    ),
    "rename a folder": Operation(
        lambda client, workspace: client.rename(workspace.path("old"), workspace.path("renamed")),
        lambda workspace, _seen: (
            workspace.content("renamed/x.txt") == TEXT and "old" not in workspace.listed(workspace.folder)
        ),
        prepare=folder_with_file,
        is_unchanged=lambda workspace: workspace.content("old/x.txt") == TEXT,
    ),
    "delete a file": Operation(
        lambda client, workspace: client.delete(workspace.path("deleted.txt")),
        lambda workspace, _seen: workspace.content("deleted.txt") is None,
        prepare=lambda workspace: workspace.put("deleted.txt", TEXT),
    ),
    "delete an image": Operation(
        lambda client, workspace: client.delete(workspace.path("deleted.dcm")),
        lambda workspace, _seen: workspace.content("deleted.dcm") is None and workspace.has(6),
        prepare=lambda workspace: workspace.put("deleted.dcm", workspace.image(6)),
    ),
    "delete a folder": Operation(
        lambda client, workspace: client.remove_folder(workspace.path("gone")),
        lambda workspace, _seen: "gone" not in workspace.listed(workspace.folder),
        prepare=lambda workspace: workspace.make("gone"),
    ),
}
