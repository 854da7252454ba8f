"""Templates: how a resource is called, out of its DICOM tags.

::

    {Keyword}                   the tag's value; a person's name as "DOE JOHN"
    {StudyDate:%Y-%m-%d}        a date (DA), time (TM) or both (DT), with %Y %y %m %d %H %M %S
    {SeriesNumber:03d}          an integer, here with three digits at least
    {PatientName:family,upper}  parts of a person's name, upper, lower or title case, a number of characters at most
    {PatientID:hash}            sixteen digits of a hash with a key of one's own; hash8 to hash64
    {A|B:%Y|literal text}       the first that is not empty; text can only stand last
    {id}                        ~ and ten digits of the Orthanc id, or of its hash where the layout is anonymised;
                                whatever else is cut
    {{ and }}                   braces

An empty field takes its separators with it (white space, dashes and ``_ , ; . + & ·``): those next to it vanish at
both ends of the name and of brackets, between two others the longest of them stays, so ``{A} - {B} {C}`` without B
gives ``A - C``. Round or square brackets right around a field vanish with it. All other text between the fields stays.

A group is a folder for every value: of a tag that has several, and of combinations where there are several such tags.

Values are only ever text: no attribute, index or expression is evaluated, and no value is ever taken for a format.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import TypeAlias

from davfs import names
from davfs.confidentiality.shifting import shifted
from davfs.layout.tags import SUBJECT
from davfs.layout.text import HashKey
from davfs.layout.values import Format, parts, read

UNKNOWN = "unknown"
"""The folder of all that has no value in a group."""

MOST = 64
"""Folders of one group that one resource can be in."""

_NAMES, _GROUPS = 500, 2000
"""Names that a template keeps: groups, and most series, are called as others were before them; patients are not."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text between the fields."""

    text: str


@dataclass(frozen=True, slots=True)
class Separator:
    """Text between the fields that has no meaning without them."""

    text: str


@dataclass(frozen=True, slots=True)
class Identifier:
    """``{id}``."""


