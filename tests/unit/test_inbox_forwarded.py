"""Tests of uploads to an Orthanc that forwards images and deletes them: they are a success."""

import pytest

from davfs.errors import NotFound
from davfs.filesystem.forwarded import LISTED_SECONDS, REMEMBERED_SECONDS, ForwardedImages
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.orthanc import Level
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import CT, MR, content, names
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.spool import Clock

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes = inboxes.orthanc, inboxes.spool, inboxes.lanes


@pytest.fixture
def clock() -> Clock:
    """A clock that shows the time."""
    return Clock()


@pytest.fixture(params=[True, False])
def expected(request: pytest.FixtureRequest) -> bool:
    """Return True if Orthanc has scripts."""
    return bool(request.param)


@pytest.fixture(params=[True, False])
def importer(orthanc: MemoryOrthanc, request: pytest.FixtureRequest) -> Importer:
    """An importer that asks for the MD5 of what was stored, or for its size."""
    return Importer(orthanc, may_alter=request.param)


@pytest.fixture
def inbox(  # noqa: PLR0913  the parts of it
    orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes, importer: Importer, clock: Clock, *, expected: bool
) -> Inbox:
    """An inbox of an Orthanc that may forward images."""
    return Inbox(orthanc, spool, lanes, importer, forwarded=ForwardedImages(expected=expected, now=clock))


@pytest.mark.parametrize("in_pieces", [True, False])
def test_the_upload_is_a_success(orthanc: MemoryOrthanc, inbox: Inbox, *, in_pieces: bool) -> None:
    """The image is gone when the upload ends; what was uploaded is listed with its size, as clients look for it."""
    orthanc.deletes = True
    if in_pieces:
        with inbox.receive(("a.dcm",)) as upload:
            upload.write(CT)
            entry = upload.finish()
    else:
        entry = inbox.write(("a.dcm",), CT)
    assert entry.size == inbox.stat(("a.dcm",)).size == len(CT)
    assert [one.size for one in inbox.list(())] == [len(CT)]


def test_the_receipt_goes_soon(orthanc: MemoryOrthanc, inbox: Inbox, clock: Clock) -> None:
    """The receipt of a forwarded image cannot be read, and is not listed any more after a minute."""
    orthanc.deletes = True
    inbox.write(("a.dcm",), CT)
    with pytest.raises(NotFound):
        inbox.read(("a.dcm",))
    assert names(inbox) == ["a.dcm"]
    clock.ahead = LISTED_SECONDS + 1
    assert names(inbox) == []
    with pytest.raises(NotFound):
        inbox.stat(("a.dcm",))


def test_it_can_be_uploaded_again(orthanc: MemoryOrthanc, inbox: Inbox) -> None:
    """The name is free for the same image and for others, forwarded or not."""
    orthanc.deletes = True
    for data in (CT, CT, MR):
        assert inbox.write(("a.dcm",), data).size == len(data)
    orthanc.deletes = False
    inbox.write(("a.dcm",), CT)
    assert content(inbox, ("a.dcm",)) == CT


def test_deletion_a_moment_later(orthanc: MemoryOrthanc, inbox: Inbox, *, expected: bool) -> None:
    """Scripts run beside the upload, and delete the image before or after it ends; without them it was deleted."""
    inbox.write(("a.dcm",), CT)
    orthanc.delete(Level.INSTANCE, identify(CT))
    assert names(inbox) == (["a.dcm"] if expected else [])


def test_what_was_seen_is_forgotten(orthanc: MemoryOrthanc, inbox: Inbox, clock: Clock, *, expected: bool) -> None:
    """A single image that was deleted during its upload does not change listings for ever."""
    orthanc.deletes = True
    inbox.write(("a.dcm",), CT)
    orthanc.deletes = False
    clock.ahead = REMEMBERED_SECONDS + 1
    inbox.write(("b.dcm",), MR)
    clock.ahead = 0.0 if expected else clock.ahead
    orthanc.delete(Level.INSTANCE, identify(MR))
    assert ("b.dcm" in names(inbox)) == expected
