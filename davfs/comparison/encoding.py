"""Determines the encoding of a data set: by its transfer syntax or, without one, by its first bytes.

Source: DICOM PS3.5 section 7.1 and annex A.
"""

from davfs.elements.headers import EXPLICIT, IMPLICIT, LONG, SHORT, Encoding

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_EXPLICIT_BIG = "1.2.840.10008.1.2.2"
_LOSSY = frozenset(
    f"1.2.840.10008.1.2.4.{number}"
    for number in (50, 51, 81, 91, 93, 94, 95, 100, 101, 102, 103, 104, 105, 106, 107, 108, 112, 203, 204, 205)
)


class Unreadable(Exception):
    """A file cannot be read as a DICOM data set."""


def is_lossy(syntax: str) -> bool:
    """Return True if pixels in a transfer syntax may differ from those that the device made."""
    return syntax in _LOSSY


def encoding_of(syntax: str, start: memoryview) -> Encoding:
    """Return the encoding of a data set.

    Args:
        syntax: Its transfer syntax; empty if the file names none.
        start: Its first bytes, which overrule the transfer syntax if they have no value representation.
    """
    explicit = bytes(start[4:6]) in LONG | SHORT
    if syntax == _EXPLICIT_BIG or (not syntax and explicit and start[0] == 0 and start[1] != 0):
        return Encoding(implicit=not explicit, little=False)
    return EXPLICIT if explicit else IMPLICIT
