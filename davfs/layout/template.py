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

from davfs import names
from davfs.layout import parts
from davfs.layout.parts import MAX_GROUPS, Field, Identifier, MakeText, Separator, TagValues, TemplatePart

UNKNOWN = "unknown"
"""The folder of resources without a value in a group."""

_CACHED_NAMES, _CACHED_GROUPS = 500, 10_000
"""Names that a template caches: groups and most series have the names of others before them; patients have not."""
_CACHED_TEMPLATES = 100
"""Templates whose names are cached."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template.

    Attributes:
        parts: Its parts.
        extension: Extension of a file, with its dot; empty for folders.
        has_id: Whether there is an ``{id}`` in it.
    """

    parts: tuple[TemplatePart, ...]
    extension: str
    _read: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _words: tuple[tuple[str, MakeText | None], ...] = field(init=False, repr=False, compare=False)
    has_id: bool = field(init=False, repr=False, compare=False)
    _name: Callable[[TagValues, str], str] = field(init=False, repr=False, compare=False)
    _names: Callable[[TagValues], tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keywords = (keyword for part in self.parts if isinstance(part, Field) for keyword in part.keywords)
        object.__setattr__(self, "_read", tuple(dict.fromkeys(keywords)))
        object.__setattr__(self, "_words", tuple(parts.word_of(part, self._read) for part in self.parts))
        object.__setattr__(self, "has_id", Identifier() in self.parts)
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
        digits = names.id_suffix(id) if self.has_id else ""
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

    def _rendered(self, values: TagValues, digits: str) -> str:
        words = [text if make is None else make(values, digits) for text, make in self._words]
        text = "".join(words) if all(words) else _join(zip(self.parts, words, strict=True))
        name = names.safe_file(text, self.extension)
        if digits not in name:  # it was cut off, and must not be
            return names.safe_file(text, f" {digits}{self.extension}")
        return name

    def _grouped(self, values: TagValues) -> tuple[str, ...]:
        tags = parts.tags_of(self._read, values)
        rows: list[tuple[tuple[TemplatePart, str], ...]] = [()]
        for part in self.parts:
            words = part.texts(tags) if isinstance(part, Field) else [parts.text_of(part, "")]
            rows = [(*row, (part, word)) for row, word in product(rows, words)][:MAX_GROUPS]
        found = sorted(_group_name(row) for row in rows)
        unique = {names.folded(name): name for name in reversed(found)}
        return tuple(unique[key] for key in sorted(unique))


@lru_cache(maxsize=_CACHED_TEMPLATES)
def _cached_names(template: Template) -> tuple[Callable[[TagValues, str], str], Callable[[TagValues], tuple[str, ...]]]:
    """Return the functions that make the names of a template and of its groups; equal templates share their caches."""
    name, group_names = template._rendered, template._grouped  # noqa: SLF001  a part of the class
    return lru_cache(_CACHED_NAMES)(name), lru_cache(_CACHED_GROUPS)(group_names)


def _group_name(words: tuple[tuple[TemplatePart, str], ...]) -> str:
    empty = not any(word for part, word in words if isinstance(part, Field))
    return UNKNOWN if empty else names.safe(_join(words))


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
