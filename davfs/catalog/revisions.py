"""Remembers which resources changed lately, so that an old response of Orthanc never replaces a newer one.

Several threads ask Orthanc at the same time, and their responses may be saved in another order than Orthanc sent them.
So each thread notes the number of changes (`current`) before it asks. A resource that was changed or confirmed in the
index after that may be newer than the response: it has to be fetched again.
"""

from collections import OrderedDict
from collections.abc import Iterable

_CAPACITY = 200_000
"""Changed resources that are remembered: more than change while Orthanc answers one request."""


class Revisions:
    """The revision in which each resource changed last; for one thread at a time.

    Args:
        capacity: Number of resources; the oldest are evicted, and count as changed in the revision of the last evicted.

    Attributes:
        current: Number of changes so far.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._changed: OrderedDict[str, int] = OrderedDict()
        self._evicted = 0
        self.current = 0

    def record(self, resources: Iterable[str]) -> None:
        """Record that these resources changed, or were found unchanged."""
        self.current += 1
        for resource in resources:
            self._changed[resource] = self.current
            self._changed.move_to_end(resource)
        while len(self._changed) > self._capacity:
            self._evicted = self._changed.popitem(last=False)[1]

    def record_all(self) -> None:
        """Record that every resource changed."""
        self.current += 1
        self._changed.clear()
        self._evicted = self.current

    def is_changed(self, resource: str, since: int) -> bool:
        """Return True if a resource changed, or may have changed, after the revision ``since``."""
        return self._changed.get(resource, self._evicted) > since
