"""Tags are read from the index's file as they were written."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.catalog import stored_tags
from davfs.layout.tags import DEFAULT, SINCE_1_12_5
from davfs.orthanc import Level

INDEXED = sorted({one for level in (Level.PATIENT, Level.STUDY, Level.SERIES) for one in DEFAULT[level]})
TAGS = st.dictionaries(
    st.sampled_from((*INDEXED, "EthnicGroup", "0011,1010", "a", ".", "..a", 'x"%s', "%")) | st.text(max_size=3),
    st.text(max_size=5) | st.sampled_from(("", "Müller^Ada", "山田", "\0", '"\\', "%s", "😀", "\ufffd", "\x7f")),
    max_size=6,
)


@given(TAGS)
def test_round_trip(tags: dict[str, str]) -> None:
    """Any tags come back, whatever their keywords and values are, and in any order have the same text."""
    text = stored_tags.dump(tags)
    assert stored_tags.load(text) == tags
    assert stored_tags.dump(dict(reversed(list(tags.items())))) == text


@given(TAGS)
def test_in_sqlite(tags: dict[str, str]) -> None:
    """SQLite stores the text, takes it for JSON, and finds each value that is valid text in it."""
    with closing(sqlite3.connect(":memory:")) as db:
        for keyword, value in tags.items():
            if '"' not in keyword and keyword.isprintable() and value.isprintable():
                query = "SELECT json_valid(?1), json_extract(?1, ?2)"
                found = db.execute(query, (stored_tags.dump(tags), stored_tags.path(keyword))).fetchone()
                assert found == (1, value)


def test_lone_surrogates() -> None:
    """Text that is no Unicode comes back as it was: Orthanc may have it."""
    tags = {"PatientName": "M\udcfcller", "PatientID": "ü"}
    assert stored_tags.load(stored_tags.dump(tags)) == tags
    stored_tags.dump(tags).encode()


def test_letters() -> None:
    """Each tag that every Orthanc indexes has a letter, and none of them has two."""
    some = {*INDEXED, *SINCE_1_12_5[Level.STUDY], *SINCE_1_12_5[Level.SERIES]}
    assert sorted(stored_tags.KEYWORDS) == sorted(some)
    assert stored_tags.dump({"PatientName": "Doe"}) == '{"a":"Doe"}'


@pytest.mark.parametrize("text", ["", "[", "{", '{"a"}'])
def test_damaged(text: str) -> None:
    """Text that is no JSON is an error, as of a damaged file."""
    with pytest.raises(ValueError, match=r".+"):
        stored_tags.load(text)
