"""Reports to an observer whose studies are in the index, each time that this changes."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Protocol

from davfs.catalog import stored_tags
from davfs.catalog.database import Database
from davfs.catalog.packing import pack, unpack
from davfs.catalog.records import parameters
from davfs.catalog.schema import LEVEL_NUMBERS
from davfs.orthanc.model import Level

_STUDY = LEVEL_NUMBERS[Level.STUDY]
_AT_ONCE = 500
"""Studies that one query is about."""


class StudyObserver(Protocol):
    """Follows the patients of the studies in the index; called by one thread at a time, in the order of the changes."""

    def changed(self, patients: Mapping[str, Mapping[str, str] | None]) -> None:
        """Take the patient's attributes of resources that may have changed; None for what is no study of the index."""

    def cleared(self) -> None:
        """Forget all: the index is empty."""

    def missed(self) -> None:
        """Read all studies again: some that have changed could not be told."""


def report(database: Database, resources: Iterable[str], observer: StudyObserver) -> None:
    """Report what the index has now of resources that were changed; the caller holds the lock for writing."""
    try:
        _report(database, resources, observer)
    except BaseException:
        observer.missed()
        raise


def _report(database: Database, resources: Iterable[str], observer: StudyObserver) -> None:
    source = iter(resources)
    while some := list(islice(source, _AT_ONCE)):
        query = f"SELECT orthanc, patient FROM resource WHERE level = {_STUDY} AND orthanc IN ({parameters(some)})"  # noqa: S608
        with database.read() as db:
            found = db.execute(query, [pack(one) for one in some]).fetchall()
        absent: dict[str, Mapping[str, str] | None] = dict.fromkeys(some)
        observer.changed(absent | {unpack(study): stored_tags.load(patient) for study, patient in found})


def report_all(database: Database, observer: StudyObserver) -> None:
    """Report all studies, in the order of their rows; others can write between two parts."""
    # By the rows, not by the index of levels: that would sort all studies for each part.
    condition = f"+level = {_STUDY} AND id > ? ORDER BY id LIMIT {_AT_ONCE}"
    query = f"SELECT id, orthanc, patient FROM resource WHERE {condition}"  # noqa: S608
    last = 0
    while True:
        database.writing.give_way()
        with database.writing, database.read() as db:
            found = db.execute(query, (last,)).fetchall()
            observer.changed({unpack(study): stored_tags.load(patient) for _, study, patient in found})
        if len(found) < _AT_ONCE:
            return
        last = found[-1][0]
