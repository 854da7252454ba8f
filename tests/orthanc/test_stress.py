"""Tests of many clients at once, with modalities and scripts: nothing hangs, nothing is lost, no memory leaks.

Every client writes and deletes patients of its own and reads those of all, so each of its answers can be judged, and in
the end Orthanc has to hold exactly what was acknowledged and not deleted.
"""

import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import PYTHON_PLUGIN, RunOrthanc
from tests.support import cstore, dicom
from tests.support.drive import rest_client
from tests.support.webdav import Listed, WebDav, parse

LIMIT = 10
"""Seconds that a request may take."""
CLIENTS = 8
PATIENTS_EACH = 3

LUA = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  RestApiGet('/instances/' .. instanceId .. '/metadata?expand')
end
function OnStableSeries(seriesId, tags, metadata)
  RestApiGet('/series/' .. seriesId)
end
function ReceivedInstanceFilter(dicom, origin, info)
  return true
end
function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
  return true
end
"""

SCRIPT = """
import json, orthanc, queue, threading

work, counts = queue.Queue(), {'changes': 0, 'stored': 0, 'worked': 0}

def ask(path):
    try:
        return orthanc.RestApiGet(path)
    except orthanc.OrthancException:
        return None  # deleted meanwhile

def on_change(change, level, resource):
    if change == orthanc.ChangeType.ORTHANC_STARTED:
        threading.Thread(target=worker, daemon=True).start()
    elif change == orthanc.ChangeType.ORTHANC_STOPPED:
        work.put(None)
    elif change == orthanc.ChangeType.NEW_INSTANCE:
        counts['changes'] += 1
        ask('/instances/%s/tags?simplify' % resource)
        ask('/statistics')
        work.put(resource)

def on_stored(dicom, instance):
    counts['stored'] += 1
    work.put(instance)

def worker():
    while (instance := work.get()) is not None:
        counts['worked'] += 1
        ask('/instances/%s/metadata?expand' % instance)

def seen(output, uri, **request):
    output.AnswerBuffer(json.dumps(counts), 'application/json')

