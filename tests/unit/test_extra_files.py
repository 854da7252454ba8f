"""Extra files in folders of a layout, over an Orthanc in memory."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from davfs import names as naming
from davfs.errors import NotFound, OrthancError
from davfs.orthanc import Level, OrthancId
from tests.support import dicom
from tests.support.catalog import CountingOrthanc
from tests.support.extra_files import ALL, ONE, MakeTree, content, listed, orthanc, tree, unpacked

# pytest finds fixtures by the names in a module.
__all__ = ["orthanc", "tree"]


STUDIES = """
title = "studies"
[[level]]
patient = "{PatientID}"
files = ["patient.zip"]
[[level]]
study = "{StudyDescription}"
files = ["study.zip", "study.json"]
"""


def test_what_there_is(tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Each extra file is listed if it has content, and its content is that of its kind."""
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


def test_they_follow_the_archive(tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """Added and deleted images change extra files and their entity tags at once."""
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


def test_without_a_level_of_instances(tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """At the end of a layout, archives hold the files under default names."""
    shown = tree(orthanc, tmp_path, STUDIES)
    names = {f"00{series} CT 0000{number}.dcm" for series, number in ((1, 1), (1, 2), (2, 1))}
    assert listed(shown, "p", "Study 1").keys() == {"study.zip", "study.json"}
    assert unpacked(content(shown, "p", "Study 1", "study.zip")).keys() == names
    assert unpacked(content(shown, "p", "patient.zip")).keys() == {f"Study 1/{name}" for name in names}


def test_names_never_lie(tree: MakeTree, tmp_path: Path) -> None:
    """A series with the name of an extra file, and that file, get suffixes; the plain name leads to nothing."""
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


def test_names_never_lie_beside_images(tree: MakeTree, tmp_path: Path) -> None:
    """An image with the name of an extra file, and that file, get suffixes."""
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


def test_steady_names(tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """The suffixed name of an extra file holds when it is alone, and in another process."""
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


FLAT = """
title = "flat"
[[level]]
study = "{PatientID}"
[[level]]
instance = "{SeriesNumber} {InstanceNumber}.dcm"
"""


class Racing(CountingOrthanc):
    """Deletes a series at the moment when the series of its study are requested."""

    vanishing: OrthancId | None = None

    def children(self, level: Level, resource: OrthancId) -> list[OrthancId]:
        """See `Orthanc`."""
        found = super().children(level, resource)
        if self.vanishing and level is Level.STUDY:
            gone, self.vanishing = self.vanishing, None
            self.delete(Level.SERIES, gone)
        return found


@pytest.mark.parametrize("layout", [ONE.replace("FILES", f'"{file}"') for file in ("p.png", "p.pdf", "p.zip")] + [FLAT])
def test_series_that_goes_while_its_study_is_listed(tree: MakeTree, tmp_path: Path, layout: str) -> None:
    """The study still exists, and is listed."""
    server = Racing()
    for series in (1, 2):
        server.store(dicom.instance("p", 1, series, 1, pixels=dicom.ROW))
    shown = tree(server, tmp_path, layout)
    assert len(listed(shown, "p")) >= 2
    server.vanishing = next(iter(server.ids(Level.SERIES)))
    listed(shown, "p")
    assert listed(shown).keys() == {"p"}
    assert len(server.ids(Level.SERIES)) == 1
    assert [name for name in listed(shown, "p") if "2" in name or "1" in name]


def test_looking_up_an_image_costs_the_same_in_large_folders(
    tree: MakeTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding an image costs the same in large folders, also if all names have suffixes."""
    server = CountingOrthanc()
    for number in range(100):
        server.store(dicom.instance("p", 1, 1, number))
    shown = tree(server, tmp_path, ONE.replace("files = [FILES]", "").replace("Number}.dcm", "Number} {id}.dcm"))
    first, *_ = listed(shown, "p", "Series 1")
    asked: list[str] = []
    real = naming.base_names

    def base_names(segment: str, *, files: bool) -> tuple[str, ...]:
        asked.append(segment)
        return real(segment, files=files)

    monkeypatch.setattr(naming, "base_names", base_names)
    shown.stat(("p", "Series 1", first))
    assert len(asked) < 10


def test_two_files_of_one_kind(tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """A folder can have two previews, which show the same image."""
    shown = tree(orthanc, tmp_path, ONE.replace("FILES", '"a.png", "b.png"'))
    assert listed(shown, "p").keys() >= {"a.png", "b.png"}
    assert content(shown, "p", "a.png") == content(shown, "p", "b.png")


def test_digits_in_the_name_of_a_file(tree: MakeTree, tmp_path: Path) -> None:
    """A file with `{id}` in its name has the digits of its folder's resource, once."""
    server = CountingOrthanc()
    server.store(dicom.instance("p"))
    shown = tree(server, tmp_path, ONE.replace("FILES", '"study {id}.zip"'))
    (study,) = server.ids(Level.STUDY)
    assert f"study {naming.id_suffix(study)}.zip" in listed(shown, "p")


def test_members_of_an_anonymised_archive(tree: MakeTree, tmp_path: Path) -> None:
    """In a layout without a level of instances, default names contain codes only."""
    server = CountingOrthanc()
    server.store(dicom.instance("p", tags={"Modality": "DOE^JANE"}))
    text = 'title = "a"\nanonymised = true\n[[level]]\nstudy = "{StudyInstanceUID:hash}"\nfiles = ["study.zip"]'
    shown = tree(server, tmp_path, text)
    (study,) = listed(shown)
    assert unpacked(content(shown, study, "study.zip")).keys() == {"001 00001.dcm"}


def test_an_image_that_is_replaced_while_its_archive_is_read(tree: MakeTree, tmp_path: Path) -> None:
    """An archive is never one of two versions, even of the same size: it ends in an error."""
    server = CountingOrthanc()
    for number in (1, 2):
        server.store(dicom.instance("p", 1, 1, number, pixels=4 * dicom.ROW))
    shown = tree(server, tmp_path, ONE.replace("FILES", '"study.zip"'))
    with shown.read(("p", "study.zip")) as opened:
        buffers = opened.buffers()
        next(buffers)
        for one, data in list(server.files.items()):
            server.files[one] = bytes(data[:-4]) + bytes(byte ^ 255 for byte in data[-4:])
            server._instances[one] = replace(server._instances[one], uuid=f"another {one}")
        with pytest.raises(OrthancError, match="replaced"):
            b"".join(buffers)


def test_dates_tell_versions_apart(tree: MakeTree, orthanc: CountingOrthanc, tmp_path: Path) -> None:
    """The date of a file is later whenever its content changes, also after a deletion."""
    shown = tree(orthanc, tmp_path, ALL)
    files = [("p", "study.json"), ("p", "Study 1.zip")]
    seen = {path: [shown.stat(path)] for path in files}
    for change in (
        lambda: orthanc.store(dicom.instance("p", 1, 1, 3)),
        lambda: orthanc.store(dicom.instance("p", 1, 4, 1)),
        lambda: orthanc.delete(Level.SERIES, OrthancId(dicom.ids(dicom.instance("p", 1, 4)).series)),
    ):
        change()
        for path in files:
            seen[path].append(shown.stat(path))
    for versions in seen.values():
        for one, other in itertools.pairwise(versions):
            assert (one.etag == other.etag) == (one.modified == other.modified)
            assert one.modified <= other.modified
    assert len({entry.etag for entry in seen["p", "Study 1.zip"]}) > 2
