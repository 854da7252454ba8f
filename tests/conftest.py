"""The plugin's library, open connections, and the logs of servers beside the report of a test that failed."""

import fcntl
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import davfs.doors.webdav  # noqa: F401  before a test imports WsgiDAV, which would take lxml
from davfs.demo.process import OrthancProcess
from tests.support import connections

ROOT = Path(__file__).parent.parent
SERVERS = pytest.StashKey[list[OrthancProcess]]()
"""Every Orthanc of this session that may still run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options to run tests/contract/test_filesystem.py against running servers, and to write documentation."""
    parser.addoption("--drive", help="address of a drive")
    parser.addoption("--orthanc", help="address of the Orthanc behind it")
    parser.addoption("--user", help="NAME:PASSWORD for both")
    parser.addoption("--write-docs", action="store_true", help="write what tests make into docs/, instead of comparing")


def pytest_configure(config: pytest.Config) -> None:
    """Start with no servers; how long an input of Hypothesis takes says more of the machine than of the code."""
    settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("suite")
    config.stash[SERVERS] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the unit tests last: they are short, and fill the time in which other processes finish their last module."""
    items.sort(key=lambda item: item.path.parent.name == "unit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of each running server's log where a test failed."""
    report = yield
    if report.failed:
        for server in item.config.stash[SERVERS]:
            report.sections.append((f"log of Orthanc in {server.folder}", server.log_tail(100)))
    return report


@pytest.fixture(scope="session", autouse=True)
def open_connections() -> Iterator[Mapping[sqlite3.Connection, str]]:
    """Connections to SQLite that are open in this process; at the end of the session there may be none."""
    with connections.counted() as opened:
        yield opened
        assert not Counter(opened.values()), "nobody closed these connections"


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> list[OrthancProcess]:
    """The servers whose logs are printed when a test fails: add yours, and remove it when it has stopped."""
    return pytestconfig.stash[SERVERS]


@pytest.fixture(scope="session")
def plugin() -> Path:
    """The plugin's library, rebuilt if its sources are newer."""
    library = ROOT / "build" / "libOrthancDavfs.so"
    library.parent.mkdir(exist_ok=True)
    with (library.parent / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the processes of pytest-xdist build it once
        if not library.is_file() or library.stat().st_mtime < _newest_source():
            built = subprocess.run(
                [sys.executable, "native/build.py"], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert built.returncode == 0, f"native/build.py failed:\n{built.stdout}{built.stderr}"
            library.touch()
    return library


def _newest_source() -> float:
    suffixes = {".c", ".cc", ".h", ".hh", ".map", ".py"}
    sources = [path for path in (ROOT / "native").rglob("*") if path.suffix in suffixes]
    return max(path.stat().st_mtime for path in sources)
