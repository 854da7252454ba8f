"""DICOM files in two halves: the data set before the pixels, which can be changed, and the pixels, which stay.

Source: DICOM PS3.10 section 7.
"""

import io
import struct
from dataclasses import dataclass

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32

from davfs.errors import NotAnonymised

_PIXELS = 0x7FE0
_PADDING = Tag("DataSetTrailingPadding")
_ITEM, _END_OF_ITEMS = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_DEFLATED = {"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"}
_KEPT_OF_META = tuple(
    map(Tag, ("MediaStorageSOPClassUID", "TransferSyntaxUID", "ImplementationClassUID", "ImplementationVersionName"))
)


@dataclass(frozen=True, slots=True)
class Halves:
    """A DICOM file.

    Attributes:
        dataset: What comes before the pixels.
        pixels: The elements of the pixels as they lie in the file: none, or all of group 7FE0 from the first of them.
        implicit: Whether value representations are implicit.
        order: The byte order, as `struct` names it.
    """

    dataset: FileDataset
    pixels: memoryview
    implicit: bool
    order: str

    def written(self, instance: str, size: int) -> tuple[memoryview, ...]:
        """Return the file again, as buffers, padded at its end to a size.

        Its meta information is made anew, and its preamble is empty: both have room for anything.

        Args:
            instance: Its SOPInstanceUID.
            size: Bytes that it is to have.

        Raises:
            NotAnonymised: It would be longer.
        """
        head = self._head(instance)
        left = size - len(head) - len(self.pixels)
        header = struct.pack(f"{self.order}HH", _PADDING.group, _PADDING.element)
        header += b"" if self.implicit else b"OB\0\0"
        length = left - len(header) - 4
        if length < 0 or length % 2:
            raise NotAnonymised("an anonymised file cannot be padded to its size, as it is longer than the original")
        padding = header + struct.pack(f"{self.order}I", length) + bytes(length)
        return memoryview(head), self.pixels, memoryview(padding)

    def _head(self, instance: str) -> bytes:
        meta = FileMetaDataset()
        for tag in _KEPT_OF_META:
            if tag in self.dataset.file_meta:
                meta[tag] = self.dataset.file_meta[tag]
        meta.MediaStorageSOPInstanceUID = UID(instance)
        self.dataset.file_meta = meta
        self.dataset.preamble = bytes(128)
        written = io.BytesIO()
        pydicom.dcmwrite(written, self.dataset, enforce_file_format=True)
        return written.getvalue()


def halves(content: bytes) -> Halves:
    """Read a file.

    What stands behind the pixels is left out: padding, signatures that hold no more, private elements.

    Raises:
        NotAnonymised: Nothing can be appended to its data set, as that is compressed.
        Exception: Whatever pydicom and `struct` raise for what is no DICOM file, or is damaged.
    """
    file = io.BytesIO(content)
    dataset = pydicom.dcmread(file, stop_before_pixels=True)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in _DEFLATED:
        raise NotAnonymised("a file in a deflated transfer syntax cannot be padded to a size that is known beforehand")
    implicit, little = syntax.is_implicit_VR, syntax.is_little_endian
    if dataset.original_encoding != (implicit, little):
        raise ValueError("a data set is not in its transfer syntax")
    dataset.pop(_PADDING, None)
    order = "<" if little else ">"
    rest = memoryview(content)[file.tell() :]
    return Halves(dataset, rest[: _end_of_pixels(rest, order, implicit=implicit)], implicit, order)


def _end_of_pixels(rest: memoryview, order: str, *, implicit: bool) -> int:
    """Return where the elements of group 7FE0 end."""
    at = 0
    while at < len(rest) and struct.unpack_from(f"{order}H", rest, at)[0] == _PIXELS:
        start, length = _extent(rest, at, order, implicit=implicit)
        at = _end_of_items(rest, start, order) if length == _UNDEFINED else start + length
    if at > len(rest):
        raise ValueError("a file ends within its pixels")
    return at


def _extent(rest: memoryview, at: int, order: str, *, implicit: bool) -> tuple[int, int]:
    """Return where the value of an element begins, and its length."""
    if implicit:
        return at + 8, struct.unpack_from(f"{order}I", rest, at + 4)[0]
    if bytes(rest[at + 4 : at + 6]).decode("latin-1") in EXPLICIT_VR_LENGTH_32:
        return at + 12, struct.unpack_from(f"{order}I", rest, at + 8)[0]
    return at + 8, struct.unpack_from(f"{order}H", rest, at + 6)[0]


def _end_of_items(rest: memoryview, at: int, order: str) -> int:
    """Return where the fragments of encapsulated pixels end."""
    while True:
        *tag, length = struct.unpack_from(f"{order}HHI", rest, at)
        at += 8
        if tuple(tag) == _END_OF_ITEMS:
            return at
        if tuple(tag) != _ITEM:
            raise ValueError("fragments of pixels cannot be read")
        at += length
