"""The DICOM attributes of an attachment: whose it is, who attached it and when, and what its kind of object requires.

Source: DICOM PS3.3, sections A.8.1 (Secondary Capture Image), A.45.1 (Encapsulated PDF) and A.85.1 (Encapsulated STL).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydicom.uid import EncapsulatedPDFStorage, EncapsulatedSTLStorage, SecondaryCaptureImageStorage

from davfs import __version__
from davfs.attachments.jpeg import JpegImage
from davfs.orthanc import Resource

Attributes = dict[str, Any]
"""Values by DICOM keyword; a list of such mappings for a sequence."""

_PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
_STUDY = ("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "StudyID", "ReferringPhysicianName")
_MAY_BE_KNOWN = ("StudyDescription", "InstitutionName", "RequestingPhysician", "RequestedProcedureDescription")
_OF_PERSON = ("OtherPatientIDs",)
_LONGEST_TITLE, _LONGEST_DESCRIPTION = 1024, 64
"""Characters of the representations ST and LO (PS3.5 §6.2)."""
_PROGRAM: Final = "orthanc-davfs"
_BURNED_IN = "YES"
"""Papers and photographs may show names: nothing says that they do not."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that was dropped on a study.

    Attributes:
        study: The study, with its own patient attributes.
        title: The file's name without its ending.
        user: Who dropped it; empty if that is not known.
        when: When it was dropped, with its time zone.
        series_uid, instance_uid: Its new identifiers.
        series_number: Its new series' number.
    """

    study: Resource
    title: str
    user: str
    when: datetime
    series_uid: str
    instance_uid: str
    series_number: int

    def common(self) -> Attributes:
        """Return the attributes that all kinds have."""
        date, time = self.when.strftime("%Y%m%d"), self.when.strftime("%H%M%S")
        known = {**self.study.patient, **self.study.tags}
        found: Attributes = {"SpecificCharacterSet": "ISO_IR 192"}
        found |= {keyword: known.get(keyword, "") for keyword in (*_PATIENT, *_STUDY)}
        found |= {keyword: known[keyword] for keyword in (*_OF_PERSON, *_MAY_BE_KNOWN) if known.get(keyword)}
        found |= {"InstanceCreationDate": date, "InstanceCreationTime": time, "ContentDate": date, "ContentTime": time}
        found |= {"SeriesDate": date, "SeriesTime": time, "SeriesDescription": _line(self.title, _LONGEST_DESCRIPTION)}
        found |= {"SeriesInstanceUID": self.series_uid, "SOPInstanceUID": self.instance_uid}
        found |= {"SeriesNumber": str(self.series_number), "InstanceNumber": "1", "Manufacturer": _PROGRAM}
        return found | ({"OperatorsName": _person(self.user)} if self.user else {})

    def _converted(self) -> Attributes:
        """Return the SC Equipment Module (C.8.6.1): the drive made DICOM of a file from elsewhere."""
        device = "SecondaryCaptureDevice"
        program = {f"{device}Manufacturer": _PROGRAM, f"{device}SoftwareVersions": __version__}
        return {"ConversionType": "WSD", "BurnedInAnnotation": _BURNED_IN, **program}

    def _document(self, media_type: str, size: int) -> Attributes:
        """Return the Encapsulated Document Module (C.24.2) without the document.

        AcquisitionDateTime is empty: when a document's data was acquired is not known.
        """
        title = {"DocumentTitle": _line(self.title, _LONGEST_TITLE), "ConceptNameCodeSequence": []}
        described = {"MIMETypeOfEncapsulatedDocument": media_type, "EncapsulatedDocumentLength": size}
        return {"AcquisitionDateTime": "", "BurnedInAnnotation": _BURNED_IN, **title, **described}

    def pdf(self, size: int) -> Attributes:
        """Return the attributes of a PDF of so many bytes."""
        own = {"SOPClassUID": EncapsulatedPDFStorage, "Modality": "DOC"}
        return self.common() | own | self._converted() | self._document("application/pdf", size)

    def stl(self, size: int, frame_of_reference: str) -> Attributes:
        """Return the attributes of an STL model of so many bytes, whose coordinates are in millimetres."""
        unit = {"CodeValue": "mm", "CodingSchemeDesignator": "UCUM", "CodeMeaning": "mm"}
        equipment = {"ManufacturerModelName": "davfs", "DeviceSerialNumber": "0", "SoftwareVersions": __version__}
        place = {"FrameOfReferenceUID": frame_of_reference, "PositionReferenceIndicator": ""}
        own = {"SOPClassUID": EncapsulatedSTLStorage, "Modality": "M3D", "MeasurementUnitsCodeSequence": [unit]}
        return self.common() | own | equipment | place | self._document("model/stl", size)

    def image(self) -> Attributes:
        """Return the attributes of a picture, without those of its pixels."""
        date, time = self.when.strftime("%Y%m%d"), self.when.strftime("%H%M%S")
        taken = {"DateOfSecondaryCapture": date, "TimeOfSecondaryCapture": time}
        own = {"SOPClassUID": SecondaryCaptureImageStorage, "Modality": "OT", "ImageType": "DERIVED\\SECONDARY"}
        return self.common() | own | self._converted() | taken | {"PatientOrientation": "", "Laterality": ""}


def of_jpeg(image: JpegImage) -> Attributes:
    """Return the attributes of a JPEG's pixels (C.7.6.3), which stay compressed as they are."""
    ratio = image.rows * image.columns * image.samples / max(1, image.length)
    pixels: Attributes = {"SamplesPerPixel": image.samples, "PhotometricInterpretation": image.photometric}
    pixels |= {"Rows": image.rows, "Columns": image.columns, "BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    pixels |= {"PixelRepresentation": 0} | ({"PlanarConfiguration": 0} if image.samples > 1 else {})
    return pixels | lossy() | {"LossyImageCompressionRatio": f"{ratio:.2f}"}


def lossy() -> Attributes:
    """Return the attributes of pixels that were compressed as JPEG once."""
    return {"LossyImageCompression": "01", "LossyImageCompressionMethod": "ISO_10918_1"}


def as_tags(attributes: Attributes) -> Mapping[str, str]:
    """Return attributes without sequences in the form of Orthanc's ``/tools/create-dicom``."""
    return {keyword: str(value) for keyword, value in attributes.items()}


def _line(text: str, longest: int) -> str:
    """Return a text as one line without what separates values in DICOM."""
    shown = "".join(each if each.isprintable() and each != "\\" else " " for each in text)
    return shown[:longest].strip()


def _person(user: str) -> str:
    """Return the name of a user as a person's name: all of it is the family name (PS3.5 §6.2.1)."""
    return "".join(" " if each in "^=\\" or not each.isprintable() else each for each in user)[:64].strip()
