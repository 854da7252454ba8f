"""What a complete file is: DICOM, a ZIP that holds DICOM, or anything else.

Only the first bytes decide, and nothing here raises on garbage. The byte tests are stricter for files without the DICOM
preamble, yet they only say "maybe": the last word on those is Orthanc's.
"""

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from fnmatch import fnmatchcase
from itertools import islice

from davfs.errors import DamagedZip, DavfsError, ZipTooLarge

HEAD = 4096
"""Bytes from the start of a file that are looked at."""

_MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"
_LONG_VALUES = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VALUES = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
) | {b"ST", b"TM", b"UI", b"UL", b"US"}
_UNDEFINED_LENGTH = 0xFFFFFFFF
_META, _IDENTIFYING = 0x0002, 0x0008
_DIRECTORY_SIZE = 8 << 20  # bytes of a ZIP's directory: zipfile makes some 16 times of it in objects
_ENCRYPTED = 0x0001
# bzip2 and LZMA are left out: zipfile unpacks all of a block that it read, whatever the size asked for.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_JUNK = (
    "._*",
    ".ds_store",
    ".hidden",
    ".localized",
    ".metadata_never_index*",
    ".spotlight-v100",
    ".trashes",
    ".fseventsd",
    ".temporaryitems",
    ".apdisk",
    ".directory",
    ".~lock.*",
    "~$*",
    "__macosx",
    "desktop.ini",
    "thumbs.db",
)


class Sniffed(Enum):
    """What a file turned out to be."""

    NOTHING = auto()
    """An ordinary file."""
    DICOM = auto()
    """A DICOM file (PS3.10 §7.1)."""
    MAYBE_DICOM = auto()
    """It starts like a data set without preamble: Orthanc may be able to read it."""
    DICOMDIR = auto()
    """The directory of a medium: an ordinary file here, since CDs are dragged in whole."""
    ZIP = auto()
    """A ZIP that holds DICOM, or too many members to tell."""


def is_junk(name: str) -> bool:
    """Tell whether desktops leave files of this name behind on their own: kept, never imported."""
    folded = name.casefold()
    return any(fnmatchcase(folded, pattern) for pattern in _JUNK)


def sniff(content: memoryview) -> Sniffed:
    """Tell what a complete file is; never raises, whatever the bytes.

    Args:
        content: All of the file, as plain bytes.
    """
    head = bytes(content[:HEAD])
    found = sniff_head(head, len(content))
    if found is Sniffed.NOTHING and head.startswith(b"PK\x03\x04"):
        return _sniff_zip(content)
    return found


def sniff_head(head: bytes, size: int) -> Sniffed:
    """Tell what a file is from its start alone, so never `Sniffed.ZIP`.

    Args:
        head: The file's first `HEAD` bytes, or all of it.
        size: Bytes of the whole file.

    Source: DICOM PS3.10 §7.1, PS3.5 §7.1.
    """
    if head[128:132] == b"DICM":
        return Sniffed.DICOMDIR if _media_class(head) == _MEDIA_STORAGE_DIRECTORY else Sniffed.DICOM
    if head[:2] in (b"\x02\x00", b"\x08\x00"):
        found = _is_data_set(head, size, _EXPLICIT) or _is_data_set(head, size, _IMPLICIT)
    else:
        found = head[:2] == b"\x00\x08" and _is_data_set(head, size, _BIG_ENDIAN)
    return Sniffed.MAYBE_DICOM if found else Sniffed.NOTHING


@dataclass(frozen=True, slots=True)
class _Syntax:
    order: str
    explicit: bool


_EXPLICIT, _IMPLICIT, _BIG_ENDIAN = (
    _Syntax("<", explicit=True),
    _Syntax("<", explicit=False),
    _Syntax(">", explicit=True),
)


@dataclass(frozen=True, slots=True)
class _Element:
    group: int
    number: int
    start: int
    length: int
    stop: int


def _media_class(head: bytes) -> bytes:
    """Return MediaStorageSOPClassUID, empty where it is missing."""
    for element in _elements(head, 132, _EXPLICIT):
        if element.group != _META:
            break
        if element.number == 0x0002:  # noqa: PLR2004  (0002,0002) is read best as it stands in the standard
            return head[element.start : element.stop].rstrip(b"\0 ")
    return b""


