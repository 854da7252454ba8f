"""Where a stand-alone drive keeps its files: one folder for each Orthanc, and one drive for each folder."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from davfs.errors import ConfigurationError
from davfs.settings.state_folder import locked, state_folder

OWNER = """
import sys
from pathlib import Path
from davfs.settings.state_folder import locked
with locked(*map(Path, sys.argv[1:])):
    print(flush=True)
    input()
"""
URL = "http://127.0.0.1:8042"


@pytest.mark.parametrize(
    ("environment", "above"),
    [
        ({}, Path.home() / ".local/state/davfs"),
        ({"XDG_STATE_HOME": "/states"}, Path("/states/davfs")),
        ({"XDG_STATE_HOME": "relative"}, Path.home() / ".local/state/davfs"),
        ({"XDG_STATE_HOME": "/states", "STATE_DIRECTORY": "/var/lib/davfs"}, Path("/var/lib/davfs")),
        ({"STATE_DIRECTORY": "/var/lib/davfs:/var/lib/more"}, Path("/var/lib/davfs")),
    ],
)
def test_the_folder_above(environment: dict[str, str], above: Path) -> None:
    """The folder of systemd comes before the user's, and the user's before the usual one."""
    assert state_folder(URL, environment).parent == above


def test_the_name_tells_the_server() -> None:
    """An administrator sees which Orthanc a folder belongs to."""
    assert state_folder("https://pacs.example/orthanc", {}).name.startswith("pacs.example-443-")


@pytest.mark.parametrize("other", ["http://127.0.0.1:8043", "https://127.0.0.1:8042", "http://127.0.0.1:8042/a"])
def test_two_servers_never_share(other: str) -> None:
    """Another port, scheme or path is another Orthanc."""
    assert state_folder(URL, {}) != state_folder(other, {})


@pytest.mark.parametrize("same", ["http://127.0.0.1:8042/", "HTTP://127.0.0.1:8042"])
def test_one_server_has_one_folder(same: str) -> None:
    """The same address, written in another way, is the same Orthanc."""
    assert state_folder(URL, {}) == state_folder(same, {})


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """A spool folder."""
    (tmp_path / "spool").mkdir()
    return tmp_path / "spool"


def refusal(spool: Path, catalog: Path) -> str:
    """Return why these two cannot be had; empty where they can."""
    try:
        with locked(spool, catalog):
            return ""
    except ConfigurationError as error:
        return str(error)


def test_one_drive_for_each_folder(tmp_path: Path, spool: Path) -> None:
    """A spool or a catalog that a drive uses is refused to others, with its owner's name, until that drive stops."""
    catalog, other = tmp_path / "catalog.sqlite", tmp_path / "other"
    other.mkdir()
    with locked(spool, catalog):
        for refused, named in ((refusal(spool, other / "c"), spool), (refusal(other, catalog), catalog)):
            assert f"is '{named}', which another drive uses: " in refused
            assert f"process {os.getpid()} on {socket.gethostname()}" in refused
    assert refusal(spool, catalog) == ""


def test_other_names(tmp_path: Path, spool: Path) -> None:
    """Symbolic links lead to the same spool and the same catalog, whether there is one yet or not."""
    catalog, other = tmp_path / "catalog.sqlite", tmp_path / "other"
    other.mkdir()
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(catalog)
    for _ in ("before there is one", "and after"):
        with locked(spool, catalog):
            assert "Davfs.Spool" in refusal(tmp_path / "folder" / "spool", other / "c")
            assert "Davfs.Catalog" in refusal(other, tmp_path / "folder" / "catalog.sqlite")
            assert "Davfs.Catalog" in refusal(other, tmp_path / "link")
        catalog.touch()


def test_hard_links(tmp_path: Path, spool: Path) -> None:
    """A catalog with two names is refused: SQLite would keep a log for each of them."""
    catalog = tmp_path / "catalog.sqlite"
    catalog.touch()
    (tmp_path / "other").hardlink_to(catalog)
    assert "Davfs.Catalog" in refusal(spool, catalog)
    assert "hard links" in refusal(spool, tmp_path / "other")


def test_both_in_one_folder(spool: Path) -> None:
    """The catalog may be inside the spool."""
    assert refusal(spool, spool / "catalog.sqlite") == ""


def test_a_crash_frees_spool_and_catalog(tmp_path: Path, spool: Path) -> None:
    """Spool and catalog are free again when their owner was killed."""
    catalog = tmp_path / "catalog.sqlite"
    command = [sys.executable, "-c", OWNER, str(spool), str(catalog)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        assert f"process {process.pid} on" in refusal(spool, catalog)
        process.kill()
        process.wait()
        assert refusal(spool, catalog) == ""


def test_no_lock_file(tmp_path: Path, spool: Path) -> None:
    """Where there cannot be a lock file, the reason names the setting and the file."""
    (spool / ".lock").symlink_to(tmp_path / "elsewhere")
    assert refusal(spool, tmp_path / "c").startswith(f"Davfs.Spool: the lock file '{spool}/.lock' cannot be made: ")
