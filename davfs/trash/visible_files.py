"""Instances and their files without what is in the trash; see `davfs.trash.hidden`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, runtime_checkable

from davfs.cache import LruCache
from davfs.entry import Readable
from davfs.errors import UnknownResource
from davfs.orthanc import ReadableOrthanc, StudyMetadata
from davfs.orthanc.model import Instance, OrthancId
from davfs.trash.known_marks import KnownMarks
from davfs.trash.mark import StudyMark

_PARENTS = 20_000
"""Instances, and series, of which it is remembered to what they belong; that never changes."""


@runtime_checkable
class MarkedOrthanc(ReadableOrthanc, StudyMetadata, Protocol):
    """An Orthanc whose studies can have marks."""


class VisibleFiles:
    """`davfs.orthanc.InstanceFiles`, and what is rendered of them, without what the marks hide.

    Args:
        orthanc: Has everything.
        known: The marks.
    """

    def __init__(self, orthanc: MarkedOrthanc, known: KnownMarks) -> None:
        self._orthanc = orthanc
        self._known = known
        self._series_of: LruCache[OrthancId, OrthancId] = LruCache(_PARENTS)
        self._study_of: LruCache[OrthancId, OrthancId] = LruCache(_PARENTS)

    def instance(self, instance: OrthancId) -> Instance:
        """See `davfs.orthanc.InstanceFiles`."""
        found = self._orthanc.instance(instance)
        if not self._known.are_none and not self._visible_instances([found]):
            raise hidden()
        return found

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """See `davfs.orthanc.InstanceFiles`."""
        found = self._orthanc.instances(ids)
        return found if self._known.are_none else self._visible_instances(found)

    def in_trash(self, instances: Sequence[OrthancId]) -> Collection[OrthancId]:
        """Return those of the instances that are in the trash."""
        if self._known.are_none:
            return ()
        found = self._orthanc.instances(instances)
        visible = {one.id for one in self._visible_instances(found)}
        return {one.id for one in found if one.id not in visible}

    def instance_size(self, instance: OrthancId) -> int:
        """See `davfs.orthanc.InstanceFiles`."""
        self._check(instance)
        return self._orthanc.instance_size(instance)

    def instance_md5(self, instance: OrthancId) -> str:
        """See `davfs.orthanc.InstanceFiles`."""
        self._check(instance)
        return self._orthanc.instance_md5(instance)

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:
        """See `davfs.orthanc.InstanceFiles`."""
        if self._known.are_none:
            return self._orthanc.open_instance(instance, start)
        return self._opened(instance, start)

    @contextmanager
    def _opened(self, instance: OrthancId, start: int) -> Iterator[Readable]:
        self._check(instance)
        with self._orthanc.open_instance(instance, start) as file:
            yield file

    def picture(self, instance: OrthancId) -> bytes | None:
        """See `davfs.orthanc.DerivedContent`."""
        self._check(instance)
        return self._orthanc.picture(instance)

    def report(self, instance: OrthancId) -> bytes | None:
        """See `davfs.orthanc.DerivedContent`."""
        self._check(instance)
        return self._orthanc.report(instance)

    def all_tags(self, instance: OrthancId) -> Mapping[str, Any]:
        """See `davfs.orthanc.DerivedContent`."""
        self._check(instance)
        return self._orthanc.all_tags(instance)

    def _check(self, instance: OrthancId) -> None:
        """Raise `UnknownResource` if an instance is in the trash."""
        if self._known.are_none:
            return
        series = self._series_of.get(instance)
        if series is None:
            self.instance(instance)
        elif (mark := self._marks_above([series]).get(series)) and mark.hides(series, instance):
            raise hidden()

    def _visible_instances(self, found: Sequence[Instance]) -> list[Instance]:
        for one in found:
            self._series_of.put(one.id, one.series)
        marks = self._marks_above(one.series for one in found)
        return [one for one in found if one.series not in marks or not marks[one.series].hides(one.series, one.id)]

    def _marks_above(self, series: Iterable[OrthancId]) -> Mapping[OrthancId, StudyMark]:
        """Return the marks of the studies of some series, by series; without those that have none."""
        wanted = dict.fromkeys(series)
        studies = {one: study for one in wanted if (study := self._study_of.get(one))}
        if missing := [one for one in wanted if one not in studies]:
            found = {one.id: one.parent for one in self._orthanc.resources(missing) if one.parent}
            for one, study in found.items():
                self._study_of.put(one, study)
            studies.update(found)
        marks = self._known.of(studies.values())
        return {one: marks[study] for one, study in studies.items() if study in marks}


def hidden() -> UnknownResource:
    """Return the error about a resource in the trash."""
    return UnknownResource("it is in the trash")
