"""Formats the values of DICOM tags for names, by value representation (DICOM PS3.5 section 6.2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Protocol

from davfs.layout.text import HashKey, TemplateError, compile_text, person_name

_NOT_MULTIPLE = frozenset({"LT", "ST", "UT", "UR"})  # a backslash separates nothing in them
_INTEGERS = frozenset({"IS", "US", "SS", "UL", "SL", "SV", "UV"})

_DAY = r"(?P<Y>\d{4})(?P<dot>[.-]?)(?P<m>\d{2})(?P=dot)(?P<d>\d{2})"  # the dots are those of ACR-NEMA
_TIME = r"(?P<H>\d{2})(?::?(?P<M>\d{2})(?::?(?P<S>\d{2})(?:\.\d{1,6})?)?)?"
_MOMENT = rf"(?P<Y>\d{{4}})(?:(?P<m>\d{{2}})(?:(?P<d>\d{{2}})(?:{_TIME})?)?)?(?:[+-]\d{{4}})?"
_CLOCKS = {"DA": re.compile(_DAY, re.ASCII), "TM": re.compile(_TIME, re.ASCII), "DT": re.compile(_MOMENT, re.ASCII)}
_DIRECTIVES = {"DA": "Yymd", "TM": "HMS", "DT": "YymdHMS"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[Ee][+-]?[0-9]+)?")
_FORMS = {
    "CS": re.compile("[A-Za-z0-9_ ]{1,16}"),  # small letters are forbidden there, and found
    "AS": re.compile("[0-9]{3}[DWMY]"),
    **dict.fromkeys(_INTEGERS, _INTEGER),
    **dict.fromkeys(("DS", "FL", "FD"), _DECIMAL),
}
_DIRECTIVE = re.compile("%(.)")
_INTEGER_FORMAT = re.compile(r"(?:0([1-9][0-9]?))?d")


_CACHED_CLOCKS = 1000
"""Dates and times whose parts are cached: those of a study are in several names, and in those of its series."""


class ValueFormat(Protocol):
    """Formats a single value."""

    def apply(self, value: str) -> str:
        """Format the value; return it unchanged if it does not parse, for a name must never hide a value."""


@dataclass(frozen=True, slots=True)
class ClockFormat:
    """Formats dates and times with those directives of ``strftime`` that do not depend on the locale.

    Attributes:
        representation: ``DA``, ``TM`` or ``DT``.
        text: The format.
    """

    representation: str
    text: str

    def apply(self, value: str) -> str:
        """Format the value; return it unchanged if it lacks a part that the format needs."""
        parts = _clock_parts(value, self.representation)
        try:
            return _DIRECTIVE.sub(lambda directive: parts[directive[1]], self.text)
        except KeyError:
            return value


@dataclass(frozen=True, slots=True)
class IntegerFormat:
    """Formats integers with leading zeros.

    Attributes:
        width: Minimum number of digits, including the sign.
    """

    width: int

    def apply(self, value: str) -> str:
        """Format the value; return it unchanged if it is no integer."""
        return f"{int(value):0{self.width}d}" if re.fullmatch(r"[+-]?[0-9]{1,18}", value) else value


def compile_format(representation: str, text: str, key: HashKey | None = None) -> ValueFormat:
    """Parse the format after a keyword's colon.

    Args:
        representation: The tag's value representation.
        text: The format.
        key: The key of hashes, if there is one.

    Raises:
        TemplateError: It does not suit the representation.
    """
    if representation in _DIRECTIVES:
        return _compile_clock(representation, text)
    if _INTEGERS.isdisjoint(representation.split(" or ")):
        return compile_text(representation, text, key)
    match = _INTEGER_FORMAT.fullmatch(text)
    if match is None:
        raise TemplateError(f'"{text}" is no format of an integer; write d, or 03d for at least three digits')
    return IntegerFormat(int(match[1] or 1))


def formatted_text(value: str, representation: str, value_format: ValueFormat | None = None) -> str:
    """Return a tag's value as readable text.

    Args:
        value: The value in Orthanc's REST API; several values are joined by backslashes there, by commas in the text.
        representation: The tag's value representation.
        value_format: Format of each single value; None for the plain value.

    Returns:
        Text with single spaces; may be empty.
    """
    return ", ".join(formatted_values(value, representation, value_format))


def formatted_values(value: str, representation: str, value_format: ValueFormat | None = None) -> list[str]:
    """Return each value of a tag that is not empty as readable text; see `formatted_text`."""
    texts = (_single(part, representation, value_format) for part in split_values(value, representation))
    return [text for text in texts if text]


def split_values(value: str, representation: str) -> list[str]:
    """Split a value in Orthanc's REST API into single values; in long texts a backslash separates nothing."""
    return [value] if representation in _NOT_MULTIPLE else value.split("\\")


def is_valid(value: str, representation: str) -> bool:
    """Return True if a single value is valid in its representation.

    Args:
        value: The value.
        representation: One of codes (CS), ages, numbers, dates and times; ``US or SS`` for one of two.

    Source: DICOM PS3.5 section 6.2.
    """
    if representation in _CLOCKS:
        return bool(_clock_parts(value, representation))
    return any(_FORMS[one].fullmatch(value) for one in representation.split(" or "))


def _single(value: str, representation: str, value_format: ValueFormat | None) -> str:
    text = " ".join(value.replace("\0", " ").split())  # UIDs are padded with NUL
    if value_format and text:
        return value_format.apply(text)
    return person_name(text) if representation == "PN" else text


def _compile_clock(representation: str, text: str) -> ClockFormat:
    known = _DIRECTIVES[representation]
    unknown = [f"%{letter}" for letter in re.findall("%(.?)", text) if letter not in (*known, "%")]
    listed = " ".join(f"%{letter}" for letter in known)
    if unknown:
        raise TemplateError(f'"{unknown[0]}" is unknown in a format of type {representation}; known are {listed}')
    if not text.replace("%%", "").count("%"):
        raise TemplateError(f'the format "{text}" shows nothing of the value; known are {listed}')
    return ClockFormat(representation, text)


@lru_cache(maxsize=_CACHED_CLOCKS)
def _clock_parts(value: str, representation: str) -> Mapping[str, str]:
    """Return the parts of a date or time by their directives; an empty mapping if it is invalid."""
    match = _CLOCKS[representation].fullmatch(value)
    parts = {} if match is None else {name: part for name, part in match.groupdict().items() if part}
    return _completed(parts) if _is_valid_moment(parts) else {}


def _completed(parts: Mapping[str, str]) -> Mapping[str, str]:
    """Add the directives that are no parts: ``%y`` and ``%%``."""
    year = {"y": parts["Y"][2:]} if "Y" in parts else {}
    return {**parts, **year, "%": "%"}


def _is_valid_moment(parts: Mapping[str, str]) -> bool:
    """Return True if the parts make a day of the calendar and a time of the clock (60 is a leap second)."""
    try:
        date(*(int(parts.get(name, default)) for name, default in (("Y", "2000"), ("m", "1"), ("d", "1"))))
    except ValueError:
        return False
    limits = {"H": 23, "M": 59, "S": 60}
    return bool(parts) and all(int(parts.get(name, "0")) <= limit for name, limit in limits.items())
