"""Tests of originals: if Orthanc stores other bytes, the inbox shows and serves the uploaded file."""

from pathlib import Path as DiskPath

import pytest

from davfs.errors import NotFound
from davfs.filesystem.forwarded import ForwardedImages
from davfs.filesystem.inbox import Inbox
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.orthanc import Level
from davfs.spool.spool import Spool
from tests.support import inbox as inboxes
from tests.support.inbox import CHANGED, CT, NO_PREAMBLE, content, names
from tests.support.memory_orthanc import MemoryOrthanc, identify

# pytest finds fixtures by the names in a module.
orthanc, spool, lanes, inbox = inboxes.orthanc, inboxes.spool, inboxes.lanes, inboxes.inbox


@pytest.mark.parametrize("stored", [CT[:20000], CHANGED])
def test_what_orthanc_changes(orthanc: MemoryOrthanc, inbox: Inbox, stored: bytes) -> None:
    """If Orthanc stores other bytes, the file has the size and bytes that the client sent, and Orthanc has its own."""
    orthanc.transcoded = stored
    entry = inbox.write(("a.dcm",), CT)
    assert entry == inbox.stat(("a.dcm",))
    assert list(inbox.list(())) == [entry]
    assert (entry.size, entry.resource) == (len(CT), identify(CT))
    assert content(inbox, ("a.dcm",)) == CT
    assert orthanc.files == {identify(CT): stored}


def test_what_orthanc_has_in_another_form(orthanc: MemoryOrthanc, inbox: Inbox) -> None:
    """An image that came by C-STORE before is read back as the file that was dropped."""
    orthanc.store(CT)
    with inbox.receive(("a.dcm",)) as upload:
        upload.write(NO_PREAMBLE)
        assert upload.finish().size == len(NO_PREAMBLE)
    assert content(inbox, ("a.dcm",)) == NO_PREAMBLE
    inbox.write(("b.dcm",), CT)
    assert content(inbox, ("b.dcm",)) == CT
    assert inbox.quota().used == len(NO_PREAMBLE)


def test_it_goes_with_its_image(orthanc: MemoryOrthanc, inbox: Inbox) -> None:
    """The original is removed together with the image."""
    orthanc.transcoded = CT[:20000]
    for look in (inbox.stat, inbox.read):
        inbox.write(("a.dcm",), CT)
        orthanc.delete(Level.INSTANCE, identify(CT))
        with pytest.raises(NotFound):
            look(("a.dcm",))
        assert names(inbox) == []
        assert inbox.quota().used == 0


def test_a_router_that_transcodes(orthanc: MemoryOrthanc, spool: Spool, lanes: Lanes) -> None:
    """A file stays listed with its own size after Orthanc has transcoded and forwarded the image."""
    inbox = Inbox(orthanc, spool, lanes, Importer(orthanc), forwarded=ForwardedImages(expected=True))
    orthanc.transcoded = CT[:20000]
    inbox.write(("a.dcm",), CT)
    orthanc.delete(Level.INSTANCE, identify(CT))
    assert inbox.stat(("a.dcm",)).size == len(CT)
    assert [one.size for one in inbox.list(())] == [len(CT)]


def test_without_room_there_is_a_plain_receipt(orthanc: MemoryOrthanc, lanes: Lanes, tmp_path: DiskPath) -> None:
    """An upload succeeds although the quota does not allow to keep its original: Orthanc has the image."""
    inbox = Inbox(orthanc, Spool(tmp_path, maximum_size=100, maximum_age=86400), lanes, Importer(orthanc))
    orthanc.transcoded = CT[:20000]
    assert inbox.write(("a.dcm",), CT).size == 20000
    assert content(inbox, ("a.dcm",)) == CT[:20000]
