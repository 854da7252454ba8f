"""Orthancs with archives of several sizes, and the same requests to each of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from urllib.parse import quote, urlsplit

from bench.archive import UPLOADS, kept
from bench.connection import Connection, Question, question
from bench.places import BUILT_IN, children, listing, wait_until_ready
from bench.races import DRIVE, PREFIX, REST, WEBDAV, remove_receipts, remove_uploads
from bench.second_door import DOOR
from bench.studies import STUDIES_EACH, Studies, patient_id, patient_tags
from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support.dicom import instance

_LAYOUTS = ("by-patient", "by-study", "by-date", "by-modality", "by-referring-physician", "recent")
_UNTIL = date(2026, 6, 30)
_VISITED = 40
"""Patients whose folders and files are asked for; in Orthanc's own WebDAV, a tenth of them."""
_INDEXING = 3600
"""Seconds that the first index may take."""


@dataclass(frozen=True, slots=True)
class Site:
    """An Orthanc that runs.

    Attributes:
        size: Number of studies.
        orthanc: The process.
        door: TCP port of door 2.
    """

    size: int
    orthanc: OrthancProcess
    door: int

    @property
    def ports(self) -> tuple[int, int]:
        """TCP ports of Orthanc's server and of door 2."""
        return self.orthanc.http_port, self.door

    @property
    def patients(self) -> int:
        """Number of patients."""
        return -(-self.size // STUDIES_EACH)

    def port(self, who: str) -> int:
        """Return the TCP port of a contestant."""
        return self.door if who == DOOR else self.orthanc.http_port

    def mount(self, who: str) -> str:
        """Return the path of the drive at one of its doors, with a slash at its end."""
        return "/" if who == DOOR else urlsplit(self.orthanc.drive_url).path


def fill(parent: Path, size: int) -> None:
    """Make an archive, unless an earlier run did: studies of one series of one image, but for the first study.

    Raises:
        OrthancFailed: Orthanc did not start.
        WrongAnswer: Orthanc refused an instance, or holds others too.
    """
    with OrthancProcess(_folder(parent, size)) as orthanc, Connection(orthanc.http_port) as client:
        Studies(size, images=100, until=_UNTIL, series=(1,)).fill(client)


@contextmanager
def running(library: Path | None, parent: Path, size: int) -> Iterator[Site]:
    """Run an Orthanc over an archive; with the plugin, until the drive is ready.

    Raises:
        OrthancFailed: Orthanc did not start.
        WrongAnswer: The drive was not ready in time.
    """
    (door,) = free_ports(1)
    davfs = {"Layouts": [*_LAYOUTS], "Server": {"Enabled": True, "Port": door}} if library else {}
    plugins = [library] if library else []
    with OrthancProcess(_folder(parent, size), plugins=plugins, davfs=davfs) as orthanc, Connection(door) as second:
        if library:
            wait_until_ready(second, _INDEXING)
        yield Site(size, orthanc, door)


def _folder(parent: Path, size: int) -> Path:
    return kept(parent, f"scale-{size}")


def root(site: Site, who: str) -> Question:
    """Return the request that lists all patients."""
    target = BUILT_IN if who == WEBDAV else f"{site.mount(who)}by-patient"
    return replace(question("PROPFIND", target, depth=1, status=207), port=site.port(who))


def places(site: Site, who: str) -> dict[str, list[Question]]:
    """Return the requests to patients, evenly spaced, and to a file of each of them, by what they do.

    Raises:
        WrongAnswer: A folder cannot be listed.
    """
    visited = _VISITED // 10 if who == WEBDAV else _VISITED
    found: dict[str, list[Question]] = {"list one patient": [], "PROPFIND 0 of a file": [], "GET a file": []}
    with Connection(site.port(who)) as client:
        for number in range(1, site.patients, max(1, site.patients // visited)):
            folder = _patient(site, who, number)
            file = children(client, folder)[0]
            while file.is_folder:
                file = children(client, file.href.rstrip("/"))[0]
            found["list one patient"].append(listing(client, folder))
            found["PROPFIND 0 of a file"].append(question("PROPFIND", file.href, depth=0, status=207))
            found["GET a file"].append(question("GET", file.href, size=file.size))
    return {what: [replace(each, port=site.port(who)) for each in some] for what, some in found.items()}


def _patient(site: Site, who: str, number: int) -> str:
    """Return the path of a patient's folder."""
    patient, name = patient_id(number), patient_tags(number)["PatientName"]
    if who == WEBDAV:  # which leaves out letters that are not ASCII
        ascii_name = name.encode("ascii", "ignore").decode()
        return f"{BUILT_IN}/{quote(f'{patient} - {ascii_name}')}"
    shown = f"{name.replace('^', ' ')} ({patient})"
    return f"{site.mount(who)}by-patient/{quote(shown)}"


def _search(who: str, site: Site, turn: int) -> Question:
    patient = patient_id((37 * turn + 11) % site.patients)
    if who == REST:
        body = f'{{"Level": "Study", "Query": {{"PatientID": "{patient}"}}}}'.encode()
        return replace(question("POST", "/tools/find", body=body), port=site.port(who))
    target = f"{site.mount(who)}search/PatientID={patient}"
    asked = question("PROPFIND", target, depth=1, status=207, holds=patient.encode())
    return replace(asked, port=site.port(who))


def _upload(who: str, site: Site, turn: int) -> Question:
    content = instance(UPLOADS, series=who, number=turn)
    if who == REST:
        return replace(question("POST", "/instances", body=content), port=site.port(who))
    target = f"{site.mount(who)}inbox/{PREFIX}{turn:05d}-{site.port(who)}.dcm"
    return replace(question("PUT", target, body=content, status=201), port=site.port(who))


REQUESTS: tuple[tuple[str, Callable[[str, Site, int], Question]], ...] = (
    ("search for a patient", _search),
    ("upload a small file", _upload),
)
"""Requests that are different in each turn, by what they do."""


def clear(site: Site) -> None:
    """Delete what was uploaded.

    Raises:
        WrongAnswer: Orthanc refused.
    """
    with Connection(site.orthanc.http_port) as client:
        remove_receipts(client, site.mount(DRIVE))
        remove_uploads(client)