orthanc.RegisterRestCallback('/seen', seen)
orthanc.RegisterOnChangeCallback(on_change)
orthanc.RegisterOnStoredInstanceCallback(on_stored)
"""


class Failed(Exception):
    """A client got a wrong response: the message states the request and the result."""


class Client:
    """One user of the drive, who remembers the acknowledged uploads.

    Args:
        url: The drive.
        name: Begins the PatientIDs that only this client writes and deletes.
        keep_alive: Whether to keep connections; each takes one of Orthanc's threads as long as it is open.
    """

    def __init__(self, url: str, name: str, *, keep_alive: bool) -> None:
        self._drive = WebDav(url, seconds=LIMIT)
        if not keep_alive:
            self._drive.http.headers["Connection"] = "close"
        self._chance = random.Random(name)  # noqa: S311 - the same mixture in each run
        self._patients: dict[str, dict[str, str]] = {f"{name}-{number}": {} for number in range(PATIENTS_EACH)}
        self._numbers = itertools.count(1)
        self._dropped: list[str] = []
        self.requests = 0

    @property
    def acknowledged(self) -> set[str]:
        """Ids of the instances that Orthanc has to hold."""
        return {instance for files in self._patients.values() for instance in files.values()}

    def act(self) -> None:
        """Do one thing at random.

        Raises:
            Failed: An answer is wrong, late or missing.
        """
        actions = [self._put, self._put, self._read, self._read, self._walk, self._delete, self._clean]
        self._chance.choice(actions)()

    def close(self) -> None:
        """Close all connections."""
        self._drive.close()

    def _send(self, method: str, path: str, *allowed: int, **options: Any) -> httpx.Response:
        self.requests += 1
        asked = time.monotonic()
        try:
            answer = self._drive.request(method, path, **options)
        except httpx.HTTPError as error:
            raise Failed(f"{method} {path}: {error!r} after {time.monotonic() - asked:.1f} s") from error
        if answer.status_code not in allowed or time.monotonic() - asked > LIMIT:
            raise Failed(f"{method} {path}: {answer.status_code} after {time.monotonic() - asked:.1f} s")
        return answer

    def _list(self, path: str, *allowed: int) -> list[Listed]:
        """List a folder; return nothing if it was deleted, where that is allowed."""
        answer = self._send("PROPFIND", path, httpx.codes.MULTI_STATUS, *allowed, headers={"Depth": "1"})
        return parse(answer.content)[1:] if answer.status_code == httpx.codes.MULTI_STATUS else []

    def _put(self) -> None:
        patient, number = self._chance.choice(list(self._patients)), next(self._numbers)
        content = dicom.instance(patient, number=number, pixels=64 * 1024)
        self._send("PUT", f"inbox/{patient}-{number}.dcm", httpx.codes.CREATED, content=content)
        self._patients[patient][f"{number:05d}.dcm"] = dicom.ids(content).instance
        self._dropped.append(f"inbox/{patient}-{number}.dcm")

    def _series_of(self, patient: str) -> str:
        """Return the path of the only series of a patient of our own, which has to be there."""
        path = "by-patient"
        for _ in ("patient", "study", "series"):
            names = [each.name for each in self._list(path)]
            found = [name for name in names if path != "by-patient" or f"({patient})" in name]
            if len(found) != 1:
                raise Failed(f"{len(found)} folders instead of one for {patient} in {path}: {names}")
            path += f"/{found[0]}"
        return path

    def _own(self) -> str | None:
        return self._chance.choice([patient for patient, files in self._patients.items() if files] or [None])

    def _read(self) -> None:
        patient = self._own()
        if patient is None:
            return
        path = self._series_of(patient)
        listed = {each.name for each in self._list(path)}
        if listed != self._patients[patient].keys():
            raise Failed(f"{path} shows {sorted(listed)} instead of {sorted(self._patients[patient])}")
        name = self._chance.choice(sorted(listed))
        self._send("PROPFIND", f"{path}/{name}", httpx.codes.MULTI_STATUS, headers={"Depth": "0"})
        got = self._send("GET", f"{path}/{name}", httpx.codes.OK).content
        if dicom.ids(got).instance != self._patients[patient][name]:
            raise Failed(f"GET {path}/{name}: another instance")

    def _walk(self) -> None:
        """Follow a random path, of any patient; entries that were shown may have been deleted."""
        path = ""
        while True:
            found = [each for each in self._list(path, httpx.codes.NOT_FOUND) if each.name != "inbox"]
            if not found:
                return
            chosen = self._chance.choice(found)
            path = f"{path}/{chosen.name}".lstrip("/")
            if not chosen.is_folder:
                self._send("GET", path, httpx.codes.OK, httpx.codes.NOT_FOUND)
                return

    def _delete(self) -> None:
        patient = self._own()
        if patient is None:
            return
        path, files = self._series_of(patient), self._patients[patient]
        if self._chance.random() < 1 / 3:
            self._send("DELETE", "/".join(path.split("/")[:2]), httpx.codes.NO_CONTENT)
            files.clear()
        else:
            name = self._chance.choice(list(files))
            self._send("DELETE", f"{path}/{name}", httpx.codes.NO_CONTENT)
            del files[name]

    def _clean(self) -> None:
        """Delete the oldest upload from the inbox, which deletes no image."""
        if self._dropped:
            self._send("DELETE", self._dropped.pop(0), httpx.codes.NO_CONTENT)


class Modality:
    """Sends by C-STORE, to patients that no client deletes."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._numbers = itertools.count(1)
        self.acknowledged: set[str] = set()

    def act(self) -> None:
        """Send three instances in one association.

        Raises:
            Failed: One of them was refused.
        """
        numbers = list(itertools.islice(self._numbers, 3))
        contents = [dicom.instance(f"modality-{number % 5}", number=number) for number in numbers]
        statuses = cstore.send(self._port, contents, seconds=LIMIT)
        if statuses != [cstore.SUCCESS] * len(contents):
            raise Failed(f"C-STORE: {statuses}")
        self.acknowledged.update(dicom.ids(content).instance for content in contents)


