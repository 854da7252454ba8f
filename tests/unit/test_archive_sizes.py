"""The size of a ZIP archive is known before it is made, on both sides of each limit of the format."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import zipstream.ng

from davfs.derived.archive import archive
from davfs.derived.streams import StreamPool
from tests.support import archives
from tests.support.archives import GIBI, MEBI, Bytes, Source, Zeros, many, read

LIMIT = (1 << 31) - 1
"""Bytes from which on the library uses ZIP64."""


# pytest finds fixtures by the names in a module.
source, kept = archives.source, archives.kept


@pytest.mark.slow
@pytest.mark.parametrize("count", [65_534, 65_535, 65_536])
def test_size_of_many(kept: StreamPool, count: int) -> None:
    """From 65,535 members on there is another end of the directory, and it is counted."""
    made = archive(many(count), kept)
    whole = read(made)
    assert len(whole) == made.size
    assert (b"PK\6\6" in whole) == (count >= 65_535)
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        assert len(opened.namelist()) == count


@pytest.mark.parametrize(
    "sizes",
    [
        (int(LIMIT / 1.05), 0),
        (int(LIMIT / 1.05) + 1, 0),
        (LIMIT, 0),
        (LIMIT + 1, 0),
        (LIMIT // 2, LIMIT // 2, 0, 0),
        (LIMIT - MEBI, MEBI - 122),  # 122 bytes are added to these two, and the directory begins at the limit
        (LIMIT - MEBI, MEBI - 121),
        (LIMIT - MEBI, MEBI - 122, 0),  # … or a member does
        (LIMIT - MEBI, MEBI - 121, 0),
        (4 * GIBI - 1, 1, 0),
        (4 * GIBI, 0),
        (GIBI,) * 5,
    ],
)
def test_size_of_large(source: Source, kept: StreamPool, monkeypatch: pytest.MonkeyPatch, sizes: Sequence[int]) -> None:
    """The size is exact on both sides of each limit of the format, and of the library."""
    monkeypatch.setattr(zipstream.ng, "crc32", lambda *_: 0)  # or most of the time would go into it
    made = archive([source.member(f"{index}", Zeros(size)) for index, size in enumerate(sizes)], kept)
    with made.open() as file:
        assert sum(len(block) for block in file.buffers()) == made.size


@pytest.mark.slow
def test_size_of_many_and_large(source: Source, kept: StreamPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end that large archives have is counted once where there are 65,535 members."""
    monkeypatch.setattr(zipstream.ng, "crc32", lambda *_: 0)
    made = archive([*many(65_534), source.member("large", Zeros(LIMIT))], kept)
    with made.open() as file:
        assert sum(len(block) for block in file.buffers()) == made.size


def test_large_archive(source: Source, kept: StreamPool, tmp_path: Path) -> None:
    """A member of more than 4 GiB, and what is behind it, can be found and read."""
    members = [source.member("a", Zeros(4 * GIBI + 5)), source.member("b", Bytes(b"behind it"))]
    made = archive(members, kept)
    file = tmp_path / "large.zip"
    with made.open() as content, file.open("wb") as sparse:
        for block in content.buffers():
            if len(block) == MEBI:
                sparse.seek(len(block), io.SEEK_CUR)
            else:
                sparse.write(block)
        assert sparse.tell() == made.size
    with zipfile.ZipFile(file) as opened:
        assert [info.file_size for info in opened.infolist()] == [4 * GIBI + 5, 9]
        assert opened.read("b") == b"behind it"
        with opened.open("a") as large:
            assert large.read(5) == bytes(5)
