"""What a complete file is: DICOM, a ZIP that holds DICOM, or anything else.

Little more than the first bytes decides, and nothing here raises on garbage. Without the DICOM preamble a file has to
say otherwise that it is DICOM, see `davfs.imports.signs`; the last word on it is Orthanc's.
"""

import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum, auto
from fnmatch import fnmatchcase

from davfs.errors import DamagedZip, DavfsError, ZipTooLarge
from davfs.imports.signs import Sign, of_elements, of_head

HEAD = 4096
"""Bytes from the start of a file that are looked at."""

_CLASS = re.compile(rb"\x02\x00\x02\x00UI..1\.2\.840\.10008\.1\.3\.10[\x00 \x02]", re.DOTALL)
"""MediaStorageSOPClassUID of a directory."""
_DIRECTORY = re.compile(rb"\x04\x00\x00\x12(?:UL\x04\x00|\x04\x00\x00\x00)|\x00\x04\x12\x00UL\x00\x04", re.DOTALL)
"""OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity, which every directory has."""
_DIRECTORY_SIZE = 8 << 20  # bytes of a ZIP's directory: zipfile makes some 16 times of it in objects
_ENCRYPTED = 0x0001
# bzip2 and LZMA are left out: zipfile unpacks all of a block that it read, whatever the size asked for.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_LONGEST_END = 22 + 0xFFFF  # bytes of the end of the central directory, with the longest comment
_FEW = 200
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
    """It has no preamble, and says otherwise that it is DICOM: Orthanc may be able to read it."""
    UNLIKELY_DICOM = auto()
    """It is hardly DICOM: whatever Orthanc does not take is an ordinary file."""
    DICOMDIR = auto()
    """The directory of a medium: an ordinary file here, since CDs are dragged in whole."""
    ZIP = auto()
    """A ZIP that holds DICOM, or too many members to tell."""


_BY_SIGN = {Sign.NONE: Sniffed.NOTHING, Sign.OPEN: Sniffed.UNLIKELY_DICOM, Sign.DICOM: Sniffed.MAYBE_DICOM}
OFFERED = frozenset({Sniffed.DICOM, Sniffed.MAYBE_DICOM, Sniffed.UNLIKELY_DICOM})
"""What Orthanc is asked to import."""


def is_junk(name: str) -> bool:
    """Tell whether desktops leave files of this name behind on their own: kept, never imported."""
    folded = name.casefold()
    return any(fnmatchcase(folded, pattern) for pattern in _JUNK)


def looks_like_zip(content: memoryview) -> bool:
    """Return True if a file may be a ZIP: then `sniff` looks into each of its members, which can take seconds."""
    has_prefix = bytes(content[128:132]) == b"DICM"
    return bytes(content[:4]) == b"PK\x03\x04" and not has_prefix  # images may lie in its head as they are


def has_few_members(content: memoryview) -> bool:
    """Return True if a ZIP says that it has few members, as documents do: they can be looked into at once.

    Source: APPNOTE.TXT 4.3.16, the end of the central directory.
    """
    tail = bytes(content[-_LONGEST_END:])
    count = tail[(found := tail.rfind(b"PK\x05\x06")) + 10 : found + 12]
    return found >= 0 and int.from_bytes(count, "little") <= _FEW


def sniff(content: memoryview, check: Callable[[], None] = lambda: None) -> Sniffed:
    """Return what a complete file is; never raises, whatever the bytes.

    Args:
        content: All of the file, as plain bytes.
        check: Is called before each member of a ZIP, and may raise to end it.
    """
    return _sniff_zip(content, check) if looks_like_zip(content) else sniff_head(content, len(content))


def sniff_head(content: memoryview, size: int) -> Sniffed:
    """Return what a file is by its data elements, so never `Sniffed.ZIP`.

    Args:
        content: The file's first `HEAD` bytes at least, or all of it.
        size: Bytes of the whole file.

    Source: DICOM PS3.10 §7.1, PS3.5 §7.1.
    """
    if bytes(content[128:132]) == b"DICM":
        return Sniffed.DICOMDIR if _is_directory(content) else Sniffed.DICOM
    return _BY_SIGN[max(of_elements(content, size), of_head(content, HEAD))]


def _is_directory(content: memoryview) -> bool:
    """Return True if a file is the directory of a medium: one of that class, with the elements of that class."""
    directory = _CLASS.search(content[132:HEAD])
    return bool(directory) and bool(_DIRECTORY.search(content[132:HEAD]))


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
        return sniff_head(memoryview(file.read(HEAD)), member.file_size)


def _sniff_zip(content: memoryview, check: Callable[[], None]) -> Sniffed:
    try:
        with open_zip(content) as archive:
            found = any(_is_dicom(archive, member, check) for member in archive.infolist())
    except DamagedZip:
        return Sniffed.NOTHING
    except ZipTooLarge:
        return Sniffed.ZIP  # never kept in silence: the importer refuses it aloud
    return Sniffed.ZIP if found else Sniffed.NOTHING


def _is_dicom(archive: zipfile.ZipFile, member: zipfile.ZipInfo, check: Callable[[], None]) -> bool:
    check()
    try:
        return sniff_member(archive, member) in OFFERED
    except DamagedZip:
        return False
