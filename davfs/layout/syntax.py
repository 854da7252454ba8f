"""The language of templates: from its text to a `Template`, or to what is wrong with it."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from davfs import names
from davfs.layout import tags
from davfs.layout.tags import NO_EXTRA_TAGS, ExtraTags
from davfs.layout.template import Field, Identifier, Piece, Separator, Tag, Template, Text
from davfs.layout.text import HashKey, TemplateError
from davfs.layout.values import compile_format
from davfs.orthanc.model import Level

_PART = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")
_SEPARATORS = r"[\s_\-–—·,;.+&]*"  # noqa: RUF001  the dashes are meant: they separate, as hyphens do
_EDGES = re.compile(rf"({_SEPARATORS})(.*?)({_SEPARATORS})", re.DOTALL)
_MISSPELT = 0.85  # of 1.0: a fallback so close to a keyword is a typing mistake, not text


@dataclass(frozen=True, slots=True)
class _Place:
    """What a template is for."""

    level: Level
    extra: ExtraTags
    key: HashKey | None
    group: bool


def parse(text: str, level: Level, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None) -> Template:
    """Read the template of a resource.

    Args:
        text: The template.
        level: What it names; an instance is a file, and the template's last text gives its extension.
        extra: Tags that Orthanc keeps besides its usual ones.
        key: The key of hashes; None where there is none.

    Raises:
        TemplateError: It is wrong; the message says what is allowed.
    """
    template = _parse(text, _Place(level, extra, key, group=False), file=level is Level.INSTANCE)
    if not any(isinstance(piece, Field | Identifier) for piece in template.pieces):
        raise TemplateError('nothing in it tells one resource from another; use a tag, such as "{PatientID}"')
    return template


def parse_group(text: str, over: Level, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None) -> Template:
    """Read the template of a group.

    Args:
        text: The template.
        over: The level of the resources that are grouped.
        extra: Tags that Orthanc keeps besides its usual ones.
        key: The key of hashes; None where there is none.

    Raises:
        TemplateError: It is wrong; the message says what is allowed.
    """
    template = _parse(text, _Place(over, extra, key, group=True), file=False)
    if not any(isinstance(piece, Field) for piece in template.pieces):
        raise TemplateError('a group is a folder for each value of a tag; use one, such as "{StudyDate:%Y}"')
    return template


def parse_file(text: str, level: Level, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None) -> Template:
    """Read the template of an extra file in the folder of a resource; it may be text alone.

    Args:
        text: The template; its last text gives its extension.
        level: The level of the resource.
        extra: Tags that Orthanc keeps besides its usual ones.
        key: The key of hashes; None where there is none.

    Raises:
        TemplateError: It is wrong; the message says what is allowed.
    """
    return _parse(text, _Place(level, extra, key, group=False), file=True)


def _parse(text: str, place: _Place, *, file: bool) -> Template:
    text, extension = names.split(text.strip(), files=file)
    pieces: list[Piece] = []
    for part in _PART.findall(text):
        if part in {"{", "}"}:
            raise TemplateError(f'a "{part}" stands alone; write {{Keyword}}, or {part * 2} for the brace itself')
        if part.startswith("{") and part != "{{":
            pieces.append(_parse_field(part[1:-1], place))
        else:
            _extend(pieces, part[0] if part in {"{{", "}}"} else part)
    return Template(tuple(_separated(_bracketed(pieces))), extension)


def _extend(pieces: list[Piece], text: str) -> None:
    _check_text(text)
    if pieces and isinstance(last := pieces[-1], Text):
        pieces[-1] = Text(last.text + text)
    else:
        pieces.append(Text(text))


def _check_text(text: str) -> None:
    found = next((character for character in text if character in names.FORBIDDEN), None)
    if found:
        raise TemplateError(f'"{found}" cannot stand in a name; "-" or "_" can, and a further [[level]] makes a folder')


def _parse_field(text: str, place: _Place) -> Piece:
    alternatives = [alternative.strip() for alternative in text.split("|")]
    if place.group and "id" in (alternative.partition(":")[0] for alternative in alternatives):
        raise TemplateError("{id} would give every resource a folder of its own; it belongs into its own level")
    if alternatives == ["id"]:
        return Identifier()
    if "id" in (alternative.partition(":")[0] for alternative in alternatives):
        raise TemplateError(f'"{{{text}}}": {{id}} takes no format, and needs no fallback because it is never empty')
    if "" in alternatives:
        raise TemplateError(f'"{{{text}}}" has an empty alternative; a tag without a value vanishes by itself')
    default = alternatives.pop() if len(alternatives) > 1 and _is_text(alternatives[-1], place) else ""
    _check_text(default)
    return Field(tuple(_parse_tag(alternative, place) for alternative in alternatives), default)


def _is_text(alternative: str, place: _Place) -> bool:
    keyword = alternative.partition(":")[0]
    close = difflib.get_close_matches(keyword, tags.usable(place.level, place.extra), 1, _MISSPELT)
    return tags.representation(keyword) is None and not close


def _parse_tag(text: str, place: _Place) -> Tag:
    level, extra = place.level, place.extra
    keyword, colon, form = text.partition(":")
    representation = tags.representation(keyword)
    usable = tags.usable(level, extra)
    if representation is None:
        raise TemplateError(f'unknown tag "{keyword}"{_suggestion(keyword, level, usable)}')
    if representation == "SQ":
        raise TemplateError(f"{keyword} is a sequence and has no text")
    if keyword not in usable:
        raise TemplateError(f"{_unkept(keyword, level, extra)}{_suggestion(keyword, level, usable)}")
    if not colon:
        return Tag(keyword, representation, None)
    _check_text(form)
    try:
        return Tag(keyword, representation, compile_format(representation, form, place.key))
    except TemplateError as error:
        raise TemplateError(f"{keyword}: {error}") from error


def _unkept(keyword: str, level: Level, extra: ExtraTags) -> str:
    below = [other.name.lower() for other in Level if keyword in tags.kept(other, extra)]
    if below:
        return f"Orthanc keeps {keyword} for each {below[0]}, below the {level.name.lower()} that this level names"
    return f"Orthanc does not keep {keyword} in its index unless its option ExtraMainDicomTags says so"


def _suggestion(keyword: str, level: Level, usable: frozenset[str]) -> str:
    close = difflib.get_close_matches(keyword, sorted(usable), 3)
    others = sorted(usable.difference(close))
    return f"; known for a {level.name.lower()}: {', '.join([*close, *others])}"


def _bracketed(pieces: list[Piece]) -> list[Piece]:
    """Hand the brackets right around a field over to it."""
    pieces = list(pieces)
    for at in range(1, len(pieces) - 1):
        before, field, after = pieces[at - 1 : at + 2]
        if isinstance(before, Text) and isinstance(field, Field) and isinstance(after, Text):
            brackets = before.text[-1:] + after.text[:1]
            if brackets in {"()", "[]"}:
                bracketed = replace(field, brackets=brackets)
                pieces[at - 1 : at + 2] = Text(before.text[:-1]), bracketed, Text(after.text[1:])
    return pieces


def _separated(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Set the separators at both ends of each text apart."""
    for piece in pieces:
        if not isinstance(piece, Text):
            yield piece
        elif edges := _EDGES.fullmatch(piece.text):
            parts = Separator(edges[1]), Text(edges[2]), Separator(edges[3])
            yield from (part for part in parts if part.text)
