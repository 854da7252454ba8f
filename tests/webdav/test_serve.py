"""``davfs serve`` beside a real Orthanc without a plugin."""

import os
import pty
import re
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from davfs.doors.webdav.wire import tls
from davfs.doors.webdav.wire.server import HttpServer
from tests.support import dicom
from tests.support.drive import has, import_by_rest, place, rest_client
from tests.support.guarded import certificate
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import SECONDS, ServeProcess

READY = "/davfs-api/ready"
HEALTH = "/davfs-api/health"


@pytest.fixture(scope="module")
def orthanc(servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    """An Orthanc without any plugin."""
    with OrthancServer(tmp_path_factory.mktemp("orthanc")) as process:
        servers.append(process)
        yield process
        servers.remove(process)


@pytest.fixture(scope="module")
def served(orthanc: OrthancProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    """A drive beside it, shared by the tests that only look."""
    with ServeProcess(tmp_path_factory.mktemp("serve"), orthanc.url) as process:
        yield process.ready()


def test_it_shows_the_archive(orthanc: OrthancProcess, served: ServeProcess) -> None:
    """Images in Orthanc are on the drive, and images uploaded into the inbox are in Orthanc."""
    first, second = dicom.instance("serve-1"), dicom.instance("serve-2")
    with rest_client(orthanc) as rest, served.drive() as drive:
        import_by_rest(rest, first)
        assert drive.get(place("serve-1")).content == first
        assert drive.put("inbox/new.dcm", second).status_code == 201
        assert has(rest, second)
        assert drive.get(place("serve-2")).content == second


def test_the_log_has_no_names(orthanc: OrthancProcess, served: ServeProcess) -> None:
    """Names of patients and paths are not logged."""
    content = dicom.instance("serve-3")
    with rest_client(orthanc) as rest, served.drive() as drive:
        assert drive.put("inbox/named-3.dcm", content).status_code == 201
        assert drive.get(place("serve-3")).status_code == 200
        assert drive.get("by-patient/nobody").status_code == 404
        assert has(rest, content)
    for name in ("Doe", "serve-3", "named-3", "nobody", "inbox/named"):
        assert name not in served.text


def test_it_says_what_is_served(orthanc: OrthancProcess, served: ServeProcess) -> None:
    """The first lines of the log name Orthanc, the folders, the address, and how to mount it."""
    assert re.search(rf"Orthanc davfs \S+ at {orthanc.url}; folders: by-patient; inbox/ takes files", served.text)
    assert re.search(rf"the drive is at {served.url}; mount it here with: .*{LOOPBACK}:{served.port}/", served.text)


def test_health_needs_no_drive(served: ServeProcess) -> None:
    """Health and readiness are answered beside the drive."""
    assert served.status(HEALTH) == 200
    assert served.status(READY) == 200


def test_without_search(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """With --no-search, there is no search/, and README.txt does not mention it."""
    with ServeProcess(tmp_path, orthanc.url, "--no-search") as process, process.ready().drive() as drive:
        assert drive.listing().keys() == {"by-patient", "inbox", "README.txt"}
        assert [drive.status(path) for path in ("search", "search/PatientName=doe")] == [404] * 2
        assert "\nsearch/" not in drive.get("README.txt").text
        assert process.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops(orthanc: OrthancProcess, tmp_path: Path, number: int) -> None:
    """SIGTERM and Ctrl-C end the server with exit code 0, and the port is free again."""
    with ServeProcess(tmp_path, orthanc.url) as process:
        process.ready()
        assert process.stop(number) == 0
        assert process.status(HEALTH) == 0
        assert process.text.splitlines()[-1].endswith("stopped")


def test_downloads_under_way_end_first(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """A download that began before the stop is completed."""
    content = os.urandom(50_000_000)
    with ServeProcess(tmp_path, orthanc.url) as process:
        process.ready()
        assert process.client.put("/inbox/large.bin", content=content).status_code == 201
        with process.client.stream("GET", "/inbox/large.bin") as answer:
            blocks = answer.iter_bytes(1_000_000)
            received = next(blocks)
            process.send(signal.SIGTERM)
            received += b"".join(blocks)
        assert received == content
        assert process.end() == 0


def test_stopping_during_an_upload(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """An unfinished upload does not keep the server from stopping, and is not kept."""
    with ServeProcess(tmp_path, orthanc.url) as process:
        process.ready()
        with socket.create_connection((LOOPBACK, process.port)) as client:
            client.sendall(b"PUT /inbox/half.bin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
            assert process.stop() == 0
    with ServeProcess(tmp_path, orthanc.url) as process:
        assert process.ready().status("/inbox/half.bin") == 404


def test_stopping_while_waiting_for_orthanc(tmp_path: Path) -> None:
    """The server can be stopped while it waits for Orthanc."""
    with ServeProcess(tmp_path, f"http://{LOOPBACK}:{free_ports(1)[0]}") as process:
        process.start()
        process.wait_for(HEALTH, 200)
        assert process.stop() == 0


def test_orthanc_comes_later(tmp_path: Path, servers: list[OrthancProcess]) -> None:
    """The server waits for Orthanc, answers 503 meanwhile, and has the drive once Orthanc answers."""
    later = OrthancProcess(tmp_path / "orthanc")
    with ServeProcess(tmp_path, later.url) as process:
        process.start()
        process.wait_for(HEALTH, 200)
        process.wait_for(READY, 503)
        refused = process.client.request("PROPFIND", "/", headers={"Depth": "1"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert f"waiting for Orthanc at {later.url}" in process.text
        with later:
            servers.append(later)
            process.wait_for(READY, 200)
            with process.drive() as drive:
                assert "by-patient" in drive.listing()
            servers.remove(later)


def test_orthanc_goes_and_comes_back(tmp_path: Path, servers: list[OrthancProcess]) -> None:
    """While Orthanc is away the drive is not ready; afterwards it is, without a restart."""
    orthanc = OrthancProcess(tmp_path / "orthanc")
    servers.append(orthanc)
    with orthanc, ServeProcess(tmp_path, orthanc.url) as process:
        process.ready()
        orthanc.stop()
        process.wait_for(READY, 503)
        assert process.status(HEALTH) == 200
        orthanc.start()
        process.wait_for(READY, 200)
    servers.remove(orthanc)


def test_it_gives_up(tmp_path: Path) -> None:
    """With ``--wait`` the server ends with exit code 1 if Orthanc does not answer."""
    with ServeProcess(tmp_path, f"http://{LOOPBACK}:{free_ports(1)[0]}", "--wait", "0") as process:
        process.start()
        assert process.end() == 1
        assert "Orthanc does not answer" in process.text


def test_no_orthanc(served: ServeProcess, tmp_path: Path) -> None:
    """An address where another program answers is refused at once with exit code 2."""
    with ServeProcess(tmp_path, served.url) as process:
        process.start()
        assert process.end() == 2
        assert "is no Orthanc" in process.text


def test_a_wrong_password(tmp_path: Path, servers: list[OrthancProcess]) -> None:
    """A password that Orthanc refuses ends the server with exit code 2, and is not logged."""
    settings = {"AuthenticationEnabled": True, "RegisteredUsers": {"drive": "right"}}
    with OrthancServer(tmp_path / "orthanc", settings=settings) as orthanc:
        servers.append(orthanc)
        environment = {"DAVFS_USERNAME": "drive", "DAVFS_PASSWORD": "wr0ng"}
        with ServeProcess(tmp_path, orthanc.url, environment=environment) as process:
            process.start()
            assert process.end() == 2
            assert "does not take this user name and password" in process.text
            assert "wr0ng" not in process.text
        servers.remove(orthanc)


def test_users_are_those_of_orthanc(tmp_path: Path, servers: list[OrthancProcess]) -> None:
    """Orthanc's users can log in with their own passwords; other logins are 401."""
    (tmp_path / "password").write_text("right\n")
    settings = {"AuthenticationEnabled": True, "RegisteredUsers": {"drive": "right", "alice": "secret"}}
    login = ("--username", "drive", "--password-file", str(tmp_path / "password"))
    with OrthancServer(tmp_path / "orthanc", settings=settings) as orthanc:
        servers.append(orthanc)
        with ServeProcess(tmp_path, orthanc.url, *login) as process:
            process.ready()
            statuses = [
                process.client.get("/", auth=auth).status_code for auth in (None, ("alice", "x"), ("drive", "x"))
            ]
            assert statuses == [401, 401, 401]
            assert process.client.put("/inbox/a.txt", content=b"a", auth=("alice", "secret")).status_code == 201
            assert process.client.put("/inbox/a.txt", content=b"a").status_code == 401
        servers.remove(orthanc)


def test_a_certificate_of_its_own(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """With a certificate the drive is served over HTTPS."""
    made, key = certificate(tmp_path)
    options = ("--certificate", str(made), "--key", str(key))
    with ServeProcess(tmp_path, orthanc.url, *options, certificate=made) as process:
        process.ready()
        answer = process.client.request("PROPFIND", "/", headers={"Depth": "0"})
        assert answer.status_code == 207
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert f"the drive is at https://{LOOPBACK}:{process.port}/" in process.text


@contextmanager
def secured(orthanc: OrthancProcess, context: ssl.SSLContext) -> Iterator[str]:
    """Give Orthanc an address with TLS, as a reverse proxy does; Debian's 1.10.1 crashes with TLS of its own."""
    with httpx.Client(base_url=orthanc.url, trust_env=False) as behind:

        def forward(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
            path = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
            answer = behind.request(environ["REQUEST_METHOD"], path, content=environ["wsgi.input"].read())
            start_response(
                f"{answer.status_code} {answer.reason_phrase}", [("Content-Length", str(len(answer.content)))]
            )
            return [answer.content]

        server = HttpServer(forward, LOOPBACK, 0, tls=context)
        server.start()
        yield f"https://{LOOPBACK}:{server.port}"
        server.stop(SECONDS)


def test_an_orthanc_with_a_certificate(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """Orthanc's certificate is checked: one that this system does not trust is named, or not checked on request."""
    made, key = certificate(tmp_path)
    with secured(orthanc, tls.context(made, key)) as url:
        for option in (("--orthanc-certificate", str(made)), ("--no-verify-peer",)):
            with ServeProcess(tmp_path, url, *option) as process:
                process.ready()
                with process.drive() as drive:
                    assert "by-patient" in drive.listing()
                assert ("Orthanc's certificate is not verified" in process.text) == (len(option) == 1)
        with ServeProcess(tmp_path, url) as process:
            process.start()
            assert process.end() == 2
            assert f"the certificate of {url} cannot be trusted" in process.text


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (["--layout", "by-moon"], {}, "Layouts has 'by-moon', and no such layout is shipped"),
        ([], {"DAVFS_LAYOUTS": "by-patient by-moon"}, "Layouts has 'by-moon', and no such layout is shipped"),
        (["--layout", "/nowhere/mine.toml"], {}, "/nowhere/mine.toml: the layout cannot be read"),
        (["--layout", "research"], {}, "anonymised needs a key of your own; set HashKey in the configuration"),
        ([], {"DAVFS_HASH_KEY": "short"}, "DAVFS_HASH_KEY must be text in quotes, of at least 16 characters"),
        (["--hash-key-file", "/nowhere"], {}, "--hash-key-file is '/nowhere', and there is no such file"),
        (["--certificate", "/nowhere.pem"], {}, "--certificate is '/nowhere.pem', and there is no such file"),
        (["--spool", "/proc/spool"], {}, "Spool: the folder '/proc/spool' cannot be made"),
        ([], {"DAVFS_ADDRESS": "moon"}, "DAVFS_ADDRESS is 'moon' and must be an IP address"),
        ([], {"DAVFS_PROT": "1"}, "DAVFS_PROT is no variable of davfs serve: did you mean DAVFS_PORT?"),
        (["--config", "/nowhere.toml"], {}, "the configuration file '/nowhere.toml' cannot be read"),
    ],
)
def test_misconfigured(
    orthanc: OrthancProcess, tmp_path: Path, options: list[str], environment: dict[str, str], message: str
) -> None:
    """A wrong configuration is reported in one line, under the name of the option, with exit code 2."""
    with ServeProcess(tmp_path, orthanc.url, *options, environment=environment) as process:
        process.start()
        assert process.end() == 2
        (line,) = process.text.splitlines()
        assert message in line


def test_a_port_that_is_taken(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """Another program's port is refused with exit code 2."""
    with ServeProcess(tmp_path, orthanc.url, port=orthanc.http_port) as process:
        process.start()
        assert process.end() == 2
        assert str(orthanc.http_port) in process.text
        assert "Traceback" not in process.text


def test_one_drive_for_each_folder(orthanc: OrthancProcess, served: ServeProcess, tmp_path: Path) -> None:
    """A second drive of the same Orthanc does not touch the first one's spool."""
    state = {"XDG_STATE_HOME": str(served.log.parent / "state")}
    with ServeProcess(tmp_path, orthanc.url, environment=state) as process:
        process.start()
        assert process.end() == 2
        assert "which another drive uses: " in process.text


def test_options_over_environment_over_file(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """An option takes precedence over the variable, and the variable over the file."""
    by_option, by_variable, by_file = free_ports(3)
    file = tmp_path / "davfs.toml"
    file.write_text(f'AllowUpload = false\n[Server]\nPort = {by_file}\n[Orthanc]\nUrl = "{orthanc.url}"\n')
    config = ("--config", str(file))
    variable = {"DAVFS_PORT": str(by_variable)}
    attempts: tuple[tuple[int, tuple[str, ...], dict[str, str]], ...] = (
        (by_file, (), {}),
        (by_variable, (), variable),
        (by_option, ("--port", str(by_option)), variable),
    )
    for port, options, environment in attempts:
        process = ServeProcess(tmp_path, "", *config, *options, environment=environment, port=0)
        with process, httpx.Client(base_url=f"http://{LOOPBACK}:{port}", trust_env=False) as client:
            process.client = client
            process.ready()
            assert client.put("/inbox/a.txt", content=b"a").status_code == 403
            assert process.stop() == 0


def test_at_a_terminal(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """At a terminal the server shows the address and how to mount it, and Ctrl-C ends it."""
    (port,) = free_ports(1)
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "davfs", "serve", "--orthanc", orthanc.url, "--port", str(port)]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm", "COLUMNS": "160"}
    shown = b""
    with subprocess.Popen(command, env=environment, stdin=end, stdout=end, stderr=end) as process:
        os.close(end)
        limit = time.monotonic() + SECONDS
        while b"Ctrl-C" not in shown and time.monotonic() < limit:
            shown += os.read(terminal, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    os.close(terminal)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(rf"Drive +http://{LOOPBACK}:{port}/", text)
    assert re.search(r"Mount it +\w+", text)


def test_the_steps_for_rclone_work(served: ServeProcess, tmp_path: Path) -> None:
    """The commands that ``davfs mount-help`` prints work as they are."""
    printed = subprocess.run(
        [sys.executable, "-m", "davfs", "mount-help", "--os", "rclone", "--url", served.url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line.strip() for line in printed.splitlines() if line.strip().startswith("rclone ")]
    create = next(line for line in lines if line.startswith("rclone config")).replace("user=USER pass=PASSWORD", "")
    listing = next(line for line in lines if line.startswith("rclone lsf"))
    environment = os.environ | {"RCLONE_CONFIG": str(tmp_path / "rclone.conf")}
    for line in (create.replace("--obscure", ""), listing):
        done = subprocess.run(shlex.split(line), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert {"README.txt", "by-patient/", "inbox/"} <= set(done.stdout.split())


def test_a_bad_layout_keeps_the_others(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """An invalid layout is named in the log, the others are shown, and no message has the key of pseudonyms."""
    key, bad = "a key that nobody knows", tmp_path / "bad.toml"
    bad.write_text('title = "bad"\n[[level]]\nstudy = "{Quux}"\n')
    layouts = ("--layout", "research", "--layout", str(bad))
    with ServeProcess(tmp_path, orthanc.url, *layouts, environment={"DAVFS_HASH_KEY": key}) as process:
        process.ready()
        with process.drive() as drive:
            assert {"research", "bad"} & drive.listing().keys() == {"research"}
            assert "bad.toml\n    This layout is not shown" in drive.get("README.txt").text
        assert process.stop() == 0
        assert f'{bad}:3: study: unknown tag "Quux"' in process.text
        assert key not in process.text
