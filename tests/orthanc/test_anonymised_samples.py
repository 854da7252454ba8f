"""Anonymised files of real ones: whole, the same wherever they are made, and without data about the patient."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import UID

from davfs.demo.samples import import_samples
from davfs.derived.anonymised import AnonymisedFiles
from davfs.derived.sizes import padded
from davfs.errors import NotAnonymised
from davfs.layout.subject import subject
from davfs.layout.text import HashKey
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.model import Level
from davfs.orthanc.rest import RestOrthanc
from tests.orthanc.conftest import RunOrthanc
from tests.support.anonymising import AS_THEY_ARE, SECRET, Archive, Served, anonymising, flat
from tests.support.confidentiality import Checker
from tests.support.drive import rest_client
from tests.support.memory_orthanc import MemoryOrthanc

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

OTHER_PROCESS = """
import hashlib, json, sys
from davfs.confidentiality.options import Options
from davfs.derived.anonymised import AnonymisedFiles
from davfs.layout.text import HashKey
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.rest import RestOrthanc

url, secret = sys.argv[1:]
with http_client(url) as client:
    orthanc = RestOrthanc(HttpTransport(client))
    maker, digests = AnonymisedFiles(orthanc, HashKey(secret.encode()), Options(pixels_as_they_are=True)), {}
    for one, tags in json.load(sys.stdin).items():
        with maker.file(orthanc.instances([one])[0], tags).open() as file:
            digests[one] = hashlib.sha256(b"".join(file.buffers())).hexdigest()
    maker.close()
json.dump(digests, sys.stdout)
"""


@pytest.fixture(scope="module")
def archive(run_orthanc: RunOrthanc) -> Iterator[Archive]:
    """An Orthanc whose instances are anonymised."""
    with anonymising(run_orthanc) as archive:
        yield archive


@pytest.fixture(scope="module")
def samples(archive: Archive) -> list[Served]:
    """All of pydicom's files that Orthanc takes; few are damaged, and refused."""
    import_samples(archive.url, lambda *_: None)
    served, refused = [], []
    for one in archive.orthanc.ids(Level.INSTANCE):
        try:
            served.append(archive.serve(one))
        except NotAnonymised:
            refused.append(one)
    assert len(served) > 100
    assert len(refused) < 5
    return served


def test_files_are_what_they_were_made_for(samples: list[Served]) -> None:
    """Each file has its announced size, new identifiers in header and data set, and the pseudonym as patient."""
    key = HashKey(SECRET)
    for one in samples:
        after = one.after
        pseudonym = key.digest(subject(one.tags))[:16]
        assert len(one.content) == padded(one.instance.size, is_image="Image" in UID(one.instance.sop_class).name)
        assert (after.PatientID, after.PatientName) == (pseudonym, pseudonym)
        assert (
            after.file_meta.MediaStorageSOPInstanceUID
            == after.SOPInstanceUID
            == pseudonym_of(one.before.SOPInstanceUID)
        )
        assert one.content[:128] == bytes(128)


def pseudonym_of(uid: str) -> str:
    """Return what stands for a UID."""
    return f"2.25.{int(HashKey(SECRET).digest(f'uid:{uid}')[:32], 16)}"


def test_pixels_stay(samples: list[Served]) -> None:
    """The pixels are unchanged."""
    compared = 0
    for one in samples:
        before, after = one.before, one.after
        for keyword in PIXELS:
            assert (keyword in before) == (keyword in after)
            if keyword not in before:
                continue
            compared += 1
            assert before[keyword].value == after[keyword].value, keyword
    assert compared > 50


def test_other_programs_read_them(samples: list[Served], tmp_path: Path) -> None:
    """DCMTK takes each file for a DICOM file, and reads it to its end."""
    for at, one in enumerate(samples):
        (tmp_path / f"{at}.dcm").write_bytes(one.content)
    paths = sorted(map(str, tmp_path.iterdir()))
    tested = subprocess.run(["dcmftest", *paths], capture_output=True, text=True, check=True)
    assert tested.stdout.count("yes: ") == len(paths)
    dumped = subprocess.run(["dcmdump", "-q", *paths], capture_output=True, text=True, check=True)
    assert dumped.stdout.count("DataSetTrailingPadding") == len(paths)
    assert dumped.stderr == ""


