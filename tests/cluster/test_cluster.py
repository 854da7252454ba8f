"""Several Orthancs on one PostgreSQL are one drive: what is done through one shows through the others.

What is new is in every listing at once, as in `tests/orthanc/test_freshness.py`. What is deleted is gone from the
folders of resources at once, and from groups within two seconds; labels change within two seconds.
"""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.cluster.conftest import HEALING, Cluster, Node, node_server
from tests.support import cstore, dicom
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

OPERATIONS = int(os.environ.get("TEST_OPERATIONS", "30"))
SEED = int(os.environ.get("TEST_SEED", "0"))
BOUND = 2.0
"""Seconds within which another node shows a deletion in groups, and a change of labels."""
FIRST_LOOK_AT_PATIENTS = 0.2
"""How often the first look after a deletion is at the folders of patients."""
LABELS = ("urgent", "teaching", "follow-up")
MULTI_STATUS = 207
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

    def found(self, drive: WebDav, study: Study) -> None:
        """Assert that the path of a study's patient leads to it, or to nothing if it was deleted."""
        expected = MULTI_STATUS if study.number in self.studies else httpx.codes.NOT_FOUND
        assert drive.status(f"by-patient/{study.folder}") == expected

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
    """Random operations through random nodes; each returns the study that it was about."""

    def __init__(self, cluster: Cluster, archive: Archive) -> None:
        self._random = random.Random(SEED)  # noqa: S311  no secret
        self._cluster = cluster
        self._archive = archive
        self._next = 1
        self._operations = [self._store, self._store, self._delete, self._describe]
        if cluster.has_labels:
            self._operations.append(self._label)
        self.slowest = 0.0

    def take(self, node: Node, *others: Node) -> None:
        """Do one random operation through a node, and look at others, all of them unless they are given."""
        operation = self._random.choice(self._operations)
        study = operation(node)
        for other in others or self._cluster.others(node):
            drive = self._random.choice([other.drive, other.second])
            if operation == self._store:
                assert names(drive, "by-date") == self._archive.years()
            elif self._random.random() < FIRST_LOOK_AT_PATIENTS:
                self._archive.at_once(drive)
            elif self._random.random() < FIRST_LOOK_AT_PATIENTS:
                self._archive.found(drive, study)
            self.slowest = max(self.slowest, self._archive.soon(drive))
            self._archive.at_once(drive)
            self._archive.found(drive, study)

    def any_node(self) -> Node:
        """Return a random node."""
        return self._random.choice(self._cluster.nodes)

    def _store(self, node: Node) -> Study:
        study = Study(self._next)
        self._next += 1
        self._random.choice([by_rest, by_cstore, by_drive])(node, study)
        self._archive.studies[study.number] = study
        return study

    def _any_study(self, node: Node) -> Study:
        return self._random.choice(list(self._archive.studies.values()) or [self._store(node)])

    def _delete(self, node: Node) -> Study:
        study = self._any_study(node)
        del self._archive.studies[study.number]
        self._random.choice([delete_by_rest, delete_by_drive])(node, study)
        return study

    def _describe(self, node: Node) -> Study:
        """Set metadata: nothing of it shows, and nothing else changes."""
        study = self._any_study(node)
        assert node.rest.put(f"/studies/{study.id}/metadata/1024", content=f"{self._next}").is_success
        return study

    def _label(self, node: Node) -> Study:
        study, label = self._any_study(node), self._random.choice(LABELS)
        method = "DELETE" if label in study.labels else "PUT"
        study.labels ^= {label}
        assert node.rest.request(method, f"/studies/{study.id}/labels/{label}").is_success
        return study


def killed(cluster: Cluster, archive: Archive, turns: Turns) -> None:
    """Kill a node, go on without it, and start it again: it shows what was deleted meanwhile."""
    first, second = cluster.nodes
    second.server.kill()
    for _ in range(5):
        turns.take(first, first)
    for drive in (cluster.balanced, cluster.second):
        archive.soon(drive)
        archive.at_once(drive)
    second.server.start()
    archive.soon(second.drive, HEALING)


