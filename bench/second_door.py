"""Door 2 against other WebDAV servers, and against Orthanc's own ports; all of them with ten clients too."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from bench import peers, wrk
from bench.archive import Archive
from bench.connection import Connection, Connections, Question
from bench.places import BUILT_IN, Places, find, rest_files
from bench.race import Comparison, Race, compared, run, walks
from bench.races import DRIVE, REST, WEBDAV
from bench.results import Part
from davfs.demo.process import OrthancProcess

DOOR, SERVE, RCLONE, WSGIDAV = "door 2", "davfs serve", "rclone", "WsgiDAV"
STORED = "davfs serve with StorageFolder"
_ROOT = "/by-patient"
_FILES = 100
"""Files of the big series that are fetched."""
_LISTING_ROUNDS = 8
"""Some peers take a second for a listing."""
_BLOCK = 1
"""Second of a block with ten clients."""
_LISTING_GOALS = {RCLONE: 1.0, WSGIDAV: 5.0}
_HOT_GOALS, _HOT = {WSGIDAV: 1.0}, 0.0002
_GET_GOALS = {RCLONE: 1.0, REST: 0.4}
_CLIENTS_GOALS: Mapping[str, Mapping[str, float | None]] = {
    DRIVE: {REST: 0.95, WEBDAV: 10.0},
    DOOR: {RCLONE: 1.0, WSGIDAV: None, WEBDAV: None, REST: 0.6},
    SERVE: {RCLONE: 1.5, WSGIDAV: None, REST: 0.5},
    STORED: {RCLONE: None, REST: None},
}
"""With ten clients: who is compared with whom, and how many times as fast it has to be."""


def compare(part: Part, folder: Path, orthanc: OrthancProcess, archive: Archive, rounds: int) -> None:
    """Run all races of door 2, and those with ten clients.

    Args:
        part: Gets what is found.
        folder: Where the peers' copy of the archive, and the state of ``davfs serve``, are kept.
        orthanc: Has the plugin.
        archive: What Orthanc holds.
        rounds: How many blocks each contestant gets in the races of single files.

    Raises:
        WrongAnswer: A server does not start, or does not answer rightly.
    """
    door = orthanc.dav_port
    assert door is not None
    with ExitStack() as stack:
        core, own = (stack.enter_context(Connection(port)) for port in (orthanc.http_port, door))
        rest = rest_files(archive)[:_FILES]
        peers.mirror(own, folder / "mirror", archive, [_content(core, each) for each in rest])
        rclone, wsgidav, serve, stored = (
            stack.enter_context(each)
            for each in (
                peers.rclone(folder / "mirror"),
                peers.wsgidav(folder / "mirror"),
                peers.davfs(folder / "serve", orthanc.url),
                peers.davfs(folder / "stored", orthanc.url, "--storage-folder", str(folder / "storage")),
            )
        )
        processes = {
            **{name: [orthanc.pid] for name in (DRIVE, DOOR, REST, WEBDAV)},
            RCLONE: [rclone.process],
            WSGIDAV: [wsgidav.process],
            SERVE: [serve.process, orthanc.pid],
            STORED: [stored.process, orthanc.pid],
        }
        ports = {DOOR: door, RCLONE: rclone.port, WSGIDAV: wsgidav.port}
        places = {name: _found(port, _ROOT, archive) for name, port in ports.items()}
        places[WEBDAV] = _found(orthanc.http_port, BUILT_IN, archive)
        files = {name: each.files[:_FILES] for name, each in places.items()}
        files[REST] = [replace(each, port=orthanc.http_port) for each in rest]
        client = stack.enter_context(Connections([orthanc.http_port, serve.port, stored.port, *ports.values()]))
        _check(client, files)
        for race in (*_listings(places), Race(f"{DOOR}: GET files", walks(files), _GET_GOALS, rounds=rounds)):
            part.add(*run(race, client, processes))
        root = f"{urlsplit(orthanc.drive_url).path}by-patient"
        files[DRIVE] = _found(orthanc.http_port, root, archive).files[:_FILES]
        for name, each in ((SERVE, serve), (STORED, stored)):
            files[name] = _found(each.port, _ROOT, archive).files[:_FILES]
        _check(client, files)
        part.add(*_many(files, processes, max(1, rounds // 3)))


def _content(connection: Connection, asked: Question) -> bytes:
    connection.ask(asked)
    return connection.body


def _check(client: Connections, files: Mapping[str, Sequence[Question]]) -> None:
    """Have each file asked for once, which checks its size, and brings it into the system's memory."""
    for some in files.values():
        for each in some:
            client.ask(each)


def _found(port: int, root: str, archive: Archive) -> Places:
    with Connection(port) as connection:
        found = find(connection, root, archive)

    def there(questions: Sequence[Question]) -> list[Question]:
        return [replace(each, port=port) for each in questions]

    (root_, series) = there([found.root, found.series])
    return Places(root_, there(found.patients), series, there(found.sizes), there(found.files))


def _listings(places: dict[str, Places]) -> list[Race]:
    roots = walks({name: [each.root] for name, each in places.items()})
    series = walks({name: [each.series] for name, each in places.items()})
    patients = walks({name: each.patients for name, each in places.items()})
    patient = walks({name: each.patients[:1] for name, each in places.items()})
    rounds, again = _LISTING_ROUNDS, f"{DOOR}: list one patient again and again"
    return [
        Race(f"{DOOR}: list all patients", roots, _LISTING_GOALS, requests=1, rounds=rounds),
        Race(f"{DOOR}: list the big series", series, _LISTING_GOALS, requests=1, rounds=rounds),
        Race(f"{DOOR}: list one patient after the other", patients, requests=10, rounds=rounds),
        Race(again, patient, _HOT_GOALS, within=_HOT, requests=40, rounds=rounds),
    ]


def _many(
    files: Mapping[str, Sequence[Question]], processes: Mapping[str, Sequence[int]], rounds: int
) -> Iterator[Comparison]:
    """Have ten clients fetch files from each server."""
    found = wrk.blocks(files, processes, rounds, _BLOCK)
    for own, peers_ in _CLIENTS_GOALS.items():
        for peer, goal in peers_.items():
            yield compared(f"{own}: GET files, {wrk.CLIENTS} clients at once", found, (own, peer), goal)
