"""``make run`` and the process that it, the tests and the benchmark start."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports, is_taken
from davfs.demo.process import OrthancFailed, OrthancProcess, PortTaken
from davfs.demo.samples import import_samples, samples
from tests.support import cstore, dicom
from tests.support.webdav import WebDav

ROOT = Path(__file__).parent.parent.parent
VARIABLES = {"HTTP": "ORTHANC_PORT", "DICOM": "DICOM_PORT", "DAV": "DAV_PORT"}
PATIENTS = {"1CT1", "4MR1", "id00001", "77654033", "98890234"}


@pytest.fixture(scope="module")
def plain(servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    """An Orthanc without any plugin."""
    with OrthancProcess(tmp_path_factory.mktemp("plain")) as server:
        servers.append(server)
        yield server
        servers.remove(server)
    assert server.wait() == 0


@contextmanager
def demo(plugin: Path, folder: Path, **ports: int) -> Iterator["subprocess.Popen[str]"]:
    """Run ``python -m davfs.demo`` as make does, and end it, with its Orthanc, where the test has not."""
    variables = dict(zip(VARIABLES.values(), free_ports(len(VARIABLES)), strict=True)) | ports
    process = subprocess.Popen(
        [sys.executable, "-m", "davfs.demo", "--plugin", str(plugin), "--folder", str(folder)],
        cwd=ROOT,
        env=os.environ | {name: str(value) for name, value in variables.items()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        guard = threading.Timer(60, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def read_until(process: "subprocess.Popen[str]", phrase: str) -> str:
    """Return what the process has printed up to the line with this phrase."""
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if phrase in line:
            return read
    raise AssertionError(f"{phrase!r} never came, but: {read}{process.stderr and process.stderr.read()}")


def test_samples_are_real_patients(plain: OrthancProcess) -> None:
    """The files inside pydicom's package make several patients, each instance once."""
    progress: list[tuple[int, int]] = []
    taken = import_samples(plain.url, lambda done, total: progress.append((done, total)))
    found = httpx.get(f"{plain.url}/patients?expand", trust_env=False).json()
    assert {patient["MainDicomTags"]["PatientID"] for patient in found} >= PATIENTS
    count = httpx.get(f"{plain.url}/statistics", trust_env=False).json()["CountInstances"]
    assert count == taken
    assert progress[-1] == (len(samples()), len(samples()))


def test_modalities_of_this_machine_may_send(plain: OrthancProcess) -> None:
    """C-STORE is open to our own AE titles, and to no other."""
    content = dicom.instance("sent by C-STORE")
    assert cstore.send(plain.dicom_port, [content]) == [cstore.SUCCESS]
    stored = httpx.get(f"{plain.url}/instances/{dicom.ids(content).instance}", trust_env=False)
    assert stored.status_code == httpx.codes.OK
    with pytest.raises(ConnectionError):
        cstore.send(plain.dicom_port, [content], title="STRANGER")


def test_taken_ports_are_named(plain: OrthancProcess, tmp_path: Path) -> None:
    """A second server on the same ports says which are taken, before it writes anything."""
    assert is_taken(plain.http_port)
    settings = {"HttpPort": plain.http_port, "DicomPort": plain.dicom_port}
    with socket.create_server(("127.0.0.1", 0)) as other:
        dav = other.getsockname()[1]
        davfs = {"Server": {"Enabled": True, "Port": dav}}
        second = OrthancProcess(tmp_path / "second", davfs=davfs, settings=settings)
        with pytest.raises(PortTaken) as caught:
            second.start()
    assert caught.value.ports == {"HTTP": plain.http_port, "DICOM": plain.dicom_port, "DAV": dav}
    assert not second.folder.exists()


def test_failure_shows_the_log(plain: OrthancProcess, tmp_path: Path) -> None:
    """An Orthanc that does not come up leaves its reason in the exception, and no process."""
    index = str(plain.folder / "storage")
    server = OrthancProcess(tmp_path, settings={"IndexDirectory": index})
    with pytest.raises(OrthancFailed, match="database is locked"):
        server.start()
    assert not server.running


def test_missing_plugin_is_no_start(tmp_path: Path) -> None:
    """Orthanc itself would go on without a plugin that is not there."""
    with pytest.raises(OrthancFailed, match=r"missing\.so"):
        OrthancProcess(tmp_path, plugins=[tmp_path / "missing.so"]).start()


