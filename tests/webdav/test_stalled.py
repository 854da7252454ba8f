"""Stalled clients, at any point of a request, block no other client at door 2, and take bounded memory.

They come from the address of the active client, and have its login: no limit of a client may hit what is quick.
``make test-attacks`` has a thousand of each kind.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.drive import place
from tests.support.orthanc_server import OrthancServer
from tests.support.stalling import STALLS, ActiveClient, Latency, basic, stalled
from tests.support.webdav import WebDav

CLIENTS = int(os.environ.get("TEST_CLIENTS", "100"))
"""More than there are workers."""
REQUESTS = 60
FILES = 1024
"""Files that a process may have open, by default."""
MANY = 200
"""Files in a folder whose listing is long."""
LARGE = 32 << 20
MEMORY = 1280 << 20
"""Bytes by which the server may grow: by transfers of 512 MB of one client, and by what its allocator keeps."""
FLOOR = 0.005
"""Seconds of a machine that does something else beside."""
ALICE, WRONG = basic("alice", "secret"), basic("mallory", "no secret")
IMAGE = dicom.instance("stalled", pixels=3 << 20)
ATTEMPTS = 3
SECONDS = 30
ESTABLISHED, CLOSE_WAIT = "01", "08"
"""States of a TCP connection, as Linux has them."""
BODIES = [kind for kind, stall in STALLS.items() if "Content-Length" in stall.request or "chunked" in stall.request]
"""Those who do not send a body to its end."""

Report = Callable[[str], None]


@pytest.fixture(scope="module")
def process(
    plugin: Path, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OrthancProcess]:
    """An Orthanc that asks for passwords, with a large file in its inbox and an image."""
    settings = {"AuthenticationEnabled": True, "RegisteredUsers": {"alice": "secret"}}
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    folder = tmp_path_factory.mktemp("stalled")
    with OrthancServer(folder, plugins=[plugin], davfs=davfs, settings=settings) as each:
        servers.append(each)
        resource.prlimit(each.pid, resource.RLIMIT_NOFILE, (FILES, FILES))
        with WebDav(each.server_url, auth=("alice", "secret"), seconds=30) as drive:
            assert drive.put("inbox/large.bin", os.urandom(LARGE)).status_code == 201
            assert drive.put("inbox/image.dcm", IMAGE).status_code == 201
            assert drive.mkcol("inbox/many").status_code == 201
            for number in range(MANY):
                assert drive.put(f"inbox/many/{number}", b"").status_code == 201
            assert drive.get(place("stalled")).content == IMAGE
        yield each
        assert each.running
        servers.remove(each)


@pytest.fixture
def active(process: OrthancProcess) -> Iterator[ActiveClient]:
    """A client that has a login."""
    client = ActiveClient(port(process), ALICE)
    yield client
    client.close()


@pytest.fixture
def report(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> Report:
    """Shows what was measured, where there are many clients."""

    def show(what: str) -> None:
        record_property("measured", what)
        if CLIENTS >= 1000:
            with capsys.disabled():
                os.write(1, f" {what}\n".encode())

    return show


def port(process: OrthancProcess) -> int:
    """Return the port of door 2."""
    assert process.dav_port
    return process.dav_port


def resident(process: OrthancProcess) -> int:
    """Return the bytes of a process that are in memory."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


def descriptors(process: OrthancProcess) -> int:
    """Return how many files a process has open."""
    return sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir())


def held_for_clients(process: OrthancProcess) -> int:
    """Return how many connections to door 2 are open at its end, and files of the inbox, together.

    Without those that a process keeps open, such as connections to its catalog and, for logins, to Orthanc.
    """
    table = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]  # proc(5)
    here = f":{port(process):04X}"
    held = sum(local.endswith(here) and state in {ESTABLISHED, CLOSE_WAIT} for _, local, _, state, *_ in table)
    for each in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed in this moment
            held += "/spool/" in (target := str(each.readlink())) and not target.endswith("/.lock")
    return held


def clients(kinds: list[str], login: str) -> tuple[list[bytes], dict[int, bytes]]:
    """Return the bytes that stalled clients of some kinds send at once, and those that some send every second."""
    stalls = [STALLS[kinds[number % len(kinds)]] for number in range(CLIENTS)]
    image = "/" + place("stalled").replace(" ", "%20")
    sent = [stall.sent(number, login).replace(b"IMAGE", image.encode()) for number, stall in enumerate(stalls)]
    return sent, {number: stall.trickle for number, stall in enumerate(stalls) if stall.trickle}


def check_nobody_waits(
    process: OrthancProcess, active: ActiveClient, kinds: list[str], login: str, report: Report
) -> None:
    """Have clients stall, while an active client lists, uploads and downloads."""
    active.listed("/by-patient/", 10)
    quiet = Latency.of(active.listed("/by-patient/", REQUESTS))
    before = resident(process)
    with stalled(port(process), *clients(kinds, login)):
        time.sleep(0.5)
        for _ in range(ATTEMPTS):  # of which one must do: whatever else a machine does takes turns
            found = Latency.of(active.listed("/by-patient/", REQUESTS))
            if found.median < 2 * quiet.median + FLOOR and found.worst < 0.5:
                break
        grown, files = resident(process) - before, descriptors(process)
        report(
            f"{'+'.join(kinds)[:40]} {'with' if login else 'without'} login: {CLIENTS} clients, {files} files, "
            f"{grown >> 20} MB; median {1000 * quiet.median:.1f} -> {1000 * found.median:.1f} ms, "
            f"worst {1000 * quiet.worst:.1f} -> {1000 * found.worst:.1f} ms"
        )
        assert active.ask("PUT", "/inbox/active.txt", b"active")[0] in {201, 204}
        assert active.ask("GET", "/inbox/active.txt") == (200, b"active")
    assert grown < MEMORY
    assert files < FILES
    if found.median >= 2 * quiet.median + FLOOR or found.worst >= 0.5:  # the machine itself may be busier now
        quiet = Latency.of(active.listed("/by-patient/", REQUESTS))
    assert found.median < 2 * quiet.median + FLOOR
    assert found.worst < max(0.5, 2 * quiet.worst)


@pytest.mark.parametrize("kind", STALLS)
def test_with_login(process: OrthancProcess, active: ActiveClient, report: Report, kind: str) -> None:
    """Clients that stall after a login, at any point of a request, delay no other client."""
    check_nobody_waits(process, active, [kind], ALICE, report)


@pytest.mark.parametrize("kinds", [BODIES, list(STALLS)], ids=["bodies", "all"])
@pytest.mark.parametrize("login", ["", WRONG], ids=["none", "wrong"])
def test_without_login(
    process: OrthancProcess, active: ActiveClient, report: Report, kinds: list[str], login: str
) -> None:
    """Clients that stall without a login, of all kinds at once, delay no other client."""
    check_nobody_waits(process, active, kinds, login, report)


def test_nothing_is_left(process: OrthancProcess, active: ActiveClient) -> None:
    """When stalled clients disconnect, all that was opened for them is closed, and their uploads are removed."""
    listed = active.ask("PROPFIND", "/inbox/")[1].count(b"<D:response>")
    with stalled(port(process), *clients(list(STALLS), ALICE)):
        time.sleep(0.5)
        assert held_for_clients(process) > CLIENTS // 3
    end = time.monotonic() + SECONDS
    while held_for_clients(process):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert active.ask("PROPFIND", "/inbox/")[1].count(b"<D:response>") == listed
    assert not any((process.folder / "storage" / "davfs" / "spool" / "incoming").iterdir())
