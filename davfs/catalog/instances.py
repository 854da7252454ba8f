"""The bounded cache of instances: fetched for a whole series, kept while there is room."""

import itertools
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping

from davfs.orthanc.model import Instance, OrthancId

_MEMORY = 10_000
"""Forgotten ids that are remembered for fetches under way."""


class InstanceCache:
    """Instances of the series that were shown last.

    Args:
        capacity: Number of instances; the series that was not asked for the longest goes first.
    """

    def __init__(self, capacity: int = 200_000) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._series: OrderedDict[OrthancId, Mapping[OrthancId, Instance]] = OrderedDict()
        self._owner: dict[OrthancId, OrthancId] = {}
        self._former: OrderedDict[OrthancId, OrthancId] = OrderedDict()
        self._epoch = 0
        self._arrivals = 0
        self._complete: dict[OrthancId, int] = {}
        self._forgotten: deque[str] = deque(maxlen=_MEMORY)

    @property
    def epoch(self) -> int:
        """Number of ids forgotten so far: taken before a fetch, it tells `put` what has changed meanwhile."""
        return self._epoch

    @property
    def arrivals(self) -> int:
        """Number of instances of unknown series that have come so far: taken before a look, for `confirm`."""
        return self._arrivals

    def is_complete(self, series: OrthancId) -> bool:
        """Tell whether nothing has come since the series was fetched or confirmed: each instance may be one of it."""
        return self._complete.get(series, -1) == self._arrivals

    def confirm(self, series: OrthancId, arrivals: int) -> None:
        """Note that a series that is kept had no other instances when so many had come."""
        with self._lock:
            if series in self._series:
                self._complete[series] = arrivals

    def get(self, series: OrthancId) -> Mapping[OrthancId, Instance] | None:
        """Return the instances of a series by id, None where they are not kept."""
        with self._lock:
            found = self._series.get(series)
            if found is not None:
                self._series.move_to_end(series)
            return found

    def put(self, series: OrthancId, instances: Iterable[Instance], epoch: int) -> Mapping[OrthancId, Instance]:
        """Keep the instances of a series, unless one of them was forgotten since ``epoch``; return them by id."""
        kept = {instance.id: instance for instance in instances}
        with self._lock:
            if self._holds(series, kept, epoch):
                self._drop(series)
                self._series[series] = kept
                self._owner.update(dict.fromkeys(kept, series))
                while len(self._owner) > self._capacity and len(self._series) > 1:
                    self._drop(next(iter(self._series)))
        return kept

    def forget(self, ids: Iterable[str]) -> None:
        """Drop what is known of series, or of the series of instances."""
        with self._lock:
            for one in ids:
                self._epoch += 1
                self._forgotten.append(one)
                resource = OrthancId(one)
                owner = self._owner.get(resource) or self._former.get(resource, resource)
                self._arrivals += owner not in self._series
                self._drop(owner)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._epoch += _MEMORY + 1
            self._series.clear()
            self._complete.clear()
            self._owner.clear()
            self._former.clear()

    def _holds(self, series: OrthancId, kept: Mapping[OrthancId, Instance], epoch: int) -> bool:
        since = self._epoch - epoch
        recent = itertools.islice(reversed(self._forgotten), since)
        return since <= _MEMORY and not any(one == series or one in kept for one in recent)

    def _drop(self, series: OrthancId) -> None:
        self._complete.pop(series, None)
        for instance in self._series.pop(series, {}):
            self._owner.pop(instance, None)
            self._former[instance] = series
            self._former.move_to_end(instance)
        while len(self._former) > self._capacity:
            self._former.popitem(last=False)
