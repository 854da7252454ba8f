"""Groups, conditions and dates of layouts, over an Orthanc in memory."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import pytest

from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import LayoutPlacer
from davfs.catalog.store import Store
from davfs.catalog.upkeep import Upkeep
from davfs.entry import Entry
from davfs.errors import Forbidden, NotFound
from davfs.events import Event, Happening
from davfs.filesystem.tree import Tree
from davfs.layout import load_text
from davfs.orthanc import Level, OrthancId
from tests.support import dicom
from tests.support.catalog import CountingOrthanc

FILES = """
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
BY_MODALITY = f"""
title = "all"
[[level]]
group = "{{ModalitiesInStudy}}"
[[level]]
study = "{{PatientName}} {{StudyDescription}}"
{FILES}
"""
BY_DATE = f"""
title = "all"
[[level]]
group = "{{StudyDate:%Y}}"
[[level]]
group = "{{StudyDate:%Y-%m}}"
[[level]]
study = "{{PatientName}}"
{FILES}
"""
PATIENTS_WITH_CT = f"""
title = "all"
[where]
Modality = "CT"
[[level]]
patient = "{{PatientName}}"
[[level]]
study = "{{StudyDescription}}"
{FILES}
"""
RECENT = f"""
title = "all"
[where]
StudyDate = "last 30 days"
[[level]]
study = "{{PatientName}}"
{FILES}
"""
BY_LABEL = f"""
title = "all"
[[level]]
group = "{{Labels|unlabelled}}"
[[level]]
study = "{{PatientName}}"
{FILES}
"""
LEAP_DAY = date(2024, 2, 29)


@dataclass
class Shown:
    """An archive, and a layout over it."""

    folder: Path
    text: str
    orthanc: CountingOrthanc = field(default_factory=CountingOrthanc)
    day: date = LEAP_DAY
    store: Store = field(init=False)
    catalog: Catalog = field(init=False)
    tree: Tree = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(self.folder / "catalog.sqlite", self.placer(self.text))
        self.catalog = Catalog(self.orthanc, self.store, InstanceCache())
        self.tree = self.tree_of(self.text)

    def placer(self, *texts: str) -> LayoutPlacer:
        """Return what places by these layouts."""
        return LayoutPlacer([load_text(text, "test.toml") for text in texts], lambda: self.day)

    def tree_of(self, text: str) -> Tree:
        """Return a tree over the same catalog."""
        layout = load_text(text, "test.toml")
        return Tree(layout, self.catalog, self.orthanc, lambda act: act(), datetime(2024, 1, 1, tzinfo=UTC))

    def add(self, patient: str, study: int = 1, series: int = 1, number: int = 1, **tags: Any) -> Self:
        """Give a file to Orthanc."""
        self.orthanc.store(dicom.instance(patient, study, series, number, tags=tags))
        return self

    def entries(self, *path: str) -> dict[str, Entry]:
        """Return what is in a folder, by name."""
        return {entry.name: entry for entry in self.tree.list(path)}

    def names(self, *path: str) -> list[str]:
        """Return the names in a folder."""
        return sorted(self.entries(*path))

    def walk(self, *path: str) -> dict[tuple[str, ...], str]:
        """Return all paths below a folder, and Orthanc's ids of what is there."""
        found = {}
        for name, entry in self.entries(*path).items():
            found[*path, name] = entry.resource
            found |= self.walk(*path, name) if entry.is_folder else {}
        return found

    def deleted(self, level: Level, resource: str) -> None:
        """Delete something, and let Orthanc's event come."""
        self.orthanc.delete(level, OrthancId(resource))
        self.catalog.deleted([OrthancId(resource)])


Show = Callable[[str], Shown]


@pytest.fixture
def show(tmp_path: Path) -> Iterator[Show]:
    """Make a layout over an empty archive."""
    made: list[Shown] = []

    def shown(text: str) -> Shown:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Shown(folder, text))
        return made[-1]

    yield shown
    for one in made:
        one.store.close()


