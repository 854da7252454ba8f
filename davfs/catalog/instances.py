"""A bounded cache of instances; whole series are cached and evicted."""

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping

from davfs.cache import LruCache
from davfs.orthanc.model import Instance, OrthancId

_OUTDATED = 100
"""Series of which other instances are shown than before, until they are listed again."""
_REMEMBERED = 10_000
"""Forgotten ids that are remembered for requests under way."""


class InstanceCache:
    """The instances of the series that were listed last.

    Args:
        capacity: Number of instances; the series that was used least recently is evicted first.

    Attributes:
        epoch: Number of ids forgotten so far: read before a request to Orthanc, it shows `put` what changed meanwhile.
        arrivals: Number of changed instances so far whose series is not cached: read before a request, for `confirm`.
    """

    def __init__(self, capacity: int = 200_000) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._series: OrderedDict[OrthancId, Mapping[OrthancId, Instance]] = OrderedDict()
        self._owner: dict[OrthancId, OrthancId] = {}
        self._former: OrderedDict[OrthancId, OrthancId] = OrderedDict()
        self._outdated: LruCache[OrthancId, Mapping[OrthancId, Instance]] = LruCache(_OUTDATED, capacity // 4)
        self.epoch = 0
        self.arrivals = 0
        self._complete: dict[OrthancId, int] = {}
        self._forgotten: deque[str] = deque(maxlen=_REMEMBERED)

    def is_complete(self, series: OrthancId) -> bool:
        """Return True if no such instance came since the series was confirmed: each one may belong to it."""
        return self._complete.get(series, -1) == self.arrivals

    def confirm(self, series: OrthancId, arrivals: int) -> None:
        """Record that a cached series was complete when `arrivals` had this value."""
        with self._lock:
            if series in self._series:
                self._complete[series] = arrivals

    def get(self, series: OrthancId) -> Mapping[OrthancId, Instance] | None:
        """Return the instances of a series by id; None if they are not cached."""
        with self._lock:
            found = self._series.get(series)
            if found is not None:
                self._series.move_to_end(series)
            return found

    def series_of(self, instance: OrthancId) -> OrthancId | None:
        """Return the series of an instance, if it is cached or was lately."""
        with self._lock:
            return self._owner.get(instance) or self._former.get(instance)

    def outdated(self, series: OrthancId) -> Mapping[OrthancId, Instance]:
        """Return instances of a series by id, each as it is in Orthanc, but which the series may not show any more."""
        return self._outdated.get(series) or {}

    def outdate(self, series: Iterable[OrthancId]) -> None:
        """Evict series that show other ones of their instances from now on, which have not changed themselves."""
        with self._lock:
            for one in series:
                known = self._series.get(one) or self._outdated.get(one)
                self._forget(one)
                if known:
                    self._outdated.put(one, known, len(known))

    def put(self, series: OrthancId, instances: Iterable[Instance], epoch: int) -> Mapping[OrthancId, Instance]:
        """Cache the instances of a series, unless one of them was forgotten since ``epoch``; return them by id."""
        kept = {instance.id: instance for instance in instances}
        with self._lock:
            if self._is_unchanged(series, kept, epoch):
                self._evict(series)
                self._series[series] = kept
                self._owner.update(dict.fromkeys(kept, series))
                while len(self._owner) > self._capacity and len(self._series) > 1:
                    self._evict(next(iter(self._series)))
        return kept

    def forget(self, ids: Iterable[str]) -> None:
        """Evict series, or the series of instances."""
        with self._lock:
            for one in ids:
                self._forget(one)

    def clear(self) -> None:
        """Evict everything."""
        with self._lock:
            self.epoch += _REMEMBERED + 1
            self._series.clear()
            self._complete.clear()
            self._owner.clear()
            self._former.clear()
            self._outdated = LruCache(_OUTDATED, self._capacity // 4)

    def _forget(self, one: str) -> None:
        self.epoch += 1
        self._forgotten.append(one)
        resource = OrthancId(one)
        owner = self._owner.get(resource) or self._former.get(resource, resource)
        self.arrivals += owner not in self._series
        self._evict(owner)

    def _is_unchanged(self, series: OrthancId, kept: Mapping[OrthancId, Instance], epoch: int) -> bool:
        since = self.epoch - epoch
        recent = itertools.islice(reversed(self._forgotten), since)
        return since <= _REMEMBERED and not any(one == series or one in kept for one in recent)

    def _evict(self, series: OrthancId) -> None:
        self._complete.pop(series, None)
        self._outdated.remove(series)
        for instance in self._series.pop(series, {}):
            self._owner.pop(instance, None)
            self._former[instance] = series
            self._former.move_to_end(instance)
        while len(self._former) > self._capacity:
            self._former.popitem(last=False)
