"""The marks of studies as they were read last, and the decision when to read them.

While the index is not complete, or stale, the mark of a study is read when the study is asked for the first time. After
that, only those are read that Orthanc's log of changes names; a study without a known mark has none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from davfs.cache import LruCache, LruSet
from davfs.orthanc import StudyMetadata
from davfs.orthanc.model import OrthancId
from davfs.trash.mark import PREFIX, StudyMark
from davfs.trash.marks import decode

_READ = 200_000
"""Studies whose marks are known to have been read while the index was not complete."""
_DECODED, _DECODED_BYTES = 5000, 4 << 20
"""Marks that are kept decoded, and bytes of their encoded form: an instance takes some 150 bytes then, not 27."""
_RECENT = 10_000
"""Studies that are remembered to have had a mark."""


class MarkStorage(Protocol):
    """Keeps the marks of all studies."""

    @property
    def values(self) -> Mapping[OrthancId, bytes]:
        """The marks, by study."""

    @property
    def version(self) -> int:
        """Number of changes of the marks."""

    @property
    def epoch(self) -> int:
        """Number of times that all marks had to be read again."""

    @property
    def is_complete(self) -> bool:
        """True if each study that has no mark here has none in Orthanc, as far as the log of changes was read."""

    def next_ticket(self) -> int:
        """Return a number for `save`: to be read before Orthanc is asked."""

    def save(self, found: Mapping[OrthancId, bytes | None], ticket: int) -> None:
        """Save the marks of studies, None for those that have none, unless newer ones were saved meanwhile.

        Raises:
            Unavailable: They cannot be saved at the moment.
        """


class KnownMarks:
    """The marks of all studies.

    Args:
        orthanc: Has the studies.
        storage: Keeps the marks.
        number: Number of the metadata.
    """

    def __init__(self, orthanc: StudyMetadata, storage: MarkStorage, number: int) -> None:
        self._orthanc = orthanc
        self._storage = storage
        self._number = number
        self._decoded: LruCache[OrthancId, tuple[bytes, StudyMark]] = LruCache(_DECODED, _DECODED_BYTES)
        self._read = LruSet[OrthancId](_READ)
        self._epoch = -1
        self._marked: tuple[int, tuple[frozenset[OrthancId], int] | None] | None = None
        self._recent = LruSet[OrthancId](_RECENT)

    @property
    def is_complete(self) -> bool:
        """See `MarkStorage`."""
        return self._storage.is_complete

    @property
    def version(self) -> int:
        """See `MarkStorage`."""
        return self._storage.version

    @property
    def are_none(self) -> bool:
        """True if no study has a mark: then nothing is hidden."""
        return not self._storage.values and self._storage.is_complete

    @property
    def studies(self) -> Sequence[OrthancId]:
        """The studies that are known to have a mark; of an index that is not complete, those that were read."""
        found, were_read = tuple(self._storage.values), self._were_read()
        return found if self._storage.is_complete else [study for study in found if study in were_read]

    def __contains__(self, study: OrthancId) -> bool:
        return study in self._storage.values

    def value(self, study: OrthancId) -> bytes | None:
        """Return the mark of a study as it was read last, None for none."""
        return self._storage.values.get(study)

    def was_marked(self, study: OrthancId) -> bool:
        """Return True if a study has a mark, or had one a while ago."""
        return study in self._storage.values or study in self._recent

    def of(self, studies: Iterable[OrthancId]) -> Mapping[OrthancId, StudyMark]:
        """Return the marks of those of the studies that have one; ask Orthanc for those that are not known."""
        wanted = list(dict.fromkeys(studies))
        if not self._storage.is_complete:
            self._read_unknown(wanted)
        return {study: mark for study in wanted if (mark := self._known(study))}

    def _read_unknown(self, studies: Sequence[OrthancId]) -> None:
        """Read the marks of those of the studies whose marks were not read since all have to be."""
        were_read = self._were_read()
        unknown = [study for study in studies if study not in were_read]
        if unknown and (found := self._find_marked()) is not None:
            marked, ticket = found
            unmarked = [study for study in unknown if study not in marked]
            self._storage.save(dict.fromkeys(unmarked), ticket)
            for study in unmarked:
                were_read.add(study)
            unknown = [study for study in unknown if study in marked]
        self.read(unknown)

    def _find_marked(self) -> tuple[frozenset[OrthancId], int] | None:
        """Return the studies that had marks when all had to be read again, and the ticket of the answer."""
        epoch = self._storage.epoch
        if self._marked is None or self._marked[0] != epoch:
            ticket = self._storage.next_ticket()
            found = self._orthanc.studies_with_metadata(self._number)
            self._marked = epoch, None if found is None else (found, ticket)
        return self._marked[1]

    def read(self, studies: Iterable[OrthancId]) -> None:
        """Read the marks of studies from Orthanc."""
        wanted = list(studies)
        if not wanted:
            return
        were_read, ticket = self._were_read(), self._storage.next_ticket()
        found = self._orthanc.metadata_of(wanted, self._number, PREFIX)
        self._storage.save({study: found.get(study) for study in wanted}, ticket)
        for study in wanted:
            were_read.add(study)
            if found.get(study) is not None:
                self._recent.add(study)

    def _were_read(self) -> LruSet[OrthancId]:
        """Return the studies whose marks were read since all have to be read again."""
        if self._epoch != self._storage.epoch:
            self._epoch, self._read = self._storage.epoch, LruSet(_READ)
        return self._read

    def all(self) -> Mapping[OrthancId, StudyMark]:
        """Return all marks that are known."""
        return _AllMarks(self, tuple(self._storage.values))

    def _known(self, study: OrthancId) -> StudyMark | None:
        value, cached = self._storage.values.get(study), self._decoded.get(study)
        if value is None:
            return None
        if cached is not None and cached[0] == value:
            return cached[1]
        mark = decode(study, value)
        self._recent.add(study)
        self._decoded.put(study, (value, mark), len(value))
        return mark


class _AllMarks(Mapping[OrthancId, StudyMark]):
    """The marks of some studies, each decoded when it is wanted; one that is deleted meanwhile is an empty one."""

    def __init__(self, known: KnownMarks, studies: tuple[OrthancId, ...]) -> None:
        self._known = known
        self._studies = dict.fromkeys(studies)

    def __getitem__(self, study: OrthancId) -> StudyMark:
        if study not in self._studies:
            raise KeyError(study)
        return self._known._known(study) or StudyMark()  # noqa: SLF001  of this module

    def __iter__(self) -> Iterator[OrthancId]:
        return iter(self._studies)

    def __len__(self) -> int:
        return len(self._studies)