def test_stubborn_server_is_killed(tmp_path: Path) -> None:
    """A stopped process cannot obey SIGTERM: it is killed, and a message says so."""
    server = OrthancProcess(tmp_path)
    server.start()
    os.kill(server.pid, signal.SIGSTOP)
    assert server.stop(limit=0.2) == -signal.SIGKILL
    assert server.killed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_stops_on_signals(plugin: Path, tmp_path: Path, number: signal.Signals) -> None:
    """The demo prints how to mount, and ends with exit code 0 and no traceback; its Orthanc ends with it."""
    ports = dict(zip(VARIABLES.values(), free_ports(len(VARIABLES)), strict=True))
    with demo(plugin, tmp_path / "run", **ports) as process:
        told = read_until(process, "Ctrl-C")
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert "sample files" in told
    assert "Traceback" not in err
    assert not [port for port in ports.values() if is_taken(port)]


def test_demo_opens_both_doors(plugin: Path, tmp_path: Path) -> None:
    """Both addresses show the same drive, that of its own server is told first, and the commands for the steps work.

    Nobody logs in there, so the page of a foreign name gets nothing.
    """
    http, dav = free_ports(2)
    addresses = [f"http://127.0.0.1:{dav}/", f"http://127.0.0.1:{http}/davfs/drive/"]
    with demo(plugin, tmp_path / "run", ORTHANC_PORT=http, DAV_PORT=dav) as process:
        told = read_until(process, "Ctrl-C")
        for address in addresses:
            with WebDav(address) as drive:
                assert drive.listing().keys() == {"by-patient", "inbox", "search", "README.txt"}
                assert len(drive.listing("by-patient")) >= len(PATIENTS)
        foreign = httpx.get(f"{addresses[0]}by-patient/", headers={"Host": f"evil.example:{dav}"}, trust_env=False)
        assert foreign.status_code == httpx.codes.MISDIRECTED_REQUEST
    places = [told.index(f" {address}\n") for address in addresses]
    assert places == sorted(places)
    commands = [line.removeprefix("  all steps").strip() for line in told.splitlines() if "mount-help" in line]
    for command, address in zip(commands, addresses, strict=True):
        printed = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=True).stdout
        assert address.partition(":")[2] in printed  # GNOME and KDE have schemes of their own


def test_demo_keeps_its_data(plugin: Path, tmp_path: Path) -> None:
    """A second start imports nothing again, and shows what the first one had."""
    for expected in (True, False):
        (http,) = free_ports(1)
        with demo(plugin, tmp_path / "run", ORTHANC_PORT=http) as process:
            assert ("sample files" in read_until(process, "Ctrl-C")) == expected
            count = httpx.get(f"http://127.0.0.1:{http}/statistics", trust_env=False).json()["CountInstances"]
            process.terminate()
            process.communicate()
        assert count == len(samples())


@pytest.mark.parametrize("purpose", VARIABLES)
def test_demo_names_taken_ports(plugin: Path, tmp_path: Path, purpose: str) -> None:
    """Where a port is taken, the demo says which and what to do; Debian's Orthanc has no port for the drive."""
    variable = VARIABLES[purpose]
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with demo(plugin, tmp_path / "run", **{variable: taken}) as process:
            _, err = process.communicate()
    assert process.returncode == 1
    assert f"port {taken} ({purpose})" in err
    assert f"make run {variable}=" in err
    assert ("systemctl stop orthanc" in err) == (purpose != "DAV")


def test_demo_refuses_one_port_for_two(plugin: Path, tmp_path: Path) -> None:
    """If both servers have one port, the message names the variables that change it."""
    (port,) = free_ports(1)
    with demo(plugin, tmp_path / "run", ORTHANC_PORT=port, DAV_PORT=port) as process:
        _, err = process.communicate()
    assert process.returncode == 1
    assert f"ORTHANC_PORT and DAV_PORT are both {port}" in err


def test_demo_refuses_no_port(plugin: Path, tmp_path: Path) -> None:
    """A port that is none is refused with the variable's name."""
    with demo(plugin, tmp_path / "run", DAV_PORT=70000) as process:
        _, err = process.communicate()
    assert process.returncode == 1
    assert "DAV_PORT" in err
