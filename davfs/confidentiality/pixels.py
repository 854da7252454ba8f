"""Which images may show in their pixels whose they are.

The Basic Profile says nothing of pixels (PS3.15 E.2), and nobody here looks at them. So images are known by what they
are: of kinds that are wont to have writing in them, those alone are served that say that they have none.
"""

from collections.abc import Mapping

from davfs.confidentiality.uids import class_name

SEEN = ("SOPClassUID", "Modality", "BurnedInAnnotation", "ImageType", "ConversionType", "EncapsulatedDocument")
"""The attributes that tell it."""

_MODALITIES = frozenset({
    "BDUS", "EPS", "IVUS", "US",  # ultrasound and electrophysiology write name and date into the picture
    "BMD", "OPM", "OPV",  # densitometers and eye meters store pages with a header
    "OT", "", "HC",  # whatever: scans of paper, screenshots, printed films
    "DMS", "ES", "GM", "OP", "SM", "TG", "XC",  # cameras: labels, faces, what a video processor adds
})  # fmt: skip
_PICTURES = ("Secondary Capture", "Ultrasound", "Hardcopy", "VL ", "Video ", "Photography")
"""What names of SOP classes hold that are made for such pictures, whatever their Modality is."""
_WITH_PIXELS = ("Image", "Map", *_PICTURES)
_NEVER = ("Encapsulated ", "Audio", "Inventory", "Media Storage Directory")
"""Documents, voices, and lists of other instances."""
_CAPTURED = ("SCREEN SAVE", "SCREENSHOT", "REPORT", "PATIENT_PROTOCOL", "LABEL")
"""Values of ImageType of pages that scanners store among their images, and of the labels of slides."""


def cannot_be(sop_class: str) -> str:
    """Return why no instance of a SOP class can be anonymised; empty where some can."""
    if not sop_class:
        return ""
    name = class_name(sop_class)
    if not name:
        return "an instance of a private SOP class cannot be anonymised"
    return "a document in a DICOM file cannot be anonymised" if _holds(name, _NEVER) else ""


def is_suspect(sop_class: str, modality: str) -> bool:
    """Return True for instances of a kind that is wont to have writing in its pixels.

    Args:
        sop_class: SOPClassUID; empty where that is not known.
        modality: Modality; empty where that is not known.
    """
    name = class_name(sop_class)
    from_such_a_device = modality.strip().upper() in _MODALITIES and (not name or _holds(name, _WITH_PIXELS))
    return from_such_a_device or _holds(name, _PICTURES)


def refusal(seen: Mapping[str, str], *, as_they_are: bool) -> str:
    """Return why an instance cannot be served; empty where it can.

    Args:
        seen: Values of those of `SEEN` that it has; several are joined by backslashes.
        as_they_are: Whether the layout has it that pixels are served as they are.
    """
    if reason := cannot_be(seen.get("SOPClassUID", "")):
        return reason
    if "EncapsulatedDocument" in seen:
        return "a document in a DICOM file cannot be anonymised"
    burned_in = seen.get("BurnedInAnnotation", "").strip().upper()
    if as_they_are or burned_in == "NO":
        return ""
    if burned_in:
        return "an image cannot be anonymised that shows whose it is"
    if is_suspect(seen.get("SOPClassUID", ""), seen.get("Modality", "")) or _is_captured(seen):
        return "an image of a kind that may show whose it is, and does not say that it has no burned in annotation"
    return ""


def _is_captured(seen: Mapping[str, str]) -> bool:
    words = [word.strip().upper() for word in seen.get("ImageType", "").split("\\")]
    return bool(seen.get("ConversionType")) or any(word.startswith(_CAPTURED) for word in words)


def _holds(name: str, words: tuple[str, ...]) -> bool:
    return any(word in name for word in words)
