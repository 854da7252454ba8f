"""Limits the work of de-identifying one file.

The number of elements is limited before (`davfs.derived.element_count`); but one element may have millions of values,
and each name is looked for in each text: a file of 5 MB can have 100,000 of both, and takes hours.
"""

from dataclasses import dataclass

from davfs.errors import NotAnonymised

_LONGEST = 1 << 16
"""Bytes of the longest text that is read: each letter takes some 20 bytes of memory."""
_MOST = 20_000_000
"""Steps for a file, each of a microsecond or less."""
_VALUE = 10
"""Steps for one value of several."""
_BYTES, _NAMES = 2, 2
"""Bytes that are read, and names that are looked for, in one step."""


@dataclass(slots=True)
class WorkLimit:
    """Counts the steps that are left for a file.

    Attributes:
        left: Their number.
    """

    left: int = _MOST

    def divide(self, value: bytes, times: int = 1) -> bytes:
        """Count a text that is divided into its values, so many times, and return it.

        Raises:
            NotAnonymised: It is too long, or no steps are left.
        """
        self._count(value, _VALUE * value.count(b"\\"), times)
        return value

    def search(self, value: bytes, names: int, times: int) -> None:
        """Count a text in which so many names are looked for, so many times.

        Raises:
            NotAnonymised: It is too long, or no steps are left.
        """
        self._count(value, names // _NAMES, times)

    def _count(self, value: bytes, steps: int, times: int) -> None:
        if len(value) > _LONGEST:
            raise NotAnonymised("a text is too long to be de-identified")
        self.left -= times * (steps + len(value) // _BYTES)
        if self.left < 0:
            raise NotAnonymised("names, texts and values are too many to be de-identified")
