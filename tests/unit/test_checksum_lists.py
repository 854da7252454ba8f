"""Lists of checksums in the folders of a layout, read back by md5sum itself."""

import hashlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.derived.checksum_list import ChecksumLister, ListedFile
from davfs.derived.checksums import StoredChecksums
from davfs.derived.file import DerivedFile
from davfs.derived.streams import StreamPool
from davfs.errors import Unavailable
from davfs.orthanc.model import Instance, OrthancId
from tests.support import dicom, extra_files
from tests.support.catalog import CountingOrthanc
from tests.support.extra_files import MakeTree, content, unpacked
from tests.support.memory_orthanc import MemoryOrthanc

tree = extra_files.tree
LAYOUT = """
title = "checked"
[[level]]
patient = "{PatientID}"
files = ["{PatientID} md5sums.txt", "patient.zip"]
[[level]]
study = "{StudyDescription}"
files = ["md5sums.txt", "study.json"]
[[level]]
series = "{SeriesDescription}"
files = ["md5sums.txt"]
[[level]]
instance = "{InstanceNumber}.dcm"
"""


@pytest.fixture
def orthanc() -> CountingOrthanc:
    """An Orthanc with two studies of two series of two images."""
    orthanc = CountingOrthanc()
    for study, series, number in ((a, b, c) for a in (1, 2) for b in (1, 2) for c in (1, 2)):
        orthanc.store(dicom.instance("p", study, series, number))
    return orthanc


def parsed(text: bytes) -> dict[str, str]:
    """Return the MD5s of a list by name."""
    lines = (line.split("  ", 1) for line in text.decode().splitlines())
    return {name: digest for digest, name in lines}


def check(folder: Path, files: Mapping[str, bytes], text: bytes) -> str:
    """Write files and their list into a folder, and return what md5sum says about them."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / ".list").write_bytes(text)
    command = ["md5sum", "--check", "--strict", ".list"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return f"{done.returncode} {done.stderr}".strip()


def copied(shown: object, *folder: str) -> dict[str, bytes]:
    """Return all DICOM files below a folder of a tree, by their paths from there."""
    found: dict[str, bytes] = {}
    for entry in shown.list(folder):  # type: ignore[attr-defined]
        path = (*folder, entry.name)
        if entry.is_folder:
            below = copied(shown, *path)
            found |= {f"{entry.name}/{name}": data for name, data in below.items()}
        elif entry.steady:
            found[entry.name] = content(shown, *path)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize(
    "folder", [("p",), ("p", "Study 1"), ("p", "Study 2", "Series 1")], ids=["patient", "study", "series"]
)
def test_a_copy_is_proved(orthanc: CountingOrthanc, tree: MakeTree, tmp_path: Path, folder: tuple[str, ...]) -> None:
    """A copy of each folder passes, and one with a flipped bit or without a file does not."""
    shown = tree(orthanc, tmp_path, LAYOUT)
    files = copied(shown, *folder)
    text = content(shown, *folder, "p md5sums.txt" if len(folder) == 1 else "md5sums.txt")
    assert parsed(text).keys() == files.keys()
    assert check(tmp_path / "copy", files, text) == "0"
    damaged = next(iter(files))
    assert "1 computed checksum did NOT match" in check(tmp_path / "copy", {**files, damaged: b"x"}, text)
    (tmp_path / "copy" / damaged).unlink()
    (tmp_path / "copy" / damaged).with_name("other").touch()
    assert "1 listed file could not be read" in check(tmp_path / "copy", {}, text)


def test_an_archive_is_proved(orthanc: CountingOrthanc, tree: MakeTree, tmp_path: Path) -> None:
    """An archive that is unpacked beside the list of its folder passes."""
    shown = tree(orthanc, tmp_path, LAYOUT)
    files = unpacked(content(shown, "p", "patient.zip"))
    assert check(tmp_path / "unpacked", files, content(shown, "p", "p md5sums.txt")) == "0"


@pytest.mark.parametrize("keeps_md5", [True, False])
def test_what_orthanc_keeps(orthanc: CountingOrthanc, tree: MakeTree, tmp_path: Path, *, keeps_md5: bool) -> None:
    """Where Orthanc keeps no MD5s, the files are read: the list is the same."""
    shown = tree(orthanc, tmp_path, LAYOUT)
    orthanc.keeps_md5 = keeps_md5
    expected = {name: hashlib.md5(data, usedforsecurity=False).hexdigest() for name, data in copied(shown, "p").items()}
    text = content(shown, "p", "p md5sums.txt")
    assert parsed(text) == expected
    assert list(parsed(text)) == sorted(expected)


def test_a_new_image(orthanc: CountingOrthanc, tree: MakeTree, tmp_path: Path) -> None:
    """A list has a new image at once, and another entity tag and date then."""
    shown = tree(orthanc, tmp_path, LAYOUT)
    path = ("p", "Study 1", "md5sums.txt")
    before = shown.stat(path)
    assert len(parsed(content(shown, *path))) == 4
    orthanc.store(dicom.instance("p", 1, 1, 3))
    assert parsed(content(shown, *path)).keys() - {"Series 1/3.dcm"} == {
        f"Series {series}/{number}.dcm" for series in (1, 2) for number in (1, 2)
    }
    after = shown.stat(path)
    assert (after.etag != before.etag, after.modified > before.modified) == (True, True)


def test_names_as_on_the_drive(tree: MakeTree, tmp_path: Path) -> None:
    """A list has the suffixes that names get because of other images, folders and extra files."""
    orthanc = CountingOrthanc()
    tags = {"SeriesDescription": "md5sums.txt"}
    orthanc.store(dicom.instance("p", 1, 1, 1, tags=tags))
    orthanc.store(dicom.instance("p", 1, 2, 1))
    orthanc.store(dicom.instance("p", 1, 3, 1, tags={"SeriesDescription": "Series 2"}))
    shown = tree(orthanc, tmp_path, LAYOUT)
    (name,) = (
        each.name for each in shown.list(("p", "Study 1")) if each.name.startswith("md5sums") and not each.is_folder
    )
    files = copied(shown, "p", "Study 1")
    assert len(files) == 3
    assert parsed(content(shown, "p", "Study 1", name)).keys() == files.keys()
    assert parsed(content(shown, "p", "p md5sums.txt")).keys() == {f"Study 1/{each}" for each in files}


@pytest.fixture
def stored() -> Iterator[tuple[MemoryOrthanc, ChecksumLister, Instance]]:
    """An Orthanc with an image, and what lists it."""
    orthanc, streams = MemoryOrthanc(), StreamPool()
    (instance,) = orthanc.instances([orthanc.store(dicom.instance("p")).id])
    yield orthanc, ChecksumLister(orthanc, StoredChecksums(orthanc), streams), instance
    streams.close()


def text_of(file: DerivedFile) -> bytes:
    """Return the bytes of a derived file."""
    with file.open() as opened:
        data = b"".join(opened.buffers())
    assert len(data) == file.size
    return data


@given(
    names=st.sets(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20), min_size=1
    )
)
def test_escaped_as_by_md5sum(names: set[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever the names are, md5sum reads them, also those that no file of a layout can have."""
    usable = names - {".", "..", ".list"}
    orthanc, streams, folder = MemoryOrthanc(), StreamPool(), tmp_path_factory.mktemp("names")
    image = dicom.instance("p")
    (instance,) = orthanc.instances([orthanc.store(image).id])
    lister = ChecksumLister(orthanc, StoredChecksums(orthanc), streams)
    made = lister.list([ListedFile((name,), instance) for name in usable])
    if usable:
        assert check(folder, dict.fromkeys(usable, image), text_of(made)) == "0"
    streams.close()


