"""Every client does every operation at every door, or fails as docs/clients.md says."""

import platform
from pathlib import Path

import pytest

from tests.clients.conftest import ConnectedClient
from tests.clients.expectations import expected
from tests.clients.operations import OPERATIONS, TEXT
from tests.clients.outcomes import Outcome, outcome
from tests.support import dicom
from tests.support.clients.commands import rclone_settings
from tests.support.clients.libraries import webdavclient3
from tests.support.clients.programs import run
from tests.support.doors import Door
from tests.support.drive import import_by_rest, place


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation(connected: ConnectedClient, operation: str) -> None:
    """An operation has the expected outcome, and a refused one changes nothing."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    wanted = expected(connected.workspace.door.name, connected.name, operation, release).outcome
    seen, error = outcome(OPERATIONS[operation], connected.client, connected.workspace)
    assert seen is wanted, error
    assert seen is not Outcome.REFUSED or OPERATIONS[operation].is_unchanged(connected.workspace)


def test_rclone_copies_folders(door: Door, tmp_path: Path) -> None:
    """At every door, rclone copies a folder of the archive with its content."""
    patient = f"rclone {door.name}"
    contents = [dicom.instance(patient, number=number, pixels=96 * dicom.ROW) for number in (1, 2)]
    import_by_rest(door.rest, *contents)
    series = place(patient).rpartition("/")[0]
    settings = rclone_settings(door.url, tmp_path)
    run(["rclone", "--config", settings, "copy", f"drive:{series}", tmp_path / "copy"])
    assert [(tmp_path / "copy" / f"0000{number}.dcm").read_bytes() for number in (1, 2)] == contents


def test_webdavclient3_without_checks(door: Door, tmp_path: Path) -> None:
    """At every door, webdavclient3 can do everything except renaming with its check for folders by HEAD disabled."""
    with webdavclient3(door.url, tmp_path, disable_check=True) as client:
        client.make_folder("inbox/unchecked")
        client.write("inbox/unchecked/x.txt", TEXT)
        client.write("inbox/unchecked/x.txt", TEXT * 2)
        assert client.list("inbox/unchecked") == {"x.txt"}
        assert client.read("inbox/unchecked/x.txt") == door.drive.get("inbox/unchecked/x.txt").content == TEXT * 2
        client.delete("inbox/unchecked/x.txt")
        client.remove_folder("inbox/unchecked")
    assert "unchecked" not in door.drive.listing("inbox")
