"""Detects the type of a file: DICOM, a ZIP that holds DICOM, or anything else.

Little more than the first bytes is read, and nothing here raises on garbage. A file without the DICOM preamble needs
another sign of DICOM (`davfs.imports.dicom_signs`); the last word on it is Orthanc's.
"""

import re
from collections.abc import Callable
from enum import Enum, auto
from fnmatch import translate

from davfs.errors import DamagedZip, ZipTooLarge
from davfs.imports.dicom_signs import Sign, of_elements, of_head
from davfs.imports.zip_directory import ZipMember, is_zip, list_members, starts_as_zip
from davfs.imports.zip_members import MemberFile

HEAD = 4096
"""Bytes at the start of a file that are searched."""

_CLASS = re.compile(rb"\x02\x00\x02\x00UI..1\.2\.840\.10008\.1\.3\.10[\x00 \x02]", re.DOTALL)
"""MediaStorageSOPClassUID of a DICOMDIR."""
_DIRECTORY = re.compile(rb"\x04\x00\x00\x12(?:UL\x04\x00|\x04\x00\x00\x00)|\x00\x04\x12\x00UL\x00\x04", re.DOTALL)
"""OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity, which every DICOMDIR has."""
_BLOCK = 1 << 18
_LOOKED_THROUGH = 4 << 20
"""Bytes of a ZIP without DICOM that are unpacked here; the importer, which has more time, checks the rest."""
_SMALLEST = 132
"""Bytes at the start of a file that end with the DICOM prefix."""
_NO_IMAGE = re.compile(
    r"\.(?:txt|md|rtf|pdf|docx?|xlsx?|pptx?|od[tspg]|html?|xml|xsl|json|ya?ml|csv|tsv|log|css|js|ts|py|c|h|cpp|java|class|jar"
    r"|jpe?g|png|gif|bmp|tiff?|svg|webp|ico|mp3|mp4|m4a|m4v|avi|mov|mkv|wav|ogg|wmv|flac|exe|dll|so|com|bat|cmd|sh|msi|inf|ini"
    r"|ttf|otf|woff2?|properties|manifest|mf|rels|lnk|url|eml|msg)$",
    re.IGNORECASE,
)
"""Names of files that are never DICOM: they are ignored if they cannot be read, and not refused."""
_JUNK = (
    "._*", ".ds_store", ".hidden", ".localized", ".metadata_never_index*", ".spotlight-v100", ".trashes", ".fseventsd",
    ".temporaryitems", ".apdisk", ".directory", ".~lock.*", "~$*", "__macosx", "desktop.ini", "thumbs.db",
)  # fmt: skip
"""Names of files that macOS, Windows and desktops of Linux leave behind, in lower case."""
_IS_JUNK = re.compile("|".join(map(translate, _JUNK)))


class FileType(Enum):
    """The detected type of a file."""

    NOTHING = auto()
    """An ordinary file."""
    DICOM = auto()
    """A DICOM file (PS3.10 §7.1)."""
    MAYBE_DICOM = auto()
    """It has no preamble, but another sign of DICOM: Orthanc may be able to read it."""
    UNLIKELY_DICOM = auto()
    """It is hardly DICOM: an ordinary file if Orthanc cannot read it."""
    DICOMDIR = auto()
    """The directory of a medium: an ordinary file here, since users upload whole CDs."""
    ZIP = auto()
    """A ZIP that may hold DICOM, or has too many members to know."""


_BY_SIGN = {Sign.NONE: FileType.NOTHING, Sign.OPEN: FileType.UNLIKELY_DICOM, Sign.DICOM: FileType.MAYBE_DICOM}
IMPORTABLE = frozenset({FileType.DICOM, FileType.MAYBE_DICOM, FileType.UNLIKELY_DICOM})
"""Types of files that Orthanc is asked to import."""


def is_junk(name: str) -> bool:
    """Return True if desktops leave files of this name behind on their own: they are kept, and never imported."""
    return _IS_JUNK.match(name.casefold()) is not None


