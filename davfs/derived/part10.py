"""DICOM files in two parts: the data set before the pixels, which is changed, and the pixels, which are passed on.

The pixels are never in memory as a whole.

Source: DICOM PS3.10 section 7, PS3.5 section 7.
"""

import io
import re
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import chain

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from davfs import __version__
from davfs.derived.crowds import Crowd
from davfs.derived.elements import Element
from davfs.derived.readers import ForwardReader, PrefixReader
from davfs.errors import NotAnonymised

BLOCK = 1 << 20
"""Bytes that are handed on at most at a time."""

_PIXELS = 0x7FE0
_OF_PIXELS = {0x0001, 0x0002, 0x0003, 0x0008, 0x0009, 0x0010}
"""Elements of that group: offsets and lengths of frames, and pixels (PS3.6)."""
_PADDING = Tag("DataSetTrailingPadding")
_ITEM, _END_OF_ITEMS = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_AHEAD = 1 << 16
"""Bytes that are read at once."""
_META = 132
"""Where file meta information begins: behind preamble and prefix."""
_TAG = 12
"""Bytes of the longest header of an element."""
_STOPS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
"""Pixels: floating point numbers, such of double precision, and integers or what is compressed."""
_MOST = 500_000
"""Elements and items that a data set may have: they take up to 350 MB. An image of 10,000 frames has as many."""
_UID = re.compile(r"[0-9.]{1,64}")
_DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205", "1.2.840.10008.1.2.8.1"}
_IMPLEMENTATION = UID("2.25.119137463953204264871126925236953914797")
"""Our own ImplementationClassUID: a UUID that was drawn once."""


@dataclass(frozen=True, slots=True)
class DicomHead:
    """What comes before the pixels of a file.

    Attributes:
        dataset: The data set.
        syntax: Its transfer syntax.
        implicit: Whether value representations are implicit.
        order: The byte order, as `struct` names it.
        shown: Bytes of all frames, where they are not compressed.
    """

    dataset: Dataset
    syntax: UID
    implicit: bool
    order: str
    shown: int

    def written(self) -> bytes:
        """Return it as the beginning of a file.

        Its meta information and preamble are made anew, since both have room for anything (PS3.15 E.1.1): they tell
        what is needed to read the file, and who made it.
        """
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = self.dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = self.dataset.SOPInstanceUID
        meta.TransferSyntaxUID = self.syntax
        meta.ImplementationClassUID = _IMPLEMENTATION
        meta.ImplementationVersionName = f"DAVFS_{__version__}"[:16]
        self.dataset.file_meta = meta
        written = io.BytesIO()
        pydicom.dcmwrite(written, self.dataset, enforce_file_format=True)
        return written.getvalue()

    def padding(self, size: int) -> Generator[bytes, None, None]:
        """Yield trailing padding of so many bytes, its header among them (PS3.10 section 7.2).

        Raises:
            NotAnonymised: That is too short for one.
        """
        header = struct.pack(f"{self.order}HH", _PADDING.group, _PADDING.element)
        header += b"" if self.implicit else b"OB\0\0"
        left = size - len(header) - 4
        if left < 0 or left % 2:
            raise NotAnonymised("an anonymised file has no room in the size that it was to have")
        yield header + struct.pack(f"{self.order}I", left)
        for start in range(0, left, BLOCK):
            yield bytes(min(BLOCK, left - start))


def read_head(prefix: PrefixReader) -> DicomHead:
    """Read a file up to its pixels, at which the prefix then stands.

    Its meta information is not read by pydicom, which would warn of wrong values, and name them.

    Raises:
        NotAnonymised: Its data set is compressed as a whole, so that nothing can be appended to it, or has too many
            elements.
        Exception: Whatever pydicom and `struct` raise for what is no DICOM file, or is damaged.
    """
    file = io.BufferedReader(prefix, _AHEAD)
    syntax = _read_syntax(file)
    if not syntax:
        start = file.tell()
        syntax = _guessed_syntax(file.read(_TAG))
        file.seek(start)
    if syntax in _DEFLATED:
        raise NotAnonymised("a file in a deflated transfer syntax cannot be padded to a size that is known before")
    encoding = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    _check_count(file, *encoding)
    dataset = read_dataset(file, *encoding, stop_when=lambda tag, _kind, _length: tag in _STOPS)
    prefix.seek(file.tell())
    file.detach()
    if dataset.original_encoding != encoding:
        raise ValueError("a data set is not in its transfer syntax")
    dataset.pop(_PADDING, None)
    order = "<" if encoding[1] else ">"
    return DicomHead(dataset, UID(syntax), encoding[0], order, _decoded_size(dataset, order))


