"""Helpers for tests of a running server: paths of files on the drive, and the content of Orthanc."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.webdav import WebDav

LEVELS = ("patients", "studies", "series", "instances")
"""Orthanc's levels, as in its REST API; each is one folder below the previous one."""


@dataclass(frozen=True, slots=True)
class Server:
    """Clients of an Orthanc with other settings than the shared one's."""

    drive: WebDav
    rest: httpx.Client


@contextmanager
def connected(process: OrthancProcess) -> Iterator[Server]:
    """Open clients of a running server, and close them."""
    with WebDav(process.drive_url) as drive, rest_client(process) as rest:
        yield Server(drive, rest)


def rest_client(process: OrthancProcess) -> httpx.Client:
    """Return a client of a server's REST API."""
    return httpx.Client(base_url=process.url, trust_env=False, timeout=10)


def place(patient: str, study: int = 1, series: int = 1, number: int = 1, tags: Mapping[str, str] | None = None) -> str:
    """Return the path in by-patient/ of what `dicom.instance` makes of the same arguments."""
    tags = tags or {}
    folders = (
        f"{tags.get('PatientName', f'Doe {patient}')} ({patient})",
        f"2024-02-29 {tags.get('StudyDescription', f'Study {study}')}",
        f"{series:03d} CT {tags.get('SeriesDescription', f'Series {series}')}",
    )
    return "/".join(["by-patient", *folders, f"{number:05d}.dcm"])


def folders(path: str) -> list[str]:
    """Return the folders above a path, the drive's root first."""
    segments = path.split("/")[:-1]
    return ["/".join(segments[:depth]) for depth in range(len(segments) + 1)]


def place_of(path: str, level: str) -> str:
    """Return the path of the resource of a level that has the file at this path."""
    return "/".join(path.split("/")[: LEVELS.index(level) + 2])


def resource(content: bytes, level: str) -> str:
    """Return the REST path of the resource of a level that has this file."""
    found = dicom.ids(content)
    values = (found.patient, found.study, found.series, found.instance)
    return f"/{level}/{values[LEVELS.index(level)]}"


def only_file(drive: WebDav, folder: str) -> str:
    """Return the path of a file that is alone in a folder, as are the folders between them."""
    ((name, entry),) = drive.listing(folder).items()
    path = f"{folder}/{name}"
    return only_file(drive, path) if entry.is_folder else path


def import_by_rest(rest: httpx.Client, *contents: bytes) -> None:
    """Store files in Orthanc by its REST API."""
    for content in contents:
        answer = rest.post("/instances", content=content)
        assert answer.status_code == 200, answer.text
        assert answer.json()["Status"] == "Success"


def delete_all(rest: httpx.Client) -> None:
    """Delete everything in Orthanc."""
    for patient in rest.get("/patients").json():
        rest.delete(f"/patients/{patient}")


def has(rest: httpx.Client, content: bytes) -> bool:
    """Return True if Orthanc has exactly this file."""
    answer = rest.get(f"{resource(content, 'instances')}/file")
    return answer.status_code == 200 and answer.content == content
