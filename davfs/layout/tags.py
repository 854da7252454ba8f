"""The DICOM tags in Orthanc's index, which templates can use without opening a file.

Source: ``OrthancFramework/Sources/DicomFormat/DicomMap.cpp`` of Orthanc 1.12 (the lists of its main DICOM tags up to
1.11, which it promises not to change, and ``ResetDefaultMainDicomTags`` for what came after). The keywords are those
of DICOM PS3.6; Orthanc's own constant for OperatorsName is called OPERATOR_NAME.
"""

from collections.abc import Collection, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from pydicom.datadict import dictionary_VR, tag_for_keyword

from davfs.orthanc.model import Level

ExtraTags: TypeAlias = Mapping[Level, Collection[str]]
"""Keywords that Orthanc's option ``ExtraMainDicomTags`` adds, by level."""

NO_EXTRA_TAGS: ExtraTags = MappingProxyType({})

DEFAULT: Mapping[Level, frozenset[str]] = MappingProxyType({
    Level.PATIENT: frozenset({
        "PatientName", "PatientBirthDate", "PatientSex", "OtherPatientIDs", "PatientID",
    }),
    Level.STUDY: frozenset({
        "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber", "StudyInstanceUID",
        "RequestedProcedureDescription", "InstitutionName", "RequestingPhysician", "ReferringPhysicianName",
    }),
    Level.SERIES: frozenset({
        "SeriesDate", "SeriesTime", "Modality", "Manufacturer", "StationName", "SeriesDescription",
        "BodyPartExamined", "SequenceName", "ProtocolName", "SeriesNumber", "CardiacNumberOfImages",
        "ImagesInAcquisition", "NumberOfTemporalPositions", "NumberOfSlices", "NumberOfTimeSlices",
        "SeriesInstanceUID", "ImageOrientationPatient", "SeriesType", "OperatorsName",
        "PerformedProcedureStepDescription", "AcquisitionDeviceProcessingDescription", "ContrastBolusAgent",
    }),
    Level.INSTANCE: frozenset({
        "InstanceCreationDate", "InstanceCreationTime", "AcquisitionNumber", "ImageIndex", "InstanceNumber",
        "NumberOfFrames", "TemporalPositionIdentifier", "SOPInstanceUID", "ImagePositionPatient", "ImageComments",
        "ImageOrientationPatient",
    }),
})  # fmt: skip
"""The tags in the index of every Orthanc since 1.4.2."""

SINCE_1_12_5: Mapping[Level, frozenset[str]] = MappingProxyType(
    {
        Level.STUDY: frozenset({"TimezoneOffsetFromUTC"}),
        Level.SERIES: frozenset(
            {"TimezoneOffsetFromUTC", "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime"}
        ),
    }
)
"""Tags in newer versions only (besides RequestAttributesSequence, which has no text); empty in an older Orthanc."""


MODALITIES = "ModalitiesInStudy"
LABELS = "Labels"
SUBJECT = "Subject"
"""The person of a study (`davfs.layout.subject`), which the catalog adds to the tags of studies, series and instances.
Templates cannot use it, but in an anonymised layout, ``{PatientID:hash}`` is its hash."""
PSEUDO = frozenset({MODALITIES, LABELS})
"""Tags that the catalog adds to those of studies, series and instances: the modalities of the study's series, and the
labels of Orthanc 1.12.0 and newer. Several of them are joined by backslashes, as values of a tag are."""


def indexed(level: Level, extra: ExtraTags = NO_EXTRA_TAGS) -> frozenset[str]:
    """Return the keywords at exactly this level."""
    pseudo = PSEUDO if level is Level.STUDY else ()
    return DEFAULT[level].union(SINCE_1_12_5.get(level, ()), extra.get(level, ()), pseudo)


def usable(level: Level, extra: ExtraTags = NO_EXTRA_TAGS) -> frozenset[str]:
    """Return the keywords that a template of this level can use: those of this level and of the levels above."""
    above = usable(level.parent, extra) if level.parent else frozenset()
    return above | indexed(level, extra)


@lru_cache(maxsize=1000)
def representation(keyword: str) -> str | None:
    """Return a keyword's value representation in DICOM PS3.6 (``DA``, ``US or SS``); None if it is unknown there."""
    if keyword == LABELS:
        return "LO"
    tag = tag_for_keyword(keyword)
    return None if tag is None else dictionary_VR(tag)
