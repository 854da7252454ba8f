"""Several Orthancs on one PostgreSQL are one drive: what is done through one shows through the others.

What is new is in every listing at once, as in `tests/orthanc/test_freshness.py`. What is deleted is gone from the
folders of resources at once, and from groups within two seconds; labels change within two seconds.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import HEALING, Cluster, Node
from tests.support import cstore, dicom
from tests.support.webdav import WebDav

OPERATIONS = int(os.environ.get("TEST_OPERATIONS", "40"))
SEED = int(os.environ.get("TEST_SEED", "0"))
BOUND = 1.0
"""Seconds within which another node shows a deletion in groups, and a change of labels: half of what is promised, since
in an archive as small as this one, comparing counts takes up to two."""
FIRST_LOOK_AT_PATIENTS = 0.2
"""How often the first look after a deletion is at the folders of patients."""
LABELS = ("urgent", "teaching", "follow-up")
FOLLOWED = "davfs: the drive follows Orthanc's database"


@dataclass(slots=True)
class Study:
    """A study of a patient of its own."""

    number: int
    labels: set[str] = field(default_factory=set)

    @property
    def content(self) -> bytes:
        """Its only file."""
        return dicom.instance(f"p{self.number}", tags={"StudyDate": f"{self.year}0101"})

    @property
    def year(self) -> str:
        """The group of by-date that shows it, and nothing else."""
        return str(2000 + self.number)

    @property
    def folder(self) -> str:
        """The name of its patient's folder."""
        return f"Doe p{self.number} (p{self.number})"

    @property
    def id(self) -> str:
        """Orthanc's id of it."""
        return dicom.ids(self.content).study


class Archive:
    """What is in the cluster, by all that was done: an oracle."""

    def __init__(self) -> None:
        self.studies: dict[int, Study] = {}

    def patients(self) -> set[str]:
        """The folders in by-patient/."""
        return {study.folder for study in self.studies.values()}

    def years(self) -> set[str]:
        """The folders in by-date/."""
        return {study.year for study in self.studies.values()}

    def labels(self) -> set[str]:
        """The folders in by-label/."""
        return {label for study in self.studies.values() for label in study.labels or {"no label"}}

    def at_once(self, drive: WebDav) -> None:
        """Assert that the folders of patients are right at the first look; that look corrects the groups as well."""
        assert names(drive, "by-patient") == self.patients()

    def soon(self, drive: WebDav, seconds: float = BOUND) -> float:
        """Assert that the groups are right within some seconds; return the seconds that it took."""
        started = time.monotonic()
        expected = (self.years(), self.labels())
        while (found := tuple(names(drive, path) for path in ("by-date", "by-label"))) != expected:
            assert time.monotonic() < started + seconds, f"{found} instead of {expected} after {seconds:g} s"
            time.sleep(0.02)
        return time.monotonic() - started


def names(drive: WebDav, path: str) -> set[str]:
    """Return the names in a folder."""
    return set(drive.listing(path))


@pytest.fixture
def archive(empty: None) -> Archive:  # noqa: ARG001  it shows nothing
    """An empty archive, which both nodes show."""
    return Archive()


def by_rest(node: Node, study: Study) -> None:
    """Store a study by the REST API."""
    assert node.rest.post("/instances", content=study.content).is_success


def by_cstore(node: Node, study: Study) -> None:
    """Store a study by C-STORE."""
    assert cstore.send(node.server.dicom_port, [study.content]) == [cstore.SUCCESS]


def by_drive(node: Node, study: Study) -> None:
    """Store a study through the drive's inbox."""
    assert node.drive.put(f"inbox/{study.number}.dcm", study.content).is_success


def delete_by_rest(node: Node, study: Study) -> None:
    """Delete a study by the REST API."""
    assert node.rest.delete(f"/studies/{study.id}").is_success


def delete_by_drive(node: Node, study: Study) -> None:
    """Delete a patient through the drive."""
    assert node.drive.delete(f"by-patient/{study.folder}").is_success


