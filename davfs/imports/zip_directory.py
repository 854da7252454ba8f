"""Lists the members of a ZIP: by its directory or, if that is missing, by the header of each member.

Unlike the standard library, it reads names that are not the UTF-8 they claim to be, and ZIPs that were cut off.

Source: APPNOTE.TXT, PKWARE, version 6.3.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from davfs.errors import DamagedZip, ZipTooLarge

STORED, DEFLATED, BZIP2, LZMA = 0, 8, 12, 14

_FEW, _SMALL = 200, 64 << 10
"""Members of a small ZIP, and bytes of its directory."""
_LARGEST = 8 << 20  # bytes of a directory: some eight times of it in objects
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 0xFFFF
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x0001, 0x0008, 0x0800
_IN_EXTRA, _EXTRA64 = 0xFFFFFFFF, 0x0001
_NEXT = re.compile(rb"PK\x03\x04")
_STARTS = re.compile(rb"(?:PK\x07\x08|PK00)?PK\x03\x04")
_BLOCK = 1 << 20
_MEASURED, _RATIO = 1 << 30, 200
"""Bytes that are unpacked to find the ends of members, and further ones for each byte of the ZIP."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file in a ZIP, as described by the ZIP.

    Attributes:
        name: Its name, folders included.
        method: How it is compressed.
        crc: CRC-32 of its bytes.
        packed: Its bytes in the ZIP.
        size: Its bytes when unpacked.
        header: Offset of its header, in bytes.
        encrypted: It needs a password.
        unknown_end: Its end cannot be found: it cannot be read.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header: int
    encrypted: bool
    unknown_end: bool = False


def starts_as_zip(content: memoryview) -> bool:
    """Return True if a file begins with a member, or with the marker of ZIPs in several parts."""
    return _STARTS.match(content[:8]) is not None


def is_zip(content: memoryview) -> bool:
    """Return True if a file is a ZIP, whatever comes before it, such as a program that unpacks it."""
    if starts_as_zip(content):
        return True
    try:
        _, size, _ = _directory(content)
    except DamagedZip:
        return False
    return size > 0


def has_few_members(content: memoryview) -> bool:
    """Return True if a ZIP has few members, as documents do: they can be checked at once."""
    try:
        _, size, _ = _directory(content)
        return size <= _SMALL and len(directory(content)) <= _FEW
    except DamagedZip:
        return False


def list_members(content: memoryview) -> Iterable[ZipMember]:
    """Return the members of a ZIP: those in its directory or, if that is missing or damaged, those with a header.

    Raises:
        ZipTooLarge: The directory is larger than is read into memory.
    """
    try:
        return directory(content)
    except DamagedZip:
        return recovered(content)


def directory(content: memoryview) -> list[ZipMember]:
    """Return the members in the directory of a ZIP; anything may come before the ZIP, and after it.

    Raises:
        DamagedZip: There is no directory.
        ZipTooLarge: It is larger than is read into memory.
    """
    start, size, shift = _directory(content)
    if size > _LARGEST:
        raise ZipTooLarge("this ZIP has too many members")
    block = bytes(content[start : start + size])
    found, offset = [], 0
    while offset < len(block):
        member, offset = _central(block, offset, shift)
        found.append(member)
    return found


def _directory(content: memoryview) -> tuple[int, int, int]:
    """Return the offset of the directory, its size, and the shift of all offsets in it; in bytes."""
    tail = max(0, len(content) - _END.size - _LONGEST_COMMENT)
    found = bytes(content[tail:]).rfind(b"PK\x05\x06")
    if found < 0 or tail + found + _END.size > len(content):
        raise DamagedZip("it has no directory")
    end = tail + found
    *_, size, offset, _ = _END.unpack_from(content, end)
    if end >= _END64_LOCATOR.size + _END64.size and bytes(content[end - 20 : end - 16]) == b"PK\x06\x07":
        at = end - _END64_LOCATOR.size - _END64.size
        signature, *_, size64, offset64 = _END64.unpack_from(content, at)
        if signature == b"PK\x06\x06":
            end, size, offset = at, size64, offset64
    start = end - size
    if start < 0 or (size and bytes(content[start : start + 4]) != b"PK\x01\x02"):
        raise DamagedZip("its directory is damaged")
    return start, size, start - offset


