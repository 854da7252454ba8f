"""Extra files that were deleted are hidden for a while (`davfs.filesystem.hidden_files`), and delete no image."""

import json
from pathlib import Path

import pytest

from davfs.entry import Path as DrivePath
from davfs.errors import Forbidden, NotFound
from davfs.orthanc import Level
from tests.support import dicom
from tests.support.catalog import CountingOrthanc
from tests.support.extra_files import ALL, ONE, MakeTree, content, listed, orthanc, tree

# pytest finds fixtures by the names in a module.
__all__ = ["orthanc", "tree"]


def test_deleting_a_folder_file_by_file(tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A client that deletes everything in a folder finds it empty; deleting an extra file deletes no resource."""
    shown = tree(orthanc, tmp_path, ALL, deletes=True)
    before = set(orthanc.files)
    for name in ("study.json", "Study 1.zip", "preview.png"):
        assert shown.delete(("p", name)) == ""  # no resource was deleted
        with pytest.raises(NotFound):
            shown.stat(("p", name))
    assert listed(shown, "p").keys() == {"Series 1", "Series 2"}
    assert "series.json" in listed(shown, "p", "Series 1")
    assert set(orthanc.files) == before
    shown.delete(("p",))
    assert not orthanc.files
    orthanc.store(dicom.instance("p"))
    assert listed(shown, "p").keys() == {"Series 1", "Study 1.zip", "study.json"}


def test_deleted_files_come_back(
    tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An extra file is listed again a minute after it was deleted, if its folder still exists."""
    moment = 1000.0
    shown = tree(orthanc, tmp_path, ALL, deletes=True)
    monkeypatch.setattr(shown._extra_files.hidden, "_now", lambda: moment)
    shown.delete(("p", "study.json"))
    assert "study.json" not in listed(shown, "p")
    moment += 61
    assert "study.json" in listed(shown, "p")
    assert json.loads(content(shown, "p", "study.json"))["Type"] == "Study"


@pytest.mark.parametrize("path", [("p", "study.json"), ("p", "Study 1.zip"), ("p", "Series 1", "series.json")])
def test_where_nothing_can_be_deleted(
    tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path, path: DrivePath
) -> None:
    """If deleting is not allowed, extra files cannot be deleted either."""
    shown = tree(orthanc, tmp_path, ALL)
    with pytest.raises(Forbidden):
        shown.delete(path)
    assert shown.stat(path).size


def test_a_deleted_file_keeps_its_name(tree: MakeTree, tmp_path: Path) -> None:
    """Deleting a file again deletes no other resource with the same name."""
    server = CountingOrthanc()
    server.store(dicom.instance("p"))
    shown = tree(server, tmp_path, ONE.replace("FILES", '"study.json"'), deletes=True)
    shown.delete(("p", "study.json"))
    server.store(dicom.instance("p", 1, 2, 1, tags={"SeriesDescription": "study.json"}))
    with pytest.raises(NotFound):
        shown.delete(("p", "study.json"))
    assert len(server.ids(Level.SERIES)) == 2


def test_deleting_bottom_up(tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A folder that Orthanc deleted with its last image can be deleted, and its extra files; nothing else."""
    shown = tree(orthanc, tmp_path, ALL, deletes=True)
    with pytest.raises(NotFound):
        shown.delete(("p", "Series 3"))
    for name in ("1.dcm", "2.dcm"):
        shown.delete(("p", "Series 1", name))
    for path in (("p", "Series 1", "series.zip"), ("p", "Series 1")):
        assert shown.delete(path) == ""
    with pytest.raises(NotFound):
        shown.delete(("p", "Series 3"))
    assert listed(shown, "p").keys() >= {"Series 2", "study.json"}
