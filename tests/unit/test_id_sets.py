"""Sets of resources have what was put into them, in little memory."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from davfs.catalog.id_sets import PackedIds, RowSet
from davfs.orthanc import OrthancId


def _id(number: int) -> OrthancId:
    return OrthancId("-".join([f"{number:08x}"] * 5))


@given(st.lists(st.integers(0, 1 << 32), unique=True), st.lists(st.text(max_size=5), max_size=3))
def test_packed_ids(numbers: list[int], others: list[str]) -> None:
    """All ids come back, also those that are none of Orthanc's."""
    wanted = [*(_id(number % (1 << 32)) for number in numbers), *map(OrthancId, others)]
    ids = PackedIds()
    for one in wanted:
        ids.extend([one])
    assert sorted(ids) == sorted(wanted)
    assert len(ids) == len(wanted)


def test_packed_ids_are_small() -> None:
    """An id takes little more than its twenty bytes."""
    ids = PackedIds()
    ids.extend(map(_id, range(10_000)))
    assert sys.getsizeof(ids._packed) < 10_000 * 25


@given(st.sets(st.integers(0, 10_000)), st.integers(0, 20_000))
def test_row_set(rows: set[int], other: int) -> None:
    """Exactly those numbers are in it that were added."""
    found = RowSet()
    found.update(rows)
    assert all(row in found for row in rows)
    assert (other in found) is (other in rows)
