"""Tests of the trash of two nodes: one hides at once what the other has put there, and no mark is lost."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from davfs.orthanc import OrthancId
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.rest import RestOrthanc
from davfs.trash.mark import Deletion, EntryId, StudyMark
from davfs.trash.marks import OrthancMarks
from tests.cluster.conftest import Cluster, Node
from tests.support import dicom
from tests.support.trashing import restore, taking, trash
from tests.unit.test_mark import NOON, one

FIRST, SECOND = (dicom.instance("hidden", 1, 1, number) for number in (1, 2))
OLD = dicom.instance("old", tags={"StudyDate": "19990101"})
ROUNDS = 10


@contextmanager
def orthanc_of(node: Node) -> Iterator[RestOrthanc]:
    """Return the REST API of a node."""
    with http_client(node.server.url) as client:
        yield RestOrthanc(HttpTransport(client))


def instances(*contents: bytes) -> list[OrthancId]:
    """Return Orthanc's ids of images."""
    return [OrthancId(dicom.ids(content).instance) for content in contents]


def test_hidden_at_once(cluster: Cluster) -> None:
    """Folders, files, groups and searches of the other node are without it at the first look, and have it again."""
    node, other = cluster.nodes
    for content in (FIRST, SECOND, OLD):
        node.rest.post("/instances", content=content).raise_for_status()
    study = "by-patient/Doe hidden (hidden)/2024-02-29 Study 1/001 CT Series 1"
    with orthanc_of(node) as orthanc:
        for _ in range(ROUNDS):
            for drive in (other.drive, other.second):
                assert drive.listing(study).keys() == {"00001.dcm", "00002.dcm"}
                assert drive.get(f"{study}/00001.dcm").content == FIRST
                assert "1999" in drive.listing("by-date")
                entry = trash(orthanc, instances(FIRST, OLD))
                assert drive.get(f"{study}/00001.dcm").status_code == 404
                assert drive.listing(study).keys() == {"00002.dcm"}
                assert "1999" not in drive.listing("by-date")
                assert not drive.listing("search/PatientID=old")
                restore(orthanc, entry)
                assert drive.listing(study).keys() == {"00001.dcm", "00002.dcm"}
                assert "1999" in drive.listing("by-date")


@pytest.mark.parametrize("writers", [8])
def test_no_mark_is_lost(cluster: Cluster, writers: int) -> None:
    """Of deletions through both nodes in one study at the same time, each is in the mark."""
    cluster.nodes[0].rest.post("/instances", content=FIRST).raise_for_status()
    study, series = (OrthancId(getattr(dicom.ids(FIRST), level)) for level in ("study", "series"))
    with ExitStack() as stack:
        marks = [OrthancMarks(stack.enter_context(orthanc_of(node))) for node in cluster.nodes]

        def write(number: int) -> None:
            taken = {series: frozenset([one(number)])}
            deletion = Deletion(EntryId(str(number)), NOON, "", "", "", "", "", (), taken)

            marks[number % 2].change(study, partial(taking, deletion))

        threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mark = marks[0].read(study)
        assert mark
        assert sorted(each.id for each in mark.deletions) == sorted(map(str, range(writers)))
        assert marks[0].change(study, lambda _mark: StudyMark()) is None


def test_sent_again_to_another_node(cluster: Cluster) -> None:
    """An image in the trash that is sent again to another node is shown by both within two seconds."""
    node, other = cluster.nodes
    content = dicom.instance("again")
    node.rest.post("/instances", content=content).raise_for_status()
    time.sleep(3)  # until then, the other node takes it for new
    image = "by-patient/Doe again (again)/2024-02-29 Study 1/001 CT Series 1/00001.dcm"
    with orthanc_of(node) as orthanc:
        trash(orthanc, instances(content))
    assert {each.drive.get(image).status_code for each in cluster.nodes} == {404}
    assert other.rest.post("/instances", content=content).json()["Status"] == "AlreadyStored"
    end = time.monotonic() + 2
    while {each.drive.get(image).status_code for each in cluster.nodes} != {200}:
        assert time.monotonic() < end
        time.sleep(0.05)
