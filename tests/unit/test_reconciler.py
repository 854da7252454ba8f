"""The whole index is compared with Orthanc, page by page."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from davfs.catalog import reconciler
from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import Placer
from davfs.catalog.store import Store
from davfs.errors import OrthancError
from davfs.orthanc import Level, OrthancId
from tests.support import dicom
from tests.support.memory_orthanc import MemoryOrthanc

PAGE, STUDIES = 3, 10


class MovingOrthanc(MemoryOrthanc):
    """An archive in which the first study is deleted while its ids are listed."""

    deletes = False
    asked = 0

    def id_page(self, level: Level, since: int, limit: int) -> list[OrthancId]:
        """See `Orthanc`."""
        self.asked += 1
        found = super().id_page(level, since, limit)
        if self.deletes and since:
            self.deletes = False
            self.delete(Level.STUDY, self.ids(Level.STUDY)[0])
        return found


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orthanc lists few ids at once."""
    monkeypatch.setattr(reconciler, "_PAGE", PAGE)


@pytest.fixture
def orthanc() -> MovingOrthanc:
    """An archive."""
    archive = MovingOrthanc()
    for number in range(STUDIES):
        archive.store(dicom.instance(f"P{number}", 1, 1, 1))
    return archive


@pytest.fixture
def catalog(orthanc: MovingOrthanc, tmp_path: Path) -> Iterator[Catalog]:
    """An empty index."""
    with closing(Store(tmp_path / "catalog.sqlite", Placer([]))) as store:
        yield Catalog(orthanc, store, InstanceCache())


def _reconcile(catalog: Catalog) -> list[tuple[int, int]]:
    reported: list[tuple[int, int]] = []
    catalog.reconciler.reconcile(lambda done, total: reported.append((done, total)))
    return reported


def _assert_complete(catalog: Catalog, orthanc: MovingOrthanc) -> None:
    for level in (Level.STUDY, Level.SERIES):
        assert catalog._store.ids(level) == set(orthanc.ids(level))


def test_first_index(catalog: Catalog, orthanc: MovingOrthanc) -> None:
    """The first index has everything, and tells how far it is; a comparison later lists the ids again, no more."""
    reported = _reconcile(catalog)
    _assert_complete(catalog, orthanc)
    assert reported[-1] == (2 * STUDIES, 2 * STUDIES)
    revision = catalog._store.generation
    assert _reconcile(catalog)[-1] == (0, 0)
    assert catalog._store.generation == revision


@pytest.mark.parametrize("indexed", [False, True])
def test_deleted_meanwhile(catalog: Catalog, orthanc: MovingOrthanc, *, indexed: bool) -> None:
    """What is deleted while the ids are listed moves others from a page to another: none is lost, nor forgotten."""
    if indexed:
        _reconcile(catalog)
    orthanc.deletes = True
    _reconcile(catalog)
    _assert_complete(catalog, orthanc)
    assert len(orthanc.ids(Level.STUDY)) == STUDIES - 1


def test_forgets(catalog: Catalog, orthanc: MovingOrthanc) -> None:
    """What another Orthanc has deleted is forgotten, in any page."""
    _reconcile(catalog)
    for study in orthanc.ids(Level.STUDY)[::2]:
        orthanc.delete(Level.STUDY, study)
    _reconcile(catalog)
    _assert_complete(catalog, orthanc)


def test_goes_on(catalog: Catalog, orthanc: MovingOrthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first index that was stopped in between goes on where it was: what is indexed is not fetched again."""
    monkeypatch.setattr(reconciler, "_AT_ONCE", 2)

    def stop(done: int, _: int) -> None:
        if done:
            raise OrthancError("stopping")

    with pytest.raises(OrthancError):
        catalog.reconciler.reconcile(stop)
    assert 0 < len(catalog._store.ids(Level.STUDY)) < STUDIES
    assert not catalog._store.is_complete
    (_, total), *_ = [one for one in _reconcile(catalog) if one[0]]
    assert total == 2 * (STUDIES - 2)
    _assert_complete(catalog, orthanc)