def restarted(cluster: Cluster, archive: Archive, turns: Turns) -> None:  # noqa: ARG001  as `killed`
    """Restart PostgreSQL."""
    cluster.database.stop(immediate=True)
    time.sleep(1)
    cluster.database.start()
    for node in cluster.nodes:
        healed(node)
        archive.soon(node.drive, HEALING)


def healed(node: Node) -> None:
    """Wait until a node takes uploads again after an outage of the database."""
    end = time.monotonic() + HEALING
    while not (node.rest.get("/studies").is_success and node.drive.put("inbox/healed.txt", b"text").is_success):
        assert time.monotonic() < end, node.server.log_tail()
        time.sleep(0.1)


@pytest.mark.timeout(0)
def test_operations(cluster: Cluster, archive: Archive, record_property: Callable[[str, object], None]) -> None:
    """After each operation through a node, the other one's folders and paths are right within the bounds.

    Meanwhile a node is killed, and PostgreSQL is restarted.
    """
    turns = Turns(cluster, archive)
    happens = {OPERATIONS // 3: killed, OPERATIONS * 2 // 3: restarted}
    for number in range(OPERATIONS):
        turns.take(turns.any_node())
        if event := happens.get(number):
            event(cluster, archive, turns)
    record_property("slowest", turns.slowest)
    archive.soon(cluster.balanced)
    archive.soon(cluster.second)


def test_clock(cluster: Cluster) -> None:
    """The node whose clock is wrong says so in one line, and the other one does not."""
    lines = [
        [line for line in node.server.log.read_text().splitlines() if "clock is" in line] for node in cluster.nodes
    ]
    assert not lines[0]
    assert len(lines[1]) == 1
    assert "clock is +300 seconds from PostgreSQL's" in lines[1][0]


def test_other_layouts(cluster: Cluster, plugin: Path, tmp_path: Path) -> None:
    """A node that shows other folders than the rest says so at its start, once for each."""
    with node_server(tmp_path / "c", plugin, cluster.database, {"Layouts": ["by-patient"]}) as server:
        end = time.monotonic() + HEALING
        while FOLLOWED not in (log := server.log.read_text()):
            assert time.monotonic() < end, log
            time.sleep(0.1)
    lines = [line for line in log.splitlines() if "has other layouts" in line]
    assert len(lines) == 1  # both nodes are on this machine


def test_serve(cluster: Cluster, archive: Archive, tmp_path: Path) -> None:
    """`davfs serve` with the database in its configuration shows deletions and labels as soon as the plugin does."""
    (settings := tmp_path / "davfs.toml").write_text(
        f"""
        Layouts = ["by-patient", "by-date", "by-label"]
        [PostgreSQL]
        ConnectionUri = "{cluster.database.uri}"
        """
    )
    turns, node = Turns(cluster, archive), cluster.nodes[0]
    with (
        ServeProcess(tmp_path, node.server.url, "--config", str(settings)) as served,
        served.ready().drive() as drive,
    ):
        for _ in range(10):
            turns.take(node)
            archive.soon(drive)
            archive.at_once(drive)
        assert served.text.count("follows Orthanc's database") == 1
        assert "has other layouts" not in served.text


def test_shared_objects(cluster: Cluster) -> None:
    """The drive calls the libpq that orthanc-postgresql has loaded; psycopg brings no library of its own."""
    for node in cluster.nodes:
        lines = Path(f"/proc/{node.server.pid}/maps").read_text().splitlines()
        objects = {line.split(maxsplit=5)[5] for line in lines if ".so" in line}
        assert len([path for path in objects if Path(path).name.startswith("libpq")]) == 1
        assert not [path for path in objects if "psycopg" in path]
