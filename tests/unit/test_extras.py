"""Further files in folders of a layout, over an Orthanc in memory."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import LayoutPlacer
from davfs.catalog.store import Store
from davfs.entry import Path as DrivePath
from davfs.errors import Forbidden, NotFound
from davfs.filesystem.tree import Tree
from davfs.generated.makers import Makers
from davfs.layout import HashKey, load_text
from davfs.orthanc import Level
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
STUDIES = """
title = "studies"
[[level]]
patient = "{PatientID}"
files = ["patient.zip"]
[[level]]
study = "{StudyDescription}"
files = ["study.zip", "study.json"]
"""
KEY = HashKey(b"a key that only this test has")


def tree(orthanc: CountingOrthanc, folder: Path, layout: str, *, deletes: bool = False) -> Tree:
    """Put a tree together as the plugin does."""
    loaded = load_text(layout, "test.toml", key=KEY)
    catalog = Catalog(orthanc, Store(folder / "catalog.sqlite", LayoutPlacer([loaded])), InstanceCache())
    return Tree(loaded, catalog, orthanc, (lambda act: act()) if deletes else None, SINCE, Makers(orthanc))


def listed(shown: Tree, *path: str) -> dict[str, int]:
    """Return the names in a folder, and their sizes."""
    return {entry.name: entry.size for entry in shown.list(path)}


def content(shown: Tree, *path: str) -> bytes:
    """Read a file, and compare it with what is told of it."""
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


def test_what_there_is(orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Each is listed where there is something in it, and is what it is called."""
    shown = tree(orthanc, tmp_path, ALL)
    assert listed(shown, "p").keys() == {"Series 1", "Series 2", "Study 1.zip", "study.json", "preview.png"}
    assert listed(shown, "p", "Series 1").keys() == {"1.dcm", "2.dcm", "series.json", "series.zip"}
    assert content(shown, "p", "preview.png").startswith(b"\x89PNG")
    (study,) = orthanc.ids(Level.STUDY)
    assert json.loads(content(shown, "p", "study.json"))["ID"] == study
    assert unpacked(content(shown, "p", "Study 1.zip")) == {
        f"Series {series}/{number}.dcm": content(shown, "p", f"Series {series}", f"{number}.dcm")
        for series, number in ((1, 1), (1, 2), (2, 1))
    }
    assert unpacked(content(shown, "p", "Series 2", "series.zip")).keys() == {"1.dcm"}
    for missing in (("p", "report.pdf"), ("p", "study.zip"), ("p", "Series 1", "study.json"), ("study.json",)):
        with pytest.raises(NotFound):
            shown.stat(missing)
    with pytest.raises(NotFound):
        shown.list(("p", "study.json", "x"))


