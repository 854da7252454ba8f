"""Much is written in steps, between which others write; what was written is copied into the file where nobody waits."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from davfs.catalog.database import Database
from davfs.catalog.index_writer import IndexWriter
from davfs.catalog.placing import Placer
from davfs.catalog.plan import Folder
from davfs.catalog.resources import ResourceChanges
from davfs.catalog.store import Store
from davfs.layout import load_text
from davfs.orthanc import Level, OrthancId, Resource
from tests.support.catalog import BY_ID, LAYOUT

STUDIES, SERIES = 2000, 2
PLACER = Placer([load_text(LAYOUT.format(patient=BY_ID), "all.toml")])
PATIENT = {"PatientID": "1", "PatientName": "DOE^JOHN"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The index's file."""
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    """An empty index."""
    with closing(Store(file, PLACER)) as store:
        yield store


def _archive() -> list[Resource]:
    """Return all series, before all studies."""
    studies = [
        Resource(_id(number), Level.STUDY, _id(9, "9"), {"StudyDescription": str(number)}, None, patient=PATIENT)
        for number in range(STUDIES)
    ]
    series = [
        Resource(_id(number, str(each)), Level.SERIES, _id(number), {"SeriesDescription": str(each)}, None)
        for number in range(STUDIES)
        for each in range(1, SERIES + 1)
    ]
    return [*series, *studies]


def _id(number: int, kind: str = "0") -> OrthancId:
    return OrthancId(f"{kind:0>8}-{number:08}-00000000-00000000-00000000")


def test_others_write_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that another thread writes waits for one step of a large save, not for all; the save is complete."""
    save, steps = IndexWriter.save, list[int]()

    def one_step(self: IndexWriter, found: Sequence[Resource], revision: int) -> ResourceChanges:
        steps.append(len(found))
        if len(steps) == 2:
            deleted = pool.submit(_delete, store)
            deletions.append(deleted)
            while not store._database.writing.is_wanted:
                pass
        return save(self, found, revision)

    monkeypatch.setattr(IndexWriter, "save", one_step)
    deletions: list[Any] = []
    with ThreadPoolExecutor(1) as pool:
        changes = store.save(_archive(), store.revision)
        indexed = deletions[0].result(10)
    assert (changes.changed, changes.retagged, changes.outdated) == (True, [], [])
    assert 0 < indexed < STUDIES
    assert sum(steps) == STUDIES * (1 + SERIES)
    assert (store.count(Level.STUDY), store.count(Level.SERIES)) == (STUDIES, STUDIES * SERIES)
    (patient,) = store.contents(Folder(PLACER.plans[0])).rows
    assert len(store.studies_of(patient.id)) == STUDIES


def _delete(store: Store) -> int:
    """Delete nothing; return the number of studies that are indexed then."""
    store.delete([OrthancId("unknown")])
    return store.count(Level.STUDY)


def test_steps_of_whole_studies(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study and its series are written in one step: so it is placed once, and never listed without one of them."""
    save, steps = IndexWriter.save, list[set[str]]()

    def one_step(self: IndexWriter, found: Sequence[Resource], revision: int) -> ResourceChanges:
        steps.append({str(one.parent if one.level is Level.SERIES else one.id) for one in found})
        return save(self, found, revision)

    monkeypatch.setattr(IndexWriter, "save", one_step)
    store.save(_archive(), store.revision)
    assert len(steps) > 2
    assert sum(map(len, steps)) == STUDIES


def test_copied_into_the_file(store: Store, file: Path) -> None:
    """What was written reaches the file itself by a call, also while another thread writes; little does not."""
    store.save(_archive()[: STUDIES // 2 * SERIES], store.revision)  # without their studies they are not indexed
    store.save(_archive()[-STUDIES:], store.revision)
    before = file.stat().st_size
    with store._database.write():
        store.checkpoint()
    assert file.stat().st_size > before + (1 << 18)
    store.save([Resource(_id(1, "7"), Level.STUDY, _id(9, "9"), {}, None, patient=PATIENT)], store.revision)
    log = Path(f"{file}-wal").read_bytes()
    store.checkpoint()
    assert Path(f"{file}-wal").read_bytes() == log


def test_copied_between_steps(store: Store, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who saves much copies it into the file while nobody has to wait for that, so that no writer has to at its end."""
    copied, checkpoint = list[int](), Database.checkpoint

    def unlocked(self: Database, rows: int) -> None:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_is_free, self).result(10)
        before = file.stat().st_size
        checkpoint(self, rows)
        copied.append(file.stat().st_size - before)

    monkeypatch.setattr(Database, "checkpoint", unlocked)
    store.save(_archive(), store.revision)
    assert sum(copied) > 1 << 18


def _is_free(database: Database) -> bool:
    """Return True if another thread can write."""
    with database.write():
        return True


def test_bulk(store: Store) -> None:
    """The page cache for writing is large while much is written, and small again afterwards."""
    with store._database.write() as db:
        usual = db.execute("PRAGMA cache_size").fetchone()[0]
    with store.bulk(), store._database.write() as db:
        assert db.execute("PRAGMA cache_size").fetchone()[0] < 10 * usual < 0
    with store._database.write() as db:
        assert db.execute("PRAGMA cache_size").fetchone()[0] == usual


def test_rolled_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of a save that failed are made again by the next one: nobody relies on what was rolled back."""
    save = IndexWriter.save

    def failing(self: IndexWriter, found: Sequence[Resource], revision: int) -> ResourceChanges:
        save(self, found, revision)
        raise InterruptedError

    monkeypatch.setattr(IndexWriter, "save", failing)
    with pytest.raises(InterruptedError):
        store.save(_archive()[-3:], store.revision)
    monkeypatch.undo()
    assert store.contents(Folder(PLACER.plans[0])).rows == []
    store.save(_archive()[-3:], store.revision)
    (patient,) = store.contents(Folder(PLACER.plans[0])).rows
    assert len(store.studies_of(patient.id)) == 3
