"""Tests that the plugin starts, alone and beside orthanc-python, continues after a reset, and logs no names."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import PYTHON_PLUGIN, REFUSAL, RunOrthanc
from tests.support import dicom
from tests.support.drive import only_file
from tests.support.webdav import WebDav

OPENED = "davfs: the drive is at "

SCRIPT = """
import json, orthanc
seen = []

def hello(output, uri, **request):
    output.AnswerBuffer(json.dumps(seen), 'application/json')

def on_change(change, level, resource):
    if change == orthanc.ChangeType.NEW_INSTANCE:
        seen.append(resource)

orthanc.RegisterRestCallback('/hello', hello)
orthanc.RegisterOnChangeCallback(on_change)
"""

# The plugin before and without an Orthanc: what a core of that version would get and log.
FAKE_CORE = """
import ctypes, json, sys

Invoke = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p)
Free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)

class Context(ctypes.Structure):
    _fields_ = [('manager', ctypes.c_void_p), ('version', ctypes.c_char_p), ('free', Free), ('invoke', Invoke)]

plugin = ctypes.CDLL(sys.argv[1])
plugin.OrthancPluginGetName.restype = plugin.OrthancPluginGetVersion.restype = ctypes.c_char_p
plugin.OrthancPluginInitialize.restype = ctypes.c_int32
said = {'name': plugin.OrthancPluginGetName().decode(), 'version': plugin.OrthancPluginGetVersion().decode()}
calls = []
invoke = Invoke(lambda context, service, text: calls.append([service, text.decode()]) or 0)
context = Context(None, sys.argv[2].encode(), Free(lambda memory: None), invoke)
said['code'] = plugin.OrthancPluginInitialize(ctypes.byref(context))
plugin.OrthancPluginFinalize()
print(json.dumps(said | {'calls': calls}))
"""
LOG_ERROR = 3  # _OrthancPluginService_LogError


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script of orthanc-python with a REST route and a change callback."""
    path = tmp_path / "hello.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture(scope="module")
def guarded(run_orthanc: RunOrthanc) -> Iterator[OrthancProcess]:
    """An Orthanc that asks for a password, allows deleting, and logs at the level of information."""
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"alice": "secret"}}
    with run_orthanc(
        davfs={"AllowDelete": True, "DeleteForGood": True}, settings=users, arguments=["--verbose"], stops=True
    ) as server:
        yield server


def wait_for(server: OrthancProcess, phrase: str, count: int, seconds: float = 20) -> None:
    """Wait until the log contains a phrase so many times."""
    end = time.monotonic() + seconds
    while server.log.read_text(errors="replace").count(phrase) < count:
        assert server.running, server.log_tail(100)
        assert time.monotonic() < end, f"{phrase!r} did not come {count} times:\n{server.log_tail(100)}"
        time.sleep(0.05)


def upload(server: OrthancProcess, content: bytes) -> str:
    """Upload by REST; return the instance's id."""
    answer = httpx.post(f"{server.url}/instances", content=content, trust_env=False)
    assert answer.status_code == httpx.codes.OK
    return str(answer.json()["ID"])


def threads(server: OrthancProcess) -> list[str]:
    """Return the names of the server's threads."""
    return [(task / "comm").read_text().strip() for task in Path(f"/proc/{server.pid}/task").iterdir()]


def assert_drive_works(server: OrthancProcess, patient: str) -> None:
    """Assert that an upload to the drive is in Orthanc, and from there on the drive."""
    content = dicom.instance(patient)
    with WebDav(server.drive_url) as drive:
        assert drive.put(f"inbox/{patient}.dcm", content).status_code == httpx.codes.CREATED
        (folder,) = (name for name in drive.listing("by-patient") if f"({patient})" in name)
        assert drive.get(only_file(drive, f"by-patient/{folder}")).content == content


def test_alone(run_orthanc: RunOrthanc) -> None:
    """Without other plugins, and without ExtraMainDicomTags in the configuration, the drive works and stops."""
    with run_orthanc(stops=True) as server:
        assert "ExtraMainDicomTags" not in server.configuration()
        assert_drive_works(server, "alone")
        plugin = httpx.get(f"{server.url}/plugins/davfs", trust_env=False).json()
        assert plugin["Version"]
        assert plugin["Description"]
    assert REFUSAL not in server.log.read_text()


def test_python_has_an_ordinary_stack(run_orthanc: RunOrthanc) -> None:
    """Requests are answered by Python on threads of our own: Orthanc's may have too small a stack (docs/adr/0001)."""
    with run_orthanc(stops=True) as server:
        assert "davfs-http" not in threads(server)
        with WebDav(server.drive_url) as drive:
            assert drive.get("README.txt").status_code == httpx.codes.OK
        assert "davfs-http" in threads(server)


