"""Reads DICOM files in two parts: the data set before the pixels, and the pixels, which are streamed.

Source: DICOM PS3.10 section 7, PS3.5 section 7.
"""

import io
import re
import struct
import warnings
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from davfs import __version__
from davfs.derived.element_count import ElementCounter
from davfs.derived.readers import AHEAD, ForwardReader, PrefixReader
from davfs.derived.stored_elements import stored_value
from davfs.elements.files import DEFLATED, encoding_at, read_meta_header
from davfs.elements.headers import (
    EXPLICIT,
    IMPLICIT,
    ITEM,
    LONG,
    LONGEST_HEADER,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    HeaderReader,
    has_representation,
)
from davfs.errors import NotAnonymised

BLOCK = 1 << 20
"""Bytes of the largest block."""

_PIXELS = 0x7FE0
_OF_PIXELS = {0x0001, 0x0002, 0x0003, 0x0008, 0x0009, 0x0010}
"""Elements of that group: offsets and lengths of frames, and pixels (PS3.6)."""
_PADDING = Tag("DataSetTrailingPadding")
_STOPS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
"""Pixel data: floating point numbers, such of double precision, and integers or compressed ones."""
_MOST = 500_000
"""Elements and items that a data set may have: they take up to 350 MB. An image of 10,000 frames has as many."""
_UID = re.compile(r"[0-9.]{1,64}")
_DEFLATED = DEFLATED | {"1.2.840.10008.1.2.8.1"}
_SYNTAXES = {
    IMPLICIT: ImplicitVRLittleEndian,
    EXPLICIT: ExplicitVRLittleEndian,
    Encoding(implicit=False, little=False): ExplicitVRBigEndian,
}
_IMPLEMENTATION = UID("2.25.119137463953204264871126925236953914797")
"""Our own ImplementationClassUID: a UUID that was drawn once."""

# pydicom warns of an unknown character set, and names it: it may be anybody's name, and would be in Orthanc's log.
warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")


@dataclass(frozen=True, slots=True)
class DicomHead:
    """The part of a file before its pixels.

    Attributes:
        dataset: The data set.
        syntax: Its transfer syntax.
        encoding: Its encoding.
        shown: Bytes of all frames, if they are not compressed.
    """

    dataset: Dataset
    syntax: UID
    encoding: Encoding
    shown: int

    def written(self) -> bytes:
        """Return the beginning of a new file.

        Preamble and meta information are new, since both may contain anything (PS3.15 E.1.1): only what is needed
        to read the file, and the program that made it.
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
            NotAnonymised: The size is too small for a header.
        """
        header = struct.pack(f"{self.encoding.order}HH", _PADDING.group, _PADDING.element)
        header += b"" if self.encoding.implicit else b"OB\0\0"
        left = size - len(header) - 4
        if left < 0 or left % 2:
            raise NotAnonymised("an anonymised file has no room in the size that it was to have")
        yield header + struct.pack(f"{self.encoding.order}I", left)
        for start in range(0, left, BLOCK):
            yield bytes(min(BLOCK, left - start))


def read_head(prefix: PrefixReader) -> DicomHead:
    """Read a file up to its pixels, at which the prefix then stands.

    Its meta information is not read by pydicom, which would warn of wrong values, and name them.

    Raises:
        NotAnonymised: Its data set is compressed as a whole, so that nothing can be appended to it, or has too many
            elements.
        Exception: The errors of pydicom and `struct` for a file that is damaged, or not DICOM.
    """
    start, name = read_meta_header(prefix.peek)
    if name and not _UID.fullmatch(name):
        raise ValueError("a transfer syntax is none")
    syntax = name or _SYNTAXES[encoding_at(memoryview(prefix.peek(start, LONGEST_HEADER)), 0)]
    if syntax in _DEFLATED:
        raise NotAnonymised("a file in a deflated transfer syntax cannot be padded to a size that is known before")
    encoding = Encoding(syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian)
    _check_elements(prefix, start, encoding)
    prefix.seek(start)
    file = io.BufferedReader(prefix, AHEAD)
    as_pydicom = encoding.implicit, encoding.little
    dataset = read_dataset(file, *as_pydicom, stop_when=lambda tag, _kind, _length: tag in _STOPS)
    prefix.seek(file.tell())
    file.detach()
    if dataset.original_encoding != as_pydicom:
        raise ValueError("a data set is not in its transfer syntax")
    dataset.pop(_PADDING, None)
    return DicomHead(dataset, UID(syntax), encoding, _decoded_size(dataset, encoding))