def test_replaced_while_it_is_read(stored: tuple[MemoryOrthanc, ChecksumLister, Instance]) -> None:
    """A list never has the MD5 of an image that has taken the place of another one."""
    _, lister, instance = stored
    made = lister.list([ListedFile(("a",), replace(instance, uuid="former"))])
    with pytest.raises(Unavailable):
        text_of(made)


def test_ranges(stored: tuple[MemoryOrthanc, ChecksumLister, Instance]) -> None:
    """Any part of a list is what the whole of it has there, over all batches."""
    _, lister, instance = stored
    made = lister.list([ListedFile((f"{number:04}",), instance) for number in range(450)])
    whole = text_of(made)
    assert whole.count(b"\n") == 450
    with made.open() as opened:
        for start, stop in ((0, 10), (16_000, 16_010), (5, 9), (len(whole) - 3, len(whole)), (0, len(whole))):
            assert b"".join(opened.buffers(start, stop)) == whole[start:stop]


def test_of_nothing(stored: tuple[MemoryOrthanc, ChecksumLister, Instance]) -> None:
    """A list of nothing is empty."""
    _, lister, _ = stored
    assert text_of(lister.list([])) == b""


def test_deleted_while_it_is_read(stored: tuple[MemoryOrthanc, ChecksumLister, Instance]) -> None:
    """A list with an image that is gone breaks off with an error, and is never shorter without one."""
    _, lister, instance = stored
    gone = replace(instance, id=OrthancId("-".join(["0" * 8] * 5)), uuid="gone")
    with pytest.raises(Exception, match=r"unknown|no such|exist|gone"):
        text_of(lister.list([ListedFile(("a",), instance), ListedFile(("b",), gone)]))