def _central(block: bytes, offset: int, shift: int) -> tuple[ZipMember, int]:
    """Return the member at an offset of the directory, and the offset of the next one."""
    if offset + _CENTRAL.size > len(block):
        raise DamagedZip("its directory is damaged")
    signature, *fields = _CENTRAL.unpack_from(block, offset)
    _, _, flags, method, _, _, crc, packed, size, named, extra, comment, _, _, _, header = fields
    start = offset + _CENTRAL.size
    if signature != b"PK\x01\x02":
        raise DamagedZip("its directory is damaged")
    name = _name(block[start : start + named], flags)
    size, packed, header = _with_extra(block[start + named : start + named + extra], size, packed, header)
    member = ZipMember(name, method, crc, packed, size, header + shift, bool(flags & _ENCRYPTED))
    return member, start + named + extra + comment


def _name(raw: bytes, flags: int) -> str:
    return raw.decode("utf-8", "replace") if flags & _UTF8 else raw.decode("cp437")


def _with_extra(extra: bytes, *values: int) -> list[int]:
    """Return sizes and offset; those that do not fit into 32 bits from the ZIP64 field."""
    wanted = [index for index, value in enumerate(values) if value == _IN_EXTRA]
    result, offset = list(values), 0
    while wanted and offset + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, offset)
        if kind == _EXTRA64:
            field = extra[offset + 4 : offset + 4 + length]
            found = struct.unpack_from(f"<{len(field) // 8}Q", field)
            for index, value in zip(wanted, found, strict=False):
                result[index] = value
            break
        offset += 4 + length
    return result


def data(content: memoryview, member: ZipMember) -> memoryview:
    """Return the packed bytes of a member.

    Raises:
        DamagedZip: There is no header at the member's offset, or the ZIP ends before.
    """
    start = _data_start(content, member.header)
    if member.unknown_end or start + member.packed > len(content):
        raise DamagedZip("cut off")
    return content[start : start + member.packed]


def _data_start(content: memoryview, header: int) -> int:
    if not 0 <= header <= len(content) - _LOCAL.size or bytes(content[header : header + 4]) != b"PK\x03\x04":
        raise DamagedZip("damaged, or not a kind of ZIP that can be read")
    *_, named, extra = _LOCAL.unpack_from(content, header)
    return int(header + _LOCAL.size + named + extra)


def recovered(content: memoryview) -> Iterator[ZipMember]:
    """Yield the members of a ZIP without a directory, by their headers; the last one may be cut off."""
    found = _NEXT.search(content)
    most = _MEASURED + _RATIO * len(content)
    while found:
        member, unpacked = _local(content, found.start(), most)
        if member is None:
            return
        yield member
        most -= unpacked  # members that overlap would be unpacked again and again
        stop = _data_start(content, member.header) + member.packed
        found = _NEXT.search(content, min(stop, len(content)))


def _local(content: memoryview, header: int, most: int) -> tuple[ZipMember | None, int]:
    """Return the member whose header is at an offset, and how many bytes were unpacked to find its end."""
    if header + _LOCAL.size > len(content):
        return None, 0
    _, _, flags, method, _, _, crc, packed, size, named, extra = _LOCAL.unpack_from(content, header)
    start = header + _LOCAL.size
    name = _name(bytes(content[start : start + named]), flags)
    size, packed = _with_extra(bytes(content[start + named : start + named + extra]), size, packed)
    member = ZipMember(name, method, crc, packed, size, header, bool(flags & _ENCRYPTED))
    if flags & _DESCRIPTOR and not packed and not member.encrypted:
        if method != DEFLATED:
            return replace(member, unknown_end=True), 0
        return _measured(content, member, start + named + extra, most)
    return member, 0


def _measured(content: memoryview, member: ZipMember, start: int, most: int) -> tuple[ZipMember, int]:
    """Unpack a member to find its end; return it with its sizes, and how many bytes were unpacked.

    If there is no end within ``most`` unpacked bytes, the member cannot be read.
    """
    unpacker, offset, size, crc = zlib.decompressobj(-zlib.MAX_WBITS), start, 0, 0
    try:
        while not unpacker.eof and size < most and (offset < len(content) or unpacker.unconsumed_tail):
            block = unpacker.unconsumed_tail or content[offset : (offset := min(offset + _BLOCK, len(content)))]
            unpacked = unpacker.decompress(block, _BLOCK)
            size, crc = size + len(unpacked), zlib.crc32(unpacked, crc)
    except zlib.error:
        pass
    if not unpacker.eof:
        return replace(member, unknown_end=True), size
    return replace(member, packed=offset - len(unpacker.unused_data) - start, size=size, crc=crc), size
