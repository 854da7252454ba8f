"""Ids and nodes as the index's file has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.catalog.packing import pack, unpack
from davfs.catalog.plan import group_node, patient_node

_DIGITS = st.text("0123456789abcdef", min_size=40, max_size=40)
_IDS = _DIGITS.map(lambda digits: "-".join(digits[start : start + 8] for start in range(0, 40, 8)))
_PATIENTS = st.builds(
    patient_node, _IDS | st.builds("{}.{}".format, _IDS, _DIGITS), st.just("layout"), st.just(""), st.text()
)
_NODES = _IDS | _PATIENTS | st.text().map(lambda name: group_node("", 0, name)) | st.text()


@given(one=_NODES, other=_NODES)
def test_packing(one: str, other: str) -> None:
    """Each id and node comes back, and no two are packed into the same bytes."""
    assert unpack(pack(one)) == one
    assert (pack(one) == pack(other)) == (one == other)


@given(_IDS)
def test_size(identifier: str) -> None:
    """An Orthanc id takes twenty bytes."""
    assert len(pack(identifier)) == 20


def test_damage() -> None:
    """Bytes that are no id are an error, by which the damage of the file is found."""
    for size in (0, 19, 22, 34, 54, 56):
        with pytest.raises(ValueError, match="no id"):
            unpack(bytes(size))
