"""Compares the drive with Orthanc's REST API and Orthanc's own WebDAV."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from bench.archive import UPLOADS, Archive, instance_id
from bench.connection import Connection, Question, WrongAnswer, question
from bench.places import BUILT_IN, Places, children, find, rest_files
from bench.race import Race, run, walks
from bench.results import Part
from davfs.demo.process import OrthancProcess
from tests.support.dicom import CT_IMAGE, instance, orthanc_id

DRIVE, REST, WEBDAV = "drive", "REST", "/webdav"

_AS_FAST_AS_REST = {REST: 0.95, WEBDAV: 10.0}
PREFIX = "bench-"  # of the names in the inbox
_PUTS = 5  # uploads in one block
_SUCCESS = b'"Status" : "Success"'


def compare(part: Part, client: Connection, orthanc: OrthancProcess, archive: Archive, rounds: int) -> None:
    """Run all races of door 1.

    Args:
        part: Gets what is found.
        client: Asks Orthanc.
        orthanc: Has the plugin.
        archive: What Orthanc holds.
        rounds: How many blocks each contestant gets in each race.

    Raises:
        WrongAnswer: The contestants do not answer the same, or not rightly.
    """
    drive = urlsplit(orthanc.drive_url).path
    own, built_in = (find(client, root, archive) for root in (f"{drive}by-patient", BUILT_IN))
    rest = rest_files(archive)
    for each in rest:  # from here on the operating system has all files in memory
        client.ask(each)
    processes = {name: [orthanc.pid] for name in (DRIVE, REST, WEBDAV)}
    part.add(*run(_first_reads(own, built_in, rest, rounds), client, processes))
    _check_content(client, own.files, built_in.files, rest)
    for race in [*_downloads(own, built_in, rest, rounds), *_listings(own, built_in, rounds)]:
        part.add(*run(race, client, processes))
    try:
        part.add(*run(_upload(drive, rounds), client, processes))
        _check_uploads(client, rounds)
    finally:
        remove_receipts(client, drive)
        remove_uploads(client)


def _check_content(connection: Connection, *contestants: Sequence[Question]) -> None:
    """Check that all contestants give the same bytes for the same file."""
    for same in zip(*contestants, strict=True):
        contents = set()
        for each in same:
            connection.ask(each)
            contents.add(connection.body)
        if len(contents) != 1:
            raise WrongAnswer(f"not the same bytes: {', '.join(map(str, same))}")


def _first_reads(own: Places, built_in: Places, rest: Sequence[Question], rounds: int) -> Race:
    """Read no file twice: the drive sends one that it has just sent without looking for it again."""
    files = {DRIVE: own.files, REST: rest, WEBDAV: built_in.files}
    title = "GET files, each for the first time"
    return Race(title, walks(files), _AS_FAST_AS_REST, requests=len(rest) // (rounds + 1), rounds=rounds)


def _downloads(own: Places, built_in: Places, rest: Sequence[Question], rounds: int) -> list[Race]:
    files = {DRIVE: own.files, REST: rest, WEBDAV: built_in.files}
    one = {name: [each[len(each) // 2]] for name, each in files.items()}
    sizes = {DRIVE: own.sizes, WEBDAV: built_in.sizes}
    one_size = {name: [each[len(each) // 2]] for name, each in sizes.items()}
    goal = {WEBDAV: 10.0}
    return [
        Race("GET one file again and again", walks(one), _AS_FAST_AS_REST, requests=25, rounds=rounds),
        Race("GET files, each once more", walks(files), _AS_FAST_AS_REST, requests=25, rounds=rounds),
        Race("PROPFIND 0 of one file", walks(one_size), goal, requests=25, rounds=rounds),
        Race("PROPFIND 0 of one file after the other", walks(sizes), goal, requests=25, rounds=rounds),
    ]


def _listings(own: Places, built_in: Places, rounds: int) -> list[Race]:
    roots = {DRIVE: [own.root], WEBDAV: [built_in.root]}
    patients = {DRIVE: own.patients, WEBDAV: built_in.patients}
    series = {DRIVE: [own.series], WEBDAV: [built_in.series]}
    return [
        Race("list all patients", walks(roots), {WEBDAV: 1.0}, requests=3, rounds=rounds),
        Race("list one patient after the other", walks(patients), {WEBDAV: 5.0}, requests=10, rounds=rounds),
        Race("list the big series", walks(series), requests=5, rounds=rounds),
    ]


def _upload(drive: str, rounds: int) -> Race:
    def put(turn: int) -> Question:
        content = instance(UPLOADS, series="put", number=turn, pixels=CT_IMAGE)
        return question("PUT", f"{drive}inbox/{PREFIX}{turn:05d}.dcm", body=content, status=201)

    def post(turn: int) -> Question:
        content = instance(UPLOADS, series="post", number=turn, pixels=CT_IMAGE)
        return question("POST", "/instances", body=content, holds=_SUCCESS)

    return Race("PUT into inbox/ against POST", {DRIVE: put, REST: post}, {REST: 0.8}, requests=_PUTS, rounds=rounds)


def _check_uploads(connection: Connection, rounds: int) -> None:
    """Check that Orthanc has all that was uploaded."""
    for series in ("put", "post"):
        for turn in range((rounds + 1) * _PUTS):
            connection.ask(question("GET", f"/instances/{instance_id(UPLOADS, 1, series, turn)}"))


def remove_uploads(connection: Connection) -> None:
    """Delete what this or an earlier run has uploaded."""
    try:
        connection.ask(question("DELETE", f"/patients/{orthanc_id(UPLOADS)}"))
    except WrongAnswer:
        connection.ask(question("GET", f"/patients/{orthanc_id(UPLOADS)}", status=404))


def remove_receipts(connection: Connection, drive: str) -> None:
    """Delete what stands in the inbox for the uploads of this or an earlier run."""
    for each in children(connection, f"{drive}inbox"):
        if each.name.startswith(PREFIX):
            connection.ask(question("DELETE", each.href, status=204))
