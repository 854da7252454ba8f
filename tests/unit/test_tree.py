"""A layout as an area of the drive, over an Orthanc in memory."""

import pytest

from davfs.errors import IsAFolder, NotFound
from davfs.orthanc import Level, OrthancId
from tests.support import dicom, layouts
from tests.support.layouts import Show

# pytest finds fixtures by the names in a module.
show = layouts.show

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


def test_files_can_be_named_from_above(show: Show) -> None:
    """A template of files may use the tags of the series, the study and the patient, as the layout's check allows."""
    shown = show(FILES_NAMED_FROM_ABOVE).add("p", number=7)
    orthanc = shown.orthanc
    assert shown.names("Study 1") == ["p CT 7.dcm"]
    assert shown.tree.stat(("Study 1", "p CT 7.dcm")).size == orthanc.instance_size(orthanc.ids(Level.INSTANCE)[0])


def test_files_follow_the_tags_above(show: Show) -> None:
    """Where a tag of the series changes, the files are called by the new one at the next listing."""
    shown = show(FILES_NAMED_FROM_ABOVE).add("p", number=7)
    orthanc = shown.orthanc
    assert shown.names("Study 1") == ["p CT 7.dcm"]
    orthanc.retag(orthanc.ids(Level.SERIES)[0], {"Modality": "MR"})
    assert shown.names("Study 1") == ["p MR 7.dcm"]


def test_folders_without_files(show: Show) -> None:
    """A layout that ends above the instances has empty folders at its end."""
    shown = show(WITHOUT_FILES).add("p")
    assert shown.names("p") == []
    assert shown.tree.stat(("p",)).is_folder
    with pytest.raises(IsAFolder):
        shown.tree.read(("p",))
    assert shown.names() == ["p"]


def test_path_deeper_than_the_layout(show: Show) -> None:
    """A path of any number of segments is not found."""
    shown = show(WITHOUT_FILES).add("p")
    for depth in (2, 3, 5000):
        with pytest.raises(NotFound):
            shown.tree.stat(("p",) * depth)


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
def test_path_of_what_comes_back(show: Show, again: str) -> None:
    """A path that led to a second resource, while the first was gone, does not when the first is there again."""
    tags = {"SeriesDescription": "axial", "InstanceNumber": 1}
    first = dicom.instance("p", 1, 1, 1, tags=tags)
    second = dicom.instance("p", 1, *((2, 1) if again == "series" else (1, 2)), tags=tags)
    shown = show(SERIES)
    orthanc, tree = shown.orthanc, shown.tree
    orthanc.store(first)
    path = ("Doe p", "axial", "1.dcm")
    wanted = tree.stat(path).resource
    orthanc.delete(Level.INSTANCE, OrthancId(wanted))
    orthanc.store(second)
    assert shown.names("Doe p") == ["axial"]
    assert tree.stat(path).resource != wanted
    orthanc.store(first)
    with pytest.raises(NotFound):
        tree.stat(path)
    with pytest.raises(NotFound):
        tree.read(path)


WITH_FURTHER_FILES = """
title = "all"
[[level]]
group = "{PatientSex|none}"
[[level]]
patient = "{PatientID}"
files = ["all.zip"]
[[level]]
study = "{StudyDescription}"
files = ["study.zip", "study.json", "preview.png"]
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""


@pytest.mark.parametrize(("text", "at_root"), [(SERIES, 2), (WITH_FURTHER_FILES, 1)])
def test_log_is_read_once(show: Show, text: str, at_root: int) -> None:
    """Each request reads Orthanc's log of changes exactly once; a root with resources reads it again."""
    shown = show(text).add("p").add("p", 1, 2).add("p", 2)
    paths = [(), *shown.walk()]
    looks: list[bool] = []
    shown.orthanc.after_log = lambda: looks.append(True)
    for path in paths:
        entry = shown.tree.stat(path)
        assert looks == [True]
        looks.clear()
        if entry.is_folder:
            shown.tree.list(path)
        else:
            shown.tree.read(path)
        assert looks == [True] * (1 if path else at_root), path
        looks.clear()


@pytest.mark.parametrize("text", [SERIES, WITHOUT_FILES, FILES_NAMED_FROM_ABOVE, WITH_FURTHER_FILES])
def test_browsing(show: Show, text: str) -> None:
    """Looking a folder up and listing it in one step finds what both find, and a deleted one as little."""
    shown = show(text).add("p").add("q")
    orthanc, tree = shown.orthanc, shown.tree
    paths: list[tuple[str, ...]] = [()]
    for path in paths:
        entry, entries = tree.browse(path)
        assert entry == tree.stat(path)
        assert (entries is not None) == entry.is_folder
        if entries is not None:
            assert list(entries) == list(tree.list(path))
            paths += [(*path, each.name) for each in entries]
    assert len(paths) > 2
    for patient in orthanc.ids(Level.PATIENT):
        orthanc.delete(Level.PATIENT, patient)
    for path in paths[1:]:
        with pytest.raises(NotFound):
            tree.browse(path)


def test_browsing_reads_the_log_once(show: Show) -> None:
    """Where a folder is looked up and listed in one step, Orthanc's log of changes is read once."""
    shown = show(WITH_FURTHER_FILES).add("p").add("p", 1, 2).add("p", 2)
    looks: list[bool] = []
    shown.orthanc.after_log = lambda: looks.append(True)
    for path in shown.walk():
        looks.clear()
        shown.tree.browse(path)
        assert looks == [True], path
