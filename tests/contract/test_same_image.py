"""Uploads of an image that Orthanc has by C-STORE, or in another encoding: both doors accept it as the same image."""

import subprocess
import warnings
from pathlib import Path

import pydicom
import pytest

from tests.support import cstore, dicom, doors
from tests.support.doors import Door
from tests.support.drive import delete_all, import_by_rest
from tests.support.inbox import TEST_FILES
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
process, standalone, door = doors.process, doors.standalone, doors.door

FILES = sorted(TEST_FILES.glob("*.dcm"))
TAKEN = (201, 204)
COMMANDS = [("dcmconv", "+ti"), ("dcmconv", "+tb"), ("dcmconv", "+td"), ("dcmconv", "+g", "-e"), ("dcmcrle",)]


def images() -> dict[Path, bytes]:
    """Return the files that can be sent by C-STORE, each instance once, without those that are cut off."""
    found: dict[str, Path] = {}
    with warnings.catch_warnings(action="ignore"):  # about values that DICOM forbids, and scanners write
        for file in FILES:
            dataset = pydicom.dcmread(file, force=True)
            if "TransferSyntaxUID" in dataset.get("file_meta", {}) and "SOPInstanceUID" in dataset:
                found.setdefault(dataset.SOPInstanceUID, file)
    return {file: file.read_bytes() for file in found.values() if "truncated" not in file.name}


def send(door: Door, content: bytes) -> bool:
    """Send a file by C-STORE; return whether Orthanc took it."""
    port = door.rest.get("/system").json()["DicomPort"]
    try:
        with warnings.catch_warnings(action="ignore"):  # as above
            return cstore.send(port, [content]) == [cstore.SUCCESS]
    except (ConnectionError, ValueError):  # it does not accept it, or pynetdicom cannot encode it
        return False


def converted(content: bytes, folder: Path, *command: str) -> bytes:
    """Return what one of dcmtk's programs makes of a file."""
    source, target = folder / "source.dcm", folder / "target.dcm"
    source.write_bytes(content)
    subprocess.run([*command, str(source), str(target)], check=True, capture_output=True)
    return target.read_bytes()


def test_images_that_came_by_cstore(door: Door) -> None:
    """Files of pydicom that Orthanc has by C-STORE can be uploaded again as they were, or in a ZIP."""
    delete_all(door.rest)
    found = images()
    sent = [file for file, content in found.items() if send(door, content)]
    assert len(sent) > 30
    answers = {file.name: door.drive.put(f"inbox/{file.name}", found[file]) for file in sent}
    refused = {name: (each.status_code, each.text) for name, each in answers.items() if each.status_code not in TAKEN}
    assert not refused
    assert door.drive.put("inbox/cd.zip", zipped({file.name: found[file] for file in sent})).status_code in TAKEN
    assert door.rest.get("/statistics").json()["CountInstances"] == len(sent)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_images_in_another_encoding(door: Door, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Byte order, value representations, lengths and lossless compression do not make another image."""
    for name in ("CT_small.dcm", "rtplan.dcm", "SC_rgb_small_odd.dcm"):
        content = (TEST_FILES / name).read_bytes()
        other = converted(content, tmp_path, *command)
        assert other != content
        for held, dropped in ((content, other), (other, content)):
            delete_all(door.rest)
            import_by_rest(door.rest, held)
            answer = door.drive.put("inbox/other.dcm", dropped)
            assert answer.status_code in TAKEN, (name, answer.text)


@pytest.mark.parametrize("command", [("dcmcjpeg", "+e1"), ("dcmcjpls", "+el")], ids=" ".join)
def test_orthanc_decodes_what_it_holds(door: Door, tmp_path: Path, command: tuple[str, ...]) -> None:
    """An image that Orthanc holds in JPEG without loss is the one that is dropped uncompressed; another one is not."""
    content = (TEST_FILES / "MR_small.dcm").read_bytes()
    delete_all(door.rest)
    import_by_rest(door.rest, converted(content, tmp_path, *command))
    answer = door.drive.put("inbox/plain.dcm", content)
    assert answer.status_code in TAKEN, answer.text
    changed = bytearray(content)
    changed[-1000] ^= 1
    answer = door.drive.put("inbox/changed.dcm", bytes(changed))
    assert answer.status_code == 409
    if door.name != doors.COLLECTION:
        assert "They differ in PixelData." in answer.text


def test_another_image_is_refused(door: Door) -> None:
    """The reason names the first attribute that differs, and no value; the file lies in rejected/."""
    delete_all(door.rest)
    first, second = (dicom.instance("same", tags={"PatientName": name}) for name in ("Doe^Jane", "Roe^Secret"))
    import_by_rest(door.rest, first)
    assert door.drive.put("inbox/same.dcm", second).status_code == 409
    text = door.drive.get("inbox/rejected/same.dcm.txt").text
    assert "They differ in PatientName." in text
    assert "Secret" not in text
    assert "Jane" not in text
    assert door.drive.get("inbox/rejected/same.dcm").content == second
