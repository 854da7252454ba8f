"""The folders at the top of the drive while layouts are placed: new ones, changed ones, and those that stay."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from davfs.catalog import placements
from davfs.derived.files import DerivedFiles
from davfs.errors import IsAFolder, NotAFolder, Unavailable
from davfs.filesystem.area import Area
from davfs.filesystem.layout_area import PLACEHOLDER, LayoutArea
from davfs.filesystem.readme import Readme
from davfs.layout import HashKey, Layout, load_text
from davfs.running.top_folders import TopFolders
from davfs.settings.layout_files import LoadedLayouts
from tests.support.layouts import FILES
from tests.support.placed import PlacedDrive

SINCE = datetime(2024, 1, 1, tzinfo=UTC)


class NoSearch:
    """No search, so that only the layouts are placed."""

    def placed(self, layouts: object) -> object:
        """Return the layouts alone."""
        return layouts

    def areas(self, *_: object) -> dict[str, Area]:
        """Return none."""
        return {}


def layout(title: str, name: str, **changes: Any) -> Layout:
    """Return a layout of studies."""
    return replace(load_text(f'title = "{title}"\n[[level]]\nstudy = "{name}"\n{FILES}', "test.toml"), **changes)


SOME = load_text(
    f'title = "some"\n[where]\nPatientID = "P1"\n[[level]]\nstudy = "{{StudyID}}"\n{FILES}', "test.toml"
).where
ONE, TWO = layout("one", "{PatientID}"), layout("two", "{StudyID}")


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlacedDrive]:
    """An index of ten studies by one layout, where a step places four."""
    monkeypatch.setattr(placements, "_STUDIES", 4)
    monkeypatch.setattr("davfs.catalog.store._STEPS", 0)
    made = PlacedDrive(tmp_path, (ONE,))
    for number in range(10):
        made.add(f"P{number}")
    made.catalog.refresh()
    yield made
    made.store.close()


@pytest.fixture
def folders(drive: PlacedDrive) -> TopFolders:
    """The drive's folders, which show that layout."""
    orthanc, derived = cast("Any", drive.orthanc), DerivedFiles(drive.orthanc)
    made = TopFolders(
        drive.catalog, drive.store, orthanc, orthanc, derived, None, cast("Any", None), cast("Any", NoSearch()), SINCE,
        lambda: None,
    )  # fmt: skip
    made.show([ONE])
    return made


def change(folders: TopFolders, *layouts: Layout) -> None:
    """Load other layouts."""
    folders.replace(LoadedLayouts(layouts, ()))


def names(folders: TopFolders, title: str) -> list[str]:
    """Return the names in a layout's folder."""
    return sorted(entry.name for entry in folders.areas[title].list(()))


def finish(drive: PlacedDrive, folders: TopFolders) -> None:
    """Do all steps, as the background thread does."""
    while drive.store.place_next():
        folders.complete()
    folders.complete()


IDS = [f"P{number}" for number in range(10)]


def test_new_layout_says_how_far_it_is(drive: PlacedDrive, folders: TopFolders) -> None:
    """Until it is complete, its folder has one text; what else is asked for there is unavailable, not missing."""
    change(folders, ONE, TWO)
    drive.store.place_next()
    assert names(folders, "one") == IDS
    assert names(folders, "two") == [PLACEHOLDER]
    area = folders.areas["two"]
    with area.read((PLACEHOLDER,)) as content:
        text = b"".join(content.buffers()).decode()
    assert area.stat((PLACEHOLDER,)).size == len(text)
    assert "is being prepared" in text
    percentage = folders.progress()["two"][0]
    assert 0 < percentage < 100
    assert f"{percentage} %" in text
    for ask in (area.stat, area.list, area.read):
        with pytest.raises(Unavailable, match=f"{percentage} %"):
            ask(("1",))
    with pytest.raises(Unavailable):
        cast("LayoutArea", area).delete(("1",))
    with pytest.raises(NotAFolder):
        area.list((PLACEHOLDER,))
    with pytest.raises(IsAFolder):
        area.read(())
    finish(drive, folders)
    assert PLACEHOLDER not in names(folders, "two")
    assert len(names(folders, "two")) == 10
    assert folders.progress() == {}


def test_changed_layout_is_shown_as_before(drive: PlacedDrive, folders: TopFolders) -> None:
    """Its former version stays, and true, until the new one is complete; also through a second change."""
    change(folders, layout("one", "old {PatientID}"))
    drive.store.place_next()
    drive.add("Q")
    assert names(folders, "one") == [*IDS, "Q"]
    assert folders.progress()["one"][1]
    change(folders, layout("one", "new {PatientID}"))
    drive.add("R")
    assert names(folders, "one") == [*IDS, "Q", "R"]
    drive.now += 100
    finish(drive, folders)
    assert names(folders, "one") == [f"new {one}" for one in [*IDS, "Q", "R"]]
    drive.now += 100
    finish(drive, folders)
    assert len(drive.store.layouts.progress) == 1


def test_changed_back(drive: PlacedDrive, folders: TopFolders) -> None:
    """A layout that is changed back while its new version is being placed is complete at once."""
    change(folders, layout("one", "old {PatientID}"))
    drive.store.place_next()
    drive.now += 100
    change(folders, ONE)
    drive.add("Q")
    assert names(folders, "one") == [*IDS, "Q"]
    assert folders.progress() == {}


@pytest.mark.parametrize("changes", [{"where": SOME}, {"anonymised": HashKey(b"k" * 32)}])
def test_what_may_be_hidden_is_not_shown_any_more(
    drive: PlacedDrive, folders: TopFolders, changes: dict[str, Any]
) -> None:
    """A layout that is restricted shows nothing of its former version, from the reload on."""
    change(folders, layout("one", "{StudyID}", **changes))
    assert names(folders, "one") == [PLACEHOLDER]
    finish(drive, folders)
    assert PLACEHOLDER not in names(folders, "one")


def test_exchanged_titles(drive: PlacedDrive, folders: TopFolders) -> None:
    """Two layouts that exchange their titles exchange their folders at once."""
    change(folders, ONE, TWO)
    finish(drive, folders)
    before = names(folders, "two")
    change(folders, replace(ONE, title="two"), replace(TWO, title="one"))
    assert names(folders, "two") == IDS
    assert names(folders, "one") == before


def test_readme_names_what_is_not_complete(drive: PlacedDrive, folders: TopFolders) -> None:
    """README.txt says of each layout how far it is, and that the others are complete."""
    readme = Readme({}, allow_upload=False, allow_delete=False, progress=lambda: None, placing=folders.progress)
    assert "The folders are complete and up to date." in readme.text()
    change(folders, layout("one", "old {PatientID}"), TWO)
    text = readme.text()
    assert "one/ is shown as it was before it was changed, for its new version is being prepared: 0 %" in text
    assert "two/ is not shown yet, for" in text
    assert "All other folders are complete and up to date." in text
    finish(drive, folders)
    assert "The folders are complete and up to date." in readme.text()
