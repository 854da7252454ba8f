"""A tree with extra files, over an Orthanc in memory."""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.derived.files import DerivedFiles
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.tree import Tree
from davfs.layout import HashKey, load_text
from tests.support import dicom
from tests.support.catalog import CountingOrthanc
from tests.support.searching import SINCE

ALL = """
title = "all"
[[level]]
study = "{PatientID}"
files = ["{StudyDescription|study}.zip", "study.json", "preview.png", "report.pdf"]
[[level]]
series = "{SeriesDescription}"
files = ["series.json", "series.zip"]
[[level]]
instance = "{InstanceNumber}.dcm"
"""


KEY = HashKey(b"a key that only this test has")


MakeTree = Callable[..., Tree]


@contextmanager
def opened(orthanc: CountingOrthanc, folder: Path, layout: str, *, deletes: bool = False) -> Iterator[Tree]:
    """Put a tree together as the plugin does."""
    loaded = load_text(layout, "test.toml", key=KEY)
    with closing(Store(folder / "catalog.sqlite", Placer([loaded]))) as store:
        catalog = Catalog(orthanc, store, InstanceCache())
        yield Tree(
            loaded,
            catalog,
            orthanc,
            Deletions(orthanc, orthanc, lambda act: act()) if deletes else None,
            SINCE,
            DerivedFiles(orthanc),
        )


@pytest.fixture
def tree() -> Iterator[MakeTree]:
    """Open trees as `opened` does, and close them after the test."""
    with ExitStack() as stack:
        yield lambda *arguments, **options: stack.enter_context(opened(*arguments, **options))


def listed(shown: Tree, *path: str) -> dict[str, int]:
    """Return the names in a folder, and their sizes."""
    return {entry.name: entry.size for entry in shown.list(path)}


def content(shown: Tree, *path: str) -> bytes:
    """Read a file, and compare it with its entry."""
    with shown.read(path) as opened:
        data = b"".join(opened.buffers())
        assert len(data) == opened.entry.size == shown.stat(path).size == listed(shown, *path[:-1])[path[-1]]
        assert opened.entry.etag == shown.stat(path).etag
        return data


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the files in an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def orthanc() -> CountingOrthanc:
    """One study of two series, one of them with a picture."""
    server = CountingOrthanc()
    for series, number in ((1, 1), (1, 2), (2, 1)):
        server.store(dicom.instance("p", 1, series, number, pixels=dicom.ROW if series == 2 else 0))
    return server


ONE = """
title = "one"
[[level]]
study = "{PatientID}"
files = [FILES]
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