def study_id(patient: str, study: int = 1) -> OrthancId:
    """Return the id of a study."""
    return OrthancId(dicom.orthanc_id(patient, dicom.uid(patient, study)))


def test_study_in_several_groups(show: Show) -> None:
    """A study is in the folder of each of its modalities, and all its series are below it there."""
    shown = show(BY_MODALITY).add("a", series=1, Modality="CT").add("a", series=2, Modality="PT").add("b")
    assert shown.names() == ["CT", "PT"]
    assert (shown.names("CT"), shown.names("PT")) == (["Doe a Study 1", "Doe b Study 1"], ["Doe a Study 1"])
    assert shown.names("PT", "Doe a Study 1") == ["Series 1", "Series 2"]
    assert shown.tree.stat(("PT", "Doe a Study 1")).resource == study_id("a")
    assert shown.tree.stat(("PT", "Doe a Study 1", "Series 1", "1.dcm")).size


def test_groups_follow_the_series(show: Show) -> None:
    """A series that comes or goes moves its study, and the folder of a group goes with the last that is in it."""
    shown = show(BY_MODALITY).add("a", series=1, Modality="CT")
    assert shown.names() == ["CT"]
    shown.add("a", series=2, Modality="PT")
    assert shown.names() == ["CT", "PT"]
    shown.deleted(Level.SERIES, dicom.ids(dicom.instance("a", series=2)).series)
    assert shown.names() == ["CT"]
    for use in (shown.tree.stat, shown.tree.list):
        with pytest.raises(NotFound):
            use(("PT",))


def test_values_that_differ_in_case_share_a_folder(show: Show) -> None:
    """It has one name whatever came first, and is found under each spelling, for as long as there is that spelling."""
    for order in itertools.permutations([("a", "CT"), ("b", "ct"), ("c", "Ct")]):
        shown = show(BY_MODALITY)
        for patient, modality in order:
            shown.add(patient, Modality=modality)
        assert shown.names() == ["CT"]
        assert shown.names("ct") == shown.names("Ct") == ["Doe a Study 1", "Doe b Study 1", "Doe c Study 1"]
        shown.deleted(Level.STUDY, study_id("a"))
        assert shown.names() == ["Ct"]
        with pytest.raises(NotFound):
            shown.tree.stat(("CT",))


def test_groups_cannot_be_deleted(show: Show) -> None:
    """To delete a group is refused, what is in it can be deleted."""
    shown = show(BY_DATE).add("a")
    with pytest.raises(Forbidden, match="groups"):
        shown.tree.delete(("2024",))
    assert shown.tree.delete(("2024", "2024-02", "Doe a")) == study_id("a")
    assert shown.names() == []
    assert shown.orthanc.files == {}


def test_group_that_is_empty_in_orthanc(show: Show) -> None:
    """What another process deleted leads to nothing at once where somebody looks, and is noticed by counting."""
    shown = show(BY_DATE).add("a").add("b", StudyDate="20230101")
    assert shown.names() == ["2023", "2024"]
    assert not shown.catalog.differs()
    shown.orthanc.delete(Level.STUDY, study_id("b"))
    assert shown.catalog.differs()
    with pytest.raises(NotFound):
        shown.tree.stat(("2023", "2023-01", "Doe b"))
    assert shown.names() == ["2024"]


