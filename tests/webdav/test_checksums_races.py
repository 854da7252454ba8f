"""Checksums and entity tags of images that are replaced at the very moment when they are opened."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path as DiskPath
from uuid import NAMESPACE_URL, uuid5

import pytest

from davfs.entry import InMemory
from davfs.orthanc.model import Level, OrthancId
from tests.support import dicom, extra_files
from tests.support.catalog import CountingOrthanc
from tests.support.local_server import LocalServer, local_server
from tests.webdav.test_checksums import asked, digest, md5

FORMER = dicom.instance("raced", pixels=1024)
NEWER = bytes([*FORMER[:-1], FORMER[-1] ^ 1])
ARCHIVE, INBOX = "all/raced/Series 1/1.dcm", "inbox/raced.dcm"


class ReplacingOrthanc(CountingOrthanc):
    """An Orthanc where an image is replaced just before its file is opened, as with ``OverwriteInstances``.

    Attributes:
        times: How often that happens.
    """

    times = 0

    def overwrite(self, content: bytes) -> None:
        """Put an image in the place of the other one with the same identifiers."""
        (instance,) = self.files
        self.files[instance] = content
        self._instances[instance] = replace(self._instances[instance], uuid=name_of(content, self.last))
        self._note("NewInstance", Level.INSTANCE, instance)

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[InMemory]:
        """See `Orthanc`."""
        if self.times:
            self.times -= 1
            self.overwrite(NEWER if self.files[instance] == FORMER else FORMER)
        return super().open_instance(instance, start)


def name_of(content: bytes, number: int) -> str:
    """Return a name of a stored file."""
    return str(uuid5(NAMESPACE_URL, f"{number} {hashlib.sha256(content).hexdigest()}"))


@pytest.fixture
def orthanc() -> ReplacingOrthanc:
    """An Orthanc with one image."""
    orthanc = ReplacingOrthanc()
    orthanc.store(FORMER)
    orthanc.overwrite(FORMER)
    return orthanc


@pytest.fixture
def door(orthanc: ReplacingOrthanc, tmp_path: DiskPath) -> Iterator[LocalServer]:
    """A door with the image in a layout and in the inbox, whose checksum is known."""
    (tmp_path / "inbox").mkdir()
    with (
        local_server(tmp_path / "inbox", orthanc=orthanc) as door,
        extra_files.opened(orthanc, tmp_path, extra_files.ALL) as tree,
    ):
        door.areas["all"] = tree
        assert door.drive.put(INBOX, FORMER).is_success
        for path in (ARCHIVE, INBOX):
            assert asked(door.drive, path, depth="0") == {path.rpartition("/")[2]: f"MD5:{md5(FORMER)}"}
        yield door


@pytest.mark.parametrize("path", [ARCHIVE, INBOX])
@pytest.mark.parametrize("times", [1, 2])
def test_digest_of_the_sent_bytes(door: LocalServer, orthanc: ReplacingOrthanc, path: str, times: int) -> None:
    """A digest is that of the bytes that are sent with it, and so is the entity tag."""
    orthanc.times = times
    answer = door.drive.request("GET", path, headers={"Want-Repr-Digest": "md5=1"})
    assert (answer.status_code, answer.content) == (200, FORMER if times % 2 == 0 else NEWER)
    assert answer.headers["Repr-Digest"] == f"md5=:{digest(answer.content)}:"
    assert door.drive.head(path).headers["ETag"] == answer.headers["ETag"]


@pytest.mark.parametrize("path", [ARCHIVE, INBOX])
@pytest.mark.parametrize("condition", ["If-Range", "If-Match"])
def test_parts_of_two_versions(door: LocalServer, orthanc: ReplacingOrthanc, path: str, condition: str) -> None:
    """The rest of one version is never sent to a client that has the beginning of the other."""
    first = door.drive.request("GET", path, headers={"Range": "bytes=0-99"})
    orthanc.times = 1
    rest = door.drive.request("GET", path, headers={"Range": "bytes=100-", condition: first.headers["ETag"]})
    if condition == "If-Range":
        assert (rest.status_code, rest.content) == (200, NEWER)
    else:
        assert rest.status_code == 412


def test_replaced_each_time(door: LocalServer, orthanc: ReplacingOrthanc) -> None:
    """An image that is replaced again and again is not sent under a digest that may be wrong."""
    orthanc.times = 1000
    answer = door.drive.request("GET", ARCHIVE, headers={"Want-Repr-Digest": "md5=1"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_date_of_the_acquisition(orthanc: ReplacingOrthanc, tmp_path: DiskPath) -> None:
    """An image that replaced another one is never taken for it, though both were acquired at the same time."""
    layout = extra_files.ALL.replace("[[level]]", 'dates = "acquisition"\n[[level]]', 1)
    (tmp_path / "inbox").mkdir()
    with (
        local_server(tmp_path / "inbox", orthanc=orthanc) as door,
        extra_files.opened(orthanc, tmp_path, layout) as tree,
    ):
        door.areas["all"] = tree
        former = door.drive.get(ARCHIVE)
        assert former.headers["Last-Modified"].startswith("Thu, 29 Feb 2024")
        orthanc.overwrite(NEWER)
        for headers in (
            {"If-Modified-Since": former.headers["Last-Modified"]},
            {"Range": "bytes=100-", "If-Range": former.headers["Last-Modified"]},
            {"If-None-Match": former.headers["ETag"]},
        ):
            answer = door.drive.request("GET", ARCHIVE, headers=headers)
            assert (answer.status_code, answer.content) == (200, NEWER)
            assert answer.headers["Last-Modified"] == former.headers["Last-Modified"]
