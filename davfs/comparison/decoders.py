"""Decodes compressed pixels without Orthanc: by pydicom, and the packages that it finds.

Not to be used inside Orthanc: their libraries would conflict with those that Orthanc has loaded.
"""

import io
import warnings

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRLittleEndian

from davfs.comparison.parsing import DataSet, ParsedElement, ParsedFile
from davfs.comparison.pixels import PHOTOMETRIC, PLANAR, NotDecodedError, are_compressed
from davfs.elements.headers import PIXEL_DATA

_ICON = 0x00880200


def decoded_by_pydicom(content: memoryview, file: ParsedFile) -> ParsedFile:
    """Decode the pixels of a file, and its icon: RLE always, other forms if a package for them is installed.

    Raises:
        NotDecodedError: There is no decoder, or the pixels are damaged.
    """
    if not are_compressed(file):
        return file
    try:
        with warnings.catch_warnings(action="ignore"):  # about values that DICOM forbids, and scanners write
            dataset = pydicom.dcmread(io.BytesIO(content))
            data = {**file.data, **_decoded(dataset, file.syntax)}
            data |= _decoded_icon(dataset, file)
    except Exception as error:  # pydicom raises errors of many kinds
        raise NotDecodedError from error
    return ParsedFile(ExplicitVRLittleEndian, data)


def _decoded(dataset: Dataset, syntax: str) -> DataSet:
    """Return the pixel data, and the attributes of its encoding."""
    frames: list[bytes] = []
    found: dict[int, ParsedElement] = {}
    for frame, about in get_decoder(syntax).iter_buffer(dataset, raw=True):
        frames.append(bytes(frame))
        found[PHOTOMETRIC] = ParsedElement("CS", memoryview(str(about["photometric_interpretation"]).encode()))
        if int(about["samples_per_pixel"]) > 1:
            planar = int(about["planar_configuration"]).to_bytes(2, "little")
            found[PLANAR] = ParsedElement("US", memoryview(planar))
    return {**found, PIXEL_DATA: ParsedElement("OW", memoryview(b"".join(frames)))}


def _decoded_icon(dataset: Dataset, file: ParsedFile) -> DataSet:
    icon = file.data.get(_ICON)
    if icon is None or not icon.items or not are_compressed(ParsedFile(file.syntax, icon.items[0])):
        return {}
    item = dataset[_ICON].value[0]
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = UID(file.syntax)
    items = ({**icon.items[0], **_decoded(item, file.syntax)}, *icon.items[1:])
    return {_ICON: ParsedElement("SQ", icon.value, items=items)}
