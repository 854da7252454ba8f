"""A layout as an area of the drive, over an Orthanc in memory."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import LayoutPlacer
from davfs.catalog.store import Store
from davfs.errors import IsAFolder, NotFound
from davfs.filesystem.tree import Tree
from davfs.generated.makers import Makers
from davfs.layout import load_text
from davfs.orthanc import Level, OrthancId
from tests.support import dicom
from tests.support.catalog import CountingOrthanc

FILES_NAMED_FROM_ABOVE = """
title = "all"
[[level]]
study = "{StudyDescription}"
[[level]]
instance = "{PatientID} {Modality} {InstanceNumber}.dcm"
"""
WITHOUT_FILES = """
title = "all"
[[level]]
patient = "{PatientID}"
"""


def tree(orthanc: CountingOrthanc, folder: Path, layout: str) -> Tree:
    """Put a tree together as the plugin does."""
    loaded = load_text(layout, "test.toml")
    catalog = Catalog(orthanc, Store(folder / "catalog.sqlite", LayoutPlacer([loaded])), InstanceCache())
    return Tree(loaded, catalog, orthanc, None, datetime.now(UTC), Makers(orthanc))


def names(shown: Tree, *path: str) -> list[str]:
    """Return the names in a folder."""
    return sorted(entry.name for entry in shown.list(path))


def test_files_can_be_named_from_above(tmp_path: Path) -> None:
    """A template of files may use the tags of the series, the study and the patient, as the layout's check allows."""
    orthanc = CountingOrthanc()
    orthanc.store(dicom.instance("p", 1, 1, 7))
    shown = tree(orthanc, tmp_path, FILES_NAMED_FROM_ABOVE)
    assert names(shown, "Study 1") == ["p CT 7.dcm"]
    assert shown.stat(("Study 1", "p CT 7.dcm")).size == orthanc.instance_size(orthanc.ids(Level.INSTANCE)[0])


def test_files_follow_the_tags_above(tmp_path: Path) -> None:
    """Where a tag of the series changes, the files are called by the new one at the next listing."""
    orthanc = CountingOrthanc()
    orthanc.store(dicom.instance("p", 1, 1, 7))
    shown = tree(orthanc, tmp_path, FILES_NAMED_FROM_ABOVE)
    assert names(shown, "Study 1") == ["p CT 7.dcm"]
    orthanc.retag(orthanc.ids(Level.SERIES)[0], {"Modality": "MR"})
    assert names(shown, "Study 1") == ["p MR 7.dcm"]


def test_folders_without_files(tmp_path: Path) -> None:
    """A layout that ends above the instances has empty folders at its end."""
    orthanc = CountingOrthanc()
    orthanc.store(dicom.instance("p"))
    shown = tree(orthanc, tmp_path, WITHOUT_FILES)
    assert names(shown, "p") == []
    assert shown.stat(("p",)).is_folder
    with pytest.raises(IsAFolder):
        shown.read(("p",))
    assert names(shown) == ["p"]


SERIES = """
title = "all"
[[level]]
patient = "{PatientName}"
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""


@pytest.mark.parametrize("again", ["series", "instance"])
def test_path_of_what_comes_back(tmp_path: Path, again: str) -> None:
    """A path that led to a second resource, while the first was gone, does not when the first is there again."""
    orthanc = CountingOrthanc()
    tags = {"SeriesDescription": "axial", "InstanceNumber": 1}
    first = dicom.instance("p", 1, 1, 1, tags=tags)
    second = dicom.instance("p", 1, *((2, 1) if again == "series" else (1, 2)), tags=tags)
    orthanc.store(first)
    shown = tree(orthanc, tmp_path, SERIES)
    path = ("Doe p", "axial", "1.dcm")
    wanted = shown.stat(path).resource
    orthanc.delete(Level.INSTANCE, OrthancId(wanted))
    orthanc.store(second)
    assert names(shown, "Doe p") == ["axial"]
    assert shown.stat(path).resource != wanted
    orthanc.store(first)
    with pytest.raises(NotFound):
        shown.stat(path)
    with pytest.raises(NotFound):
        shown.read(path)
