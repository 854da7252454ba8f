"""The root of the drive: what each of its areas can do."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from davfs.entry import Content, Entry, EntryKind, Path
from davfs.errors import Forbidden, NotFound, ParentMissing, PathError
from davfs.filesystem.area import AcceptsUploads, Area, HasQuota, Movable, Writable
from davfs.filesystem.drive import Drive
from davfs.filesystem.inbox import Inbox
from davfs.filesystem.readme import Readme
from davfs.filesystem.swappable import Swappable
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import content
from tests.support.memory_orthanc import MemoryOrthanc

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox

SINCE = datetime(2024, 2, 29, tzinfo=UTC)
IMAGE = ("by-patient", "Doe", "1.dcm")


class Archive:
    """A layout with one patient: an area that can only be read."""

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        if path == ("Doe",):
            return Entry("Doe", EntryKind.FOLDER, SINCE)
        if path == ("Doe", "1.dcm"):
            return Entry("1.dcm", EntryKind.FILE, SINCE)
        raise NotFound(path, "nothing")

    def list(self, path: Path) -> list[Entry]:
        """See `Area`."""
        return [self.stat((*path, "Doe" if not path else "1.dcm"))]

    def read(self, path: Path) -> Content:
        """See `Area`."""
        raise NotFound(path, "nothing")


@pytest.fixture
def drive(inbox: Inbox) -> Drive:
    """A drive with a layout and an inbox, in which there is a file and a folder."""
    inbox.write(("a",), b"text")
    inbox.make_folder(("d",))
    return make(inbox)


def make(inbox: Inbox) -> Drive:
    """Return a drive over an inbox."""
    readme = Readme({}, allow_upload=True, allow_delete=False, progress=lambda: None)
    return Drive({"by-patient": Archive(), "by-date": Archive(), "inbox": inbox}, readme, SINCE)


def test_it_can_do_what_one_of_its_areas_can(drive: Drive, inbox: Inbox) -> None:
    """The drive passes each call on to the area of the path's first segment."""
    with drive.receive(("inbox", "b"), 3) as upload:
        upload.write(b"new")
        assert upload.finish().size == 3
    drive.move(("inbox", "a"), ("inbox", "d", "a"), replace=False)
    drive.copy(("inbox", "d"), ("inbox", "e"), replace=False)
    drive.copy(("inbox", "d"), ("inbox", "f"), replace=False, deep=False)
    assert content(inbox, ("e", "a")) == b"text"
    assert list(inbox.list(("f",))) == []
    assert isinstance(drive, Writable)
    assert isinstance(drive, AcceptsUploads)
    assert isinstance(drive, Movable)


@pytest.mark.parametrize(
    ("error", "path"),
    [
        (Forbidden, ()),
        (Forbidden, ("README.txt",)),
        (Forbidden, ("new",)),
        (Forbidden, ("inbox",)),
        (Forbidden, ("by-patient",)),
        (Forbidden, ("by-patient", "new")),
        (Forbidden, IMAGE),
        (Forbidden, ("inbox", "rejected", "a")),
        (ParentMissing, ("x", "new")),
        (ParentMissing, ("README.txt", "new")),
        (ParentMissing, ("inbox", "x", "new")),
    ],
)
def test_a_body_is_asked_for_only_where_it_can_be_stored(drive: Drive, error: type[PathError], path: Path) -> None:
    """An upload is refused before its first byte."""
    with pytest.raises(PathError) as caught:
        drive.receive(path, 10)
    assert type(caught.value) is error


@pytest.mark.parametrize("act", [Drive.move, Drive.copy])
@pytest.mark.parametrize(
    ("error", "source", "target"),
    [
        (Forbidden, (), ("inbox", "b")),
        (Forbidden, ("inbox",), ("inbox", "b")),
        (Forbidden, ("by-patient",), ("inbox", "b")),
        (Forbidden, ("README.txt",), ("inbox", "b")),
        (NotFound, ("x",), ("inbox", "b")),
        (NotFound, ("x", "y"), ("inbox", "b")),
        (NotFound, ("inbox", "x"), ("inbox", "b")),
        (NotFound, ("by-patient", "x"), ("inbox", "b")),
        (Forbidden, ("inbox", "a"), ()),
        (Forbidden, ("inbox", "a"), ("inbox",)),
        (Forbidden, ("inbox", "a"), ("new",)),
        (Forbidden, ("inbox", "a"), ("by-patient", "b")),
        (ParentMissing, ("inbox", "a"), ("x", "b")),
        (Forbidden, IMAGE, ("inbox", "b")),
        (Forbidden, IMAGE, ("by-patient", "Doe", "2.dcm")),
        (Forbidden, IMAGE, ("by-date", "1.dcm")),
    ],
)
def test_what_cannot_be_moved_or_copied_is_an_error(
    drive: Drive, act: Callable[..., None], error: type[PathError], source: Path, target: Path
) -> None:
    """Each refusal has its error class, and changes nothing."""
    before = list(drive.list(("inbox",)))
    with pytest.raises(PathError) as caught:
        act(drive, source, target, replace=True)
    assert type(caught.value) is error
    assert list(drive.list(("inbox",))) == before


