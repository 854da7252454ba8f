"""The trash of a drive: puts images there, restores them, and deletes them for good.

Each change of a study is one write of its mark (`davfs.trash.marks`), so a study is never deleted or restored in part,
whenever the drive ends. Images are deleted for good in three steps: the mark names this drive as the one that purges
them, and from then on nobody can restore them; Orthanc deletes them, some at a time; and those that are gone leave the
mark. What a drive that ended has left over, it purges when it starts again, or another one after `LEASE` seconds.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from davfs.audit.record import Client
from davfs.cache import LruCache, LruSet
from davfs.errors import UnknownResource
from davfs.filesystem.trash import changes
from davfs.filesystem.trash.entry import TrashEntry, entries_of
from davfs.filesystem.trash.entry_images import EntryImages, Instances
from davfs.filesystem.trash.joining import SECONDS, DeletedFolder, newest
from davfs.orthanc import ResourceDeleter, WithChildren
from davfs.orthanc.model import Instance, OrthancId
from davfs.trash.mark import Deletion, EntryId, StudyMark
from davfs.trash.marks import Marks

_log = logging.getLogger(__name__)

LEASE = 600.0
"""Seconds after which another drive takes over what one purges: longer than `_AT_ONCE` deletions take."""
_CLOCKS = timedelta(minutes=10)
"""By how much the clock of a drive may differ from that of Orthanc."""
_AT_ONCE = 100
"""Images that Orthanc deletes in one request."""
_RECENT = 10_000
"""Entries that deletions can join without a look at all marks."""
_OPEN = 32
"""Entries whose images are cached."""
_ID_BYTES = 20


class TrashedOrthanc(ResourceDeleter, Protocol):
    """The part of Orthanc that the trash needs."""

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """See `davfs.orthanc.ResourceIndex`."""

    def instances(self, ids: Sequence[OrthancId]) -> Sequence[Instance]:
        """See `davfs.orthanc.ResourceIndex`."""

    def series_of(self, studies: Sequence[OrthancId]) -> Sequence[WithChildren]:
        """See `davfs.orthanc.StudyMetadata`."""


class Spared(Protocol):
    """What must not be deleted for good: `davfs.filesystem.trash.sent_again.SentAgain`."""

    @property
    def is_incomplete(self) -> bool:
        """True if images were sent again lately of which it is not known which."""

    def settle(self) -> None:
        """Take all images out of the trash that have been sent again until now."""


class Trash:
    """What was deleted in the layouts of all drives of an Orthanc.

    Args:
        marks: The marks.
        orthanc: Has all images, and deletes them for good.
        node: Identifies this drive, also after a restart.
        retention: For how long images are kept; 0 for ever.
        version: Returns another value after each change of a mark; by default nothing is cached.
        now: Clock, in UTC.

    Attributes:
        retention: See the argument.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what it is made of
        self,
        marks: Marks,
        orthanc: TrashedOrthanc,
        node: str,
        retention: timedelta = timedelta(0),
        version: Callable[[], object] = object,
        now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(microsecond=0),
    ) -> None:
        self.retention = retention
        self._marks = marks
        self._orthanc = orthanc
        self._node = node
        self._now = now
        self._lock = threading.Lock()
        self._recent: LruCache[tuple[str, ...], EntryId] = LruCache(_RECENT, lifetime=SECONDS)
        self._closed: LruSet[EntryId] = LruSet(_RECENT, lifetime=2 * SECONDS)
        self._purging: set[OrthancId] = set()
        self._interrupted = False
        self._version = version
        self._spared: Spared | None = None
        self._deleting: Callable[[Sequence[OrthancId]], object] = lambda _some: None
        self._entries: tuple[object, Mapping[EntryId, TrashEntry]] = (object(), {})
        self._images: LruCache[EntryId, tuple[object, EntryImages]] = LruCache(_OPEN)

    def spare(self, spared: Spared, deleting: Callable[[Sequence[OrthancId]], object] = lambda _some: None) -> None:
        """Delete nothing for good that was sent to Orthanc again; report what is about to be deleted."""
        self._spared, self._deleting = spared, deleting

    # Reading

    def entries(self) -> Mapping[EntryId, TrashEntry]:
        """Return the entries by id, newest first."""
        version, (cached, entries) = self._version(), self._entries
        if cached != version:
            entries = entries_of(self._marks.all())
            self._entries = version, entries
        return entries

    def images(self, entry: TrashEntry) -> EntryImages:
        """Return the images that an entry has now; none if it is gone."""
        version, cached = self._version(), self._images.get(entry.id)
        if cached is not None and cached[0] == version:
            return cached[1]
        current, marks = self.entries().get(entry.id), self._marks.all()
        found = dict[OrthancId, Instances]()
        for study in current.deletions if current else ():
            for each in marks[study].deletions if study in marks else ():
                if each.id == entry.id and not each.purger:
                    found[study] = each.instances
        images = EntryImages(found)
        self._images.put(entry.id, (version, images))
        return images

    def existing(self, studies: Sequence[OrthancId]) -> set[OrthancId]:
        """Return those of the studies that Orthanc has."""
        return self._orthanc.existing(studies)

    @property
    def is_used(self) -> bool:
        """True if anything is in the trash, or being deleted for good."""
        return bool(self._marks.all())

    def has(self, study: OrthancId) -> bool:
        """Return True if images of a study are in the trash, or being deleted for good."""
        return self._marks.read(study) is not None

    # Deleting

    def add(self, deleted: DeletedFolder, images: EntryImages, by: Client, seq: int = 0) -> None:
        """Put images into the trash.

        Args:
            deleted: The folder, or file, that a client deletes.
            images: Its images.
            by: The client.
            seq: Number of the last change in Orthanc's log before they were listed.

        Raises:
            UnknownResource: All of its studies are gone.
            Unavailable: Orthanc does not answer.
        """
        self._settle()  # what was sent before is not meant: it would be taken out of the trash again
        time = self._now()
        entry = self._entry_of(deleted, by, time)
        missing = 0
        for study, instances in images.by_study.items():
            made = changes.deletion(entry, time, deleted, by, instances, seq)
            try:
                self._marks.change(study, partial(changes.added, made, deleted, by))
            except UnknownResource:  # deleted in Orthanc meanwhile
                missing += 1
        if missing == len(images.by_study):
            raise UnknownResource("it has been deleted")

    def _entry_of(self, deleted: DeletedFolder, by: Client, time: datetime) -> EntryId:
        """Return the entry that a deletion joins, or a new one."""
        key = (by.user, by.address, by.door or "", deleted.layout, *deleted.path[: deleted.top])
        known = self._recent.get(key)
        if known is None or known in self._closed:
            known = newest(each for _, each in self._deletions() if deleted.joins(each, by, time))
        new = known or EntryId(secrets.token_hex(_ID_BYTES))
        with self._lock:  # a client deletes several files at a time
            before = self._recent.get(key)
            entry = new if before is None or before in self._closed else before
            self._recent.put(key, entry)
        return entry

    def _deletions(self) -> Iterator[tuple[OrthancId, Deletion]]:
        """Yield all deletions with their studies and the time of their entries, but without the instances."""
        for entry in self.entries().values():
            for study, each in entry.deletions.items():
                yield study, replace(each, time=entry.time)

    def add_folder(self, deleted: DeletedFolder, by: Client) -> bool:
        """Record that a client deletes a folder after all that was in it: the entry is that of the folder then.

        Returns:
            False if the client has deleted nothing in it a moment ago.
        """
        time = self._now()
        near = [each for each in self._deletions() if deleted.is_near(each[1], by, time)]
        inside = [each for each in near if deleted.has(each[1])]
        joined = {each.id for _, each in inside}
        entry = min(joined, default=EntryId(""))
        for study in {study for study, each in inside if each.path != deleted.path or each.id != entry}:
            with suppress(UnknownResource):
                self._marks.change(study, partial(changes.raised, entry, joined, deleted))
        return bool(near)

    # Restoring

    def restore(self, entry: TrashEntry, images: EntryImages | None = None) -> Sequence[OrthancId]:
        """Take images out of the trash.

        Args:
            entry: The entry.
            images: Some of its images; None for all.

        Returns:
            The studies.
        """
        self._closed.add(entry.id)
        restored = list[OrthancId]()
        for study, instances in _chosen(entry, images).items():
            with suppress(UnknownResource):
                self._marks.change(study, partial(changes.without, entry.id, instances))
                restored.append(study)
        return restored

    # Deleting for good

    def purge(self, entry: TrashEntry, images: EntryImages | None = None) -> Sequence[OrthancId]:
        """Delete images for good.

        Args:
            entry: The entry.
            images: Some of its images; None for all.

        Returns:
            The studies.

        Raises:
            OrthancError: Orthanc does not answer.
        """
        self._settle()
        self._closed.add(entry.id)
        wanted = _chosen(entry, images)
        for study, instances in wanted.items():
            with suppress(UnknownResource):
                self._spare_later(study, entry)
                self._marks.change(study, partial(changes.claimed, entry.id, instances, self._node, self._now()))
        for study in wanted:
            self._purge(study)
        return list(wanted)

    def _spare_later(self, study: OrthancId, entry: TrashEntry) -> None:
        """Show the images of an entry that Orthanc received after the deletion: they are new ones under former ids.

        Orthanc's log tells this at once, but to a drive that reads it: the index can have been lost meanwhile.
        """
        deleted = self._marks.read(study) or StudyMark()
        for each in deleted.deletions:
            if each.id == entry.id and not each.purger:
                found = self._orthanc.instances([one for ids in each.instances.values() for one in ids])
                later = {one.id for one in found if one.received and one.received > each.time + _CLOCKS}
                if later:
                    _log.warning("study %s: images that came after their deletion are shown again, and kept", study)
                    self._marks.change(study, partial(changes.uploaded, later))

    def purge_expired(self) -> None:
        """Delete for good what has been in the trash for too long, and what a drive that ended has left over."""
        now = self._now()
        self._settle()
        postponed = self._spared is not None and self._spared.is_incomplete
        for entry in () if postponed else self.entries().values():
            expires = entry.expires(self.retention)
            if expires and expires <= now and not self._interrupted:
                self.purge(entry)
        self.resume(timedelta(seconds=LEASE))

    def resume(self, lease: timedelta = timedelta(0)) -> None:
        """Go on deleting what this drive has not finished to delete, or another one for so long."""
        for study, mark in self._marks.all().items():
            left = [each for each in mark.deletions if each.purger]
            if any(each.purger == self._node or (lease and self._now() - each.time > lease) for each in left):
                with suppress(UnknownResource):
                    self._marks.change(study, partial(changes.taken_over, self._node, self._now(), lease))
                self._purge(study)

    def interrupt(self) -> None:
        """Stop to delete for good soon: the drive is stopping."""
        self._interrupted = True

    def _purge(self, study: OrthancId) -> None:
        """Delete what this drive purges of a study, some images at a time."""
        with self._alone(study) as alone, suppress(UnknownResource):
            while alone and not self._interrupted:
                self._settle()
                if (mark := self._marks.read(study)) is None:
                    return
                batch = changes.claimed_instances(mark, self._node)[:_AT_ONCE]
                if not batch:
                    return
                hidden = self._hidden(study, mark, batch)
                self._deleting(hidden)
                self._orthanc.delete_instances(hidden)
                self._marks.change(study, partial(changes.purged, self._node, frozenset(batch), self._now()))

    def _hidden(self, study: OrthancId, mark: StudyMark, listed: Sequence[OrthancId]) -> Sequence[OrthancId]:
        """Return those of the listed instances that a mark hides: one of another study can have been copied here."""
        parts = self._orthanc.series_of([study])
        hidden = {one for each in parts for one in each.children if mark.hides(each.resource.id, one)}
        return [one for one in listed if one in hidden]

    def _settle(self) -> None:
        if self._spared:
            self._spared.settle()

    @contextmanager
    def _alone(self, study: OrthancId) -> Iterator[bool]:
        """Yield False if another thread purges this study: it goes on until nothing is left."""
        with self._lock:
            alone = study not in self._purging
            self._purging.add(study)
        try:
            yield alone
        finally:
            if alone:
                with self._lock:
                    self._purging.discard(study)


def _chosen(entry: TrashEntry, images: EntryImages | None) -> Mapping[OrthancId, Instances | None]:
    """Return images by study and series; None for all of a study that are in the entry."""
    return dict.fromkeys(entry.deletions) if images is None else {**images.by_study}
