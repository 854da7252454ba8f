"""Makes ZIP archives of DICOM files while they are read; their size is known before.

Nothing is compressed, so the size follows from the names and sizes of the members. The CRC-32 of a member is known when
it was read; it is written behind the member, and in the directory at the end. So an archive is made from its beginning
only: a request for a range waits until everything before it was read from Orthanc. Consecutive ranges are read from one
stream (see `davfs.derived.streams`).

Source: APPNOTE.TXT, .ZIP File Format Specification 6.3.10.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from zipstream import ZipStream

from davfs.derived.file import DerivedFile
from davfs.derived.streams import ForwardStream, StreamedFile, StreamPool
from davfs.entry import Readable
from davfs.errors import Unavailable
from davfs.orthanc.model import Instance

_BLOCK = 1 << 20
"""Bytes of the largest block."""
_BATCH = 100
"""Members for which one request finds out if they were replaced after they were read."""
_FIRST, _LAST = datetime(1980, 1, 1, tzinfo=UTC), datetime(2107, 12, 31, 23, 59, 58, tzinfo=UTC)
"""The dates that a member can have."""
_IN_FILE_HEADER, _IN_DIRECTORY = 10, 12
"""Where in the header of a member its time and date are, in bytes. Source: APPNOTE 4.3.7, 4.3.12."""
_EMPTY_MEMBER = (30 + 1) + 16 + (46 + 1)
"""Bytes that an empty member takes whose name is one letter: two headers, data descriptor. Source: APPNOTE 4.3.7-12."""
_ZIP64_MEMBERS = 0xFFFF
"""From this number of members on an archive needs a ZIP64 end. Source: APPNOTE 4.4.1.4."""
_ZIP64_END = 56 + 20
"""Bytes of the ZIP64 end of the directory, and of its locator. Source: APPNOTE 4.3.14, 4.3.15."""
_REPLACED = "an image was replaced while an archive of it was read"


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """One file in an archive.

    Attributes:
        path: Its path in the archive: safe names, in NFC.
        size: Bytes.
        version: Differs for another content.
        date: Last change, in UTC; the archive holds it to two seconds, from 1980 to 2107.
        open: Opens its content; entered before the first byte, and left after the last one.
        instance: The instance with this content, if the archive has to find out that it is replaced meanwhile.
        check: Raises the errors of opening, as far as they are known before; called when the archive is opened.
    """

    path: tuple[str, ...]
    size: int
    version: str
    date: datetime
    open: Callable[[], AbstractContextManager[Readable]]
    instance: Instance | None = None
    check: Callable[[], None] = lambda: None


def archive(
    members: Sequence[ArchiveMember],
    streams: StreamPool,
    unchanged: Callable[[Sequence[Instance]], bool] = lambda _instances: True,
) -> DerivedFile:
    """Return the ZIP archive of some files: for the same members always the same bytes, sorted by path.

    Reading raises `Unavailable` if a member was replaced since then, and the errors of opening or reading a member.

    Args:
        members: The files, each with another path.
        streams: Where its streams wait between two ranges.
        unchanged: Returns True if no instance was replaced or deleted.
    """
    members = sorted(members, key=lambda member: member.path)
    size, etag = _size(members), _etag(members)
    newest = max((member.date for member in members), default=None)

    def stream() -> ForwardStream:
        return ForwardStream(_blocks(members, unchanged), size)

    opened = partial(StreamedFile, size, etag, streams, stream, partial(_check, members))
    return DerivedFile(size, etag, "application/zip", opened, newest, instances=len(members))


def _check(members: Sequence[ArchiveMember]) -> None:
    for member in members:
        member.check()


def _blocks(
    members: Sequence[ArchiveMember], unchanged: Callable[[Sequence[Instance]], bool]
) -> Generator[bytes, None, None]:
    # The library gives each member the local time of now, and knows no other (its issue 27). It yields every header as
    # a block of its own, in which the member's own time is put.
    archive = ZipStream()
    sent: list[Instance] = []
    for member in members:
        with closing(_content(member)) as content:
            archive.add(content, _name(member), size=member.size)
            file = archive.file()
            yield _dated(next(file), _IN_FILE_HEADER, member)
            yield from file
        if member.instance:
            sent.append(member.instance)
        if len(sent) >= _BATCH or member is members[-1]:
            if not unchanged(sent):
                raise Unavailable(_REPLACED)
            sent.clear()
    directory = archive.footer()
    for member in members:
        yield _dated(next(directory), _IN_DIRECTORY, member)
    yield from directory


def _content(member: ArchiveMember) -> Generator[bytes, None, None]:
    missing = member.size
    with member.open() as file:
        for buffer in file.buffers():
            for start in range(0, len(buffer), _BLOCK):
                # A copy, since it outlives the member, whose memory is Orthanc's own.
                block = bytes(buffer[start : start + _BLOCK])
                missing -= len(block)
                if missing < 0:
                    raise Unavailable(_REPLACED)
                yield block
    if missing:
        raise Unavailable(_REPLACED)


def _name(member: ArchiveMember) -> str:
    return "/".join(member.path)


def _dated(header: bytes, place: int, member: ArchiveMember) -> bytes:
    dated = bytearray(header)
    struct.pack_into("<HH", dated, place, *_dos_time(member.date))
    return bytes(dated)


def _dos_time(date: datetime) -> tuple[int, int]:
    """Return time and date as MS-DOS has them. Source: APPNOTE 4.4.6."""
    date = min(max(date, _FIRST), _LAST)
    time = date.hour << 11 | date.minute << 5 | date.second >> 1
    return time, (date.year - 1980) << 9 | date.month << 5 | date.day


def _size(members: Sequence[ArchiveMember]) -> int:
    archive = ZipStream(sized=True)
    for member in members:
        archive.add((), _name(member), size=member.size)
    size = len(archive)
    if len(members) == _ZIP64_MEMBERS:
        # The library writes a ZIP64 end, and forgets to count it, unless the archive is so large that it needs one
        # anyway. With one more member it is counted.
        archive.add((), "0", size=0)
        if len(archive) == size + _EMPTY_MEMBER + _ZIP64_END:
            size += _ZIP64_END
    return size


def _etag(members: Sequence[ArchiveMember]) -> str:
    digest = hashlib.sha256()
    for member in members:
        digest.update(json.dumps([member.path, member.size, member.version, _dos_time(member.date)]).encode())
    return digest.hexdigest()[:32]
