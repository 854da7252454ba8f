"""The media types that files go out with: only those of which no browser runs anything.

A file that somebody uploaded must not become a page, a picture with a script, or a worker in the origin of the server
that sends it: it would act with the rights of whoever opens it. So a type is taken from a list, never guessed by a
library or by Orthanc's core (SystemToolbox.cpp, AutodetectMimeType: ``.html``, ``.svg`` and ``.js`` among others), and
everything else is bytes that a browser saves. All of the list are known to Orthanc (Enumerations.cpp, LookupMimeType).

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
"""All types that files go out with."""

SAVED: Final = frozenset({"application/dicom", "application/zip", OCTET_STREAM})
"""Those of them that browsers do not show."""


def of_name(name: str) -> str:
    """Return the media type of an uploaded file by its name."""
    stem, _, ending = name.rpartition(".")
    return _BY_SUFFIX.get(f".{ending.lower()}", OCTET_STREAM) if stem else OCTET_STREAM


def safe_media_type(media_type: str) -> str:
    """Return a media type if browsers run nothing of it, or else that of any bytes."""
    return media_type if media_type in SAFE else OCTET_STREAM
