"""An Orthanc without what is in the trash: it answers as if the hidden instances had been deleted.

A study whose instances are all hidden does not exist, and a series likewise; one with others has the others alone, with
its own tags as they are. The index, layouts, searches, numbers, archives and derived files are made from this Orthanc,
so that nothing of what is in the trash shows in any of them. Imports, the trash itself, restoring and purging use the
real one.

While nothing is in the trash, all calls are passed on as they are.
"""

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from davfs.cache import LruCache
from davfs.errors import OrthancError, UnknownResource
from davfs.orthanc.description import CHILDREN
from davfs.orthanc.model import Change, Changes, Counts, Level, OrthancId, Resource, WithChildren
from davfs.orthanc.responses import as_list, parse_errors
from davfs.trash.hidden_parts import HiddenParts
from davfs.trash.known_marks import KnownMarks
from davfs.trash.mark import StudyMark
from davfs.trash.marks import Marks
from davfs.trash.visible_files import MarkedOrthanc, VisibleFiles, hidden
from davfs.trash.visible_pages import VisiblePages

_log = logging.getLogger(__name__)

_ANSWERED = 1000
"""Resources whose last answer is kept, so that the same object comes again."""
_PAGE = 500
_ARRIVALS = {"NewInstance", "NewSeries"}


class VisibleOrthanc(VisibleFiles):
    """`davfs.orthanc.ReadableOrthanc` without what the marks hide.

    Args:
        orthanc: Has everything.
        known: The marks.
        marks: Changes the marks.
    """

    def __init__(self, orthanc: MarkedOrthanc, known: KnownMarks, marks: Marks) -> None:
        super().__init__(orthanc, known)
        self._marks = marks
        self._parts = HiddenParts(orthanc, known)
        self._id_pages = VisiblePages(orthanc.id_page, self._visible_ids)
        self._pages = VisiblePages(orthanc.page, lambda _level, found: self._visible(found))
        self._lists: LruCache[Level, tuple[Sequence[OrthancId], Collection[OrthancId], Sequence[OrthancId]]]
        self._lists = LruCache(len(Level))
        self._answers: LruCache[OrthancId, tuple[WithChildren, WithChildren]] = LruCache(_ANSWERED)

    # The log

    def last_change(self) -> int:
        """See `davfs.orthanc.ChangeLog`."""
        return self._orthanc.last_change()

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """See `davfs.orthanc.ChangeLog`."""
        return self._orthanc.changes(since, limit)

    def revealed(self, entries: Sequence[Change]) -> Collection[tuple[Level, OrthancId]]:
        """Take note of new entries of the log: read the marks that may have changed.

        Returns:
            The studies of which other parts may be visible than before, and all their series, each with its level.
        """
        studies = {one.id for one in entries if one.level is Level.STUDY and self._concerns_mark(one)}
        before = {study for study in studies if self._known.was_marked(study)}
        for batch in _batches(list(studies)):
            self._known.read(batch)
        touched = before.union(study for study in studies if study in self._known)
        arrivals = {one.id: one.seq for one in entries if one.kind in _ARRIVALS}
        marked = self._marked_above(list(arrivals))
        self._parts.forget(touched.union(marked))
        for study, mark in marked.items():
            touched.add(study)
            self._reveal_arrived(study, mark, arrivals)
        series = [one.resource.id for batch in _batches(list(touched)) for one in self._orthanc.series_of(batch)]
        return [*((Level.STUDY, one) for one in touched), *((Level.SERIES, one) for one in series)]

    def _concerns_mark(self, entry: Change) -> bool:
        """Return True if the mark of a study may be another one: a study that was deleted comes again without it."""
        return entry.kind == "UpdatedMetadata" or (entry.kind == "NewStudy" and entry.id in self._known)

    def _marked_above(self, arrivals: Sequence[OrthancId]) -> Mapping[OrthancId, StudyMark]:
        """Return the marks of the studies in which series or instances have arrived, as far as they have one."""
        if self._known.are_none:
            return {}
        return self._known.of(study for batch in _batches(arrivals) for study in self._orthanc.studies_of(batch))

    def _reveal_arrived(self, study: OrthancId, mark: StudyMark, arrivals: Mapping[OrthancId, int]) -> None:
        """Take instances out of the trash that were deleted for good by others, and have arrived again since then."""
        if not mark.arrived_again(arrivals):
            return
        try:
            self._marks.change(study, lambda now: now.without_arrived(arrivals))
        except OrthancError as error:
            _log.warning("images that came to study %s again stay in the trash: %s", study, error)

    # Numbers and lists

    def counts(self) -> Counts:
        """See `davfs.orthanc.ChangeLog`."""
        found = self._orthanc.counts()
        if self._known.are_none:
            return found
        self._parts.check(everything=False)
        parts = self._parts.all().values()
        patients, studies, series = (len(self._parts.hidden(level)) for level in tuple(Level)[:3])
        instances = sum(each.instances for each in parts)
        return Counts(
            found.patients - patients, found.studies - studies, found.series - series, found.instances - instances
        )

    def has_count(self, level: Level, count: int) -> bool:
        """See `davfs.orthanc.ResourceIndex`; False while the marks are not known."""
        if self._known.are_none:
            return self._orthanc.has_count(level, count)
        if not self._known.is_complete:
            return False
        equal = self._orthanc.has_count(level, count + len(self._parts.hidden(level)))
        if not self._parts.check(everything=not equal):
            return equal
        return self._orthanc.has_count(level, count + len(self._parts.hidden(level)))

    def ids(self, level: Level) -> Sequence[OrthancId]:
        """See `davfs.orthanc.ResourceIndex`; while the marks are not known, some of these may be hidden."""
        found = self._orthanc.ids(level)
        if self._known.are_none:
            return found
        left_out = self._hidden_instances() if level is Level.INSTANCE else self._parts.hidden(level)
        before = self._lists.get(level)
        if before is not None and before[0] is found and before[1] == left_out:
            return before[2]
        kept = [one for one in found if one not in left_out]
        self._lists.put(level, (found, left_out, kept))
        return kept

    def _hidden_instances(self) -> Collection[OrthancId]:
        marks = self._known.of(self._known.studies).items()
        unreadable = [study for study, mark in marks if not mark.is_readable]
        listed = {one for _, mark in marks for some in mark.instances.values() for one in some}
        return listed.union(one for series in self._orthanc.series_of(unreadable) for one in series.children)

    def id_page(self, level: Level, since: int, limit: int) -> Sequence[OrthancId]:
        """See `davfs.orthanc.ResourceIndex`; while the marks are not known, some of these may be hidden."""
        if self._known.are_none or not self._known.is_complete:
            return self._orthanc.id_page(level, since, limit)
        return self._id_pages.page(level, since, limit)

    def _visible_ids(self, level: Level, ids: Sequence[OrthancId]) -> Sequence[OrthancId]:
        left_out = self._parts.hidden(level)
        return [one for one in ids if one not in left_out]

    def page(self, level: Level, since: int, limit: int) -> Sequence[Resource]:
        """See `davfs.orthanc.ResourceIndex`."""
        if self._known.are_none:
            return self._orthanc.page(level, since, limit)
        return self._pages.page(level, since, limit)

    # Resources

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `davfs.orthanc.ResourceIndex`."""
        found = self._orthanc.resources(ids)
        return found if self._known.are_none else self._visible(found)

    def _visible(self, found: Sequence[Resource]) -> list[Resource]:
        studies = {one.id for one in found if one.level is Level.STUDY}
        studies.update(one.parent for one in found if one.level is Level.SERIES and one.parent)
        parts = self._parts.look(self._known.of(studies))
        left_out = {study for study, each in parts.items() if each.is_hidden}
        left_out.update(series for each in parts.values() for series in each.hidden)
        if any(one.level is Level.PATIENT for one in found):
            left_out.update(self._hidden_patients([one.id for one in found if one.level is Level.PATIENT]))
        return [one for one in found if one.id not in left_out]

    def _hidden_patients(self, patients: Sequence[OrthancId]) -> Collection[OrthancId]:
        if self._known.is_complete:
            return self._parts.hidden(Level.PATIENT)
        return {one for one in patients if not self._exists(Level.PATIENT, one)}

    def with_children(self, level: Level, resource: OrthancId) -> WithChildren:
        """See `davfs.orthanc.ResourceIndex`; the same object if the response has not changed."""
        found = self._orthanc.with_children(level, resource)
        if self._known.are_none:
            return found
        children = self._visible_children(level, found)
        before = self._answers.get(resource)
        if before is not None and before[0] is found and before[1].children == children:
            return before[1]
        answer = WithChildren(found.resource, children)
        self._answers.put(resource, (found, answer))
        return answer

    def _visible_children(self, level: Level, found: WithChildren) -> Sequence[OrthancId]:
        """Return the children that are visible.

        Raises:
            UnknownResource: All are hidden.
        """
        resource, children = found.resource, found.children
        if level is Level.SERIES:
            mark = self._known.of([resource.parent]).get(resource.parent) if resource.parent else None
            visible = list(mark.visible(resource.id, children)) if mark else children
        elif level is Level.STUDY:
            parts = self._parts.look(self._known.of([resource.id])).get(resource.id)
            visible = [one for one in children if one not in parts.hidden] if parts else children
        else:
            studies = self._parts.look(self._known.of(children))
            visible = [one for one in children if one not in studies or not studies[one].is_hidden]
        if not visible:
            raise hidden()
        return visible

    def description(self, level: Level, resource: OrthancId) -> bytes:
        """See `davfs.orthanc.DerivedContent`; written anew if anything below is hidden."""
        body = self._orthanc.description(level, resource)
        if self._known.are_none:
            return body
        visible = self.with_children(level, resource).children
        with parse_errors():
            found = json.loads(body)
            children = as_list(found[CHILDREN[level]])
            kept = [one for one in children if one in set(visible)]
        if len(kept) == len(children):
            return body
        found[CHILDREN[level]] = kept
        return json.dumps(found, ensure_ascii=False, indent=3, sort_keys=True).encode()

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """See `davfs.orthanc.ResourceIndex`."""
        found = self._orthanc.exists(level, resource)
        return found and (self._known.are_none or self._exists(level, resource))

    def _exists(self, level: Level, resource: OrthancId) -> bool:
        try:
            if level is Level.INSTANCE:
                self._check(resource)
            else:
                self.with_children(level, resource)
        except UnknownResource:
            return False
        return True

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """See `davfs.orthanc.ResourceIndex`."""
        found = self._orthanc.existing(ids)
        if self._known.are_none:
            return found
        self._parts.forget_with({one for one in ids if one not in found})
        there = list(found)
        return {one.id for one in self.resources(there)} | {one.id for one in self.instances(there)}


def _batches(items: Sequence[OrthancId]) -> Iterable[Sequence[OrthancId]]:
    return (items[start : start + _PAGE] for start in range(0, len(items), _PAGE))
