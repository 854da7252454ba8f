"""Layout files change while the drive runs: it shows the new version, or the former one if the new one is invalid."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from davfs.errors import Unavailable
from davfs.settings.layout_files import LoadedLayouts
from tests.support import dicom
from tests.support.doors import COMPLETE, STANDALONE
from tests.support.drive import import_by_rest
from tests.support.guarded import USERS, guarded_orthanc
from tests.support.local_server import local_server
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

LAYOUT = 'title = "{title}"\ndescription = "{description}"\n[[level]]\nstudy = "{template}"\n'
GOOD, BAD = "{PatientID}", "{PatientIDD}"
RELOAD = "/davfs-api/reload"
SECONDS = 20
ALICE, READER = (("alice", USERS["alice"]), ("reader", USERS["reader"]))


@dataclass(frozen=True, slots=True)
class Running:
    """A drive with two layout files, ``mine.toml`` and ``other.toml``.

    Attributes:
        folder: Where they are.
        url: The drive's address.
        drive: A client of the drive whose user has all permissions.
        log: Returns what was logged so far.
    """

    folder: Path
    url: str
    drive: WebDav = field(repr=False)
    log: Callable[[], str] = field(repr=False)

    def write(self, name: str, title: str, template: str = GOOD, description: str = "") -> None:
        """Write a layout file."""
        (self.folder / name).write_text(LAYOUT.format(title=title, template=template, description=description))

    def reload(self, auth: tuple[str, str] | None = ALICE, method: str = "POST") -> httpx.Response:
        """Ask the drive to read the files."""
        return httpx.request(method, f"{self.url.rstrip('/')}{RELOAD}", auth=auth, trust_env=False, timeout=SECONDS)

    def wait_for(self, *folders: str) -> None:
        """Wait until these folders are at the root."""
        end = time.monotonic() + SECONDS
        while not set(folders) <= self.drive.listing().keys():
            assert time.monotonic() < end, f"{list(self.drive.listing())}\n{self.log()}"
            time.sleep(0.05)


@pytest.fixture(scope="module", params=COMPLETE)
def both(
    request: pytest.FixtureRequest,
    plugin: Path,
    servers: list[OrthancProcess],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Running]:
    """A drive in the plugin, and one beside an Orthanc, each shared by the tests of this module."""
    folder = tmp_path_factory.mktemp("layouts")
    for name in ("mine", "other"):
        (folder / f"{name}.toml").write_text(LAYOUT.format(title=name, template=GOOD, description=""))
    start = _beside if request.param == STANDALONE else _inside
    yield from start(folder, plugin, servers, tmp_path_factory.mktemp("server"))


@pytest.fixture
def running(both: Running) -> Running:
    """The drive with both files as they were at first."""
    both.write("mine.toml", "mine")
    both.write("other.toml", "other")
    assert both.reload().json()["errors"] == []
    return both


def _files(folder: Path) -> list[str]:
    return [str(folder / "mine.toml"), str(folder / "other.toml")]


def _inside(folder: Path, plugin: Path, servers: list[OrthancProcess], home: Path) -> Iterator[Running]:
    (port,) = free_ports(1)
    davfs = {"Layouts": _files(folder), "Server": {"Enabled": True, "Port": port}}
    guards = guarded_orthanc(home).configuration()
    kept = ("AuthenticationEnabled", "RegisteredUsers", "LuaScripts")
    settings = {key: guards[key] for key in kept}
    with OrthancServer(home, plugins=[plugin], davfs=davfs, settings=settings, arguments=["--verbose"]) as process:
        servers.append(process)
        with WebDav(f"http://{LOOPBACK}:{port}/", auth=ALICE) as drive:
            with httpx.Client(base_url=process.url, auth=ALICE, trust_env=False) as rest:
                import_by_rest(rest, dicom.instance("P-1"))
            yield Running(folder, f"http://{LOOPBACK}:{port}/", drive, process.log.read_text)
        assert process.running
        servers.remove(process)


def _beside(folder: Path, _plugin: Path, servers: list[OrthancProcess], home: Path) -> Iterator[Running]:
    layouts: Sequence[str] = [option for file in _files(folder) for option in ("--layout", file)]
    with guarded_orthanc(home) as process:
        servers.append(process)
        with httpx.Client(base_url=process.url, auth=ALICE, trust_env=False) as rest:
            import_by_rest(rest, dicom.instance("P-1"))
        password = {"DAVFS_PASSWORD": ALICE[1]}
        with (
            ServeProcess(folder, process.url, "--username", ALICE[0], *layouts, environment=password) as served,
            WebDav(served.url, auth=ALICE) as drive,
        ):
            served.ready()
            yield Running(folder, served.url, drive, lambda: served.text)
            assert served.stop() == 0
        servers.remove(process)


def test_a_changed_file_is_shown(running: Running) -> None:
    """A changed file is reloaded by itself within seconds; placed resources appear under their new names."""
    running.write("mine.toml", "new", "study {PatientID}")
    running.wait_for("new")
    assert running.drive.listing().keys() - {"search"} == {"new", "other", "inbox", "README.txt"}
    assert list(running.drive.listing("new")) == ["study P-1"]
    assert list(running.drive.listing("other")) == ["P-1"]
    assert running.drive.status("mine") == httpx.codes.NOT_FOUND


def test_on_demand(running: Running) -> None:
    """After POST, the response lists the layouts, and the drive shows them."""
    running.write("mine.toml", "mine", "again {PatientID}", "Changed today")
    answer = running.reload()
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "layouts": [{"title": "mine", "file": "mine.toml"}, {"title": "other", "file": "other.toml"}],
        "errors": [],
    }
    assert list(running.drive.listing("mine")) == ["again P-1"]
    assert "Changed today" in running.drive.get("README.txt").text


def test_a_bad_version_is_not_shown(running: Running) -> None:
    """The previous version stays; log, response and README.txt have the reason."""
    running.write("mine.toml", "broken", BAD)
    running.write("other.toml", "better")
    answer = running.reload().json()
    assert [layout["title"] for layout in answer["layouts"]] == ["mine", "better"]
    (error,) = answer["errors"]
    assert (error["file"], error["line"], error["former_version_shown"]) == ("mine.toml", 4, True)
    assert error["reason"].startswith('study: unknown tag "PatientIDD"; known for a study: PatientID')
    assert list(running.drive.listing("mine")) == ["P-1"]
    assert f"{running.folder / 'mine.toml'}:4: study: unknown tag" in running.log()
    readme = running.drive.get("README.txt").text
    assert "mine.toml\n    This layout is shown as it was before it was changed, for it is wrong: line 4: " in readme
    assert str(running.folder) not in readme


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PROPFIND", "OPTIONS"])
def test_other_methods(running: Running, method: str) -> None:
    """Methods other than POST are refused with 405 and an Allow header."""
    answer = running.reload(method=method)
    assert answer.status_code == httpx.codes.METHOD_NOT_ALLOWED
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    ("auth", "status"),
    [
        (None, httpx.codes.UNAUTHORIZED),
        (("alice", "wrong"), httpx.codes.UNAUTHORIZED),
        (READER, httpx.codes.FORBIDDEN),
        (("feeder", USERS["feeder"]), httpx.codes.OK),
    ],
)
def test_who_may(running: Running, auth: tuple[str, str] | None, status: int) -> None:
    """Users may reload layouts if Orthanc lets them upload."""
    running.write("mine.toml", "changed")
    assert running.reload(auth).status_code == status
    running.write("mine.toml", "mine")


def test_names_lead_to_what_is_shown(running: Running) -> None:
    """Two layouts that exchange their titles exchange their folders."""
    running.write("other.toml", "other", "other {PatientID}")
    assert running.reload().is_success
    assert list(running.drive.listing("other")) == ["other P-1"]
    running.write("mine.toml", "other")
    running.write("other.toml", "mine", "other {PatientID}")
    assert running.reload().json()["errors"] == []
    assert list(running.drive.listing("other")) == ["P-1"]
    assert list(running.drive.listing("mine")) == ["other P-1"]
    assert running.drive.status("other/P-1") == httpx.codes.MULTI_STATUS
    assert running.drive.status("other/other P-1") == httpx.codes.NOT_FOUND


def test_the_catalog_is_away(tmp_path: Path) -> None:
    """While the catalog is away, the response is 503."""

    def reload() -> LoadedLayouts:
        raise Unavailable("the catalog was damaged")

    with local_server(tmp_path, reload) as door:
        answer = door.drive.request("POST", RELOAD.removeprefix("/"))
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert answer.headers["Retry-After"]
    assert "damaged" in answer.text
    assert door.trail.shown() == [("reload", "", "failed Unavailable")]
