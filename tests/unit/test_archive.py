"""ZIP archives that are made while they are read: what is in them, how large they are, and what is open meanwhile."""

import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.derived.archive import ArchiveMember, archive
from davfs.derived.streams import StreamPool
from davfs.errors import OrthancError, UnknownResource
from tests.support import archives
from tests.support.archives import DATE, MEBI, Bytes, Source, Zeros, read, unzipped

# pytest finds fixtures by the names in a module.
source, kept = archives.source, archives.kept


@pytest.mark.packages
def test_contents(source: Source, kept: StreamPool, tmp_path: Path) -> None:
    """Names, dates and bytes are those of the members, in the order of their paths."""
    contents = {"CT/b.dcm": b"two" * 99, "CT/a.dcm": b"", "Größe/µ 心.dcm": bytes(3 * MEBI), "z": b"one"}
    made = archive([source.member(path, Bytes(content, 2 * MEBI)) for path, content in contents.items()], kept)
    whole = read(made)
    assert (made.media_type, made.size) == ("application/zip", len(whole))
    with unzipped(whole) as opened:
        assert opened.namelist() == sorted(contents)
        assert {info.filename: opened.read(info) for info in opened.infolist()} == contents
        assert {info.date_time for info in opened.infolist()} == {(2021, 3, 4, 5, 6, 6)}
        assert {info.compress_type for info in opened.infolist()} == {zipfile.ZIP_STORED}
        utf8 = {info.filename for info in opened.infolist() if info.flag_bits & 0x800}
        assert utf8 == {"Größe/µ 心.dcm"}
    file = tmp_path / "study.zip"
    file.write_bytes(whole)
    tested = subprocess.run(["unzip", "-t", file], capture_output=True, text=True, check=False)
    assert (tested.returncode, tested.stderr) == (0, "")
    assert "No errors detected" in tested.stdout
    shown = subprocess.run(["unzip", "-lv", file], capture_output=True, text=True, check=True).stdout
    assert shown.count("2021-03-04 05:06") == len(contents)


def test_no_members(kept: StreamPool) -> None:
    """An archive of nothing is a valid one."""
    made = archive([], kept)
    assert made.size == 22
    assert unzipped(read(made)).namelist() == []