def _check_elements(prefix: PrefixReader, start: int, encoding: Encoding) -> None:
    """Raise an error if a data set has too many elements.

    pydicom guesses the encoding by the first element: so another guess is an error, too.
    """
    header = prefix.peek(start, LONGEST_HEADER)
    if header[4:6] and encoding.implicit == has_representation(header):
        raise ValueError("a data set is not in its transfer syntax")
    if ElementCounter(prefix, start, encoding, _STOPS).exceeds(_MOST):
        raise NotAnonymised("a data set has too many elements to be de-identified")


def pixels(file: ForwardReader, head: DicomHead) -> Generator[bytes, None, None]:
    """Return the elements of group 7FE0 unchanged, in blocks, without other elements and everything behind the group.

    That is padding, signatures that are not valid any more, and private elements. Bytes behind the last frame of
    uncompressed pixels become zeros: no program shows them, and they may be anything.

    Args:
        file: The file, at the first of these elements.
        head: The part before.

    Raises:
        ValueError: The file ends within them.
    """
    return _gathered(_pixel_elements(file, head))


def _gathered(blocks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield the same bytes in blocks that are not small: there may be millions of fragments without a byte."""
    gathered = bytearray()
    for block in blocks:
        if gathered and len(gathered) + len(block) > AHEAD:
            yield bytes(gathered)
            gathered.clear()
        if len(block) >= AHEAD:
            yield block
        else:
            gathered += block
    if gathered:
        yield bytes(gathered)


def _pixel_elements(file: ForwardReader, head: DicomHead) -> Iterator[bytes]:
    group, read = struct.pack(f"{head.encoding.order}H", _PIXELS), head.encoding.read_header
    while len(header := file.read(4)) == 4 and header.startswith(group):  # noqa: PLR2004  a group and a number
        header += file.read_exactly(4)
        if not head.encoding.implicit and header[4:6] in LONG:
            header += file.read_exactly(4)
        tag, _, length, _ = read(header, 0)
        value = _fragments(file, read) if length == UNDEFINED else _frames(file, length, head.shown)
        for block in chain([header], value):
            if tag & 0xFFFF in _OF_PIXELS:
                yield block


def _fragments(file: ForwardReader, read: HeaderReader) -> Iterator[bytes]:
    """Yield the fragments of encapsulated pixels, and their end."""
    while True:
        header = file.read_exactly(8)
        tag, _, length, _ = read(header, 0)
        yield header
        if tag == SEQUENCE_END:
            return
        if tag != ITEM:
            raise ValueError("fragments of pixels cannot be read")
        yield from _passed(file, length)


def _frames(file: ForwardReader, length: int, shown: int) -> Iterator[bytes]:
    yield from _passed(file, min(length, shown))
    for block in _passed(file, max(0, length - shown)):
        yield bytes(len(block))


def _decoded_size(dataset: Dataset, encoding: Encoding) -> int:
    """Return the bytes of all uncompressed frames (PS3.3 C.7.6.3); a large number if unknown.

    Args:
        dataset: The data set.
        encoding: Its encoding.
    """
    frames = stored_value(dataset, "NumberOfFrames").strip(b" \0") or b"1"
    number = int(frames) if frames.isdigit() else 0
    rows, columns, bits, samples = (
        int.from_bytes(stored_value(dataset, keyword)[:2], "little" if encoding.little else "big")
        for keyword in ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel")
    )
    return -(-number * rows * columns * bits * max(1, samples) // 8) or UNDEFINED


def _passed(file: ForwardReader, length: int) -> Iterator[bytes]:
    while length:
        block = file.read_exactly(min(BLOCK, length))
        length -= len(block)
        yield block