def test_two_processes_make_the_same_bytes(archive: Archive, samples: list[Served]) -> None:
    """Another process makes each file byte for byte, and so does the same one again."""
    request = json.dumps({one.instance.id: one.tags for one in samples})
    command = [sys.executable, "-c", OTHER_PROCESS, archive.url, SECRET.decode()]
    answer = subprocess.run(command, input=request, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == {one.instance.id: hashlib.sha256(one.content).hexdigest() for one in samples}
    assert answer.stderr == ""


@pytest.mark.filterwarnings("ignore:Invalid value")  # of the originals
def test_nothing_tells_whose_they_are(samples: list[Served]) -> None:
    """No file has a byte of the name, or the date of birth in any element of a patient, or a private element."""
    named = 0
    for one in samples:
        name = str(one.before.get("PatientName", "")).encode()
        if len(name) >= 3:
            named += 1
            assert name.lower() not in head(one).lower(), name
        for tag, values in flat(one.after):
            assert not tag.is_private
            if tag.group == 0x10:
                assert str(one.before.get("PatientBirthDate") or "no date") not in str(values)
    assert named > 50


def head(one: Served) -> bytes:
    """Return a file without its pixels, which can hold three letters by chance."""
    content = one.content
    for keyword in PIXELS:
        if keyword in one.after:
            content = content.replace(one.after[keyword].value, b"")
    return content


@pytest.mark.filterwarnings("ignore:Invalid value")  # of the originals
def test_uids_agree_as_before(samples: list[Served]) -> None:
    """Equal UIDs stay equal and different UIDs stay different, across all samples and references."""
    forward: dict[str, str] = {}
    for one in samples:
        before, after = uids(one.before), uids(one.after)
        for place, values in after.items():
            assert place in before, place
            for old, new in zip(before[place], values, strict=True):
                assert forward.setdefault(old, new) == new, place
    assert len(set(forward.values())) == len(forward)
    assert all(new in {old, pseudonym_of(old)} for old, new in forward.items())
    frames = [one.after.FrameOfReferenceUID for one in samples if "FrameOfReferenceUID" in one.after]
    assert len(set(frames)) < len(frames)


def uids(dataset: Dataset, place: str = "") -> dict[str, list[str]]:
    """Return the UIDs of a data set by their places."""
    found: dict[str, list[str]] = {}
    for element in dataset:
        here = f"{place}/{element.tag}"
        if element.VR == "SQ":
            for at, item in enumerate(element.value):
                found |= uids(item, f"{here}/{at}")
        elif element.VR == "UI" and element.value:
            found[here] = [str(each) for each in ([element.value] if element.VM == 1 else element.value)]
    return found


def test_they_can_be_imported(samples: list[Served], run_orthanc: RunOrthanc) -> None:
    """Another Orthanc takes all of them, into as many patients, studies and series as there were."""
    with run_orthanc(plugins=[]) as server, rest_client(server) as rest, http_client(server.url) as client:
        for one in samples:
            assert rest.post("/instances", content=one.content).raise_for_status().json()["Status"] == "Success"
        counts = RestOrthanc(HttpTransport(client)).counts()
    assert counts.instances == len(samples)
    assert counts.patients == len({one.tags["PatientID"] for one in samples})
    assert counts.series == len({one.instance.series for one in samples})


@pytest.mark.filterwarnings("ignore:Invalid value")  # of the originals
def test_an_independent_checker_finds_nothing(samples: list[Served]) -> None:
    """Each attribute of each file has the action that the standard's table gives it."""
    for one in samples:
        assert Checker().check(one.before, one.after) == [], one.instance.id


def test_files_are_as_valid_as_they_were(samples: list[Served], tmp_path: Path) -> None:
    """dciodvfy, which knows what each SOP class must have, finds no error in a file that it did not find before."""
    for one in samples:
        before, after = (tmp_path / f"{one.instance.id}.{name}" for name in ("before", "after"))
        before.write_bytes(one.original)
        after.write_bytes(one.content)
        assert not errors(after) - errors(before), one.instance.id


def errors(file: Path) -> set[str]:
    """Return what dciodvfy finds wrong, without values."""
    told = subprocess.run(["dciodvfy", "-new", file], capture_output=True, check=False)
    lines = (told.stdout + told.stderr).decode("latin-1").splitlines()
    return {re.sub("<.*?>", "<>", line) for line in lines if line.startswith("Error")}


@pytest.mark.filterwarnings("ignore:Invalid value")  # of the originals
def test_every_orthanc_serves_the_same(samples: list[Served]) -> None:
    """Anonymised files have the same bytes without Orthanc, so that its version does not matter."""
    memory = MemoryOrthanc()
    maker = AnonymisedFiles(memory, HashKey(SECRET), AS_THEY_ARE)
    for one in samples:
        (instance,) = memory.instances([memory.store(one.original).id])
        with maker.file(instance, one.tags).open() as file:
            assert b"".join(file.buffers()) == one.content, one.instance.id
    maker.close()
