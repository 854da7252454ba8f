"""Where the same patients and files are on the drive, in Orthanc's own WebDAV and in its REST API."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bench.archive import CT_PATIENT, Archive
from bench.connection import Connection, Question, WrongAnswer, question
from tests.support.webdav import Listed, parse

BUILT_IN = "/webdav/by-patients"
"""The peer of by-patient/ in Orthanc's own WebDAV."""

_PATIENTS = 200
"""How many patients are visited in turn."""
_INDEXING = 120
"""Seconds that the drive may take until it shows a new archive completely."""


@dataclass(frozen=True, slots=True)
class Places:
    """Requests to one of the two WebDAV trees, with their right answers.

    Attributes:
        root: Lists the folder of all patients.
        patients: Each lists the folder of a patient.
        series: Lists the folder of the big series.
        sizes: Each asks for the properties of a file in that series (PROPFIND with depth 0).
        files: Each fetches such a file, in the same order.
    """

    root: Question
    patients: Sequence[Question]
    series: Question
    sizes: Sequence[Question]
    files: Sequence[Question]


def rest_files(archive: Archive) -> list[Question]:
    """Return the requests that fetch the big series' files through the REST API, by InstanceNumber."""
    ids = [archive.image_id(number) for number in range(1, archive.images + 1)]
    return [question("GET", f"/instances/{each}/file") for each in ids]


def wait_for_index(connection: Connection, root: str, archive: Archive) -> None:
    """Wait until the drive has indexed the archive, so that this does not disturb the races.

    Raises:
        WrongAnswer: It takes too long.
    """
    end = time.monotonic() + _INDEXING
    while len(children(connection, root)) < archive.patients + 1:
        if time.monotonic() > end:
            raise WrongAnswer(f"the drive did not show {archive.patients + 1:,} patients within {_INDEXING} s")
        time.sleep(0.2)


def wait_until_ready(connection: Connection, seconds: float = _INDEXING) -> None:
    """Wait until the second door says that the drive shows all of Orthanc.

    Args:
        connection: Asks that door.
        seconds: How long this may take.

    Raises:
        WrongAnswer: It takes too long.
    """
    end = time.monotonic() + seconds
    while not _ready(connection):
        if time.monotonic() > end:
            raise WrongAnswer(f"the drive was not ready within {seconds:g} s: does it reach Orthanc?")
        time.sleep(0.05)


def _ready(connection: Connection) -> bool:
    try:
        connection.ask(question("GET", "/davfs-api/ready"))
    except WrongAnswer:
        return False
    return True


def find(connection: Connection, root: str, archive: Archive) -> Places:
    """Find everything by walking down from the folder of all patients.

    Args:
        connection: Asks.
        root: That folder, without a slash at its end.
        archive: What must be found.

    Raises:
        WrongAnswer: There is more or less to be seen than there is in the archive.
    """
    patients = children(connection, root)
    _expect(root, patients, archive.patients + 1)
    by_id = {patient: each for each in patients for patient in _words(each.name)}
    series = by_id[CT_PATIENT].href
    for _ in ("study", "series"):
        below = children(connection, series)
        _expect(series, below, 1)
        series = below[0].href
    images = children(connection, series)
    _expect(series, images, archive.images)
    order = _order(images, archive)
    visited = archive.patient_ids[:: max(1, archive.patients // _PATIENTS)]
    return Places(
        root=listing(connection, root),
        patients=[listing(connection, by_id[patient].href) for patient in visited],
        series=listing(connection, series),
        sizes=[_properties(connection, each) for each in order],
        files=[question("GET", each.href, size=each.size) for each in order],
    )


def children(connection: Connection, folder: str) -> list[Listed]:
    """Return what is in a folder, in the order of names."""
    connection.ask(question("PROPFIND", folder, depth=1, status=207))
    own = folder.rstrip("/")
    found = [each for each in parse(connection.body) if each.href.rstrip("/") != own]
    return sorted(found, key=lambda each: each.name)


def listing(connection: Connection, folder: str) -> Question:
    """Return the request that lists a folder, with the length of its answer as it is now."""
    asked = question("PROPFIND", folder, depth=1, status=207)
    connection.ask(asked)
    return replace(asked, size=len(connection.body))


def _properties(connection: Connection, image: Listed) -> Question:
    asked = question("PROPFIND", image.href, depth=0, status=207)
    connection.ask(asked)
    if image.size not in {each.size for each in parse(connection.body)}:
        raise WrongAnswer(f"{asked}: the size is not the {image.size} of the listing")
    return replace(asked, size=len(connection.body))


def _order(images: Sequence[Listed], archive: Archive) -> list[Listed]:
    """Return the images by InstanceNumber; Orthanc's own WebDAV names them by its ids."""
    by_stem = {each.name.removesuffix(".dcm"): each for each in images}
    numbers = range(1, archive.images + 1)
    if archive.image_id(1) in by_stem:
        return [by_stem[archive.image_id(number)] for number in numbers]
    return [by_stem[f"{number:05d}"] for number in numbers]


def _words(name: str) -> list[str]:
    return name.replace("(", " ").replace(")", " ").split()


def _expect(folder: str, found: Sequence[Listed], count: int) -> None:
    if len(found) != count:
        raise WrongAnswer(f"{folder} shows {len(found):,} entries instead of {count:,}")
