"""Connections by whom they belong to."""

from hypothesis import given
from hypothesis import strategies as st

from davfs.doors.webdav.wire.weighted_groups import WeightedGroups


def test_who_has_most() -> None:
    """The largest and the heaviest group, and what came first in each, are known."""
    groups: WeightedGroups[int] = WeightedGroups()
    for group, member, weight in (("a", 1, 5), ("b", 2, 1), ("b", 3, 1), ("c", 4, 0)):
        groups.add(group, member, weight)
    assert (groups.largest(), groups.heaviest(), groups.weight, len(groups)) == ("b", "a", 7, 4)
    assert (groups.first("b"), groups.size_of("b"), groups.first("z"), groups.size_of("z")) == (2, (2, 2), None, (0, 0))
    assert (groups.first("b", lambda member: member > 2), groups.first("b", lambda member: member > 3)) == (3, None)
    groups.remove("b", 2)
    groups.remove("b", 2)
    assert (groups.first("b"), groups.weight, len(groups)) == (3, 6, 3)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 5)), unique_by=lambda one: one[:2]))
def test_removed_to_the_last(added: list[tuple[str, int, int]]) -> None:
    """Groups are empty and weigh nothing after each member was removed."""
    groups: WeightedGroups[int] = WeightedGroups()
    for group, member, weight in added:
        groups.add(group, member, weight)
    assert (len(groups), groups.weight) == (len(added), sum(weight for *_, weight in added))
    for group, member, _ in added:
        groups.remove(group, member)
    assert (len(groups), groups.weight, groups.size_of("a")) == (0, 0, (0, 0))
