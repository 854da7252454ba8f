"""Refuses images that may show a patient's name in their pixels.

The Basic Profile does not cover pixels (PS3.15 E.2), and they are not examined here. So images of kinds that usually
have text in them are served only if they say that they have none (BurnedInAnnotation NO).
"""

from collections.abc import Mapping

from davfs.confidentiality.uids import class_name

ATTRIBUTES = ("SOPClassUID", "Modality", "BurnedInAnnotation", "ImageType", "ConversionType", "EncapsulatedDocument")
"""The attributes that decide it."""

_MODALITIES = frozenset({
    "BDUS", "EPS", "IVUS", "US",  # ultrasound and electrophysiology: name and date in the picture
    "BMD", "OPM", "OPV",  # densitometers and eye meters: pages with a header
    "OT", "", "HC",  # anything: scans of paper, screenshots, printed films
    "DMS", "ES", "GM", "OP", "SM", "TG", "XC",  # cameras: labels, faces, text of a video processor
})  # fmt: skip
_PICTURES = ("Secondary Capture", "Ultrasound", "Hardcopy", "VL ", "Video ", "Photography")
"""Words in the names of SOP classes that are made for such pictures, with any Modality."""
_WITH_PIXELS = ("Image", "Map", *_PICTURES)
_NEVER = ("Encapsulated ", "Audio", "Inventory", "Media Storage Directory")
"""Documents, voices, and lists of other instances."""
_CAPTURED = ("SCREEN SAVE", "SCREENSHOT", "REPORT", "PATIENT_PROTOCOL", "LABEL")
"""Values of ImageType of pages that scanners store among their images, and of the labels of slides."""


def unsupported_reason(sop_class: str) -> str:
    """Return the reason why no instance of a SOP class can be anonymised; an empty text if some can."""
    if not sop_class:
        return ""
    name = class_name(sop_class)
    if not name:
        return "an instance of a private SOP class cannot be anonymised"
    return "a document in a DICOM file cannot be anonymised" if _contains(name, _NEVER) else ""


def may_show_text(sop_class: str, modality: str) -> bool:
    """Return True for instances of a kind that usually has text in its pixels.

    Args:
        sop_class: SOPClassUID; empty if unknown.
        modality: Modality; empty if unknown.
    """
    name = class_name(sop_class)
    from_such_a_device = modality.strip().upper() in _MODALITIES and (not name or _contains(name, _WITH_PIXELS))
    return from_such_a_device or _contains(name, _PICTURES)


def refusal_reason(seen: Mapping[str, str], *, as_they_are: bool) -> str:
    """Return the reason why an instance cannot be served; an empty text if it can.

    Args:
        seen: The instance's values of `ATTRIBUTES`; several are joined by backslashes.
        as_they_are: Whether the layout serves all pixels.
    """
    if reason := unsupported_reason(seen.get("SOPClassUID", "")):
        return reason
    if "EncapsulatedDocument" in seen:
        return "a document in a DICOM file cannot be anonymised"
    burned_in = seen.get("BurnedInAnnotation", "").strip().upper()
    if as_they_are or burned_in == "NO":
        return ""
    if burned_in:
        return "an image that shows who the patient is cannot be anonymised"
    if may_show_text(seen.get("SOPClassUID", ""), seen.get("Modality", "")) or _is_captured(seen):
        return "an image of a kind that may show who the patient is, and its BurnedInAnnotation is not NO"
    return ""


def _is_captured(seen: Mapping[str, str]) -> bool:
    words = [word.strip().upper() for word in seen.get("ImageType", "").split("\\")]
    return bool(seen.get("ConversionType")) or any(word.startswith(_CAPTURED) for word in words)


def _contains(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name for word in words)
