"""Orthanc's own lists of the resources below another one; the index forgets those that turn out to be gone."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from davfs.cache import LruCache
from davfs.catalog.instances import InstanceCache
from davfs.catalog.plan import Folder
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import Synchronizer, batches
from davfs.errors import DatabaseGone, UnknownResource
from davfs.orthanc import ResourceIndex
from davfs.orthanc.model import Instance, Level, OrthancId, WithChildren

_MAX_SINGLE_REQUESTS = 3
"""Studies of a patient that are requested one by one: up to here, that is faster than one request for all."""
_PATIENTS = 1000
"""Patients whose studies are cached."""


class Hierarchy:
    """Lists resources and instances as Orthanc has them now.

    Args:
        orthanc: The server.
        store: The index.
        instances: Caches instances.
        synchronizer: Forgets resources that are gone.
    """

    def __init__(
        self, orthanc: ResourceIndex, store: Store, instances: InstanceCache, synchronizer: Synchronizer
    ) -> None:
        self._orthanc = orthanc
        self._store = store
        self._instances = instances
        self._synchronizer = synchronizer
        self._studies: LruCache[str, tuple[int, Sequence[OrthancId]]] = LruCache(_PATIENTS)

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Return True if Orthanc has a resource now; update the index. During an outage, the index decides.

        Args:
            level: Its level.
            resource: Its id; or the node of a patient folder, which exists as long as one of its studies.
        """
        if level is Level.PATIENT:
            return bool(self._remaining_studies(resource))
        try:
            return self._exists(level, resource)
        except DatabaseGone:
            return level is Level.INSTANCE or not self._store.unknown([resource])

    def _exists(self, level: Level, resource: OrthancId) -> bool:
        if level is not Level.INSTANCE:
            try:
                self._fetch(level, resource)
            except UnknownResource:
                return False
            return True
        revision = self._store.revision
        if self._orthanc.exists(level, resource):
            return True
        self._synchronizer.forget([resource], revision)
        return False

    def studies_of(self, node: str) -> Sequence[OrthancId]:
        """Return the studies in a patient folder, as Orthanc has them now.

        Raises:
            UnknownResource: All of them are gone.
        """
        found = self._remaining_studies(node)
        if not found:
            raise UnknownResource("all studies of the patient are gone")
        return found

    def _remaining_studies(self, node: str) -> Sequence[OrthancId]:
        """Return the studies in a patient folder after a comparison: each may be gone, or be another patient's."""
        with suppress(DatabaseGone):
            self._compare_studies(self._indexed_studies(node))
        return self._indexed_studies(node)

    def _compare_studies(self, known: Sequence[OrthancId]) -> None:
        if len(known) > _MAX_SINGLE_REQUESTS:
            self._synchronizer.verify_all(known)
            return
        for study in known:
            with suppress(UnknownResource):
                self._fetch(Level.STUDY, study)

    def _indexed_studies(self, node: str) -> Sequence[OrthancId]:
        generation, cached = self._store.generation, self._studies.get(node)
        if cached is not None and cached[0] == generation:
            return cached[1]
        studies = self._store.studies_of(node)
        self._studies.put(node, (generation, studies))
        return studies

    def in_folder(self, folder: Folder, wanted: Level) -> Sequence[OrthancId]:
        """Return all resources of a level in a resource's folder, or in the whole archive; see `below`.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        if folder.level is None or folder.id is None:
            return self._orthanc.ids(wanted)
        return self.below(folder.level, OrthancId(folder.id), wanted)

    def below(self, level: Level, resource: OrthancId, wanted: Level) -> Sequence[OrthancId]:
        """Return all resources of a level below a resource, or the resource itself if it has this level.

        A patient folder is given by its node, and has the resources below its studies. The order is Orthanc's.

        Raises:
            UnknownResource: The resource is gone; one between it and that level that has just gone is left out.
        """
        if level is wanted or level.child is None:
            return [resource]
        ids = self.studies_of(resource) if level is Level.PATIENT else self._fetch(level, resource).children
        level = level.child
        while level is not wanted and level.child:
            ids = [child for one in ids for child in self._remaining_children(level, one)]
            level = level.child
        return ids

    def instances(self, series: OrthancId, *, fresh: bool) -> Mapping[OrthancId, Instance]:
        """Return the instances of a series by id; the same object while nothing changed.

        Args:
            series: The series.
            fresh: Whether to ask Orthanc even if the series is cached.

        Raises:
            UnknownResource: The series is gone.
        """
        epoch, arrivals = self._instances.epoch, self._instances.arrivals
        known = self._instances.get(series)
        if known is not None and not fresh and self._instances.is_complete(series):
            return known
        try:
            wanted = self._fetch(Level.SERIES, series).children
        except DatabaseGone:
            if known is None:
                raise
            return known
        if known is not None and known.keys() == set(wanted):
            self._instances.confirm(series, arrivals)
            return known
        former = self._instances.outdated(series) if known is None else known
        kept = [former[i] for i in wanted if i in former]
        new = [i for i in wanted if i not in former]
        fetched = itertools.chain.from_iterable(self._orthanc.instances(batch) for batch in batches(new))
        put = self._instances.put(series, [*kept, *fetched], epoch)
        self._instances.confirm(series, arrivals)
        return put

    def instances_of(
        self, series: Iterable[OrthancId], owner: OrthancId | None, level: Level | None, *, fresh: bool
    ) -> Iterator[Mapping[OrthancId, Instance]]:
        """Yield the instances of several series below a resource; a series that has just gone is left out.

        Args:
            series: The series.
            owner: The resource; None for a group, or the whole archive.
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

    def _remaining_children(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        try:
            return self._fetch(level, resource).children
        except UnknownResource:
            return []

    def _fetch(self, level: Level, resource: OrthancId) -> WithChildren:
        """Fetch a resource with its children, and compare its tags with the index."""
        revision = self._store.revision
        try:
            response = self._orthanc.with_children(level, resource)
        except UnknownResource:
            self._synchronizer.forget([resource], revision)
            raise
        self._synchronizer.verify(response)
        return response