def _is_data_set(head: bytes, size: int, syntax: _Syntax) -> bool:
    """Tell whether a file starts with two data elements that fit one another.

    Two of them lie in group 0002 or 0008 of every instance: SOPClassUID and SOPInstanceUID.
    """
    match list(islice(_elements(head, 0, syntax), 2)):
        case [first, second]:
            ascending = (first.group, first.number) < (second.group, second.number)
            familiar = {first.group, second.group} <= {_META, _IDENTIFYING}
            return ascending and familiar and (second.stop <= size or second.length == _UNDEFINED_LENGTH)
    return False


def _elements(head: bytes, offset: int, syntax: _Syntax) -> Iterator[_Element]:
    """Walk the data elements from an offset until they make no sense, or the head ends."""
    while offset + 12 <= len(head):
        group, number = struct.unpack_from(f"{syntax.order}HH", head, offset)
        representation = head[offset + 4 : offset + 6]
        if not syntax.explicit:
            (length,), start = struct.unpack_from("<I", head, offset + 4), offset + 8
        elif representation in _LONG_VALUES:
            (length,), start = struct.unpack_from(f"{syntax.order}I", head, offset + 8), offset + 12
        elif representation in _SHORT_VALUES:
            (length,), start = struct.unpack_from(f"{syntax.order}H", head, offset + 6), offset + 8
        else:
            return
        yield _Element(group, number, start, length, start + length)
        offset = start + length


class _Window:
    """A buffer as the file that zipfile wants, without a copy of the whole."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._position = 0

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._position, len(self._content))[whence]
        if base + offset < 0:
            raise OSError("before the start of the file")
        self._position = base + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        # zipfile reads the directory as a whole and turns it into objects: the only read that can be large.
        if size > _DIRECTORY_SIZE:
            raise ZipTooLarge("this ZIP has too many members")
        stop = None if size < 0 else self._position + size
        found = bytes(self._content[self._position : stop])
        self._position += len(found)
        return found


@contextmanager
def zip_errors() -> Iterator[None]:
    """Turn whatever zipfile and zlib raise on garbage into one error.

    Raises:
        DamagedZip: The ZIP or the member cannot be read.
    """
    try:
        yield
    except (DavfsError, MemoryError):
        raise
    except Exception as error:  # zipfile lets struct, zlib, codec, EOF and index errors through, and documents two
        raise DamagedZip("damaged, or not a kind of ZIP that can be read") from error


def open_zip(content: memoryview) -> zipfile.ZipFile:
    """Open a ZIP in a buffer; only its directory is read.

    Raises:
        DamagedZip: It is no ZIP.
        ZipTooLarge: Its directory is too large.
    """
    with zip_errors():
        return zipfile.ZipFile(_Window(content))


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> zipfile.ZipExtFile:
    """Open a member for reading in bounded memory.

    Raises:
        DamagedZip: It is encrypted, damaged or compressed by a method that is not read.
    """
    if member.flag_bits & _ENCRYPTED:
        raise DamagedZip("encrypted")
    if member.compress_type not in _METHODS:
        raise DamagedZip("compressed by a method other than deflate")
    with zip_errors():
        return archive.open(member)  # type: ignore[return-value]  # typeshed says IO[bytes] for both modes


def sniff_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Sniffed:
    """Tell what a member of a ZIP is from its first bytes; a ZIP in a ZIP is an ordinary file.

    Raises:
        DamagedZip: It cannot be opened.
    """
    name = member.filename
    if member.is_dir() or any(is_junk(part) for part in name.split("/")):
        return Sniffed.NOTHING
    with open_member(archive, member) as file, zip_errors():
        return sniff_head(file.read(HEAD), member.file_size)


def _sniff_zip(content: memoryview) -> Sniffed:
    try:
        with open_zip(content) as archive:
            found = any(_is_dicom(archive, member) for member in archive.infolist())
    except DamagedZip:
        return Sniffed.NOTHING
    except ZipTooLarge:
        return Sniffed.ZIP  # never kept in silence: the importer refuses it aloud
    return Sniffed.ZIP if found else Sniffed.NOTHING


def _is_dicom(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        return sniff_member(archive, member) in (Sniffed.DICOM, Sniffed.MAYBE_DICOM)
    except DamagedZip:
        return False
