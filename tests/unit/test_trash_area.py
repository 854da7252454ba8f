"""trash/ as an area of the drive, over an Orthanc in memory: names, trees by layouts, and who sees what."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Semaphore

import pytest

from davfs.derived.files import DerivedFiles
from davfs.entry import read_all
from davfs.errors import IsAFolder, NotAFolder, NotFound, Unavailable
from davfs.filesystem.trash.area import TEXT, TrashArea
from davfs.filesystem.trash.entry_trees import EntryTrees
from davfs.filesystem.trash.joining import DeletedFolder
from davfs.filesystem.trash.refresh import TrashRefresh
from davfs.filesystem.trash.retention import Retention
from davfs.layout import HashKey, Layout, load_text
from davfs.orthanc import Level, OrthancId
from davfs.trash.known_marks import KnownMarks
from davfs.trash.mark import EntryId, StudyMark
from tests.support.clocks import Clock
from tests.support.trash import ANN, BOB, TrashBin

BY_NAME = """
title = "all"
[[level]]
patient = "{PatientName}"
files = ["all.zip"]
[[level]]
study = "{StudyDescription}"
[[level]]
group = "{Modality}"
[[level]]
series = "{SeriesDescription}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
ANONYMISED = """
title = "research"
anonymised = true
[[level]]
patient = "Subject {PatientID:hash}"
[[level]]
study = "{StudyDescription:hash}"
[[level]]
instance = "{InstanceNumber}.dcm"
"""
KEY = HashKey(b"0123456789abcdef")


@dataclass
class Shown:
    """A trash, and its area."""

    folder: Path
    texts: tuple[str, ...] = (BY_NAME,)
    bin: TrashBin = field(default_factory=TrashBin)
    refreshed: int = 0

    def __post_init__(self) -> None:
        orthanc = self.bin.orthanc
        self.layouts = [load_text(text, "test.toml", key=KEY) for text in self.texts]
        self.trees = EntryTrees(
            orthanc, orthanc, DerivedFiles(orthanc), self.current_layouts, self.bin.trash.images, self.folder
        )
        self.area = TrashArea(
            self.bin.trash, self.trees, self.current_layouts, self.refresh, lambda act: act(), datetime.now(UTC)
        )

    def current_layouts(self) -> list[Layout]:
        """Return the layouts."""
        return self.layouts

    def refresh(self) -> None:
        """Count."""
        self.refreshed += 1

    def names(self, *path: str) -> list[str]:
        """Return the names in a folder."""
        return sorted(entry.name for entry in self.area.list(path))

    def walk(self, *path: str) -> dict[tuple[str, ...], str]:
        """Return all files below a folder, but the texts, with the ids of their instances."""
        found = dict[tuple[str, ...], str]()
        for entry in self.area.list(path):
            if entry.is_folder:
                found |= self.walk(*path, entry.name)
            elif entry.name != TEXT:
                found[*path, entry.name] = entry.resource
        return found

    def text(self, name: str) -> str:
        """Return a text."""
        with self.area.read((name, TEXT)) as content:
            return bytes(read_all(content)).decode()


MakeArea = Callable[..., Shown]


@pytest.fixture
def area(tmp_path: Path) -> Iterator[MakeArea]:
    """Make an area with layouts."""
    made: list[Shown] = []

    def make(*texts: str) -> Shown:
        made.append(Shown(tmp_path, texts or (BY_NAME,)))
        return made[-1]

    yield make
    for each in made:
        each.area.close()
    assert list(tmp_path.iterdir()) == []


def test_names_and_trees(area: MakeArea) -> None:
    """Entries are named by when and what, and have the tree of their layout, with groups, and without extra files."""
    shown = area()
    one, two = shown.bin.store("p"), shown.bin.store("p", 1, 2)
    shown.bin.delete(("Doe p",), one, two)
    local = shown.bin.time.astimezone().strftime("%Y-%m-%d %Hh%M")
    name = f"{local} Doe p"
    assert shown.names() == [name]
    assert shown.walk() == {
        (name, "Study 1", "CT", "Series 1", "1.dcm"): one,
        (name, "Study 1", "CT", "Series 2", "1.dcm"): two,
    }
    assert shown.names(name) == ["Study 1", TEXT]
    assert shown.area.stat((name,)).is_folder
    assert "By:        ann\nFrom:      192.0.2.1\nThrough:   the drive's own port\n" in shown.text(name)
    for wrong in ((name, TEXT, "x"), (name, "no"), ("no",), (name, "Study 1", "all.zip")):
        with pytest.raises(NotFound):
            shown.area.stat(wrong)
    with pytest.raises(NotAFolder):
        shown.area.list((name, TEXT))
    for folder in ((), (name,)):
        with pytest.raises(IsAFolder):
            shown.area.read(folder)


