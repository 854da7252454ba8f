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


PATIENCE = 5
"""Seconds within which the server's state follows a client that uploads after it has reported success."""


@contextmanager
def untouched(door: Door, patient: str) -> Iterator[str]:
    """Place an image of a new patient into Orthanc, and give its path in a layout; neither changes in the block."""
    content = dicom.instance(patient)
    import_by_rest(door.rest, content)
    path = place(patient)
    before = door.drive.listing("by-patient").keys()
    yield path
    assert door.drive.listing("by-patient").keys() == before
    assert door.drive.get(path).content == content


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a client works: a folder of its own in the inbox, and images that nobody else uploads.

    Attributes:
        door: The door, with clients that judge.
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
        """Return the content of a file in the client's folder; None where there is none."""
        answer = self.door.drive.get(self.path(name))
        return answer.content if answer.status_code == 200 else None

    def listed(self, folder: str) -> set[str]:
        """Return the names in a folder of the drive."""
        return set(self.door.drive.listing(folder))

    def put(self, name: str, content: bytes) -> None:
        """Place a file into the client's folder, behind its back."""
        assert self.door.drive.put(self.path(name), content).status_code in {201, 204}

    def make(self, name: str) -> None:
        """Place a folder into the client's folder, behind its back."""
        assert self.door.drive.mkcol(self.path(name)).status_code == 201


@dataclass(frozen=True, slots=True)
class Step:
    """One operation.

    Attributes:
        act: Lets the client do it, and returns what the client saw.
        check: Tells whether it was done: from the server's state, and from what the client saw (None if it failed).
        prepare: Brings the drive into the state that the operation starts from, before the client connects.
        unharmed: Tells whether an operation that was refused has lost nothing.
    """

    act: Callable[[Client, Desk], object]
    check: Callable[[Desk, object], bool]
    prepare: Callable[[Desk], None] = lambda _desk: None
    unharmed: Callable[[Desk], bool] = lambda _desk: True


def archive(desk: Desk) -> None:
    """Have the image in Orthanc."""
    if not has(desk.door.rest, IMAGE):
        import_by_rest(desk.door.rest, IMAGE)


def read_range(client: Client, _desk: Desk) -> bytes:
    """Read a part of the image."""
    if not isinstance(client, RangeReader):
        raise NoCommand
    return client.read_range(IMAGE_PATH, START, LENGTH)


def read_back(client: Client, desk: Desk) -> tuple[bytes, bytes]:
    """Write a file and an image, and read each once the server has it."""
    return _read_back(client, desk, "back.txt", TEXT), _read_back(client, desk, "back.dcm", desk.image(2))


def _read_back(client: Client, desk: Desk, name: str, content: bytes) -> bytes:
    client.write(desk.path(name), content)
    wait_until(lambda: desk.content(name) == content, "the server has the file", PATIENCE)
    return client.read(desk.path(name))


def folder_with_file(desk: Desk) -> None:
    """Have a folder that is not empty."""
    desk.make("old")
    desk.put("old/x.txt", TEXT)


STEPS: dict[str, Step] = {
    "connect": Step(
        lambda client, _desk: client.list(""),
        lambda desk, seen: seen == desk.listed(""),
    ),
    "list": Step(
        lambda client, _desk: client.list(f"by-patient/{PATIENT} (archive)"),
        lambda _desk, seen: seen == {"2024-02-29 Study 1"},
        prepare=archive,
    ),
    "read": Step(
        lambda client, _desk: client.read(IMAGE_PATH),
        lambda _desk, seen: seen == IMAGE,
        prepare=archive,
    ),
    "read a range": Step(
        read_range,
        lambda _desk, seen: seen == IMAGE[START : START + LENGTH],
        prepare=archive,
    ),
    "write a file": Step(
        lambda client, desk: client.write(desk.path(), TEXT),
        lambda desk, _seen: desk.content() == TEXT,
    ),
    "write an image": Step(
        lambda client, desk: client.write(desk.path("scan.dcm"), desk.image(1)),
        lambda desk, _seen: desk.has(1) and desk.content("scan.dcm") == desk.image(1),
    ),
    "read it back": Step(
        read_back,
        lambda desk, seen: seen == (TEXT, desk.image(2)) and desk.has(2),
    ),
    "overwrite": Step(
        lambda client, desk: client.write(desk.path("replaced.txt"), TEXT),
        lambda desk, _seen: desk.content("replaced.txt") == TEXT,
        prepare=lambda desk: desk.put("replaced.txt", b"the first version, a longer one"),
        unharmed=lambda desk: desk.content("replaced.txt") == b"the first version, a longer one",
    ),
    "overwrite an image": Step(
        lambda client, desk: client.write(desk.path("replaced.dcm"), desk.image(4)),
        lambda desk, _seen: desk.content("replaced.dcm") == desk.image(4) and desk.has(3) and desk.has(4),
        prepare=lambda desk: desk.put("replaced.dcm", desk.image(3)),
        unharmed=lambda desk: desk.content("replaced.dcm") == desk.image(3),
    ),
    "new folder": Step(
        lambda client, desk: client.make_folder(desk.path("new folder")),
        lambda desk, _seen: "new folder" in desk.listed(desk.folder),
    ),
    "rename a file": Step(
        lambda client, desk: client.rename(desk.path("old.txt"), desk.path("ürgent.txt")),
        lambda desk, _seen: desk.content("ürgent.txt") == TEXT and desk.content("old.txt") is None,
        prepare=lambda desk: desk.put("old.txt", TEXT),
        unharmed=lambda desk: desk.content("old.txt") == TEXT,
    ),
    "rename an image": Step(
        lambda client, desk: client.rename(desk.path("old.dcm"), desk.path("new.dcm")),
        lambda desk, _seen: desk.content("new.dcm") == desk.image(5) and desk.content("old.dcm") is None,
        prepare=lambda desk: desk.put("old.dcm", desk.image(5)),
        unharmed=lambda desk: desk.content("old.dcm") == desk.image(5),
    ),
    "rename a folder": Step(
        lambda client, desk: client.rename(desk.path("old"), desk.path("renamed")),
        lambda desk, _seen: desk.content("renamed/x.txt") == TEXT and "old" not in desk.listed(desk.folder),
        prepare=folder_with_file,
        unharmed=lambda desk: desk.content("old/x.txt") == TEXT,
    ),
    "delete a file": Step(
        lambda client, desk: client.delete(desk.path("deleted.txt")),
        lambda desk, _seen: desk.content("deleted.txt") is None,
        prepare=lambda desk: desk.put("deleted.txt", TEXT),
    ),
    "delete an image": Step(
        lambda client, desk: client.delete(desk.path("deleted.dcm")),
        lambda desk, _seen: desk.content("deleted.dcm") is None and desk.has(6),
        prepare=lambda desk: desk.put("deleted.dcm", desk.image(6)),
    ),
    "delete a folder": Step(
        lambda client, desk: client.remove_folder(desk.path("gone")),
        lambda desk, _seen: "gone" not in desk.listed(desk.folder),
        prepare=lambda desk: desk.make("gone"),
    ),
}