def test_they_follow_the_archive(orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """What has come and gone shows in them at once, and in their entity tags."""
    shown = tree(orthanc, tmp_path, ALL)
    before = {name: shown.stat(("p", name)).etag for name in ("Study 1.zip", "study.json")}
    assert shown.stat(("p", "Study 1.zip")).etag == before["Study 1.zip"]
    orthanc.store(dicom.instance("p", 1, 3, 1))
    assert "Series 3/1.dcm" in unpacked(content(shown, "p", "Study 1.zip"))
    assert all(shown.stat(("p", name)).etag != etag for name, etag in before.items())
    picture = dicom.ids(dicom.instance("p", 1, 2, 1)).instance
    orthanc.delete(Level.INSTANCE, next(one for one in orthanc.ids(Level.INSTANCE) if one == picture))
    assert "preview.png" not in listed(shown, "p")
    with pytest.raises(NotFound):
        shown.read(("p", "preview.png"))
    orthanc.delete(Level.STUDY, orthanc.ids(Level.STUDY)[0])
    for name in before:
        with pytest.raises(NotFound):
            shown.read(("p", name))


def test_without_a_level_of_instances(orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """At the end of a layout, archives hold the files under usual names."""
    shown = tree(orthanc, tmp_path, STUDIES)
    names = {f"00{series} CT 0000{number}.dcm" for series, number in ((1, 1), (1, 2), (2, 1))}
    assert listed(shown, "p", "Study 1").keys() == {"study.zip", "study.json"}
    assert unpacked(content(shown, "p", "Study 1", "study.zip")).keys() == names
    assert unpacked(content(shown, "p", "patient.zip")).keys() == {f"Study 1/{name}" for name in names}


def test_names_never_lie(tmp_path: Path) -> None:
    """What has the name of a further file, and that file, have digits of their own; the plain name leads nowhere."""
    server = CountingOrthanc()
    server.store(dicom.instance("p", 1, 1, 1, tags={"SeriesDescription": "STUDY.json"}))
    server.store(dicom.instance("p", 1, 2, 1, tags={"SeriesDescription": "other"}))
    shown = tree(server, tmp_path, ALL)
    names = listed(shown, "p")
    assert len(names) == len({name.casefold() for name in names})
    for plain in ("study.json", "STUDY.json"):
        assert plain not in names
        for path in ((plain,), (plain, "1.dcm")):
            with pytest.raises(NotFound):
                shown.stat(("p", *path))
    (folder,) = (name for name in names if name.startswith("STUDY.json ~"))
    (file,) = (name for name in names if name.startswith("study.json ~"))
    assert shown.stat(("p", folder)).is_folder
    assert listed(shown, "p", folder).keys() == {"1.dcm", "series.json", "series.zip"}
    assert shown.stat(("p", folder, "1.dcm")).steady
    assert json.loads(content(shown, "p", file))["Type"] == "Study"


def test_names_never_lie_beside_images(tmp_path: Path) -> None:
    """The same where the files of the images are called as a further file is."""
    server = CountingOrthanc()
    layout = ALL.replace("{InstanceNumber}.dcm", "{SeriesDescription}.zip")
    server.store(dicom.instance("p", 1, 1, 1, tags={"SeriesDescription": "Series"}))
    shown = tree(server, tmp_path, layout)
    names = sorted(listed(shown, "p", "Series"))
    assert [name.partition(" ~")[0] for name in names] == ["Series", "series", "series.json"]
    assert [shown.stat(("p", "Series", name)).media_type for name in names[:2]] == [
        "application/dicom",
        "application/zip",
    ]
    for plain in ("Series.zip", "series.zip"):
        with pytest.raises(NotFound):
            shown.stat(("p", "Series", plain))
    server.store(dicom.instance("p", 1, 1, 2, tags={"SeriesDescription": "Series"}))
    assert len(unpacked(content(shown, "p", "Series", names[1]))) == 2


def test_steady_names(orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """The suffixed name of a further file holds when it is alone, and in another process."""
    orthanc.store(dicom.instance("p", 1, 3, 1, tags={"SeriesDescription": "study.json"}))
    shown = tree(orthanc, tmp_path, ALL)
    (file,) = (
        entry.name for entry in shown.list(("p",)) if entry.name.startswith("study.json ~") and not entry.is_folder
    )
    orthanc.delete(
        Level.SERIES,
        next(one for one in orthanc.ids(Level.SERIES) if one == dicom.ids(dicom.instance("p", 1, 3)).series),
    )
    assert "study.json" in listed(shown, "p")
    (tmp_path / "other").mkdir()
    for each in (shown, tree(orthanc, tmp_path / "other", ALL)):
        assert each.stat(("p", file)).etag == each.stat(("p", "study.json")).etag


def test_deleting_a_folder_file_by_file(orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Whoever deletes all that is in a folder finds it empty, and deletes nothing by deleting what the drive makes."""
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


def test_deleted_files_come_back(orthanc: CountingOrthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the drive makes is there again a minute after it was deleted, if its folder still is."""
    moment = 1000.0
    shown = tree(orthanc, tmp_path, ALL, deletes=True)
    monkeypatch.setattr(shown._extras, "_now", lambda: moment)
    shown.delete(("p", "study.json"))
    assert "study.json" not in listed(shown, "p")
    moment += 61
    assert "study.json" in listed(shown, "p")
    assert json.loads(content(shown, "p", "study.json"))["Type"] == "Study"


@pytest.mark.parametrize("path", [("p", "study.json"), ("p", "Study 1.zip"), ("p", "Series 1", "series.json")])
def test_where_nothing_can_be_deleted(orthanc: CountingOrthanc, tmp_path: Path, path: DrivePath) -> None:
    """Nor can what the drive makes."""
    shown = tree(orthanc, tmp_path, ALL)
    with pytest.raises(Forbidden):
        shown.delete(path)
    assert shown.stat(path).size
