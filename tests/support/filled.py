"""Data sets with a value for every attribute of the DICOM dictionary, also in items of sequences."""

import io
from collections.abc import Iterator
from typing import Any

import pydicom
from pydicom import DataElement, Dataset
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

MARK = "Zyxwvut"
"""A name that is no word of any dictionary."""
_PIXELS = 0x7FE0
_LEFT_OUT = {0x0000, 0x0002, 0x0004, 0xFFFE, 0xFFFC, _PIXELS}
_KEPT: dict[str, Any] = {
    "SOPClassUID": CTImageStorage,
    "SpecificCharacterSet": "ISO_IR 192",
    "Modality": "CT",
    "BurnedInAnnotation": "NO",
}
_KEPT["LUTDescriptor"] = [7, 0, 16]
_VALUES: dict[str, Any] = {
    **dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT", "CS", "AE"), f"Mr {MARK}"),
    **dict.fromkeys(("DS", "IS"), "7"),
    **dict.fromkeys(("FD", "FL", "SL", "SS", "SV", "UL", "US", "UV"), 7),
    **dict.fromkeys(("OB", "UN"), f"{MARK}!".encode()),
    **dict.fromkeys(("OD", "OF", "OL", "OV", "OW"), bytes(range(8))),
    "PN": f"{MARK}^Mister",
    "AS": "042Y",
    "AT": 0x00100010,
    "DA": "20240229",
    "DT": "20240229142359.123456",
    "TM": "142359.123456",
    "UR": f"http://example.org/{MARK}",
}


def tags(*kinds: str) -> Iterator[tuple[int, str]]:
    """Yield the tags of the dictionary that a data set before its pixels can have, with a representation."""
    for tag, (kind, *_) in sorted(DicomDictionary.items()):
        first = kind.split(" or ")[0]
        if tag >> 16 not in _LEFT_OUT and first != "NONE" and tag & 0xFFFF and (not kinds or first in kinds):
            yield tag, first


def filled(*, with_names: bool) -> Dataset:
    """Return a data set with every attribute, and in one sequence an item with every attribute.

    Args:
        with_names: True to fill in names of people; they occur in the other texts, too.
    """
    data = _filled(1, with_names=with_names)
    del data.EncapsulatedDocument  # at the top it makes an instance a document, and that is refused
    data.PixelData = bytes(8 << 20)  # so that there is room for UIDs that become longer
    data["PixelData"].VR = "OW"
    data.SharedFunctionalGroupsSequence = [_filled(1_000_000, with_names=with_names)]
    for group, element, kind in ((0x5000, 0x0005, "US"), (0x6000, 0x0010, "US"), (0x6002, 0x0022, "LO")):
        data.add_new(Tag(group, element), kind, _VALUES[kind])
    data.add_new(0x60003000, "OW", bytes(8))
    data.add_new(0x60004000, "LT", MARK)
    for place in (data, data.SharedFunctionalGroupsSequence[0]):
        place.add_new(0x00090010, "LO", "MAKER")
        place.add_new(0x00091001, "LO", MARK)
    return data


def _filled(number: int, *, with_names: bool) -> Dataset:
    data = Dataset()
    for tag, kind in tags():
        number += 10
        if kind == "SQ":
            data.add_new(tag, "SQ", [_item(number, with_names=with_names)])
        elif with_names or kind != "PN":
            data.add(DataElement(tag, kind, _value(kind, number)))
    nobody = {} if with_names else dict.fromkeys(("PatientID", "OtherPatientIDs", "AccessionNumber"), "P-17")
    for keyword, value in {**_KEPT, **nobody}.items():
        setattr(data, keyword, value)
    return data


def _item(number: int, *, with_names: bool) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = UID(f"1.2.3.{number}.1")
    item.InstitutionName = item.CodeMeaning = item.SegmentLabel = f"Mr {MARK}"
    item.StudyDate = "20240229"
    if with_names:
        item.PersonName = f"{MARK}^Mister"
    return item


def _value(kind: str, number: int) -> Any:
    return UID(f"1.2.3.{number}") if kind == "UI" else _VALUES[kind]


def file_of(data: Dataset, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """Return a data set as a file."""
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    written = io.BytesIO()
    pydicom.dcmwrite(written, data, enforce_file_format=True)
    return written.getvalue()