@dataclass(frozen=True, slots=True)
class Tag:
    """One alternative of a field: a DICOM tag.

    Attributes:
        keyword: Its keyword.
        representation: Its value representation.
        how: Format of its values; None for the plain value.
        shift: The key by which a person's dates are shifted (`davfs.layout.text.HashKey.days`); None where they stay.
    """

    keyword: str
    representation: str
    how: Format | None
    shift: HashKey | None = None

    @property
    def keywords(self) -> tuple[str, ...]:
        """What has to be known for its value."""
        return (self.keyword, SUBJECT) if self.shift else (self.keyword,)

    def value(self, tags: Mapping[str, str]) -> str:
        """Return what it has for a resource; empty where that is no date, and is to be one that is shifted."""
        value = tags.get(self.keyword, "")
        if self.shift is None or not value:
            return value
        return shifted(value, self.representation, self.shift.days(tags[SUBJECT])) or "" if SUBJECT in tags else ""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of one or several alternatives.

    Attributes:
        tags: Tried in this order.
        default: Text where all of them are empty.
        brackets: What stands right around the value, ``()``, ``[]`` or nothing.
    """

    tags: tuple[Tag, ...]
    default: str
    brackets: str = ""

    def render(self, tags: Mapping[str, str]) -> str:
        """Return the text of the first alternative that has any."""
        for tag in self.tags:
            if text := read(tag.value(tags), tag.representation, tag.how):
                return self._bracketed(text)
        return self._bracketed(self.default)

    def texts(self, tags: Mapping[str, str]) -> list[str]:
        """Return a text for each value of the first alternative that has any; at least one, empty where none has."""
        found = (parts(tag.value(tags), tag.representation, tag.how) for tag in self.tags)
        texts = next((texts for texts in found if texts), [self.default])
        return [self._bracketed(text) for text in sorted(set(texts))[:MOST]]

    def _bracketed(self, text: str) -> str:
        return f"{self.brackets[:1]}{text}{self.brackets[1:]}" if text else ""


Piece: TypeAlias = Text | Separator | Identifier | Field

_Values: TypeAlias = tuple[str | None, ...]
"""What a resource has for each tag that a template reads."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read and found right.

    Attributes:
        pieces: What it is made of.
        extension: Ending of a file's name, dot included; empty for folders.
    """

    pieces: tuple[Piece, ...]
    extension: str
    _read: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _marked: bool = field(init=False, repr=False, compare=False)
    _name: Callable[[_Values, str], str] = field(init=False, repr=False, compare=False)
    _names: Callable[[_Values], tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        read = (tag.keywords for piece in self.pieces if isinstance(piece, Field) for tag in piece.tags)
        keywords = (keyword for each in read for keyword in each)
        object.__setattr__(self, "_read", tuple(dict.fromkeys(keywords)))
        object.__setattr__(self, "_marked", Identifier() in self.pieces)
        object.__setattr__(self, "_name", lru_cache(_NAMES)(self._rendered))
        object.__setattr__(self, "_names", lru_cache(_GROUPS)(self._grouped))

    @property
    def keywords(self) -> frozenset[str]:
        """The tags that it reads."""
        return frozenset(self._read)

    def render(self, tags: Mapping[str, str], id: str) -> str:  # noqa: A002  the field is called {id}
        """Make the base name of one resource.

        Args:
            tags: Main DICOM tags by keyword, of the resource and of those above it.
            id: What ``{id}`` takes its digits from: `davfs.layout.Layout.digest` of the resource.

        Returns:
            A safe name; ``unnamed`` (and the extension) where all the tags are empty.
        """
        mark = names.id_suffix(id) if self._marked else ""
        return self._name(tuple(map(tags.get, self._read)), mark)

    def values(self, tags: Mapping[str, str]) -> tuple[str, ...]:
        """Make the names of all folders of a group that a resource belongs into.

        Args:
            tags: Main DICOM tags by keyword, of the resource and of those above it.

        Returns:
            Safe names in the order of their `names.folded`, no two with the same one, at least one and at most 64;
            ``unknown`` where all the tags are empty.
        """
        return self._names(tuple(map(tags.get, self._read)))

    def _rendered(self, values: _Values, mark: str) -> str:
        tags = self._tags(values)
        text = _join((piece, _word(piece, tags, mark)) for piece in self.pieces)
        name = names.safe_file(text, self.extension)
        if mark not in name:  # it was cut, and was asked for "for good"
            return names.safe_file(text, f" {mark}{self.extension}")
        return name

    def _grouped(self, values: _Values) -> tuple[str, ...]:
        tags = self._tags(values)
        rows: list[tuple[tuple[Piece, str], ...]] = [()]
        for piece in self.pieces:
            words = piece.texts(tags) if isinstance(piece, Field) else [_word(piece, tags, "")]
            rows = [(*row, (piece, word)) for row, word in product(rows, words)][:MOST]
        found = sorted(_group_name(row) for row in rows)
        unique = {names.folded(name): name for name in reversed(found)}
        return tuple(unique[key] for key in sorted(unique))

    def _tags(self, values: _Values) -> dict[str, str]:
        return {keyword: value for keyword, value in zip(self._read, values, strict=True) if value is not None}


def _group_name(words: tuple[tuple[Piece, str], ...]) -> str:
    empty = not any(word for piece, word in words if isinstance(piece, Field))
    return UNKNOWN if empty else names.safe(_join(words))


def _word(piece: Piece, tags: Mapping[str, str], mark: str) -> str:
    if isinstance(piece, Field):
        return piece.render(tags)
    return mark if isinstance(piece, Identifier) else piece.text


def _join(words: Iterable[tuple[Piece, str]]) -> str:
    """Join what is there; separators wait in the gap until it is known what stands at its other end."""
    text, gap, hollow = "", [""], False
    for piece, word in words:
        if isinstance(piece, Separator):
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
