"""Every client does every operation through every door, or fails in the way that the documentation tells."""

import platform
from pathlib import Path

import pytest

from tests.clients.conftest import Worker
from tests.clients.expectations import expected
from tests.clients.outcomes import Outcome, outcome
from tests.clients.steps import STEPS, TEXT
from tests.support import dicom
from tests.support.clients.commands import rclone_settings
from tests.support.clients.libraries import webdavclient3
from tests.support.clients.programs import run
from tests.support.doors import Door
from tests.support.drive import import_by_rest, place


@pytest.mark.parametrize("step", STEPS)
def test_operation(worker: Worker, step: str) -> None:
    """An operation ends as expected: for the server, and for the one who asked for it."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    wanted = expected(worker.desk.door.name, worker.name, step, release).outcome
    seen, error = outcome(STEPS[step], worker.client, worker.desk)
    assert seen is wanted, error
    assert seen is not Outcome.REFUSED or STEPS[step].unharmed(worker.desk)


def test_rclone_copies_folders(door: Door, tmp_path: Path) -> None:
    """At every door, rclone copies a folder of the archive with all that is in it."""
    patient = f"rclone {door.name}"
    contents = [dicom.instance(patient, number=number, pixels=96 * dicom.ROW) for number in (1, 2)]
    import_by_rest(door.rest, *contents)
    series = place(patient).rpartition("/")[0]
    settings = rclone_settings(door.url, tmp_path)
    run(["rclone", "--config", settings, "copy", f"drive:{series}", tmp_path / "copy"])
    assert [(tmp_path / "copy" / f"0000{number}.dcm").read_bytes() for number in (1, 2)] == contents


def test_webdavclient3_without_checks(door: Door, tmp_path: Path) -> None:
    """At every door, webdavclient3 does all but renaming once it does not ask for folders with HEAD."""
    with webdavclient3(door.url, tmp_path, disable_check=True) as client:
        client.make_folder("inbox/unchecked")
        client.write("inbox/unchecked/x.txt", TEXT)
        client.write("inbox/unchecked/x.txt", TEXT * 2)
        assert client.list("inbox/unchecked") == {"x.txt"}
        assert client.read("inbox/unchecked/x.txt") == door.drive.get("inbox/unchecked/x.txt").content == TEXT * 2
        client.delete("inbox/unchecked/x.txt")
        client.remove_folder("inbox/unchecked")
    assert "unchecked" not in door.drive.listing("inbox")
