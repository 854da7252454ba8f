"""The events of a real Orthanc beside which the drive runs, over HTTP."""

import time
from pathlib import Path

from davfs.demo.process import OrthancProcess
from davfs.events import EventKind
from davfs.orthanc import Level
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.polling import Polling
from davfs.orthanc.rest import RestOrthanc
from tests.support import dicom


def wait(polling: Polling, wanted: EventKind) -> list[EventKind]:
    """Return the events up to the first of a kind."""
    found, deadline = list[EventKind](), time.monotonic() + 30
    while wanted not in found:
        assert time.monotonic() < deadline, found
        event = polling.next_change(0.5)
        found += [event.kind] if event else []
    return found


def test_events(tmp_path: Path, servers: list[OrthancProcess]) -> None:
    """Arrivals and deletions are noticed, by whomever, and so is an Orthanc that was away."""
    server = OrthancProcess(tmp_path)
    servers.append(server)
    with http_client(server.url) as client:
        orthanc = RestOrthanc(HttpTransport(client))
        polling = Polling(orthanc)
        assert polling.next_change(0.5) is None
        with server:
            assert wait(polling, EventKind.STARTED) == [EventKind.STARTED]
            orthanc.store(dicom.instance("a"))
            orthanc.store(dicom.instance("b"))
            assert wait(polling, EventKind.OTHER) == [EventKind.OTHER]
            orthanc.delete(Level.STUDY, orthanc.ids(Level.STUDY)[0])
            assert set(wait(polling, EventKind.LOST)) <= {EventKind.OTHER, EventKind.LOST}
        assert polling.next_change(2) is None
        with server:
            assert wait(polling, EventKind.LOST) == [EventKind.STARTED, EventKind.LOST]
    servers.remove(server)
