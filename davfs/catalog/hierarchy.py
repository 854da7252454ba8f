"""What Orthanc has below a resource at this moment; what turns out to be gone is forgotten."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from davfs.cache import LruCache
from davfs.catalog.facts import Facts, batches
from davfs.catalog.instances import InstanceCache
from davfs.catalog.plan import Folder
from davfs.catalog.store import Store
from davfs.errors import UnknownResource
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Instance, Level, OrthancId, WithChildren

_FEW = 3
"""Studies of a patient that Orthanc is asked for one by one: up to here, that takes less time than to ask for all."""
_PATIENTS = 1000
"""Patients whose studies are kept until the facts change."""


class Hierarchy:
    """Orthanc's own lists, from patients down to instances.

    Args:
        orthanc: The server.
        store: Tells how far its log was read.
        instances: Keeps what was fetched.
        facts: Forget what is gone.
    """

    def __init__(self, orthanc: ResourceIndex, store: Store, instances: InstanceCache, facts: Facts) -> None:
        self._orthanc = orthanc
        self._store = store
        self._instances = instances
        self._facts = facts
        self._studies: LruCache[str, tuple[int, Sequence[OrthancId]]] = LruCache(_PATIENTS)

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Return True if Orthanc has a resource now: its tags are compared. One that it has not is forgotten.

        Args:
            level: Its level.
            resource: Its id; the node of a patient's folder, which is there as long as one of the patient's studies is.
        """
        if level is Level.PATIENT:
            return bool(self._studies_left(resource))
        if level is not Level.INSTANCE:
            try:
                self._told(level, resource)
            except UnknownResource:
                return False
            return True
        revision = self._store.revision
        if self._orthanc.exists(level, resource):
            return True
        self._facts.forget([resource], revision)
        return False

    def studies_of(self, node: str) -> Sequence[OrthancId]:
        """Return the studies that a patient's folder shows, as far as Orthanc has them now; others are forgotten.

        Raises:
            UnknownResource: There is none.
        """
        found = self._studies_left(node)
        if not found:
            raise UnknownResource("all studies of the patient are gone")
        return found

    def _studies_left(self, node: str) -> Sequence[OrthancId]:
        """Return the studies that hold a patient's folder, after each was read: it may be gone, or another's by now."""
        known = self._studies_known(node)
        if len(known) > _FEW:
            self._facts.verify_all(known)
        else:
            for study in known:
                with suppress(UnknownResource):
                    self._told(Level.STUDY, study)
        return self._studies_known(node)

    def _studies_known(self, node: str) -> Sequence[OrthancId]:
        generation, kept = self._store.generation, self._studies.get(node)
        if kept is not None and kept[0] == generation:
            return kept[1]
        studies = self._store.studies_of(node)
        self._studies.put(node, (generation, studies))
        return studies

    def in_folder(self, folder: Folder, wanted: Level) -> Sequence[OrthancId]:
        """Return all of a level that are in a resource's folder, or in the whole archive; see `below`.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        if folder.level is None or folder.id is None:
            return self._orthanc.ids(wanted)
        return self.below(folder.level, OrthancId(folder.id), wanted)

    def below(self, level: Level, resource: OrthancId, wanted: Level) -> Sequence[OrthancId]:
        """Return all of a level that are below a resource, or the resource itself where that is of this level.

        A patient's are those of the studies for whose sake there is the patient's folder, which is named by its node.

        Where Orthanc's answer is the same, so is the order, and comparing them costs next to nothing.

        Raises:
            UnknownResource: The resource is gone; one on the way down that has just gone is left out.
        """
        if level is wanted or level.child is None:
            return [resource]
        ids = self.studies_of(resource) if level is Level.PATIENT else self._children(level, resource)
        level = level.child
        while level is not wanted and level.child:
            ids = [child for one in ids for child in self._children_left(level, one)]
            level = level.child
        return ids

    def instances(self, series: OrthancId, *, fresh: bool) -> Mapping[OrthancId, Instance]:
        """Return the instances of a series by id; the same object while nothing changed.

        Args:
            series: The series.
            fresh: Whether to ask Orthanc; otherwise what is known of it will do.

        Raises:
            UnknownResource: The series is gone.
        """
        epoch, arrivals = self._instances.epoch, self._instances.arrivals
        known = self._instances.get(series)
        if known is not None and not fresh and self._instances.is_complete(series):
            return known
        wanted = self._children(Level.SERIES, series)
        if known is not None and known.keys() == set(wanted):
            self._instances.confirm(series, arrivals)
            return known
        kept = [known[i] for i in wanted if known and i in known]
        news = [i for i in wanted if not known or i not in known]
        fetched = itertools.chain.from_iterable(self._orthanc.instances(some) for some in batches(news))
        put = self._instances.put(series, [*kept, *fetched], epoch)
        self._instances.confirm(series, arrivals)
        return put

    def instances_of(
        self, series: Iterable[OrthancId], owner: OrthancId | None, level: Level | None, *, fresh: bool
    ) -> Iterator[Mapping[OrthancId, Instance]]:
        """Yield the instances of several series below a resource; a series that has just gone is left out.

        Args:
            series: The series.
            owner: What they are below; None for a group, or the whole archive.
            level: The owner's level.
            fresh: See `instances`.

        Raises:
            UnknownResource: The owner is gone.
        """
        for one in series:
            try:
                yield self.instances(one, fresh=fresh)
            except UnknownResource:
                if owner and level and (one == owner or not self.exists(level, owner)):
                    raise

    def _children_left(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        try:
            return self._children(level, resource)
        except UnknownResource:
            return []

    def _children(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        return self._told(level, resource).children

    def _told(self, level: Level, resource: OrthancId) -> WithChildren:
        """Ask Orthanc for a resource; its tags come with the answer, and are compared with what is known."""
        revision = self._store.revision
        try:
            told = self._orthanc.with_children(level, resource)
        except UnknownResource:
            self._facts.forget([resource], revision)
            raise
        self._facts.verify(told)
        return told