def looks_like_zip(content: memoryview) -> bool:
    """Return True if a file may be a ZIP: then `sniff` reads each of its members, which can take seconds."""
    if bytes(content[128:132]) == b"DICM" or of_elements(content, len(content)) is Sign.DICOM:
        return False
    return is_zip(content)  # before its head is searched, which may contain uncompressed images


def sniff(content: memoryview, check: Callable[[], None] = lambda: None) -> FileType:
    """Return the type of a complete file; never raises, whatever the bytes.

    Args:
        content: All of the file.
        check: Called before each member of a ZIP; may raise to end the search.
    """
    return _sniff_zip(content, check) if looks_like_zip(content) else sniff_head(content, len(content))


def sniff_head(content: memoryview, size: int) -> FileType:
    """Return the type of a file by its data elements, so never `FileType.ZIP`.

    Args:
        content: The file's first `HEAD` bytes at least, or all of it.
        size: Bytes of the whole file.

    Source: DICOM PS3.10 §7.1, PS3.5 §7.1.
    """
    if bytes(content[128:132]) == b"DICM":
        return FileType.DICOMDIR if _is_directory(content) else FileType.DICOM
    return _BY_SIGN[max(of_elements(content, size), of_head(content, HEAD))]


def _is_directory(content: memoryview) -> bool:
    """Return True if a file is the directory of a medium: one of that class, with the elements of that class."""
    directory = _CLASS.search(content[132:HEAD])
    return bool(directory) and bool(_DIRECTORY.search(content[132:HEAD]))


def sniff_member(content: memoryview, member: ZipMember) -> FileType:
    """Return the type of a ZIP's member by its first bytes; `FileType.ZIP` for any ZIP.

    Raises:
        DamagedZip: It may be DICOM, and cannot be read.
    """
    if _is_ignored(member.name):
        return FileType.NOTHING
    head, damage = _head(content, member)
    if starts_as_zip(head) and bytes(head[128:132]) != b"DICM":
        return FileType.ZIP
    found = sniff_head(head, member.size)
    if damage and found is FileType.NOTHING and len(head) < _SMALLEST and not _NO_IMAGE.search(member.name):
        raise damage
    return found


def check_whole(content: memoryview, member: ZipMember, most: int, check: Callable[[], None] = lambda: None) -> None:
    """Check the checksum of a member that seems not to be DICOM: it may be a damaged image.

    Args:
        content: The ZIP.
        member: The member; one that is no image by its name passes.
        most: Bytes that may be unpacked.
        check: Called from time to time; may raise to end it.

    Raises:
        DamagedZip: It is damaged, or larger.
    """
    if _is_ignored(member.name) or _NO_IMAGE.search(member.name):
        return
    if member.size > most:
        raise DamagedZip("damaged, or too large to be looked through")
    file = MemberFile(content, member)
    while file.read(_BLOCK):
        check()


def _is_ignored(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return not parts[-1] or any(map(is_junk, parts))


def _head(content: memoryview, member: ZipMember) -> tuple[memoryview, DamagedZip | None]:
    """Return the first bytes of a member, and the error if it cannot be read further."""
    blocks: list[bytes] = []
    wanted = HEAD
    try:
        file = MemberFile(content, member)
        while wanted and (block := file.read(wanted)):
            blocks.append(block)
            wanted -= len(block)
    except DamagedZip as error:
        return memoryview(b"".join(blocks)), error
    return memoryview(b"".join(blocks)), None


def _sniff_zip(content: memoryview, check: Callable[[], None]) -> FileType:
    unpacked = 0
    try:
        for member in list_members(content):
            check()
            if _is_wanted(content, member, _LOOKED_THROUGH - unpacked):
                return FileType.ZIP
            unpacked += member.size
    except ZipTooLarge:
        return FileType.ZIP  # the importer refuses it
    return FileType.NOTHING


def _is_wanted(content: memoryview, member: ZipMember, most: int) -> bool:
    try:
        found = sniff_member(content, member)
        if found is FileType.NOTHING:
            check_whole(content, member, most)
    except DamagedZip:
        return True  # the importer refuses it
    return found in (*IMPORTABLE, FileType.ZIP)
