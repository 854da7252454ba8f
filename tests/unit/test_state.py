"""Where a stand-alone drive keeps its files: one folder for each Orthanc, and one drive for each folder."""

from pathlib import Path

import pytest

from davfs.errors import ConfigurationError
from davfs.state import claimed, folder_of

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
    assert folder_of(URL, environment).parent == above


def test_the_name_tells_the_server() -> None:
    """An administrator sees which Orthanc a folder belongs to."""
    assert folder_of("https://pacs.example/orthanc", {}).name.startswith("pacs.example-443-")


@pytest.mark.parametrize("other", ["http://127.0.0.1:8043", "https://127.0.0.1:8042", "http://127.0.0.1:8042/a"])
def test_two_servers_never_share(other: str) -> None:
    """Another port, scheme or path is another Orthanc."""
    assert folder_of(URL, {}) != folder_of(other, {})


@pytest.mark.parametrize("same", ["http://127.0.0.1:8042/", "HTTP://127.0.0.1:8042"])
def test_one_server_has_one_folder(same: str) -> None:
    """The same address, written in another way, is the same Orthanc."""
    assert folder_of(URL, {}) == folder_of(same, {})


def test_one_drive_for_each_folder(tmp_path: Path) -> None:
    """While a drive uses a folder no other may; afterwards the next one may."""
    spool, catalog = tmp_path / "spool", tmp_path / "catalog.sqlite"
    with claimed(spool, catalog):
        for mine in (spool, catalog):
            with pytest.raises(ConfigurationError, match="is in use: another drive"), claimed(mine):
                pass
    with claimed(spool, catalog):
        pass
