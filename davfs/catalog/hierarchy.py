"""What Orthanc has below a resource at this moment; what turns out to be gone is forgotten."""

import itertools
from collections.abc import Mapping, Sequence

from davfs.catalog.facts import Facts, batches
from davfs.catalog.instances import InstanceCache
from davfs.catalog.plan import Folder
from davfs.catalog.store import Store
from davfs.errors import UnknownResource
from davfs.orthanc import Orthanc
from davfs.orthanc.model import Instance, Level, OrthancId


class Hierarchy:
    """Orthanc's own lists, from patients down to instances.

    Args:
        orthanc: The server.
        store: Tells how far its log was read.
        instances: Keeps what was fetched.
        facts: Forget what is gone.
    """

    def __init__(self, orthanc: Orthanc, store: Store, instances: InstanceCache, facts: Facts) -> None:
        self._orthanc = orthanc
        self._store = store
        self._instances = instances
        self._facts = facts

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """Tell whether Orthanc has a resource now; one that it has not is forgotten."""
        seen = self._store.seen
        if self._orthanc.exists(level, resource):
            return True
        self._facts.forget([resource], seen)
        return False

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

        Where Orthanc's answer is the same, so is the order, and comparing them costs next to nothing.

        Raises:
            UnknownResource: The resource, or one on the way down, is gone.
        """
        ids: Sequence[OrthancId] = [resource]
        while level is not wanted and level.child:
            below = [self._children(level, one) for one in ids]
            ids = below[0] if len(below) == 1 else list(itertools.chain.from_iterable(below))
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

    def _children(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        seen = self._store.seen
        try:
            return self._orthanc.children(level, resource)
        except UnknownResource:
            self._facts.forget([resource], seen)
            raise
