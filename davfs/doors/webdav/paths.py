"""Converts paths of requests (percent-decoded UTF-8) to paths of the drive (NFC segments) and back."""

import unicodedata
from urllib.parse import quote, unquote_to_bytes, urlsplit

from davfs.entry import Path
from davfs.errors import BadName

_DOTS = frozenset({".", ".."})
_SAFE = "/!*'(),$-_|."
"""Characters that WsgiDAV does not escape in a URL, so that all responses spell a path alike."""


def decoded(path_info: str) -> str:
    """Return ``PATH_INFO`` as text.

    Args:
        path_info: The percent-decoded path, each character a byte of it (PEP 3333).

    Raises:
        BadName: It is no UTF-8, or has dot segments, which clients resolve themselves (RFC 3986 §5.2.4).
    """
    try:
        path = path_info.encode("latin-1").decode()
    except UnicodeError as error:
        raise BadName((), "The path is no UTF-8.") from error
    if not _DOTS.isdisjoint(path.split("/")):
        raise BadName((), "The path has dots for a segment.")
    return path


def of_url(url: str) -> str:
    """Return the path of a URL or of a reference, percent-decoded.

    Raises:
        BadName: The URL is malformed, or its path is one that `decoded` refuses.
    """
    try:
        path = unquote_to_bytes(urlsplit(url).path.encode("latin-1"))
    except ValueError as error:
        raise BadName((), "The address is malformed.") from error
    return decoded(path.decode("latin-1"))


def segments(path: str) -> Path:
    """Return the segments of a path, in NFC: macOS sends NFD."""
    return tuple(unicodedata.normalize("NFC", segment) for segment in path.split("/") if segment)


def joined(path: Path) -> str:
    """Return a path in the form of WsgiDAV, without a slash at its end; ``/`` for the root."""
    return "/" + "/".join(path)


def quoted(path: Path, *, folder: bool) -> str:
    """Return a path for a URL; that of a folder ends in a slash (RFC 4918 §5.2)."""
    return quote(joined(path) + ("/" if folder and path else ""), safe=_SAFE)