class Turns:
    """Random operations through random nodes; each returns True if it stored something new."""

    def __init__(self, cluster: Cluster, archive: Archive) -> None:
        self._random = random.Random(SEED)  # noqa: S311  no secret
        self._cluster = cluster
        self._archive = archive
        self._next = 1
        self._has_labels = cluster.has_labels
        self.slowest = 0.0

    def take(self, node: Node) -> None:
        """Do one random operation through a node, and look at all others, and through nginx."""
        kinds: list[Callable[[Node], bool]] = [self._store, self._store, self._delete]
        stored = self._random.choice([*kinds, self._label] if self._has_labels else kinds)(node)
        for other in self._cluster.others(node):
            drive = self._random.choice([other.drive, other.second])
            if stored:
                assert names(drive, "by-date") == self._archive.years()
            elif self._random.random() < FIRST_LOOK_AT_PATIENTS:
                self._archive.at_once(drive)
            self.slowest = max(self.slowest, self._archive.soon(drive))
            self._archive.at_once(drive)

    def any_node(self) -> Node:
        """Return a random node."""
        return self._random.choice(self._cluster.nodes)

    def _store(self, node: Node) -> bool:
        study = Study(self._next)
        self._next += 1
        self._random.choice([by_rest, by_cstore, by_drive])(node, study)
        self._archive.studies[study.number] = study
        return True

    def _delete(self, node: Node) -> bool:
        if not self._archive.studies:
            return self._store(node)
        study = self._archive.studies.pop(self._random.choice(list(self._archive.studies)))
        self._random.choice([delete_by_rest, delete_by_drive])(node, study)
        return False

    def _label(self, node: Node) -> bool:
        if not self._archive.studies:
            return self._store(node)
        study, label = self._random.choice(list(self._archive.studies.values())), self._random.choice(LABELS)
        method = "DELETE" if label in study.labels else "PUT"
        study.labels ^= {label}
        assert node.rest.request(method, f"/studies/{study.id}/labels/{label}").is_success
        return False


@pytest.mark.timeout(900)
def test_operations(cluster: Cluster, archive: Archive, record_property: Callable[[str, object], None]) -> None:
    """After each operation through a node, the other one's listings are right within the bounds."""
    turns = Turns(cluster, archive)
    for _ in range(OPERATIONS):
        turns.take(turns.any_node())
    record_property("slowest", turns.slowest)
    archive.soon(cluster.balanced)
    archive.soon(cluster.second)


def test_killed(cluster: Cluster, archive: Archive) -> None:
    """While a node is dead, the drive goes on through nginx; once it is back, it shows what was deleted meanwhile."""
    turns, (first, second) = Turns(cluster, archive), cluster.nodes
    for _ in range(10):
        turns.take(first)
    second.server.kill()
    deleted = archive.studies.pop(next(iter(archive.studies)))
    delete_by_rest(first, deleted)
    for drive in (cluster.balanced, cluster.second):
        archive.soon(drive)
        archive.at_once(drive)
    second.server.start()
    archive.soon(second.drive, HEALING)
    for _ in range(10):
        turns.take(turns.any_node())


@contextmanager
def stopped(cluster: Cluster) -> Iterator[None]:
    """Stop PostgreSQL, and start it again at the end of the block; then both Orthancs have to answer."""
    cluster.database.stop()
    yield
    cluster.database.start()
    end = time.monotonic() + HEALING
    for node in cluster.nodes:
        while not _answers(node):
            assert time.monotonic() < end, node.server.log_tail()
            time.sleep(0.1)


def _answers(node: Node) -> bool:
    try:
        return node.rest.get("/studies").is_success
    except httpx.TransportError:
        return False


def test_database_restarted(cluster: Cluster, archive: Archive) -> None:
    """A database that comes back is followed again without a restart of Orthanc; its loss is one line in the log."""
    turns = Turns(cluster, archive)
    for _ in range(10):
        turns.take(turns.any_node())
    before = [node.server.log.read_text() for node in cluster.nodes]
    with stopped(cluster):
        time.sleep(5)
    for node in cluster.nodes:
        archive.soon(node.drive, HEALING)
    for node, earlier in zip(cluster.nodes, before, strict=True):
        end = time.monotonic() + HEALING
        while (new := node.server.log.read_text()[len(earlier) :]).count(f"{FOLLOWED} again") != 1:
            assert time.monotonic() < end, new
            time.sleep(0.1)
        assert new.count("davfs: the drive cannot follow Orthanc's database") == 1, new
    for _ in range(10):
        turns.take(turns.any_node())


def test_shared_objects(cluster: Cluster) -> None:
    """The drive calls the libpq that orthanc-postgresql has loaded; psycopg brings no library of its own."""
    for node in cluster.nodes:
        lines = Path(f"/proc/{node.server.pid}/maps").read_text().splitlines()
        objects = {line.split(maxsplit=5)[5] for line in lines if ".so" in line}
        assert len([path for path in objects if Path(path).name.startswith("libpq")]) == 1
        assert not [path for path in objects if "psycopg" in path]
