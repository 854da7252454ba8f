"""The parts of templates (`davfs.layout.template`), and the texts that they get from DICOM tags."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from davfs.confidentiality.shifting import shift_dates
from davfs.layout.tags import SUBJECT
from davfs.layout.text import HashKey
from davfs.layout.values import ValueFormat, formatted_text, formatted_values

MAX_GROUPS = 64
"""Folders of one group in which one resource can appear."""
_CACHED_FIELDS, _CACHED_TEXTS = 300, 5000
"""Fields whose texts are cached, and texts of each: most studies have the date, the description or the physician of
others before them, and the patient's name is in several of their names."""


@dataclass(frozen=True, slots=True)
class LiteralText:
    """Text between the fields, which always stays."""

    text: str


@dataclass(frozen=True, slots=True)
class Separator:
    """Text between the fields, which vanishes with an empty field."""

    text: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """The field ``{id}``."""


@dataclass(frozen=True, slots=True)
class TagValue:
    """One alternative of a field: the value of a DICOM tag.

    Attributes:
        keyword: The tag's keyword.
        representation: Its value representation.
        value_format: Format of the values; None for the plain value.
        shift: The key by which a person's dates are shifted (`davfs.layout.text.HashKey.days`); None to keep them.
    """

    keyword: str
    representation: str
    value_format: ValueFormat | None
    shift: HashKey | None = None

    @property
    def keywords(self) -> tuple[str, ...]:
        """The tags from which it is computed."""
        return (self.keyword, SUBJECT) if self.shift else (self.keyword,)

    def value(self, tags: Mapping[str, str]) -> str:
        """Return the value for a resource; an empty text if it is to be shifted, and is no date."""
        value = tags.get(self.keyword, "")
        if self.shift is None or not value:
            return value
        return shift_dates(value, self.representation, self.shift.days(tags[SUBJECT])) or "" if SUBJECT in tags else ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of one or several alternatives.

    Attributes:
        tags: Tried in this order.
        default: Text if all of them are empty.
        brackets: Brackets right around the value: ``()``, ``[]`` or nothing.
    """

    tags: tuple[TagValue, ...]
    default: str
    brackets: str = ""

    @property
    def keywords(self) -> tuple[str, ...]:
        """The tags from which it is computed."""
        return tuple(dict.fromkeys(keyword for tag in self.tags for keyword in tag.keywords))

    def render(self, tags: Mapping[str, str]) -> str:
        """Return the text of the first alternative that is not empty."""
        for tag in self.tags:
            if text := formatted_text(tag.value(tags), tag.representation, tag.value_format):
                return self._bracketed(text)
        return self._bracketed(self.default)

    def texts(self, tags: Mapping[str, str]) -> list[str]:
        """Return a text for each value of the first alternative that is not empty; at least one, which may be empty."""
        found = (formatted_values(tag.value(tags), tag.representation, tag.value_format) for tag in self.tags)
        texts = next((texts for texts in found if texts), [self.default])
        return [self._bracketed(text) for text in sorted(set(texts))[:MAX_GROUPS]]

    def _bracketed(self, text: str) -> str:
        return f"{self.brackets[:1]}{text}{self.brackets[1:]}" if text else ""


TemplatePart: TypeAlias = LiteralText | Separator | Identifier | Field

TagValues: TypeAlias = tuple[str | None, ...]
"""The values of the tags that a template or a field reads."""


MakeText: TypeAlias = Callable[[TagValues, str], str]


def word_of(part: TemplatePart, read: Sequence[str]) -> tuple[str, MakeText | None]:
    """Return the text of a part, or the function that makes it of the values of the tags in ``read``, and of digits."""
    if isinstance(part, Identifier):
        return "", lambda _, digits: digits
    if not isinstance(part, Field):
        return part.text, None
    return "", _of_values(part, read)


def _of_values(part: Field, read: Sequence[str]) -> MakeText:
    first, *others = [read.index(keyword) for keyword in part.keywords]
    text = _cached_text(part)
    if not others:
        return lambda values, _: text(values[first])
    return lambda values, _: text(values[first], *[values[place] for place in others])


@lru_cache(maxsize=_CACHED_FIELDS)
def _cached_text(part: Field) -> Callable[..., str]:
    """Return the function that makes the text of a field from its tags' values; equal fields share a cache."""
    return lru_cache(_CACHED_TEXTS)(lambda *values: part.render(tags_of(part.keywords, values)))


def text_of(part: LiteralText | Separator | Identifier, digits: str) -> str:
    """Return the text of a part that is no field."""
    return digits if isinstance(part, Identifier) else part.text


def tags_of(keywords: Sequence[str], values: TagValues) -> dict[str, str]:
    """Return those of the tags that have a value."""
    return {keyword: value for keyword, value in zip(keywords, values, strict=True) if value is not None}