@pytest.mark.parametrize(
    ("act", "source", "target", "reason"),
    [
        (Drive.copy, IMAGE, ("inbox", "b"), "is in the archive"),
        (Drive.move, IMAGE, ("inbox", "b"), "disk of your own"),
        (Drive.move, ("inbox", "a"), ("by-patient", "b"), "DICOM goes into inbox/"),
        (Drive.copy, IMAGE, ("by-date", "b"), "made from its images"),
    ],
)
def test_a_refusal_says_what_is_possible(
    drive: Drive, act: Callable[..., None], source: Path, target: Path, reason: str
) -> None:
    """Each direction between two areas has a reason of its own."""
    with pytest.raises(Forbidden, match=reason):
        act(drive, source, target, replace=True)


def test_it_tells_where_files_can_be_written(drive: Drive, orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> None:
    """Files can be written into the inbox if uploads are allowed, and into no folder of the drive itself."""
    takes = [path for path in ((), ("inbox",), ("inbox", "d"), ("by-patient",), ("x",)) if drive.takes_files(path)]
    assert takes == [("inbox",), ("inbox", "d")]
    assert not drive.takes_files(("inbox", "rejected"))
    readonly = make(Inbox(orthanc, spool, lanes, Importer(orthanc), allow_upload=False))
    assert not readonly.takes_files(("inbox",))


def test_it_tells_how_much_room_there_is(drive: Drive, inbox: Inbox) -> None:
    """The inbox has a quota, which is that of the root too; the archive, which cannot be written, has none."""
    assert isinstance(inbox, HasQuota)
    assert drive.quota(()) == drive.quota(("inbox",)) == drive.quota(("inbox", "d", "x")) == inbox.quota()
    for path in (("by-patient",), IMAGE, ("README.txt",), ("x",)):
        assert drive.quota(path) is None


def test_areas_are_exchanged_while_it_runs(inbox: Inbox) -> None:
    """After a swap, all calls go to the new areas, including uploads."""
    areas = Swappable[Area]({"by-patient": Archive(), "inbox": Archive()})
    drive = Drive(areas, Readme({}, allow_upload=True, allow_delete=False, progress=lambda: None), SINCE)
    assert not drive.takes_files(("inbox",))
    assert drive.quota(("inbox",)) is None
    areas.swap({"by-date": Archive(), "inbox": inbox})
    assert [entry.name for entry in drive.list(())] == ["README.txt", "by-date", "inbox"]
    assert drive.stat(("by-date", "Doe")).name == "Doe"
    with pytest.raises(NotFound):
        drive.stat(("by-patient",))
    assert drive.takes_files(("inbox",))
    assert drive.quota(("inbox",)) == inbox.quota()
    with drive.receive(("inbox", "b"), 3) as upload:
        upload.write(b"new")
        upload.finish()
    assert content(inbox, ("b",)) == b"new"


def test_a_drive_that_is_read_only(inbox: Inbox) -> None:
    """All changes are refused with the reason, and no folder accepts files."""
    readme = Readme({}, allow_upload=False, allow_delete=False, progress=lambda: None)
    drive = Drive({"by-patient": Archive(), "inbox": inbox}, readme, SINCE, read_only="the reason")
    attempts: list[Callable[[], object]] = [
        lambda: drive.write(("inbox", "a"), b"text"),
        lambda: drive.receive(("inbox", "a")),
        lambda: drive.make_folder(("inbox", "d")),
        lambda: drive.delete(IMAGE),
        lambda: drive.move(("inbox", "a"), ("inbox", "b"), replace=True),
        lambda: drive.copy(("inbox", "a"), ("inbox", "b"), replace=True),
    ]
    for attempt in attempts:
        with pytest.raises(Forbidden, match="the reason"):
            attempt()
    assert drive.is_read_only
    assert not drive.takes_files(("inbox",))
    assert [entry.name for entry in drive.list(("by-patient",))] == ["Doe"]
