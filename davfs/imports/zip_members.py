"""Unpacks members of ZIPs in bounded memory, however large they are."""

import bz2
import errno
import io
import lzma
import mmap
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path as DiskPath
from typing import IO, Protocol

from davfs.errors import DamagedZip, StorageFull
from davfs.imports.zip_directory import BZIP2, DEFLATED, LZMA, STORED, ZipMember, data

_BLOCK = 1 << 16
"""Packed bytes that are unpacked at a time."""
_AT_ONCE = 1 << 20
_IN_MEMORY = 16 << 20  # bytes up to which a member is unpacked into memory, and not onto the disk
_LZMA_HEADER = struct.Struct("<2BHBL")
_LZMA_PROPERTIES = 5
_LARGEST_DICTIONARY = 128 << 20
_SMALLEST_DICTIONARY = 4096
_METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 20: "Zstandard", 93: "Zstandard", 95: "XZ", 98: "PPMd"}


class _Unpacker(Protocol):
    """Unpacks one stream, a limited number of bytes at a time, as `bz2.BZ2Decompressor` and `lzma.LZMADecompressor`."""

    def decompress(self, block: memoryview, most: int, /) -> bytes:
        """Take the next packed bytes, none unless it needs input, and return up to ``most`` bytes."""

    @property
    def needs_input(self) -> bool:
        """True if it needs more packed bytes."""


class MemberFile:
    """A member of a ZIP, to be read once from its start.

    Args:
        content: The ZIP.
        member: The member.

    Raises:
        DamagedZip: It is encrypted, cut off, or compressed by an unsupported method.
    """

    def __init__(self, content: memoryview, member: ZipMember) -> None:
        if member.encrypted:
            raise DamagedZip("encrypted")
        self._packed = data(content, member)
        self._member = member
        self._taken = 0
        self._given = 0
        self._crc = 0
        self._unpacker = self._opened()

    def read(self, most: int) -> bytes:
        """Return the next bytes, up to ``most`` of them; none at the end, where size and checksum are verified.

        Raises:
            DamagedZip: Its content differs from what the ZIP claims.
        """
        try:
            block = self._next(min(most, self._member.size - self._given))
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            raise DamagedZip("damaged") from error
        self._given += len(block)
        self._crc = zlib.crc32(block, self._crc)
        if not block and most and (self._given != self._member.size or self._crc != self._member.crc):
            raise DamagedZip("damaged")
        return block

    def _next(self, most: int) -> bytes:
        while most > 0:
            last = self._taken >= len(self._packed)
            block = self._packed[:0]
            if self._unpacker.needs_input:
                block = self._packed[self._taken : self._taken + _BLOCK]
                self._taken += len(block)
            unpacked = self._unpacker.decompress(block, most)
            if unpacked or last:
                return unpacked
        return b""

    def _opened(self) -> _Unpacker:
        method = self._member.method
        if method == STORED:
            return _StoredReader()
        if method == DEFLATED:
            return _DeflateReader()
        if method == BZIP2:
            return bz2.BZ2Decompressor()
        if method == LZMA:
            return self._lzma()
        raise DamagedZip(f"compressed by {_METHODS.get(method, f'method {method}')}, which cannot be read")

    def _lzma(self) -> lzma.LZMADecompressor:
        if len(self._packed) < _LZMA_HEADER.size:
            raise DamagedZip("damaged")
        _, _, length, properties, dictionary = _LZMA_HEADER.unpack_from(self._packed)
        if length != _LZMA_PROPERTIES:
            raise DamagedZip("damaged")
        self._taken = _LZMA_HEADER.size
        (rest, lc), size = divmod(properties, 9), self._member.size
        needed = max(min(dictionary, size), _SMALLEST_DICTIONARY)
        if needed > _LARGEST_DICTIONARY:
            raise DamagedZip("compressed with a dictionary that is too large")
        options = {"id": lzma.FILTER_LZMA1, "dict_size": needed, "lc": lc, "lp": rest % 5, "pb": rest // 5}
        try:
            return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])
        except (lzma.LZMAError, ValueError) as error:
            raise DamagedZip("damaged") from error


class _StoredReader:
    """Reads stored members."""

    def __init__(self) -> None:
        self._rest = b""

    @property
    def needs_input(self) -> bool:
        """See `_Unpacker`."""
        return not self._rest

    def decompress(self, block: memoryview, most: int, /) -> bytes:
        """See `_Unpacker`."""
        rest = self._rest or bytes(block)
        self._rest = rest[most:]
        return rest[:most]


class _DeflateReader:
    """Reads deflated members."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def needs_input(self) -> bool:
        """See `_Unpacker`."""
        return not self._stream.unconsumed_tail

    def decompress(self, block: memoryview, most: int, /) -> bytes:
        """See `_Unpacker`."""
        return self._stream.decompress(self._stream.unconsumed_tail or block, most)


@contextmanager
def unpacked(
    content: memoryview, member: ZipMember, scratch: DiskPath | None, check: Callable[[], None]
) -> Iterator[memoryview]:
    """Unpack a whole member, a large one onto the disk.

    Args:
        content: The ZIP.
        member: The member.
        scratch: Folder for large members; None for the system's own.
        check: Called from time to time; may raise to end it.

    Raises:
        DamagedZip: Its content differs from what the ZIP claims.
        StorageFull: The disk is full.
    """
    if member.size <= _IN_MEMORY:
        buffer = io.BytesIO()
        _unpack(content, member, buffer, check)
        yield memoryview(buffer.getvalue())
        return
    with _full_disk(), tempfile.TemporaryFile(dir=scratch) as file:
        _unpack(content, member, file, check)
        # Left to the garbage collector: closing it would raise while a traceback still refers to a view of it.
        yield memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _unpack(content: memoryview, member: ZipMember, target: IO[bytes], check: Callable[[], None]) -> None:
    source = MemberFile(content, member)
    while block := source.read(_AT_ONCE):
        check()
        target.write(block)
    target.flush()  # before it is mapped: a full disk must raise here, and not be a signal later


@contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("no room on this disk to unpack a member of the ZIP") from error
        raise