def _check_count(file: "io.BufferedReader[PrefixReader]", implicit: bool, little: bool) -> None:  # noqa: FBT001  as pydicom
    """Raise an error where a data set has too many elements; the file stays where it is.

    How values are represented is guessed by the first element where pydicom would: so another guess is an error, too.
    """
    start = file.tell()
    if (representation := file.read(_TAG)[4:6]) and implicit == (representation.isalpha() and representation.isupper()):
        raise ValueError("a data set is not in its transfer syntax")
    file.seek(start)
    if Crowd(file, "<" if little else ">", _STOPS, implicit=implicit).exceeds(_MOST):
        raise NotAnonymised("a data set has too many elements to be de-identified")
    file.seek(start)


def _read_syntax(file: "io.BufferedReader[PrefixReader]") -> str:
    """Read preamble and meta information, where there are some, and return the transfer syntax; empty for none.

    Source: PS3.10 section 7.1; elements of group 0002 are explicit, little endian.
    """
    if file.read(_META)[128:] != b"DICM":
        file.seek(0)
    syntax, start = "", file.tell()
    while (header := file.read(_TAG))[:2] == b"\x02\0":
        is_long = header[4:6].decode("latin-1") in EXPLICIT_VR_LENGTH_32
        length = struct.unpack_from("<I" if is_long else "<H", header, 8 if is_long else 6)[0]
        start = file.seek(start + (12 if is_long else 8))
        value = file.read(length)
        start = file.seek(start + length)
        if header[:4] == b"\x02\0\x10\0":
            syntax = value.rstrip(b"\0 ").decode("ascii")
    file.seek(start)
    if syntax and not _UID.fullmatch(syntax):
        raise ValueError("a transfer syntax is none")
    return syntax


def _guessed_syntax(start: bytes) -> str:
    """Return the transfer syntax of a data set that stands alone, by its first element."""
    if not start[4:6].isalpha():
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if start[0] else ExplicitVRBigEndian


def pixels(file: ForwardReader, head: DicomHead) -> Generator[bytes, None, None]:
    """Yield the elements of group 7FE0 as they lie in the file, in blocks; others, and what follows, are left out.

    That is padding, signatures that hold no more, and private elements. What stands behind the last frame of pixels
    that are not compressed becomes zeros: nobody sees it, and it may be anything.

    Args:
        file: The file from where they begin.
        head: What comes before them.

    Raises:
        ValueError: The file ends within them.
    """
    while (tag := file.read(4)) and len(tag) == 4:  # noqa: PLR2004  a group and an element
        group, number = struct.unpack(f"{head.order}HH", tag)
        if group != _PIXELS:
            return
        header, length = _header(file, head)
        value = _fragments(file, head.order) if length == _UNDEFINED else _frames(file, length, head.shown)
        for block in chain([tag + header], value):
            if number in _OF_PIXELS:
                yield block


def _header(file: ForwardReader, head: DicomHead) -> tuple[bytes, int]:
    """Read the rest of an element's header, and return the length of its value in bytes."""
    if head.implicit:
        found = file.exactly(4)
        return found, struct.unpack(f"{head.order}I", found)[0]
    found = file.exactly(4)
    if found[:2].decode("latin-1") in EXPLICIT_VR_LENGTH_32:
        found += file.exactly(4)
        return found, struct.unpack_from(f"{head.order}I", found, 4)[0]
    return found, struct.unpack_from(f"{head.order}H", found, 2)[0]


def _fragments(file: ForwardReader, order: str) -> Iterator[bytes]:
    """Yield the fragments of encapsulated pixels, and their end."""
    while True:
        header = file.exactly(8)
        *tag, length = struct.unpack(f"{order}HHI", header)
        yield header
        if tuple(tag) == _END_OF_ITEMS:
            return
        if tuple(tag) != _ITEM:
            raise ValueError("fragments of pixels cannot be read")
        yield from _passed(file, length)


def _frames(file: ForwardReader, length: int, shown: int) -> Iterator[bytes]:
    yield from _passed(file, min(length, shown))
    for block in _passed(file, max(0, length - shown)):
        yield bytes(len(block))


def _decoded_size(dataset: Dataset, order: str) -> int:
    """Return how many bytes all frames have that are not compressed (PS3.3 C.7.6.3); a large number for unknown.

    Args:
        dataset: The data set, as it was read.
        order: The byte order, as `struct` names it.
    """
    frames = _raw(dataset, "NumberOfFrames").strip(b" \0") or b"1"
    number = int(frames) if frames.isdigit() else 0
    rows, columns, bits, samples = (
        int.from_bytes(_raw(dataset, keyword)[:2], "little" if order == "<" else "big")
        for keyword in ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel")
    )
    return -(-number * rows * columns * bits * max(1, samples) // 8) or _UNDEFINED


def _raw(dataset: Dataset, keyword: str) -> bytes:
    return Element(dataset, Tag(keyword)).value if keyword in dataset else b""


def _passed(file: ForwardReader, length: int) -> Iterator[bytes]:
    while length:
        block = file.exactly(min(BLOCK, length))
        length -= len(block)
        yield block
