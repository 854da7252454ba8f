"""Parses templates; `davfs.layout.template` describes their grammar."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from davfs import names
from davfs.layout import tags
from davfs.layout.parts import Field, Identifier, LiteralText, Separator, TagValue, TemplatePart
from davfs.layout.suggestions import nearest_first
from davfs.layout.tags import NO_EXTRA_TAGS, ExtraTags
from davfs.layout.template import Template
from davfs.layout.text import HashKey, TemplateError
from davfs.layout.values import compile_format
from davfs.orthanc.model import Level

_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")
_SEPARATORS = r"[\s_\-–—·,;.+&]*"  # noqa: RUF001  the dashes are meant: they separate, as hyphens do
_EDGES = re.compile(rf"({_SEPARATORS})(.*?)({_SEPARATORS})", re.DOTALL)
_MISSPELT = 0.85  # similarity, of 1.0: such a fallback is a misspelled keyword, not text


@dataclass(frozen=True, slots=True)
class _TemplateUse:
    """The use of a template: a level's resources or groups, and the tags and key that it can use."""

    level: Level
    extra: ExtraTags
    key: HashKey | None
    is_group: bool


def parse_template(text: str, level: Level, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None) -> Template:
    """Parse the template of a resource's name.

    Args:
        text: The template; that of an instance ends with the file's extension.
        level: Level of the resource.
        extra: Extra tags in Orthanc's index, by level.
        key: The key of hashes, if there is one.

    Raises:
        TemplateError: It has a mistake; the message says what is allowed.
    """
    template = _parse(text, _TemplateUse(level, extra, key, is_group=False), is_file=level is Level.INSTANCE)
    if not any(isinstance(part, Field | Identifier) for part in template.parts):
        raise TemplateError('nothing in it tells one resource from another; use a tag, such as "{PatientID}"')
    return template


def parse_group_template(
    text: str, level: Level, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None
) -> Template:
    """Parse the template of a group, as `parse_template` does; ``level`` is that of the grouped resources."""
    template = _parse(text, _TemplateUse(level, extra, key, is_group=True), is_file=False)
    if not any(isinstance(part, Field) for part in template.parts):
        raise TemplateError('a group is a folder for each value of a tag; use one, such as "{StudyDate:%Y}"')
    return template


def parse_file_template(
    text: str, level: Level, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None
) -> Template:
    """Parse the template of an extra file in the folder of a resource, as `parse_template` does; it needs no tags."""
    return _parse(text, _TemplateUse(level, extra, key, is_group=False), is_file=True)


def _parse(text: str, context: _TemplateUse, *, is_file: bool) -> Template:
    text, extension = names.split(text.strip(), files=is_file)
    parts: list[TemplatePart] = []
    for part in _TOKEN.findall(text):
        if part in {"{", "}"}:
            raise TemplateError(f'a "{part}" stands alone; write {{Keyword}}, or {part * 2} for the brace itself')
        if part.startswith("{") and part != "{{":
            parts.append(_parse_field(part[1:-1], context))
        else:
            _extend(parts, part[0] if part in {"{{", "}}"} else part)
    return Template(tuple(_separated(_bracketed(parts))), extension)


def _extend(parts: list[TemplatePart], text: str) -> None:
    _check_text(text)
    if parts and isinstance(last := parts[-1], LiteralText):
        parts[-1] = LiteralText(last.text + text)
    else:
        parts.append(LiteralText(text))


def _check_text(text: str) -> None:
    found = next((character for character in text if character in names.FORBIDDEN), None)
    if found:
        raise TemplateError(f'"{found}" cannot stand in a name; "-" or "_" can, and a further [[level]] makes a folder')


def _parse_field(text: str, context: _TemplateUse) -> TemplatePart:
    alternatives = [alternative.strip() for alternative in text.split("|")]
    if context.is_group and "id" in (alternative.partition(":")[0] for alternative in alternatives):
        raise TemplateError("{id} would give every resource a folder of its own; it belongs into its own level")
    if alternatives == ["id"]:
        return Identifier()
    if "id" in (alternative.partition(":")[0] for alternative in alternatives):
        raise TemplateError(f'"{{{text}}}": {{id}} takes no format, and needs no fallback because it is never empty')
    if "" in alternatives:
        raise TemplateError(f'"{{{text}}}" has an empty alternative; a tag without a value vanishes by itself')
    default = alternatives.pop() if len(alternatives) > 1 and _is_text(alternatives[-1], context) else ""
    _check_text(default)
    return Field(tuple(_parse_tag(alternative, context) for alternative in alternatives), default)


def _is_text(alternative: str, context: _TemplateUse) -> bool:
    keyword = alternative.partition(":")[0]
    close = difflib.get_close_matches(keyword, tags.usable(context.level, context.extra), 1, _MISSPELT)
    return tags.representation(keyword) is None and not close


def _parse_tag(text: str, context: _TemplateUse) -> TagValue:
    level, extra = context.level, context.extra
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
        return TagValue(keyword, representation, None)
    _check_text(form)
    try:
        return TagValue(keyword, representation, compile_format(representation, form, context.key))
    except TemplateError as error:
        raise TemplateError(f"{keyword}: {error}") from error


def _unkept(keyword: str, level: Level, extra: ExtraTags) -> str:
    below = [other.name.lower() for other in Level if keyword in tags.indexed(other, extra)]
    if below:
        return f"Orthanc keeps {keyword} for each {below[0]}, below the {level.name.lower()} that this level names"
    return f"Orthanc does not keep {keyword} in its index unless its option ExtraMainDicomTags says so"


def _suggestion(keyword: str, level: Level, usable: frozenset[str]) -> str:
    return f"; known for a {level.name.lower()}: {nearest_first(keyword, sorted(usable))}"


def _bracketed(parts: list[TemplatePart]) -> list[TemplatePart]:
    """Move the brackets right around a field into the field, so that they vanish with it."""
    parts = list(parts)
    for at in range(1, len(parts) - 1):
        before, field, after = parts[at - 1 : at + 2]
        if isinstance(before, LiteralText) and isinstance(field, Field) and isinstance(after, LiteralText):
            brackets = before.text[-1:] + after.text[:1]
            if brackets in {"()", "[]"}:
                bracketed = replace(field, brackets=brackets)
                parts[at - 1 : at + 2] = LiteralText(before.text[:-1]), bracketed, LiteralText(after.text[1:])
    return parts


def _separated(parts: Iterable[TemplatePart]) -> Iterator[TemplatePart]:
    """Split the separators off both ends of each text."""
    for part in parts:
        if not isinstance(part, LiteralText):
            yield part
        elif edges := _EDGES.fullmatch(part.text):
            parts = Separator(edges[1]), LiteralText(edges[2]), Separator(edges[3])
            yield from (part for part in parts if part.text)
