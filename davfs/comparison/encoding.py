"""Determines the encoding of a data set: by its transfer syntax or, without one, by its first bytes.

Source: DICOM PS3.5 section 7.1 and annex A.
"""

import zlib
from dataclasses import dataclass

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
_DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
_LOSSY = frozenset(
    f"1.2.840.10008.1.2.4.{number}"
    for number in (50, 51, 81, 91, 93, 94, 95, 100, 101, 102, 103, 104, 105, 106, 107, 108, 112, 203, 204, 205)
)

LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
"""Explicit value representations whose length has four bytes (PS3.5 section 7.1.2)."""
SHORT = frozenset(
    {
        *("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT"),
        *("PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"),
    }
)
"""Those whose length has two."""

_MOST = 1 << 30


class Unreadable(Exception):
    """A file cannot be read as a DICOM data set."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements are written.

    Attributes:
        implicit: Value representations are left out.
        little: The byte order is little endian.
    """

    implicit: bool
    little: bool

    @property
    def order(self) -> str:
        """The byte order, as `struct` names it."""
        return "<" if self.little else ">"


IMPLICIT = Encoding(implicit=True, little=True)
EXPLICIT = Encoding(implicit=False, little=True)


def is_lossy(syntax: str) -> bool:
    """Return True if pixels in a transfer syntax may differ from those that the device made."""
    return syntax in _LOSSY


def encoding_of(syntax: str, start: memoryview) -> Encoding:
    """Return how a data set is encoded.

    Args:
        syntax: Its transfer syntax; empty where the file has no meta information.
        start: Its first bytes, which overrule the transfer syntax where they have no value representation.
    """
    explicit = bytes(start[4:6]).decode("latin-1") in LONG | SHORT
    if syntax == EXPLICIT_BIG or (not syntax and explicit and start[0] == 0 and start[1] != 0):
        return Encoding(implicit=not explicit, little=False)
    return EXPLICIT if explicit else IMPLICIT


def inflated(syntax: str, content: memoryview) -> memoryview:
    """Return a data set that is compressed as a whole uncompressed, any other one as it is.

    Raises:
        Unreadable: It cannot be uncompressed, or is larger than 1 GB then.
    """
    if syntax not in _DEFLATED:
        return content
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = stream.decompress(content, _MOST)
    except zlib.error as error:
        raise Unreadable("the data set cannot be uncompressed") from error
    if stream.unconsumed_tail:
        raise Unreadable("the data set is too large to be uncompressed")
    return memoryview(found)