def run_all(actions: Mapping[str, Callable[[], None]], seconds: float) -> None:
    """Repeat all actions at once for a while, each on a thread of its own; stop at the first failure."""
    stopping, end = threading.Event(), time.monotonic() + seconds

    def repeat(act: Callable[[], None]) -> None:
        try:
            while time.monotonic() < end and not stopping.is_set():
                act()
        except BaseException:
            stopping.set()
            raise

    with ThreadPoolExecutor(len(actions), "stress") as pool:
        running = {pool.submit(repeat, act): name for name, act in actions.items()}
        done, late = wait(running, seconds + 5 * LIMIT)
        stopping.set()
    failures = [f"{running[each]}: {error}" for each in done if (error := each.exception())]
    assert not failures + [f"{running[each]} hangs" for each in late]


def wait_until_stable(rest: httpx.Client) -> None:
    """Wait until Orthanc has reported all resources as stable.

    orthanc-python 7.1 crashes when it is unloaded, if a change has come after it was told that Orthanc stops: its queue
    is emptied twice (docs/adr/0013).
    """
    end = time.monotonic() + 20
    for level in ("series", "studies", "patients"):
        while not all(each["IsStable"] for each in rest.get(f"/{level}?expand").json()):
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.mark.parametrize(("seconds", "threads"), [(30, 50), (8, 4)])
def test_no_deadlock(run_orthanc: RunOrthanc, plugin: Path, tmp_path: Path, seconds: float, threads: int) -> None:
    """Eight clients, a modality, a Lua and a Python script: no request waits long, and none is lost."""
    (tmp_path / "script.lua").write_text(LUA)
    (tmp_path / "script.py").write_text(SCRIPT)
    settings = {
        "HttpThreadsCount": threads,
        "LuaScripts": [str(tmp_path / "script.lua")],
        "PythonScript": str(tmp_path / "script.py"),
        "StableAge": 1,
    }
    with run_orthanc(
        plugins=[plugin, PYTHON_PLUGIN],
        davfs={"AllowDelete": True, "DeleteForGood": True},
        settings=settings,
        stops=True,
    ) as server:
        clients = [Client(server.drive_url, f"c{n}", keep_alive=threads > CLIENTS) for n in range(CLIENTS)]
        modality = Modality(server.dicom_port)
        everybody = {f"client {n}": client.act for n, client in enumerate(clients)} | {"modality": modality.act}
        with ExitStack() as closing:
            for client in clients:
                closing.callback(client.close)
            run_all(everybody, seconds)
        acknowledged = modality.acknowledged.union(*(client.acknowledged for client in clients))
        with rest_client(server) as rest:
            assert set(rest.get("/instances").json()) == acknowledged
            seen = rest.get("/seen").json()
            wait_until_stable(rest)
        assert all(seen.values()), seen
        assert sum(client.requests for client in clients) > 20 * seconds


def resident(server: OrthancProcess) -> int:
    """Return the bytes of memory that Orthanc has in RAM."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))


def test_memory_stays(run_orthanc: RunOrthanc) -> None:
    """2,000 listings, questions for one file and downloads of 512 KB leave no more than a few megabytes behind."""
    with run_orthanc(stops=True) as server, WebDav(server.drive_url) as drive:
        for number in range(20):
            answer = drive.put(f"inbox/{number}.dcm", dicom.instance("m", number=number, pixels=dicom.CT_IMAGE))
            assert answer.status_code == httpx.codes.CREATED
        path = "by-patient"
        for _ in ("patient", "study", "series"):
            path += "/" + next(iter(drive.listing(path)))

        def use(times: int) -> None:
            for number in range(times):
                file = f"{path}/{number % 20:05d}.dcm"
                assert drive.request("PROPFIND", path, headers={"Depth": "1"}).status_code == httpx.codes.MULTI_STATUS
                assert drive.status(file) == httpx.codes.MULTI_STATUS
                assert drive.get(file).status_code == httpx.codes.OK

        use(300)
        before = resident(server)
        use(2000)
        assert resident(server) - before < 16 * 1024 * 1024