def test_event_that_crosses_with_a_return(show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study that comes again just after it was found to be missing, and is listed, stays in its groups."""
    shown = show(BY_DATE).add("a")
    assert shown.names() == ["2024"]
    shown.orthanc.delete(Level.STUDY, study_id("a"))
    existing = shown.orthanc.existing

    def crossing(ids: Sequence[OrthancId]) -> set[OrthancId]:
        found = existing(ids)
        shown.add("a")
        assert shown.names("2024", "2024-02") == ["Doe a"]
        return found

    monkeypatch.setattr(shown.orthanc, "existing", crossing)
    shown.catalog.deleted([study_id("a")])
    assert shown.names("2024", "2024-02") == ["Doe a"]


def test_groups_below_a_patient(show: Show) -> None:
    """Groups between a patient and the studies are compared with Orthanc's own list of them."""
    text = BY_DATE.replace('[[level]]\ngroup = "{StudyDate:%Y}"', '[[level]]\npatient = "{PatientName}"', 1)
    shown = show(text.replace('study = "{PatientName}"', 'study = "{StudyDescription}"'))
    shown.add("a").add("a", 2, StudyDate="20230101").add("b")
    assert shown.names("Doe a") == ["2023-01", "2024-02"]
    shown.orthanc.delete(Level.STUDY, study_id("a", 2))
    assert shown.names("Doe a") == ["2024-02"]
    assert shown.names("Doe a", "2024-02") == ["Study 1"]


def test_files_right_below_groups(show: Show) -> None:
    """Groups right above the files hold those of the series that have the value."""
    text = 'title = "all"\n[[level]]\nstudy = "{PatientName}"\n[[level]]\ngroup = "{Modality}"\n'
    shown = show(f'{text}[[level]]\ninstance = "{{SeriesNumber}} {{InstanceNumber}}.dcm"')
    shown.add("a", series=1).add("a", series=2).add("a", series=3, Modality="PT")
    assert shown.names("Doe a") == ["CT", "PT"]
    assert shown.names("Doe a", "CT") == ["1 1.dcm", "2 1.dcm"]
    shown.add("a", series=1, number=2)
    assert shown.names("Doe a", "CT") == ["1 1.dcm", "1 2.dcm", "2 1.dcm"]
    shown.deleted(Level.SERIES, dicom.ids(dicom.instance("a", series=2)).series)
    assert shown.names("Doe a", "CT") == ["1 1.dcm", "1 2.dcm"]
    assert shown.tree.stat(("Doe a", "PT", "3 1.dcm")).size


def test_combinations_are_bounded(show: Show) -> None:
    """A study with many values at several levels is in a limited number of folders; no group is empty for that."""
    group = '[[level]]\ngroup = "{OtherPatientIDs}"\n'
    shown = show(f'title = "all"\n{group * 3}[[level]]\nstudy = "{{PatientName}}"')
    shown.add("a", OtherPatientIDs="1")
    shown.orthanc.retag(OrthancId(dicom.orthanc_id("a")), {"OtherPatientIDs": "\\".join(map(str, range(40)))})
    assert sum(bool(resource) for resource in shown.walk().values()) == 256


def test_conditions_on_series(show: Show) -> None:
    """A patient appears with the first study that matches, and goes with the last; a second look asks for nothing."""
    shown = show(PATIENTS_WITH_CT).add("a", Modality="MR").add("b", Modality="CT").add("b", 2, Modality="MR")
    assert shown.names() == ["Doe b"]
    assert shown.names("Doe b") == ["Study 1"]
    with pytest.raises(NotFound):
        shown.tree.stat(("Doe a",))
    shown.orthanc.asked = 0
    assert shown.names() == ["Doe b"]
    assert shown.orthanc.asked == 0
    shown.add("a", series=2, Modality="CT")
    assert shown.names() == ["Doe a", "Doe b"]
    assert shown.names("Doe a", "Study 1") == ["Series 1", "Series 2"]
    shown.orthanc.delete(Level.STUDY, study_id("b"))
    assert shown.names("Doe a") == ["Study 1"]
    shown.catalog.deleted([study_id("b")])
    assert shown.names() == ["Doe a"]


def test_conditions_hold_where_studies_are_left_out(show: Show) -> None:
    """Series and files right below a patient are those of the studies that match."""
    where = 'title = "all"\n[where]\nStudyDescription = "Study 1"\n[[level]]\npatient = "{PatientName}"\n'
    series, files = show(f"{where}{FILES}"), show(f'{where}[[level]]\ninstance = "{{StudyID}}-{{InstanceNumber}}.dcm"')
    for shown in (series, files):
        shown.add("a").add("a", 2).add("b", 2)
        assert shown.names() == ["Doe a"]
    assert series.names("Doe a") == ["Series 1"]
    assert files.names("Doe a") == ["1-1.dcm"]
    assert files.tree.stat(("Doe a", "1-1.dcm")).size
    with pytest.raises(NotFound):
        files.tree.stat(("Doe a", "2-1.dcm"))


def test_relative_dates(show: Show) -> None:
    """A new day moves what goes by it, at the first request, without a question to Orthanc; also over a restart."""
    shown = show(RECENT).add("a").add("b", StudyDate="20240320")
    assert shown.names() == ["Doe a"]
    shown.orthanc.asked = 0
    shown.day = LEAP_DAY + timedelta(days=25)
    assert shown.names() == ["Doe a", "Doe b"]
    shown.day = LEAP_DAY + timedelta(days=40)
    assert shown.names() == ["Doe b"]
    shown.store.close()
    shown.day = LEAP_DAY + timedelta(days=80)
    shown.__post_init__()
    assert shown.names() == []
    assert shown.orthanc.asked == 0


def test_changed_layout_places_only_itself(show: Show) -> None:
    """Layouts come and go while others stay; Orthanc is asked for nothing, and what went leaves nothing behind."""
    shown = show(BY_DATE).add("a").add("b", Modality="MR")
    shown.names()
    shown.orthanc.asked = 0
    placed: list[str] = []
    placer = shown.placer(BY_DATE, BY_MODALITY)
    place = placer.place
    placer.place = lambda plan, chain: placed.append(plan.key) or place(plan, chain)  # type: ignore[method-assign, func-returns-value]  # counts
    shown.store.place_by(placer)
    assert set(placed) == {placer.plans[1].key}
    by_date, shown.tree = shown.tree, shown.tree_of(BY_MODALITY)
    assert shown.names() == ["CT", "MR"]
    assert [entry.name for entry in by_date.list(())] == ["2024"]
    shown.store.place_by(shown.placer(BY_MODALITY))
    assert [entry.name for entry in by_date.list(())] == ["2024"]
    shown.store.tidy()
    assert list(by_date.list(())) == []
    shown.add("c", StudyDate="20200101", Modality="PT")
    assert shown.names() == ["CT", "MR", "PT"]
    shown.store.place_by(shown.placer(BY_DATE))
    shown.tree = by_date
    assert shown.names() == ["2020", "2024"]
    assert shown.orthanc.asked == 3  # the new patient, study and series


def test_dates_of_reception(show: Show) -> None:
    """The folder of a group shows the latest change of what is in it."""
    shown = show(BY_DATE).add("a").add("b")
    first = max(entry.modified for entry in shown.entries("2024", "2024-02").values())
    assert shown.entries()["2024"].modified == first
    later = first + timedelta(hours=1)
    shown.orthanc.date(study_id("a"), later)
    assert shown.entries("2024", "2024-02")["Doe a"].modified == later
    assert shown.entries()["2024"].modified == shown.entries("2024")["2024-02"].modified == later
    shown.deleted(Level.STUDY, study_id("a"))
    assert shown.entries()["2024"].modified == first


def test_dates_of_acquisition(show: Show) -> None:
    """Folders and files show when the images were made, as far as the tags tell it; otherwise their reception."""
    shown = show(BY_DATE.replace("[[level]]", 'dates = "acquisition"\n[[level]]', 1))
    shown.add("a", StudyDate="20240210", StudyTime="101112").add("b", StudyDate="20240211", StudyTime=None)
    shown.add("a", series=2, SeriesDate="20240212", SeriesTime="0830").add("c", StudyDate=None)
    studies = shown.entries("2024", "2024-02")
    assert studies["Doe a"].modified == datetime(2024, 2, 10, 10, 11, 12).astimezone(UTC)
    assert studies["Doe b"].modified == datetime(2024, 2, 11).astimezone(UTC)
    assert shown.entries()["2024"].modified == studies["Doe b"].modified
    series = shown.entries("2024", "2024-02", "Doe a")
    assert series["Series 1"].modified == studies["Doe a"].modified
    assert series["Series 2"].modified == datetime(2024, 2, 12, 8, 30).astimezone(UTC)
    (file,) = shown.entries("2024", "2024-02", "Doe a", "Series 2").values()
    assert file.modified == series["Series 2"].modified
    assert shown.tree.stat(("2024", "2024-02", "Doe a", "Series 2", "1.dcm")).modified == file.modified
    assert shown.entries()["unknown"].modified.year > 2024


def test_labels(show: Show) -> None:
    """Labels are read again, a part of the archive at a time; those of a patient are those of the studies too."""
    shown = show(BY_LABEL).add("a").add("b")
    assert shown.names() == ["unlabelled"]
    shown.orthanc.label(study_id("a"), "teaching", "cardiac")
    shown.orthanc.label(OrthancId(dicom.orthanc_id("b")), "teaching")
    events = [Happening(Event.STARTED, "")]
    upkeep = Upkeep(lambda _: events.pop() if events else None)
    upkeep.reconcile_soon()
    for _ in range(2):
        upkeep._step(shown.catalog)
    assert shown.names() == ["cardiac", "teaching"]
    assert shown.names("teaching") == ["Doe a", "Doe b"]
    shown.orthanc.label(study_id("a"))
    shown.catalog.read_labels()
    assert shown.names() == ["teaching", "unlabelled"]
    generation = shown.store.generation
    shown.catalog.read_labels()
    assert shown.store.generation == generation


def test_labels_are_not_read_for_nothing(show: Show) -> None:
    """Where no layout goes by labels, nothing is read again for their sake."""
    shown = show(BY_DATE).add("a")
    shown.names()
    shown.orthanc.asked = 0
    shown.catalog.read_labels()
    assert shown.orthanc.asked == 0


def test_emptied_log(show: Show) -> None:
    """What came just before the log of changes was emptied is in its group in the next listing."""
    for text in (BY_MODALITY, PATIENTS_WITH_CT):
        shown = show(text).add("a")
        assert len(shown.walk()) == 4
        shown.add("b").add("c")
        shown.orthanc.log.clear()
        shown.add("d", Modality="MR")
        shown.orthanc.log.clear()
        assert len({resource for path, resource in shown.walk().items() if path[-1] == "1.dcm"}) >= 3


@pytest.mark.parametrize("text", [BY_MODALITY, BY_DATE, PATIENTS_WITH_CT, BY_LABEL])
def test_names_do_not_depend_on_order_or_process(show: Show, text: str) -> None:
    """Any order of arrival, a second process and a rebuilt catalog give the same names for the same resources."""
    contents = [
        dicom.instance("a", 1, 1, tags={"PatientName": "Doe", "Modality": "CT"}),
        dicom.instance("a", 1, 2, tags={"PatientName": "Doe", "Modality": "ct"}),
        dicom.instance("b", 1, 1, tags={"PatientName": "doe", "Modality": "MR"}),
        dicom.instance("c", 1, 1, tags={"PatientName": "DOE", "Modality": "Ct", "StudyDate": "20230101"}),
    ]
    seen = []
    for number, order in enumerate(itertools.permutations(contents)):
        shown = show(text)
        for content in order:
            shown.orthanc.store(content)
            if number % 2:
                shown.walk()
        seen.append(shown.walk())
    other = Shown(shown.folder.parent, text, shown.orthanc)
    with closing(other.store):
        seen.append(other.walk())
    assert all(one == seen[0] for one in seen)
    assert len(seen[0]) >= 10
