"""Which facts were changed lately, so that an answer of Orthanc never undoes what was learned from a later one.

Threads ask Orthanc at the same time, and its answers are taken over in another order than that in which it gave them.
Whoever asks notes the number of changes before (`now`). What was changed, or was found unchanged, after that may be
newer than the answer: it is asked for again.
"""

from collections import OrderedDict
from collections.abc import Iterable

_CAPACITY = 200_000
"""Changed resources that are remembered: more than are changed while Orthanc answers one call."""


class Revisions:
    """The last change of each resource, counted over all; to be used by one thread at a time.

    Args:
        capacity: Number of resources; those that were changed first are forgotten, and count as changed when the last
            of them was.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._changed: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0
        self.now = 0

    def note(self, resources: Iterable[str]) -> None:
        """Count a change of these resources, or that they were found unchanged."""
        self.now += 1
        for resource in resources:
            self._changed[resource] = self.now
            self._changed.move_to_end(resource)
        while len(self._changed) > self._capacity:
            self._forgotten = self._changed.popitem(last=False)[1]

    def note_all(self) -> None:
        """Count a change of every resource."""
        self.now += 1
        self._changed.clear()
        self._forgotten = self.now

    def is_changed(self, resource: str, since: int) -> bool:
        """Return True if a resource was, or may have been, changed after `now` was ``since``."""
        return self._changed.get(resource, self._forgotten) > since
