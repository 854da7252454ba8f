"""Door 2 against other WebDAV servers, and against Orthanc's own ports."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import peers
from bench.archive import Archive
from bench.connection import Connection, Connections, Question
from bench.places import BUILT_IN, Places, find, rest_files
from bench.race import Comparison, Race, run
from bench.races import REST, WEBDAV, walks

DOOR, RCLONE, WSGIDAV = "door 2", "rclone", "WsgiDAV"
CLIENTS = 10
_ROOT = "/by-patient"
_FILES = 100
"""Files of the big series that are fetched."""
_LISTING_ROUNDS = 8
"""Some peers take a second for a listing."""
_LISTING_GOALS = {RCLONE: 1.0, WSGIDAV: 5.0}
_GET_GOALS = {RCLONE: 1.0, REST: 0.4}


def compare(folder: Path, orthanc: int, door: int, archive: Archive, rounds: int) -> list[Comparison]:
    """Run all races of door 2.

    Args:
        folder: Where the peers' copy of the archive is kept.
        orthanc: Port of Orthanc's HTTP server.
        door: Port of door 2.
        archive: What Orthanc holds.
        rounds: How many blocks each contestant gets in the races of single files.

    Raises:
        WrongAnswer: A server does not start, or does not answer rightly.
    """
    with ExitStack() as stack:
        core, own = (stack.enter_context(Connection(port)) for port in (orthanc, door))
        rest = rest_files(archive)[:_FILES]
        contents = [_content(core, each) for each in rest]
        peers.mirror(own, folder, archive, contents)
        ports = {
            DOOR: door,
            RCLONE: stack.enter_context(peers.rclone(folder)),
            WSGIDAV: stack.enter_context(peers.wsgidav(folder)),
        }
        places = {name: _found(port, _ROOT, archive) for name, port in ports.items()}
        places[WEBDAV] = _found(orthanc, BUILT_IN, archive)
        files = {name: each.files[:_FILES] for name, each in places.items()}
        files[REST] = [replace(each, port=orthanc) for each in rest]
        clients = [stack.enter_context(Connections([orthanc, *ports.values()])) for _ in range(CLIENTS)]
        for each in files.values():
            _check(clients[0], each)
        return [
            comparison
            for race in (*_listings(places), *_downloads(files, rounds))
            for comparison in _reported(race, clients)
        ]


def _content(connection: Connection, asked: Question) -> bytes:
    connection.ask(asked)
    return connection.body


def _check(client: Connections, files: Sequence[Question]) -> None:
    """Have each file asked for once, which checks its size, and brings it into the system's memory."""
    for each in files:
        client.ask(each)


def _found(port: int, root: str, archive: Archive) -> Places:
    with Connection(port) as connection:
        found = find(connection, root, archive)

    def there(questions: Sequence[Question]) -> list[Question]:
        return [replace(each, port=port) for each in questions]

    (root_, series) = there([found.root, found.series])
    return Places(root_, there(found.patients), series, there(found.sizes), there(found.files))


def _reported(race: Race, clients: Sequence[Connections]) -> list[Comparison]:
    print(f"measuring: {race.title}", flush=True)
    return run(race, clients)


def _listings(places: dict[str, Places]) -> list[Race]:
    roots = {name: [each.root] for name, each in places.items()}
    series = {name: [each.series] for name, each in places.items()}
    patients = {name: each.patients for name, each in places.items()}
    return [
        Race(f"{DOOR}: list all patients", walks(roots), _LISTING_GOALS, requests=1, rounds=_LISTING_ROUNDS),
        Race(f"{DOOR}: list the big series", walks(series), _LISTING_GOALS, requests=1, rounds=_LISTING_ROUNDS),
        Race(f"{DOOR}: list one patient after the other", walks(patients), requests=10, rounds=_LISTING_ROUNDS),
    ]


def _downloads(files: dict[str, Sequence[Question]], rounds: int) -> list[Race]:
    return [
        Race(f"{DOOR}: GET files", walks(files), _GET_GOALS, requests=20, rounds=rounds),
        Race(
            f"{DOOR}: GET files, {CLIENTS} clients at once",
            walks(files, CLIENTS),
            _GET_GOALS,
            requests=8,
            rounds=rounds,
            clients=CLIENTS,
        ),
    ]