def test_a_file_is_in_its_folder(area: MakeArea) -> None:
    """The entry of one file has that file, and not the others of its series."""
    shown = area()
    one, _ = shown.bin.store("p"), shown.bin.store("p", 1, 1, 2)
    shown.bin.delete(("Doe p", "Study 1", "CT", "Series 1", "1.dcm"), one)
    (name,) = shown.names()
    assert shown.walk() == {(name, "1.dcm"): one}
    assert shown.area.restore((name, "1.dcm"))[1] == ("all", "Doe p", "Study 1", "CT", "Series 1", "1.dcm")
    assert shown.names() == []


def test_same_names(area: MakeArea) -> None:
    """Entries of the same minute and folder each have a suffix."""
    shown = area()
    one, two = shown.bin.store("p"), shown.bin.store("p", 2)
    shown.bin.delete(("Doe p",), one)
    shown.bin.delete(("Doe p",), two, by=BOB)
    names = shown.names()
    assert len(names) == 2
    assert all(" ~" in name for name in names)
    shown.bin.orthanc.delete(Level.STUDY, shown.bin.orthanc.studies_of([two])[0])
    assert len(shown.names()) == 1
    assert set(shown.walk().values()) == {one}


def test_a_layout_that_is_gone(area: MakeArea) -> None:
    """An entry of another layout, or one whose folders have other names by now, is shown from the top."""
    shown = area()
    one = shown.bin.store("p")
    shown.bin.delete(("Somebody", "Else"), one)
    (name,) = shown.names()
    assert shown.walk() == {(name, "Doe p", "Study 1", "CT", "Series 1", "1.dcm"): one}
    shown.layouts = [load_text(BY_NAME.replace('"all"', '"other"'), "test.toml")]
    assert shown.walk() == {(name, "Doe p", "Study 1", "CT", "Series 1", "1.dcm"): one}


def test_anonymised_drives(area: MakeArea) -> None:
    """A drive with anonymised layouts alone shows what was deleted in these, under pseudonyms."""
    shown = area(ANONYMISED)
    shown.bin.delete(("Doe p",), shown.bin.store("p"))
    assert shown.names() == []
    assert shown.area.find(EntryId(shown.bin.only().id)) is None
    with pytest.raises(NotFound):
        shown.area.stat((f"{shown.bin.time.astimezone():%Y-%m-%d %Hh%M} Doe p",))
    mixed = Shown(shown.folder, (ANONYMISED, BY_NAME), shown.bin)
    assert len(mixed.names()) == 1
    mixed.area.close()


def test_deleting_one_by_one(area: MakeArea) -> None:
    """A client that deletes all that is in an entry finds each folder gone, and may delete it all the same."""
    shown = area()
    shown.bin.delete(("Doe p",), shown.bin.store("p"), shown.bin.store("p", 1, 1, 2))
    (name,) = shown.names()
    assert shown.area.delete((name, TEXT)) == ""
    assert shown.names(name) == ["Study 1"]
    with pytest.raises(NotFound):
        shown.area.read((name, TEXT))
    for path in [*shown.walk()]:
        assert shown.area.delete(path) != ""
    for depth in (4, 3, 2, 1):
        assert shown.area.delete((name, "Study 1", "CT", "Series 1")[:depth]) == ""
    assert shown.bin.orthanc.ids(Level.INSTANCE) == []
    with pytest.raises(NotFound):
        shown.area.delete(("no",))


def test_images_that_are_gone(area: MakeArea) -> None:
    """What Orthanc was asked to delete is not shown; an entry without images has its text alone, and can be deleted."""
    shown = area()
    one, two = shown.bin.store("p"), shown.bin.store("p", 1, 2)
    shown.bin.store("p", 1, 1, 2)
    shown.bin.delete(("Doe p",), one, two)
    (name,) = shown.names()
    assert len(shown.walk()) == 2
    shown.bin.orthanc.delete(Level.INSTANCE, one)
    assert list(shown.walk().values()) == [two]
    shown.bin.orthanc.delete(Level.INSTANCE, two)
    assert shown.names(name) == [TEXT]
    shown.area.delete((name,))
    assert shown.names() == []


def test_hostile_marks(area: MakeArea) -> None:
    """Names, times and texts of a mark that somebody else has written do no harm."""
    shown = area()
    evil = "../a\nBy: you\u202e/<script>"
    one = shown.bin.store("p")
    shown.bin.time = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    shown.bin.delete((evil, evil), one)
    (name,) = shown.names()
    assert "/" not in name
    assert "\n" not in name
    assert shown.text(name).count("\n") == 10
    assert set(shown.walk().values()) == {one}


def test_an_entry_that_shrinks_and_grows(area: MakeArea) -> None:
    """An image that left the entry, while its tree was shown, and is there again, is shown again."""
    shown = area()
    one, two = shown.bin.store("p"), shown.bin.store("p", 2)
    shown.bin.delete(("Doe p",), one, two)
    entry = shown.bin.only()
    taken = shown.bin.trash.images(entry).by_study
    assert len(shown.walk()) == 2
    shown.bin.trash.restore(entry, shown.bin.images(one))
    assert list(shown.walk().values()) == [two]
    (study,) = shown.bin.orthanc.studies_of([one])
    shown.bin.marks.change(study, lambda _: StudyMark((replace(entry.deletions[study], instances=taken[study]),)))
    assert set(shown.walk().values()) == {one, two}


