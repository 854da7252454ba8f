"""Media types with which files are sent: only types of which browsers run nothing.

An uploaded file must not become a page, a picture with a script, or a worker in the origin of the server: it would act
with the rights of the user who opens it. So a type is taken from a list, never guessed by a library or by Orthanc's
core (SystemToolbox.cpp, AutodetectMimeType: ``.html``, ``.svg`` and ``.js`` among others), and everything else is bytes
that a browser saves. Orthanc knows all types of the list (Enumerations.cpp, LookupMimeType).

Source: https://mimesniff.spec.whatwg.org/ and https://fetch.spec.whatwg.org/#should-response-to-request-be-blocked-due-to-mime-type?
"""

from typing import Final

OCTET_STREAM: Final = "application/octet-stream"
PDF: Final = "application/pdf"

_BY_SUFFIX: Final = {
    ".dcm": "application/dicom",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".log": "text/plain",
    ".pdf": PDF,
    ".png": "image/png",
    ".txt": "text/plain",
    ".zip": "application/zip",
}

SAFE: Final = frozenset({*_BY_SUFFIX.values(), OCTET_STREAM})
"""All media types of responses with files."""

SAVED: Final = frozenset({"application/dicom", "application/zip", OCTET_STREAM})
"""Media types that browsers save rather than show."""


def of_name(name: str) -> str:
    """Return the media type of an uploaded file by its name."""
    stem, _, ending = name.rpartition(".")
    return _BY_SUFFIX.get(f".{ending.lower()}", OCTET_STREAM) if stem else OCTET_STREAM


def safe_media_type(media_type: str) -> str:
    """Return a media type if it is in the list, else ``application/octet-stream``."""
    return media_type if media_type in SAFE else OCTET_STREAM
