"""Writes DICOM files of attachments: their attributes by pydicom, and the content behind them without a copy."""

import io
import struct
from collections.abc import Mapping
from typing import Any

import pydicom
from pydicom.config import IGNORE
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.tag import Tag
from pydicom.uid import UID, ExplicitVRLittleEndian

from davfs import __version__

_IMPLEMENTATION = UID("2.25.119137463953204264871126925236953914797")
_DOCUMENT = 0x00420011
_LONG_HEADER = struct.Struct("<HH2sHI")
_ITEM = struct.Struct("<HHI")
_UNDEFINED = 0xFFFFFFFF


def with_document(attributes: Mapping[str, Any], document: memoryview) -> bytes:
    """Return the file of an encapsulated document (PS3.3 §C.24.2)."""
    padding = len(document) % 2
    header = _LONG_HEADER.pack(_DOCUMENT >> 16, _DOCUMENT & 0xFFFF, b"OB", 0, len(document) + padding)
    dataset = _dataset(attributes)
    behind = Dataset({tag: element for tag, element in dataset.items() if tag > _DOCUMENT})
    for tag in behind:
        del dataset[tag.tag]
    return b"".join((_head(dataset, ExplicitVRLittleEndian), header, document, b"\0" * padding, _written(behind)))


def with_jpeg(attributes: Mapping[str, Any], image: memoryview, syntax: str) -> bytes:
    """Return the file of a compressed image: its pixels are these bytes, in one fragment (PS3.5 §A.4)."""
    padding = len(image) % 2
    header = _LONG_HEADER.pack(0x7FE0, 0x0010, b"OB", 0, _UNDEFINED) + _ITEM.pack(0xFFFE, 0xE000, 0)
    header += _ITEM.pack(0xFFFE, 0xE000, len(image) + padding)
    end = b"\0" * padding + _ITEM.pack(0xFFFE, 0xE0DD, 0)
    return b"".join((_head(_dataset(attributes), UID(syntax)), header, image, end))


def _dataset(attributes: Mapping[str, Any]) -> Dataset:
    """Return a data set; values are those of the study, so they are written even where they break a rule of DICOM."""
    dataset = Dataset()
    for keyword, value in attributes.items():
        tag = Tag(tag_for_keyword(keyword) or 0)
        held = [_dataset(item) for item in value] if isinstance(value, list) else value
        dataset.add(DataElement(tag, dictionary_VR(tag), held, validation_mode=IGNORE))
    return dataset


def _head(dataset: Dataset, syntax: UID) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = f"DAVFS_{__version__}"[:16]
    dataset.file_meta = meta
    written = io.BytesIO()
    pydicom.dcmwrite(written, dataset, enforce_file_format=True)
    return written.getvalue()


def _written(dataset: Dataset) -> bytes:
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = False, True
    write_dataset(file, dataset)
    return file.getvalue()
