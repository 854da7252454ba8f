"""ZIP archives."""

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple


def zipped(members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP of files, by their names in it; always the same bytes, since tests are named by them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return buffer.getvalue()


class _Pipe(io.RawIOBase):
    """A file that cannot be rewound."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


def streamed(members: Mapping[str, bytes]) -> bytes:
    """Return a ZIP that was written as a stream: the sizes stand behind each member."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return bytes(pipe.written)


class RawMember(NamedTuple):
    """A member of a ZIP; its headers can claim anything.

    Attributes:
        name: Its name, as bytes.
        data: Its packed bytes.
        size: Claimed size, in bytes.
        crc: Claimed CRC-32.
        method: Claimed compression method.
        packed: Claimed compressed size, in bytes; None for the true one.
        header: Claimed offset of its local header, which is not written then; None for the true one.
        extra: Its extra field, in the directory.
        attributes: Its external attributes.
    """

    name: bytes
    data: bytes = b""
    size: int = 0
    crc: int = 0
    method: int = zipfile.ZIP_STORED
    packed: int | None = None
    header: int | None = None
    extra: bytes = b""
    attributes: int = 0

    @property
    def said(self) -> int:
        """Packed bytes that it is said to have."""
        return len(self.data) if self.packed is None else self.packed

    def local(self) -> bytes:
        """Return its local header and its data."""
        sizes = self.crc, self.said, self.size, len(self.name), 0
        return struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, self.method, 0, 0, *sizes) + self.name + self.data

    def central(self, header: int) -> bytes:
        """Return its entry in the directory."""
        sizes = self.crc, self.said, self.size, len(self.name), len(self.extra), 0, 0, 0, self.attributes, header
        start = struct.pack("<4s6H3L5H2L", b"PK\1\2", 0x0314, 20, 0, self.method, 0, 0, *sizes)
        return start + self.name + self.extra


def stored(name: bytes, content: bytes, attributes: int = 0) -> RawMember:
    """Return a stored member with true headers."""
    return RawMember(name, content, len(content), zlib.crc32(content), attributes=attributes)


def raw_zip(*members: RawMember, count: int | None = None) -> bytes:
    """Return a ZIP of such members; ``count`` is the claimed number of them."""
    content, directory = b"", b""
    for member in members:
        directory += member.central(len(content) if member.header is None else member.header)
        content += member.local() if member.header is None else b""
    said = len(members) % 65536 if count is None else count
    return content + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, said, said, len(directory), len(content), 0)
