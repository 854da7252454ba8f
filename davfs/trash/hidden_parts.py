"""Finds which studies and series are in the trash as a whole: those of which no instance is visible.

A study that is asked for is looked at in Orthanc now. The numbers and lists of the whole archive need all marked
studies: what was found is kept until a mark or Orthanc's log of changes says that it may differ. Deletions are in no
log; so studies of which something is still visible are looked at again before a number is trusted, and all of them if
the numbers differ.
"""

import itertools
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from davfs.cache import LruCache
from davfs.errors import UnknownResource
from davfs.orthanc import ResourceIndex, StudyMetadata, WithChildren
from davfs.orthanc.model import Level, OrthancId
from davfs.trash.known_marks import KnownMarks
from davfs.trash.mark import StudyMark

_BATCH = 100
"""Studies that are looked at in one step."""
_FORGOTTEN = 10_000
"""Studies of which it is known when they changed: more than change while Orthanc answers one request."""
_CHECKED = 50
"""Studies with something visible that are looked at again before a number is trusted."""


@dataclass(frozen=True, slots=True)
class StudyParts:
    """The parts of a study with a mark.

    Attributes:
        exists: Whether Orthanc has the study.
        series: All its series.
        hidden: Those of which no instance is visible.
        instances: Number of hidden instances.
    """

    exists: bool
    series: frozenset[OrthancId]
    hidden: frozenset[OrthancId]
    instances: int

    @classmethod
    def of(cls, mark: StudyMark, series: Sequence[WithChildren]) -> "StudyParts":
        """Return the parts of a study that has such series."""
        left = {one.resource.id: len(list(mark.visible(one.resource.id, one.children))) for one in series}
        hidden = frozenset(one for one, visible in left.items() if not visible)
        count = sum(len(one.children) for one in series) - sum(left.values())
        return cls(bool(series), frozenset(left), hidden, count)

    @property
    def is_hidden(self) -> bool:
        """True if no instance of the study is visible."""
        return self.series == self.hidden


class MarkedArchive(ResourceIndex, StudyMetadata, Protocol):
    """An archive whose studies can have marks."""


class HiddenParts:
    """The studies and series that are in the trash as a whole.

    Args:
        orthanc: Has everything.
        known: The marks.
    """

    def __init__(self, orthanc: MarkedArchive, known: KnownMarks) -> None:
        self._orthanc = orthanc
        self._known = known
        self._found: dict[OrthancId, tuple[bytes | None, StudyParts]] = {}
        self._lock = threading.Lock()
        self._forgotten: LruCache[OrthancId, int] = LruCache(_FORGOTTEN)
        self._clock = itertools.count(1)
        self._patient_of: LruCache[OrthancId, OrthancId] = LruCache(_FORGOTTEN)
        self._turn = 0

    def look(self, marks: Mapping[OrthancId, StudyMark]) -> Mapping[OrthancId, StudyParts]:
        """Return the parts of studies as they are now in Orthanc."""
        if not marks:
            return {}
        began, values = next(self._clock), {study: self._known.value(study) for study in marks}
        series: dict[OrthancId, list[WithChildren]] = {study: [] for study in marks}
        for one in self._orthanc.series_of(list(marks)):
            if one.resource.parent in series:
                series[one.resource.parent].append(one)
        found = {study: StudyParts.of(mark, series[study]) for study, mark in marks.items()}
        with self._lock:
            for study, parts in found.items():
                if (self._forgotten.get(study) or 0) < began:
                    self._found[study] = values[study], parts
        return found

    def forget(self, studies: Iterable[OrthancId]) -> None:
        """Forget what was found in studies that have changed."""
        with self._lock:
            for study in studies:
                self._forgotten.put(study, next(self._clock))
                self._found.pop(study, None)

    def forget_with(self, gone: AbstractSet[OrthancId]) -> None:
        """Forget the studies to which resources belonged that are gone."""
        self.forget([one for one, (_, parts) in dict(self._found).items() if one in gone or parts.series & gone])

    def all(self) -> Mapping[OrthancId, StudyParts]:
        """Return the parts of all studies with a mark, as far as the log of changes was read."""
        studies, found = self._known.studies, dict(self._found)
        missing = [one for one in studies if one not in found or found[one][0] != self._known.value(one)]
        looked = dict[OrthancId, StudyParts]()
        for start in range(0, len(missing), _BATCH):
            looked.update(self.look(self._known.of(missing[start : start + _BATCH])))
        self._drop(found.keys() - set(studies))
        return {
            one: looked[one] if one in looked else found[one][1] for one in studies if one in looked or one in found
        }

    def _drop(self, studies: Collection[OrthancId]) -> None:
        with self._lock:
            for study in studies:
                if study not in self._known:
                    self._found.pop(study, None)

    def hidden(self, level: Level) -> frozenset[OrthancId]:
        """Return the patients, studies or series that are in the trash as a whole; see `all`."""
        parts = self.all()
        if level is Level.SERIES:
            return frozenset(series for each in parts.values() for series in each.hidden)
        studies = frozenset(study for study, each in parts.items() if each.exists and each.is_hidden)
        return self._patients(studies) if level is Level.PATIENT else studies

    def _patients(self, hidden: Collection[OrthancId]) -> frozenset[OrthancId]:
        """Return the patients that have no other studies than these."""
        if missing := [study for study in hidden if self._patient_of.get(study) is None]:
            for one in self._orthanc.resources(missing):
                self._patient_of.put(one.id, one.parent or OrthancId(""))
        above = {self._patient_of.get(study) for study in hidden} - {None, ""}
        return frozenset(patient for patient in above if patient and self.is_patient_hidden(patient, hidden))

    def is_patient_hidden(self, patient: OrthancId, hidden: Collection[OrthancId]) -> bool:
        """Return True if all studies of a patient are among these."""
        try:
            return set(self._orthanc.with_children(Level.PATIENT, patient).children) <= set(hidden)
        except UnknownResource:
            return False

    def check(self, *, everything: bool) -> bool:
        """Inspect the studies of which something is visible again, or all; return True if any of them differs."""
        before = self.all()
        wanted = list(before) if everything else [study for study, each in before.items() if not each.is_hidden]
        if len(wanted) > _CHECKED and not everything:
            self._turn = (self._turn + _CHECKED) % len(wanted)
            wanted = [*wanted[self._turn :], *wanted][:_CHECKED]
        after = self.look(self._known.of(wanted))
        return any(before[study] != parts for study, parts in after.items())
