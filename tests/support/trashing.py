"""Puts instances into the trash by marks, as the drive does, and an Orthanc without them."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from davfs.orthanc import Level, Orthanc, OrthancId
from davfs.trash.hidden import VisibleOrthanc
from davfs.trash.known_marks import KnownMarks
from davfs.trash.mark import Deletion, EntryId, StudyMark
from davfs.trash.marks import DEFAULT_NUMBER, OrthancMarks

_entries = itertools.count()


@dataclass
class MemoryMarks:
    """`davfs.trash.known_marks.MarkStorage` in memory."""

    values: dict[OrthancId, bytes] = field(default_factory=dict)
    version: int = 0
    epoch: int = 0
    is_complete: bool = False
    _tickets: "itertools.count[int]" = field(default_factory=itertools.count)

    def next_ticket(self) -> int:
        """See `MarkStorage`."""
        return next(self._tickets)

    def save(self, found: Mapping[OrthancId, bytes | None], ticket: int) -> None:  # noqa: ARG002  as `MarkStorage` has it
        """See `MarkStorage`."""
        self.version += 1
        for study, value in found.items():
            self.values.pop(study, None)
            if value is not None:
                self.values[study] = value


class Trashing:
    """An Orthanc with marks.

    Args:
        orthanc: Has everything.
        storage: Keeps the marks; by default, none is known.
    """

    def __init__(self, orthanc: Orthanc, storage: MemoryMarks | None = None) -> None:
        self.orthanc = orthanc
        self.storage = storage or MemoryMarks()
        self.known = KnownMarks(orthanc, self.storage, DEFAULT_NUMBER)
        self.marks = OrthancMarks(orthanc, self.known.all, lambda study: self.known.read([study]))
        self.visible = VisibleOrthanc(orthanc, self.known, self.marks)
        self.seen = orthanc.last_change()

    def follow(self) -> None:
        """Read the log of changes, as each request does first."""
        page = self.orthanc.changes(self.seen)
        self.visible.revealed(page.entries)
        self.seen = max(self.seen, page.last)


def trash(orthanc: Orthanc, instances: Iterable[OrthancId], *, seq: int = 0) -> EntryId:
    """Put instances of any studies into the trash, in one entry."""
    entry = EntryId(str(next(_entries)))
    by_study: dict[OrthancId, dict[OrthancId, set[OrthancId]]] = defaultdict(lambda: defaultdict(set))
    for one in orthanc.instances(list(instances)):
        (series,) = orthanc.resources([one.series])
        assert series.parent
        by_study[series.parent][series.id].add(one.id)
    for study, taken in by_study.items():
        frozen = {series: frozenset(some) for series, some in taken.items()}
        deletion = Deletion(entry, datetime.now(UTC).replace(microsecond=0), "", "", "", "", "", (), frozen, seq)
        OrthancMarks(orthanc).change(study, partial(taking, deletion))
    return entry


def taking(deletion: Deletion, mark: StudyMark) -> StudyMark:
    """Return a mark with one more deletion."""
    return StudyMark((*mark.checked().deletions, deletion))


def without(entry: EntryId, mark: StudyMark, some: Iterable[OrthancId] | None = None) -> StudyMark:
    """Return a mark without some of the instances of an entry, or all."""
    others = [each for each in mark.deletions if each.id != entry]
    left = [each.without(some) for each in mark.deletions if each.id == entry] if some is not None else []
    return StudyMark(tuple(each for each in (*others, *left) if each.instances))


def restore(orthanc: Orthanc, entry: EntryId) -> None:
    """Take an entry out of the trash."""
    marks = OrthancMarks(orthanc)
    for study in orthanc.ids(Level.STUDY):
        if (mark := marks.read(study)) and mark.deletion(entry):
            marks.change(study, partial(without, entry))
