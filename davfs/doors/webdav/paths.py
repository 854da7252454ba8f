"""Converts paths of requests (percent-decoded UTF-8) to paths of the drive (NFC segments) and back."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes, urlsplit

from davfs.entry import Path
from davfs.errors import BadName

_DOTS = frozenset({".", ".."})
_SAFE = "/!*'(),$-_|."
"""Characters that WsgiDAV does not escape in a URL, so that all responses spell a path alike."""
_ESCAPED = re.compile(r"[^\w~/!*'(),$\-|.%\n]+", re.ASCII)
_ASCII_ESCAPED = re.compile(r"[^\w~/!*'(),$\-|.%\n\x80-\U0010ffff]", re.ASCII)
_RUNS = 4096
"""Runs of escaped characters that are cached: most are one letter with an accent."""


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


def quoted_segments(segments: Sequence[str]) -> list[str]:
    """Return segments for a URL: all at once, since that takes a tenth of the time."""
    joined = "\n".join(segments)
    if joined.count("\n") >= len(segments) or "/" in joined:  # a name that is no segment of a path
        return [quote(segment, safe=_SAFE) for segment in segments]
    escaped = joined.replace("%", "%25").replace(" ", "%20")
    if _ASCII_ESCAPED.search(escaped):
        escaped = _ESCAPED.sub(_escaped, escaped)
    found = escaped.split("\n") if segments else []
    return found if escaped.isascii() else [one if one.isascii() else _ESCAPED.sub(_escaped, one) for one in found]


def _escaped(run: re.Match[str]) -> str:
    return _quoted(run.group())


@lru_cache(_RUNS)
def _quoted(run: str) -> str:
    return quote(run, safe="")
