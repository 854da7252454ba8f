"""Groups of connections, by address or user, to find the group that has most and its oldest connection."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class WeightedGroups(Generic[T]):
    """Members of groups, each with a weight, in the order in which they were added."""

    def __init__(self) -> None:
        self._groups: defaultdict[str, OrderedDict[T, int]] = defaultdict(OrderedDict)
        self._weights: defaultdict[str, int] = defaultdict(int)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def weight(self) -> int:
        """Total weight of all members."""
        return sum(self._weights.values())

    def size_of(self, group: str) -> tuple[int, int]:
        """Return the number of members of a group, and their total weight."""
        return len(self._groups.get(group, ())), self._weights.get(group, 0)

    def add(self, group: str, member: T, weight: int = 0) -> None:
        """Add a member, which is in no group yet."""
        self._groups[group][member] = weight
        self._weights[group] += weight
        self._count += 1

    def remove(self, group: str, member: T) -> None:
        """Remove a member of a group, if it is one."""
        if member not in self._groups.get(group, ()):
            return
        self._weights[group] -= self._groups[group].pop(member)
        self._count -= 1
        if not self._groups[group]:
            del self._groups[group], self._weights[group]

    def first(self, group: str, suits: Callable[[T], bool] = lambda _: True) -> T | None:
        """Return the oldest member of a group that suits; None for none."""
        return next(filter(suits, self._groups.get(group, ())), None)

    def largest(self) -> str:
        """Return the group with the most members."""
        return max(self._groups, key=lambda group: len(self._groups[group]))

    def heaviest(self) -> str:
        """Return the group with the largest weight."""
        return max(self._weights, key=lambda group: self._weights[group])