def test_trees_are_bounded(area: MakeArea) -> None:
    """Only some indices are kept; an entry that grows gets a new one, and one that is in use stays open."""
    shown = area()
    for number in range(20):
        shown.bin.delete((f"Doe {number}",), shown.bin.store(str(number)))
    names = shown.names()
    for name in names:
        assert len(shown.walk(name)) == 1
    assert len(list(shown.folder.iterdir())) <= 16
    entry = shown.area.named()[names[0]]
    with shown.trees.open(entry) as tree:
        shown.bin.delete(entry.path, shown.bin.store(entry.path[0].removeprefix("Doe "), 2))
        assert len(shown.walk(names[0])) == 2
        assert list(tree.tree.list(entry.path))
    assert len(shown.walk(names[0])) == 2


def test_refreshing() -> None:
    """While not all marks are known, those of a small archive are read; a large one is asked for patience."""
    looked: list[str] = []

    class Known:
        is_complete = False

        def of(self, studies: list[OrthancId]) -> None:
            looked.append(f"read {len(studies)}")

    class Archive:
        def __init__(self, count: int) -> None:
            self.count = count

        def ids(self, _level: Level) -> list[OrthancId]:
            return [OrthancId(str(number)) for number in range(self.count)]

    known = Known()
    few = TrashRefresh(lambda: looked.append("log"), known, Archive(3), looked.append)  # type: ignore[arg-type]  # parts
    few()
    assert looked == ["log", "read 3"]
    many = TrashRefresh(lambda: None, known, Archive(9999), lambda _seconds: None)  # type: ignore[arg-type]  # parts
    with pytest.raises(Unavailable):
        many()
    known.is_complete = True
    many()
    assert isinstance(KnownMarks.is_complete, property)


def test_retention_in_the_background() -> None:
    """The thread deletes for good what is too old, also after Orthanc did not answer at first."""
    bin_ = TrashBin(retention=timedelta(days=1))
    one = bin_.store("p")
    bin_.delete(("P",), one)
    bin_.time += timedelta(days=2)
    failures = [Unavailable("no"), Unavailable("no")]

    def refresh() -> None:
        if failures:
            raise failures.pop()

    retention = Retention(bin_.trash, refresh, pause=0.01, first=0.01)
    retention.start()
    for _ in range(500):
        if not bin_.orthanc.exists(Level.INSTANCE, one):
            break
        retention._stopping.wait(0.01)
    assert retention.stop(10)
    assert not bin_.orthanc.exists(Level.INSTANCE, one)
    assert ANN.user == "ann"


def test_nothing_expires_after_the_clock_was_put_forward(caplog: pytest.LogCaptureFixture) -> None:
    """For a day after that, the thread deletes nothing for good: the clock may be wrong, and people have to see it."""
    bin_ = TrashBin(retention=timedelta(days=30))
    one = bin_.store("p")
    bin_.delete(("P",), one)
    ahead, passed, looks = Clock(), Clock(), Semaphore(0)
    clocks = (lambda: ahead() + passed(), passed)
    retention = Retention(bin_.trash, looks.release, pause=0.01, first=0.01, clocks=clocks)
    bin_.time += timedelta(days=31)
    ahead.now += 31 * 86_400
    retention.start()
    for _ in range(3):
        assert looks.acquire(timeout=10)
    assert bin_.orthanc.exists(Level.INSTANCE, one)
    assert caplog.text.count("put forward by 744.0 hours") == 1
    passed.now += 86_401
    for _ in range(3):
        assert looks.acquire(timeout=10)
    assert retention.stop(10)
    assert not bin_.orthanc.exists(Level.INSTANCE, one)


def test_images_that_come_while_they_are_deleted_for_good(tmp_path: Path) -> None:
    """An image that is sent again at this moment stays, and the others are deleted all the same."""
    shown = Shown(tmp_path)
    orthanc, marks = shown.bin.orthanc, shown.bin.marks
    one, two = shown.bin.store("p"), shown.bin.store("p", number=2)
    (study,) = orthanc.studies_of([one])
    folder = DeletedFolder("by-name", ("Doe p (p)",), 1)
    shown.bin.trash.add(folder, shown.bin.images(one, two), ANN, orthanc.last_change())
    deletes = orthanc.delete_instances

    def deletes_late(instances: Sequence[OrthancId]) -> None:
        orthanc.delete_instances = deletes  # type: ignore[method-assign]
        deletes(instances)
        shown.bin.store("p")
        raise Unavailable("instances were not deleted")

    def refresh() -> None:
        if orthanc.delete_instances == deletes and one in orthanc.files:
            marks.change(study, lambda mark: mark.without_arrived({one: orthanc.last_change()}))

    orthanc.delete_instances = deletes_late  # type: ignore[method-assign]
    shown.area._refresh = refresh
    assert shown.area.purge_entry(shown.bin.only()) == [study]
    assert orthanc.files.keys() == {one}
    assert marks.read(study) is None
