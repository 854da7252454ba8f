"""Tests of the mark of a study in the trash."""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.errors import UnreadableMark
from davfs.orthanc import OrthancId
from davfs.trash.mark import PREFIX, UNREADABLE, Deletion, EntryId, StudyMark

MIN, MAX = (datetime(year, 1, 1) for year in (2000, 2099))  # noqa: DTZ001  Hypothesis wants them without
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def one(number: int) -> OrthancId:
    """Return an id as Orthanc makes them."""
    return OrthancId(hashlib.sha1(str(number).encode(), usedforsecurity=False).digest().hex("-", 4))


def deletion(entry: str = "e", path: tuple[str, ...] = ("a", "b"), **taken: tuple[int, ...]) -> Deletion:
    """Return a deletion that takes instances, by number, of series with the names of the arguments."""
    instances = {one(int(series[1:])): frozenset(map(one, some)) for series, some in taken.items()}
    return Deletion(EntryId(entry), NOON, "u", "::1", "webdav", path[-1], "by-patient", path, instances, 7)


numbers = st.integers(0, 30)
deletions = st.builds(
    Deletion,
    st.text(max_size=5).map(EntryId),
    st.datetimes(MIN, MAX).map(lambda moment: moment.replace(microsecond=0, tzinfo=UTC)),
    *[st.text(st.characters(codec="utf-8"), max_size=9)] * 5,
    st.lists(st.text(st.characters(codec="utf-8"), max_size=9), max_size=3).map(tuple),
    st.dictionaries(numbers.map(one), st.frozensets(numbers.map(one), min_size=1, max_size=9), max_size=4),
    st.integers(0, 1 << 62),
    st.text(st.characters(codec="utf-8"), max_size=9),
)


@given(st.lists(deletions, max_size=3))
def test_round_trip(some: list[Deletion]) -> None:
    """A mark is read as it was written, in ASCII, and begins with the prefix."""
    mark = StudyMark(tuple(some))
    written = mark.encode()
    assert written.isascii()
    assert written.startswith(PREFIX.encode())
    assert StudyMark.decode(written) == mark


@given(st.binary(max_size=40) | st.recursive(st.none() | st.text(max_size=3), lambda inner: st.dictionaries(
    st.sampled_from(["davfs-trash", "deletions", "id", "time"]), inner | st.just(1) | st.lists(inner, max_size=2))
).map(lambda form: json.dumps(form).encode()))  # fmt: skip
def test_anything_else(value: bytes) -> None:
    """What is no mark, or half of one, is read as a mark that hides everything, and is never written again."""
    mark = StudyMark.decode(value)
    assert mark.is_readable is (value == b'{"davfs-trash":1,"deletions":[]}') or mark == StudyMark()
    if not mark.is_readable:
        assert mark.hides(one(1), one(2))
        assert list(mark.visible(one(1), [one(2)])) == []


def test_damage() -> None:
    """Each mark that was cut off, or is of another version, hides everything."""
    written = StudyMark((deletion(s1=(1, 2)),)).encode()
    assert all(StudyMark.decode(written[:end]) is UNREADABLE for end in range(len(written)))
    assert StudyMark.decode(written.replace(b":1,", b":2,", 1)) is UNREADABLE
    assert StudyMark.decode(written.replace(b'"seq"', b'"sequence"')) is UNREADABLE
    for change in (UNREADABLE.encode, UNREADABLE.checked, lambda: UNREADABLE.without_arrived({})):
        with pytest.raises(UnreadableMark):
            change()


def test_what_is_hidden() -> None:
    """The instances of all deletions are hidden, in their own series; others are visible."""
    mark = StudyMark((deletion("a", s1=(1, 2)), deletion("b", s1=(3,), s2=(4,))))
    assert [mark.hides(one(1), one(each)) for each in range(1, 6)] == [True, True, True, False, False]
    assert list(mark.visible(one(2), [one(5), one(4), one(1)])) == [one(5), one(1)]
    assert not mark.hides(one(3), one(1))


def test_size() -> None:
    """An instance takes 27 bytes: a study of 4,000 images fits into 128 KB."""
    mark = StudyMark((deletion("a", s1=tuple(range(4000))),))
    assert len(mark.encode()) < 4000 * 27 + 500
