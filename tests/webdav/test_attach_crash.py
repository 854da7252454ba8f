"""Papers whose upload was acknowledged outlive a crash, and are attached once, whatever clients repeat afterwards.

``make test-crash ROUNDS=60`` crashes each of them so many times.
"""

import os
import random
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

import httpx

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import pictures
from tests.support.attaching import Study
from tests.support.drive import rest_client
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

ROUNDS = int(os.environ.get("TEST_ROUNDS", "2"))
CLIENTS = 4


class Dropping:
    """Clients that drop papers on a study until the server is gone, and repeat what was not acknowledged.

    Attributes:
        tried: The number of each paper that was sent.
        acknowledged: Those whose upload was acknowledged.
    """

    def __init__(self, url: str, folder: str) -> None:
        self._url, self._folder = url, folder
        self._numbers = count(1)
        self.tried: set[int] = set()
        self.acknowledged: set[int] = set()

    def drop(self, drive: WebDav, number: int) -> None:
        """Drop one paper."""
        self.tried.add(number)
        if drive.put(f"{self._folder}/{number}.pdf", pictures.pdf(number)).status_code in (201, 204):
            self.acknowledged.add(number)

    def until_gone(self) -> list[threading.Thread]:
        """Start the clients."""

        def run() -> None:
            with WebDav(self._url, seconds=20) as drive, suppress(httpx.TransportError):
                while True:
                    self.drop(drive, next(self._numbers))

        threads = [threading.Thread(target=run) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        return threads

    def crash(self, kill: object, seconds: float) -> None:
        """Keep the clients at work for a while, and until something was acknowledged; then end the server."""
        before, threads = len(self.acknowledged), self.until_gone()
        time.sleep(seconds)
        deadline = time.monotonic() + 30
        while len(self.acknowledged) < before + CLIENTS:
            assert time.monotonic() < deadline, "the drive is too slow for this test"
            time.sleep(0.01)
        assert callable(kill)
        kill()
        for thread in threads:
            thread.join()

    def assert_kept(self, study: Study) -> None:
        """Assert that Orthanc has each paper that was acknowledged, and none twice."""
        titles = [int(each["DocumentTitle"]) for each in study.attached()]
        assert len(titles) == len(set(titles))
        assert self.acknowledged <= set(titles) <= self.tried
        for each in study.attached():
            content = study.rest.get(f"/instances/{each['ID']}/pdf").content
            assert content == pictures.pdf(int(each["DocumentTitle"]))

    def assert_repeated(self, drive: WebDav, study: Study) -> None:
        """Repeat everything: it is a success, and nothing is attached that was attached before."""
        for number in self.tried:
            self.drop(drive, number)
        assert self.acknowledged == self.tried
        titles = sorted(int(each["DocumentTitle"]) for each in study.attached())
        assert titles == sorted(self.tried)


def moments() -> list[float]:
    """Return the seconds of work before each crash."""
    chance = random.Random(ROUNDS)  # noqa: S311
    return [chance.uniform(0.1, 0.6) for _ in range(ROUNDS)]


def wait_until_ready(drive: WebDav, folder: str) -> None:
    """Wait until a drive shows a folder."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if drive.status(folder) == 207:
                return
        time.sleep(0.05)
    raise AssertionError("the drive does not come back")


def test_the_plugin(plugin: Path, servers: list[OrthancProcess], tmp_path: Path) -> None:
    """Orthanc is killed while clients drop papers on a study, and starts again."""
    davfs = {"Server": {"Enabled": True, "Port": free_ports(1)[0]}}
    process = OrthancProcess(tmp_path, plugins=[plugin], davfs=davfs)
    servers.append(process)
    with process, rest_client(process) as rest:
        study = Study(rest, "crash")
        process.kill()
    dropping = Dropping(process.server_url, study.folder)
    for moment in moments():
        with process, WebDav(process.server_url) as drive:
            wait_until_ready(drive, study.folder)
            dropping.crash(process.kill, moment)
        with process, rest_client(process) as rest, WebDav(process.server_url) as drive:
            study.rest = rest
            wait_until_ready(drive, study.folder)
            dropping.assert_kept(study)
            dropping.assert_repeated(drive, study)
            process.kill()
    servers.remove(process)


def test_serve(servers: list[OrthancProcess], tmp_path: Path) -> None:
    """``davfs serve`` is killed while clients drop papers on a study, and starts again."""
    with OrthancServer(tmp_path / "orthanc") as orthanc, rest_client(orthanc) as rest:
        servers.append(orthanc)
        study = Study(rest, "crash")
        with ServeProcess(tmp_path, orthanc.url) as serve:
            dropping = Dropping(serve.url, study.folder)
            for moment in moments():
                serve.ready()
                dropping.crash(serve.kill, moment)
                with serve.ready().drive() as drive:
                    dropping.assert_kept(study)
                    dropping.assert_repeated(drive, study)
                assert serve.stop() == 0
        servers.remove(orthanc)
