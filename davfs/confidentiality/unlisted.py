"""Actions on attributes that the standard's Table E.1-1 does not list.

The table has attributes that are known to identify somebody, and leaves all others open (PS3.15 E.1.1). Here only those
are kept that are known to be harmless:

- **numbers, codes and pointers** that are valid in their representation;
- **texts** that equipment writes, or that come with a code, as listed below. All others may be free text, and are
  replaced;
- **UIDs** of classes, transfer syntaxes and coding schemes, which identify no person. All others are replaced;
- **bytes** that are samples, as listed below;
- **dates and times** are replaced or shifted, as those in the table;
- attributes that are not in the dictionary are removed.
"""

from davfs.confidentiality.options import Options
from davfs.confidentiality.table import Action

TEXTS = frozenset({"AE", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
CODES = frozenset({"CS", "AS"})
CLOCKS = frozenset({"DA", "DT", "TM"})
NUMBERS_IN_TEXT = frozenset({"DS", "IS"})
BYTES = frozenset({"OB", "UN"})
NUMBERS = frozenset({"AT", "FD", "FL", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "US", "UV"})
KINDS = {
    **dict.fromkeys(TEXTS, "text"),
    **dict.fromkeys(CODES, "code"),
    **dict.fromkeys(CLOCKS, "clock"),
    **dict.fromkeys(NUMBERS_IN_TEXT, "number in text"),
    **dict.fromkeys(NUMBERS | {"OB"}, "binary"),
    "SQ": "SQ",
    "UI": "UI",
}
"""What the value of each representation is, but UN: readers take one of a kind for another one."""

PUBLISHED_SCHEMES = frozenset({
    "99SDM", "ACR", "BI", "C4", "C5", "CD10", "CTV3", "DCM", "DOCKET", "FMA", "I10", "I10P", "I9C", "IBSI", "ICD10",
    "ICD11", "ICDO3", "ISO3166_1", "ISO639_1", "ISO639_2", "ITIS_TSN", "LN", "MA", "MDC", "MSH", "NCDR", "NCIt", "NDC",
    "NEU", "NICIP", "PATHLEX", "PUBCHEM_CID", "RADLEX", "RFC3066", "RFC5646", "RXNORM", "SCPECG", "SCT", "SDM", "SNM3",
    "SRT", "UBERON", "UCUM", "UMLS", "UNII", "UNS",
})  # fmt: skip
"""Coding schemes whose CodeMeaning stays: it is published (PS3.16 section 8), and nobody in the hospital wrote it."""
_KEPT_TEXTS = frozenset({
    "AcquisitionDeviceProcessingCode", "AcquisitionMode", "AlgorithmName", "AlgorithmSource", "AlgorithmVersion",
    "ApplicationManufacturer", "ApplicationName", "ApplicationVersion", "AttenuationCorrectionMethod",
    "CardiacFramingType", "CodeMeaning", "CodeValue", "CodingSchemeDesignator", "CodingSchemeRegistry",
    "CodingSchemeVersion", "CollimatorGridName", "ContrastBolusRoute", "ConvolutionKernel", "DetectorDescription",
    "DetectorLinesOfResponseUsed", "DetectorManufacturerModelName", "DetectorManufacturerName", "DetectorMode",
    "DigitalImageFormatAcquired", "DoseModeName", "EnergyWindowName", "ExposureControlModeDescription",
    "FilterType", "GridAbsorbingMaterial", "GridSpacingMaterial", "ImageFilter", "ImageGeometryType",
    "ImagedNucleus", "LUTExplanation", "LUTLabel", "LongCodeValue", "MIMETypeOfEncapsulatedDocument",
    "Manufacturer", "ManufacturerModelName", "ManufacturerModelVersion", "ManufacturerRelatedModelGroup",
    "MappingResourceName", "ModalityLUTType", "MultiCoilConfiguration", "MultiCoilElementName",
    "OpticalPathIdentifier", "OutputPower", "PVCRejection", "PaddleDescription", "PhosphorType", "PlateType",
    "ProcessingFunction", "PulseSequenceName", "Radionuclide", "Radiopharmaceutical", "RadiopharmaceuticalRoute",
    "ReceiveCoilManufacturerName", "ReceiveCoilName", "ReconstructionMethod", "ReferencedOpticalPathIdentifier",
    "RescaleType", "ScatterCorrectionMethod", "SecondaryCaptureDeviceManufacturer",
    "SecondaryCaptureDeviceManufacturerModelName", "SecondaryCaptureDeviceSoftwareVersions", "SegmentAlgorithmName",
    "SequenceName", "SoftwareVersions", "StackID", "StageName", "TransducerData", "TransmitCoilManufacturerName",
    "TransmitCoilName", "TriggerSourceOrType", "TypeOfFilters", "URNCodeValue", "VideoImageFormatAcquired",
    "ViewName", "WindowCenterWidthExplanation",
})  # fmt: skip
_KEPT_UIDS = frozenset({
    "AvailableTransferSyntaxUID", "CodingSchemeUID", "ContextUID", "EncryptedContentTransferSyntaxUID",
    "FlowTransferSyntaxUID", "MACCalculationTransferSyntaxUID", "MappingResourceUID",
    "OriginalSpecializedSOPClassUID", "PertinentSOPClassesInSeries", "PertinentSOPClassesInStudy",
    "ReferencedSOPClassUID", "RelatedGeneralSOPClassUID", "SOPClassUID", "SOPClassesInStudy", "SOPClassesSupported",
    "StoredInstanceTransferSyntaxUID",
})  # fmt: skip
_KEPT_BYTES = frozenset({
    "BadPixelImage", "ChannelMaximumValue", "ChannelMinimumValue", "CoordinateSystemAxisValues", "FillPattern",
    "ICCProfile", "InteroperabilityVersion", "WaveformData", "WaveformPaddingValue",
})  # fmt: skip


def unlisted_action(keyword: str, representation: str, options: Options) -> Action:
    """Return the action on an attribute that Table E.1-1 does not list.

    Args:
        keyword: Its keyword.
        representation: Its value representation in the dictionary, or one of several.
        options: The options.
    """
    if representation in TEXTS:
        return Action.KEEP if keyword in _KEPT_TEXTS else Action.DUMMY
    if representation == "UI":
        return Action.KEEP if keyword in _KEPT_UIDS else Action.UID
    if representation in CLOCKS:
        return Action.SHIFT if options.modified_dates else Action.DUMMY
    if representation in BYTES:
        return Action.KEEP if keyword in _KEPT_BYTES else Action.DUMMY
    if representation == "AS":
        return Action.KEEP if options.patient_characteristics else Action.DUMMY
    return Action.KEEP