@pytest.mark.parametrize(
    ("date", "shown"),
    [
        (datetime(1979, 12, 31, 23, 59, 59, tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime.min.replace(tzinfo=UTC), (1980, 1, 1, 0, 0, 0)),
        (datetime(1980, 1, 1, 0, 0, 3, tzinfo=UTC), (1980, 1, 1, 0, 0, 2)),
        (datetime(2107, 12, 31, 23, 59, 59, 5, tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
        (datetime.max.replace(tzinfo=UTC), (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_dates(source: Source, kept: StreamPool, date: datetime, shown: tuple[int, ...]) -> None:
    """A date that the format does not know is the nearest one, in both headers of the member."""
    whole = read(archive([source.member("a", Bytes(b"a"), date=date)], kept))
    assert [info.date_time for info in unzipped(whole).infolist()] == [shown]
    directory = whole.index(b"PK\1\2")
    assert whole[10:14] == whole[directory + 12 : directory + 16]


SCRIPT = """
import hashlib, sys
from contextlib import nullcontext
from datetime import datetime, UTC
from davfs.entry import InMemory
from davfs.derived.archive import ArchiveMember, archive
from davfs.derived.streams import StreamPool

content = lambda: InMemory(nullcontext(memoryview(b"abc")))
date = datetime(2021, 3, 4, tzinfo=UTC)
made = archive([ArchiveMember((name, "x"), 3, "v", date, content) for name in sys.argv[1:]], StreamPool())
with made.open() as file:
    print(made.etag, hashlib.sha256(b"".join(file.buffers())).hexdigest())
"""


def test_same_bytes() -> None:
    """The same members give the same archive in each process, at any time and place, in any order."""
    answers = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT, *names],
            env={"PYTHONHASHSEED": seed, "TZ": zone},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
        ).stdout
        for names, seed, zone in ((("ä", "b"), "1", "UTC"), (("b", "ä"), "2", "Asia/Tokyo"))
    }
    assert len(answers) == 1


def test_etag(source: Source, kept: StreamPool) -> None:
    """Another path, size, version or date of any member, or another number of them, is another archive."""
    members = source.members(3)
    first = members[0]
    others = [
        replace(first, path=("other",)),
        replace(first, path=("0000", "dcm")),
        replace(first, size=99),
        replace(first, version="w"),
        replace(first, date=DATE + timedelta(seconds=2)),
    ]
    lists = [members, members[1:], [], *([other, *members[1:]] for other in others)]
    assert len({archive(one, kept).etag for one in lists}) == len(lists)
    assert archive(members[::-1], kept).etag == archive(members, kept).etag


CONTENTS = st.dictionaries(
    st.lists(st.sampled_from(["a", "b", "ä", "x.dcm"]), min_size=1, max_size=3).map("/".join),
    st.binary(max_size=300),
    max_size=4,
)
RANGES = st.lists(st.tuples(st.integers(0, 1600), st.none() | st.integers(0, 1600)), max_size=12)


@given(CONTENTS, RANGES, st.integers(1, 200), st.booleans())
def test_ranges(contents: dict[str, bytes], ranges: list[tuple[int, int | None]], block: int, at_once: bool) -> None:  # noqa: FBT001  what is drawn
    """Every range of any archive is that part of the whole, read in one request or in several."""
    source, kept = Source(), StreamPool(most=2, idle=1000)
    with closing(kept):
        made = archive([source.member(path, Bytes(content, block)) for path, content in contents.items()], kept)
        whole = read(made)
        with unzipped(whole) as opened:
            assert {name: opened.read(name) for name in opened.namelist()} == contents
        if at_once:
            with made.open() as file:
                assert [b"".join(file.buffers(*one)) for one in ranges] == [whole[slice(*one)] for one in ranges]
        else:
            assert [read(made, *one) for one in ranges] == [whole[slice(*one)] for one in ranges]
        assert len(source.open) <= 2
    assert source.open == []


def test_consecutive_ranges(source: Source, kept: StreamPool) -> None:
    """Ranges that follow each other read each member once, and the last one leaves nothing open."""
    made = archive(source.members(10), kept)
    whole = read(made)
    source.opened.clear()
    places = [*range(0, made.size, 70), made.size]
    assert b"".join(read(made, start, stop) for start, stop in pairwise(places)) == whole
    assert source.opened == sorted(set(source.opened))
    assert (source.open, source.most, kept._idle) == ([], 1, [])


@pytest.mark.slow
def test_one_member_at_a_time(source: Source, kept: StreamPool) -> None:
    """A member is opened only when its bytes are read, and closed before the next one is opened."""
    made = archive(source.members(10, size=2 * MEBI), kept)
    with made.open() as file:
        buffers = file.buffers()
        assert source.opened == []
        for block in buffers:
            assert len(block) <= MEBI
            assert len(source.open) <= 1
    assert (len(source.opened), source.open, source.most) == (10, [], 1)


def test_range_that_is_given_up(source: Source, kept: StreamPool) -> None:
    """A range that is not read to its end leaves nothing open when it is closed."""
    with archive(source.members(3), kept).open() as file:
        buffers = file.buffers(0, 250)
        assert isinstance(buffers, Generator)
        started(buffers, source)
        buffers.close()
        assert (source.open, kept._idle) == ([], [])


def test_file_that_is_closed_early(source: Source, kept: StreamPool) -> None:
    """A file that is closed while a range is read leaves nothing open, and gives no more bytes."""
    with archive(source.members(3), kept).open() as file:
        buffers = file.buffers(0, 250)
        started(buffers, source)
    assert (source.open, kept._idle) == ([], [])
    assert list(buffers) == []


def test_reader_that_fails(source: Source, kept: StreamPool) -> None:
    """An error of the reader leaves nothing open."""

    def fail() -> None:
        with archive(source.members(3), kept).open() as file:
            buffers = file.buffers(0, 250)
            started(buffers, source)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (source.open, kept._idle) == ([], [])


def started(buffers: Iterator[memoryview], source: Source) -> None:
    """Read into the midst of the first member."""
    next(buffers)
    next(buffers)
    assert source.open == ["0000.dcm"]


@pytest.mark.parametrize("size", [0, 99, 101, 4 * MEBI])
@pytest.mark.parametrize("missing", [0, 1])
def test_replaced(source: Source, kept: StreamPool, size: int, missing: int) -> None:
    """A member that is longer or shorter than it was to be is an error, whatever range goes over its end."""
    first, _, third = source.members(3)
    sound = archive([first, source.member("0001.dcm", Zeros(100)), third], kept)
    made = archive([first, source.member("0001.dcm", Zeros(size), size=100), third], kept)
    came: list[memoryview] = []
    with made.open() as file, pytest.raises(OrthancError):
        came.extend(file.buffers(0, made.size - missing))
    assert read(sound).startswith(b"".join(came))
    source.opened.clear()
    with pytest.raises(OrthancError):
        read(made, made.size - 1)
    assert source.opened == ["0000.dcm", "0001.dcm"]
    assert (source.open, kept._idle) == ([], [])


def test_gone(source: Source, kept: StreamPool) -> None:
    """An error of opening a member is raised while the archive is read."""

    def gone() -> AbstractContextManager[Bytes]:
        raise UnknownResource("gone")

    members = source.members(3)
    made = archive([members[0], replace(members[1], open=gone), members[2]], kept)
    with made.open() as file:
        buffers = file.buffers()
        started(buffers, source)
        with pytest.raises(UnknownResource):
            list(buffers)
    assert (source.opened, source.open) == (["0000.dcm"], [])


def test_blocks_outlive_their_member(kept: StreamPool) -> None:
    """A block is still valid after the memory of its member was freed."""

    @contextmanager
    def opened() -> Iterator[Bytes]:
        memory = bytearray(b"x" * 1000)
        yield Bytes(memory, block=100)
        memory[:] = b"-" * 1000

    made = archive(
        [ArchiveMember(("a",), 1000, "v", DATE, opened), ArchiveMember(("b",), 1000, "v", DATE, opened)], kept
    )
    with made.open() as file:
        assert unzipped(b"".join(list(file.buffers()))).read("a") == b"x" * 1000


def test_memory(source: Source, kept: StreamPool) -> None:
    """An archive of 300 MB takes a few blocks of memory, whether it is read at once or in ranges."""
    made = archive([source.member(f"{index}", Zeros(100 * MEBI)) for index in range(3)], kept)
    tracemalloc.start()
    try:
        with made.open() as file:
            assert sum(len(block) for block in file.buffers()) == made.size
        for start in range(0, made.size, 16 * MEBI):
            with made.open() as file:
                for block in file.buffers(start, start + 16 * MEBI):
                    assert len(block) <= MEBI
        assert tracemalloc.get_traced_memory()[1] < 8 * MEBI
    finally:
        tracemalloc.stop()
