"""Orthanc stops in order and in time, whatever the drive is doing at that moment.

``make test-stop ROUNDS=50`` repeats each case, with an archive of 30,000 patients.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom, loads
from tests.support.drive import has, rest_client
from tests.support.webdav import WebDav

ROUNDS = int(os.environ.get("TEST_ROUNDS", "1"))
PATIENTS = 30_000 if ROUNDS > 1 else 500
ARCHIVE = os.environ.get("TEST_ARCHIVE", "")
"""Where the archive is kept for the next run; empty for nowhere."""
MEMBERS = 3_000
CLIENTS = 16
LIMIT = 5.0
"""Seconds within which Orthanc ends after SIGTERM."""
LONGEST = 60.0
"""Seconds after which it is killed."""
LEFT_BEHIND = ("davfs: not everything has ended", "davfs: Python does not answer", "davfs: a call into Orthanc")

Report = Callable[[str, float], None]


@pytest.fixture
def report(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> Report:
    """Shows how long Orthanc took to end, where there are many rounds."""

    def show(what: str, seconds: float) -> None:
        record_property(what, seconds)
        if ROUNDS > 1:
            with capsys.disabled():
                os.write(1, f" {what} {seconds:.2f} s\n".encode())

    return show


def server(folder: Path, plugin: Path) -> OrthancProcess:
    """Return an Orthanc with both doors."""
    davfs = {"AllowDelete": True, "DeleteForGood": True, "Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    return OrthancProcess(folder, plugins=[plugin], davfs=davfs)


def end(process: OrthancProcess) -> tuple[int, float]:
    """Send SIGTERM; return the exit code, and the seconds that it took."""
    asked = time.monotonic()
    code = process.stop(LONGEST)
    return code, time.monotonic() - asked


def assert_ends(process: OrthancProcess, report: Report) -> None:
    """Send SIGTERM, and assert that Orthanc ends in order and in time, with nothing of the drive left behind."""
    code, seconds = end(process)
    report("ended after", seconds)
    assert code == 0, f"Orthanc ended with {code} after {seconds:.1f} s:\n{process.log_tail(60)}"
    assert seconds < LIMIT, f"Orthanc ended after {seconds:.1f} s:\n{process.log_tail(60)}"
    assert not [line for line in process.log.read_text().splitlines() for phrase in LEFT_BEHIND if phrase in line]


@pytest.fixture(params=range(ROUNDS))
def moment(request: pytest.FixtureRequest) -> float:
    """Seconds after which the drive is told to stop: others in each round."""
    return random.Random(request.param).uniform(0.05, 1.5)  # noqa: S311


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an Orthanc with many patients."""
    folder = Path(ARCHIVE or tmp_path_factory.mktemp("archive"))
    with OrthancProcess(folder) as process, rest_client(process) as rest:
        loads.fill(rest, PATIENTS)
    return folder


def test_while_a_zip_is_imported(plugin: Path, tmp_path: Path, moment: float, report: Report) -> None:
    """The import of a large ZIP is aborted, and the response is 503."""
    content = loads.zipped(loads.instances(range(MEMBERS)))
    answers = list[int]()
    with (
        server(tmp_path, plugin) as process,
        WebDav(process.server_url, seconds=30) as drive,
        rest_client(process) as rest,
        loads.repeated([lambda: answers.append(drive.put("inbox/large.zip", content).status_code)]),
    ):
        deadline = time.monotonic() + 20
        while rest.get("/statistics").json()["CountInstances"] < 10 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(moment)
        assert_ends(process, report)
    assert set(answers) <= {httpx.codes.SERVICE_UNAVAILABLE}


def test_while_the_first_index_is_built(plugin: Path, archive: Path, moment: float, report: Report) -> None:
    """Orthanc stops while the first index is built, and the next start builds it."""
    for file in archive.glob("storage/davfs/catalog.sqlite*"):
        file.unlink()
    with server(archive, plugin) as process:
        time.sleep(moment)
        assert_ends(process, report)


@contextmanager
def many_clients(process: OrthancProcess) -> Iterator[None]:
    """Keep both doors of an Orthanc busy."""
    urls = [process.server_url] * 3 + [process.drive_url]
    with ExitStack() as closing:
        clients = [loads.MixedClient(urls[n % 4], f"c{n}") for n in range(CLIENTS)]
        for client in clients:
            closing.callback(client.close)
        with loads.repeated([client.act for client in clients]):
            yield


def test_while_many_clients_are_served(plugin: Path, tmp_path: Path, moment: float, report: Report) -> None:
    """Orthanc stops while clients of both doors upload, list, download and delete; each is answered or disconnected."""
    with server(tmp_path, plugin) as process, many_clients(process):
        time.sleep(moment + 0.5)
        assert_ends(process, report)


def test_reset_while_many_clients_are_served(plugin: Path, tmp_path: Path) -> None:
    """After a reset in the same process the drive works as before."""
    content = dicom.instance("after the reset")
    with server(tmp_path, plugin) as process, rest_client(process) as rest:
        with many_clients(process):
            time.sleep(0.5)
            rest.post("/tools/reset")
            deadline = time.monotonic() + 20
            while process.log.read_text().count("the drive is at port") < 2:
                assert process.running, process.log_tail(60)
                assert time.monotonic() < deadline, process.log_tail(60)
                time.sleep(0.05)
        with WebDav(process.server_url) as drive:
            assert drive.put("inbox/image.dcm", content).status_code == httpx.codes.CREATED
        assert has(rest, content)
        assert end(process)[0] == 0