@pytest.mark.parametrize("ours_first", [True, False])
def test_beside_orthanc_python(run_orthanc: RunOrthanc, plugin: Path, script: Path, *, ours_first: bool) -> None:
    """In either order, the drive works, the script answers its route, and its change callback is called."""
    plugins = [plugin, PYTHON_PLUGIN] if ours_first else [PYTHON_PLUGIN, plugin]
    with run_orthanc(plugins=plugins, settings={"PythonScript": str(script)}, stops=True) as server:
        assert_drive_works(server, "both")
        instance = upload(server, dicom.instance("by REST"))
        end = time.monotonic() + 5
        seen: list[str] = []
        while instance not in seen and time.monotonic() < end:
            seen = httpx.get(f"{server.url}/hello", trust_env=False).json()
        assert seen == [dicom.ids(dicom.instance("both")).instance, instance]


def test_reset(run_orthanc: RunOrthanc) -> None:
    """Orthanc can be reset, more than once, and the drive is there again with the same content."""
    with run_orthanc(stops=True) as server:
        for count in (2, 3):
            assert_drive_works(server, f"before {count}")
            assert httpx.post(f"{server.url}/tools/reset", trust_env=False).status_code == httpx.codes.OK
            wait_for(server, OPENED, count)
        assert_drive_works(server, "after")
        with WebDav(server.drive_url) as drive:
            assert len(drive.listing("by-patient")) == 3


@pytest.mark.parametrize("ours_first", [True, False])
def test_reset_beside_orthanc_python(
    servers: list[OrthancProcess], plugin: Path, script: Path, tmp_path: Path, *, ours_first: bool
) -> None:
    """orthanc-python ends Python in a reset: the drive logs one line about that, and Orthanc stops."""
    plugins = [plugin, PYTHON_PLUGIN] if ours_first else [PYTHON_PLUGIN, plugin]
    with OrthancProcess(tmp_path / "server", plugins=plugins, settings={"PythonScript": str(script)}) as server:
        servers.append(server)
        assert_drive_works(server, "before")
        httpx.post(f"{server.url}/tools/reset", trust_env=False)
        end = time.monotonic() + 20
        while server.running and time.monotonic() < end:
            time.sleep(0.05)
        assert not server.running
        servers.remove(server)
    assert server.wait() > 0
    assert "Orthanc has stopped" in server.log.read_text()
    (line,) = (line for line in server.log.read_text().splitlines() if REFUSAL in line)
    assert "orthanc-python" in line
    assert "restart" in line


def test_no_credentials(guarded: OrthancProcess) -> None:
    """If Orthanc requires a password, so does the drive."""
    for auth in (None, ("alice", "wrong"), ("bob", "secret")):
        with WebDav(guarded.drive_url, auth=auth) as drive:
            assert drive.request("PROPFIND", headers={"Depth": "1"}).status_code == httpx.codes.UNAUTHORIZED
            assert drive.get("README.txt").status_code == httpx.codes.UNAUTHORIZED


def test_the_log_has_no_names(guarded: OrthancProcess) -> None:
    """Whatever is read, written and deleted, the log has no path and no tag."""
    content = dicom.instance("Audited")
    with WebDav(guarded.drive_url, auth=("alice", "secret")) as drive:
        assert drive.request("PROPFIND", headers={"Depth": "1"}).status_code == httpx.codes.MULTI_STATUS
        assert drive.put("inbox/secret-name.dcm", content).status_code == httpx.codes.CREATED
        (folder,) = drive.listing("by-patient")
        assert drive.get(only_file(drive, f"by-patient/{folder}")).content == content
        assert drive.delete(f"by-patient/{folder}").status_code == httpx.codes.NO_CONTENT
        assert drive.delete("by-patient").status_code == httpx.codes.FORBIDDEN
    ours = [line for line in guarded.log.read_text().splitlines() if "davfs: " in line]
    assert not [line for line in ours for word in ("Audited", "Doe", "secret-name", "Study 1") if word in line]


def test_relative_paths_start_at_the_configuration(plugin: Path, tmp_path: Path) -> None:
    """Spool and Catalog are relative to the configuration's folder, wherever Orthanc was started."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    server = OrthancProcess(home, plugins=[plugin], davfs={"Spool": "our/spool", "Catalog": "our/index/c.sqlite"})
    (home / "orthanc.json").write_text(json.dumps(server.configuration()))
    log = home / "log.txt"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            ["/usr/sbin/Orthanc", "../home/orthanc.json"], cwd=elsewhere, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        end = time.monotonic() + 60
        while OPENED not in log.read_text() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
    assert OPENED in log.read_text()
    assert (home / "our" / "spool").is_dir()
    assert (home / "our" / "index" / "c.sqlite").is_file()
    assert list(elsewhere.iterdir()) == []


def fake_core(plugin: Path, version: str) -> dict[str, Any]:
    """Load the library without an Orthanc, and return what it logs to a core of that version."""
    done = subprocess.run(
        [sys.executable, "-c", FAKE_CORE, str(plugin), version], capture_output=True, text=True, timeout=20, check=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("version", ["1.9.7", "1.10.0", "0.9.9"])
def test_old_orthanc_is_refused(plugin: Path, version: str) -> None:
    """A core without WebDAV for plugins gets one line with both versions; the plugin's name and version come before."""
    told = fake_core(plugin, version)
    assert told["name"] == "davfs"
    assert told["version"]
    assert told["code"] == -1
    ((service, line),) = told["calls"]
    assert service == LOG_ERROR
    assert line.startswith(REFUSAL)
    assert version in line
    assert "1.10.1" in line
