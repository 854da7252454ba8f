"""Makes names from DICOM tags by a template.

The grammar of templates::

    {Keyword}                   the tag's value; a person's name as "DOE JOHN"
    {StudyDate:%Y-%m-%d}        a date (DA), time (TM) or both (DT), with %Y %y %m %d %H %M %S
    {SeriesNumber:03d}          an integer, here with at least three digits
    {PatientName:family,upper}  parts of a person's name; upper, lower or title case; a maximum number of characters
    {PatientID:hash}            sixteen digits of a keyed hash; hash8 to hash64 for fewer or more
    {A|B:%Y|literal text}       the first alternative that is not empty; only the last can be text
    {id}                        ~ and ten digits of the Orthanc id, or of its hash in an anonymised layout; never cut
    {{ and }}                   braces

Separators (white space, dashes and ``_ , ; . + & ·``) next to an empty field vanish at both ends of the name and of
brackets; between two other parts the longest of them stays: ``{A} - {B} {C}`` without B gives ``A - C``. Round or
square brackets right around an empty field vanish too. All other text stays.

A group has a folder for each value of a tag, and for each combination if several tags have several values.

Values are text only: no attribute, index or expression is evaluated, and no value is interpreted as a format.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import TypeAlias

from davfs import names
from davfs.confidentiality.shifting import shift_dates
from davfs.layout.tags import SUBJECT
from davfs.layout.text import HashKey
from davfs.layout.values import ValueFormat, formatted_text, formatted_values

UNKNOWN = "unknown"
"""The folder of resources without a value in a group."""

MAX_GROUPS = 64
"""Folders of one group in which one resource can appear."""

_CACHED_NAMES, _CACHED_GROUPS = 500, 2000
"""Names that a template caches: groups and most series have the names of others before them; patients have not."""
_CACHED_TEMPLATES = 100
"""Templates whose names are cached."""


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

_Values: TypeAlias = tuple[str | None, ...]
"""The values of the tags that a template reads."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template.

    Attributes:
        parts: Its parts.
        extension: Extension of a file, with its dot; empty for folders.
    """

    parts: tuple[TemplatePart, ...]
    extension: str
    _read: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _has_id: bool = field(init=False, repr=False, compare=False)
    _name: Callable[[_Values, str], str] = field(init=False, repr=False, compare=False)
    _names: Callable[[_Values], tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        read = (tag.keywords for part in self.parts if isinstance(part, Field) for tag in part.tags)
        keywords = (keyword for each in read for keyword in each)
        object.__setattr__(self, "_read", tuple(dict.fromkeys(keywords)))
        object.__setattr__(self, "_has_id", Identifier() in self.parts)
        name, group_names = _cached_names(self)
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_names", group_names)

    @property
    def keywords(self) -> frozenset[str]:
        """The tags that the template reads."""
        return frozenset(self._read)

    def render(self, tags: Mapping[str, str], id: str) -> str:  # noqa: A002  the field is called {id}
        """Return the base name of a resource.

        Args:
            tags: Main DICOM tags by keyword, of the resource and of those above it.
            id: What ``{id}`` takes its digits from: `davfs.layout.Layout.digest` of the resource.

        Returns:
            A safe name; ``unnamed`` (and the extension) if all tags are empty.
        """
        digits = names.id_suffix(id) if self._has_id else ""
        return self._name(tuple(map(tags.get, self._read)), digits)

    def values(self, tags: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of all folders of a group in which a resource appears.

        Args:
            tags: Main DICOM tags by keyword, of the resource and of those above it.

        Returns:
            One to 64 safe names, sorted by `names.folded`, which differs for all of them; ``unknown`` if all tags are
            empty.
        """
        return self._names(tuple(map(tags.get, self._read)))

    def _rendered(self, values: _Values, digits: str) -> str:
        tags = self._tags(values)
        text = _join((part, _word(part, tags, digits)) for part in self.parts)
        name = names.safe_file(text, self.extension)
        if digits not in name:  # it was cut off, and must not be
            return names.safe_file(text, f" {digits}{self.extension}")
        return name

    def _grouped(self, values: _Values) -> tuple[str, ...]:
        tags = self._tags(values)
        rows: list[tuple[tuple[TemplatePart, str], ...]] = [()]
        for part in self.parts:
            words = part.texts(tags) if isinstance(part, Field) else [_word(part, tags, "")]
            rows = [(*row, (part, word)) for row, word in product(rows, words)][:MAX_GROUPS]
        found = sorted(_group_name(row) for row in rows)
        unique = {names.folded(name): name for name in reversed(found)}
        return tuple(unique[key] for key in sorted(unique))

    def _tags(self, values: _Values) -> dict[str, str]:
        return {keyword: value for keyword, value in zip(self._read, values, strict=True) if value is not None}


@lru_cache(maxsize=_CACHED_TEMPLATES)
def _cached_names(template: Template) -> tuple[Callable[[_Values, str], str], Callable[[_Values], tuple[str, ...]]]:
    """Return the functions that make the names of a template and of its groups; equal templates share their caches."""
    name, group_names = template._rendered, template._grouped  # noqa: SLF001  a part of the class
    return lru_cache(_CACHED_NAMES)(name), lru_cache(_CACHED_GROUPS)(group_names)


def _group_name(words: tuple[tuple[TemplatePart, str], ...]) -> str:
    empty = not any(word for part, word in words if isinstance(part, Field))
    return UNKNOWN if empty else names.safe(_join(words))


def _word(part: TemplatePart, tags: Mapping[str, str], digits: str) -> str:
    if isinstance(part, Field):
        return part.render(tags)
    return digits if isinstance(part, Identifier) else part.text


def _join(words: Iterable[tuple[TemplatePart, str]]) -> str:
    """Join the parts; separators are held back in a gap until the part at its other end is known."""
    text, gap, hollow = "", [""], False
    for part, word in words:
        if isinstance(part, Separator):
            gap.append(word)
        elif word:
            edge = text[-1:] in {"", "(", "["} or word[0] in {")", "]"}
            text += _filled(gap, hollow=hollow, edge=edge) + word
            gap, hollow = [""], False
        else:
            hollow = True
    return text + _filled(gap, hollow=hollow, edge=True)


def _filled(gap: list[str], *, hollow: bool, edge: bool) -> str:
    if not hollow:
        return "".join(gap)
    return "" if edge else max(gap, key=len)  # the first of equals
