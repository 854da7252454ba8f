"""Parses ``[where]``: the conditions that a study has to meet to appear in a layout."""

from typing import Any

from davfs.layout import tags
from davfs.layout.condition import Condition, Criterion
from davfs.layout.criteria import CriterionError, parse_criterion
from davfs.layout.document import LayoutDocument
from davfs.layout.levels import TOP
from davfs.layout.suggestions import nearest_first
from davfs.layout.tags import ExtraTags
from davfs.orthanc.model import Level

_EXAMPLE = 'Modality = ["CT", "MR"]'


def parse_conditions(source: LayoutDocument, extra: ExtraTags) -> tuple[Condition, ...]:
    """Parse the conditions of a layout.

    Raises:
        LayoutError: One has a mistake.
    """
    table = source.document.get("where", {})
    if not isinstance(table, dict):
        raise source.error(f"conditions are written below [where], one on each line: {_EXAMPLE}", ("where",))
    return tuple(_condition(source, keyword, value, extra) for keyword, value in table.items())


def _condition(source: LayoutDocument, keyword: str, value: Any, extra: ExtraTags) -> Condition:
    representation = tags.representation(keyword)
    usable = tags.usable(Level.SERIES, extra)
    if keyword in TOP:
        raise source.error(f'"{keyword}" cannot stand here; it belongs {TOP[keyword]}', ("where", keyword))
    if keyword not in usable or representation is None or representation == "SQ":
        reason = _unusable(keyword, representation, extra)
        raise source.error(f"{reason}; known are {nearest_first(keyword, sorted(usable))}", ("where", keyword))
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) for text in texts):
        reason = f'{keyword} is text, or a list of texts; write {keyword} = "…" or {keyword} = ["…", "…"]'
        raise source.error(reason, ("where", keyword))
    return Condition(keyword, tuple(_criterion(source, keyword, text, representation) for text in texts))


def _criterion(source: LayoutDocument, keyword: str, text: str, representation: str) -> Criterion:
    try:
        return parse_criterion(text, representation)
    except CriterionError as error:
        raise source.error(f"{keyword}: {error}", ("where", keyword), text) from error


def _unusable(keyword: str, representation: str | None, extra: ExtraTags) -> str:
    if representation is None:
        return f'unknown tag "{keyword}"'
    if representation == "SQ":
        return f"{keyword} is a sequence and has no text"
    if keyword in tags.indexed(Level.INSTANCE, extra):
        return f"Orthanc keeps {keyword} for each instance, and whole studies are chosen here"
    return f"Orthanc does not keep {keyword} in its index unless its option ExtraMainDicomTags says so"
