"""Restricts templates of anonymised layouts to keyed hashes, and to codes, numbers and dates that identify nobody."""

from dataclasses import dataclass, replace

from pydicom.datadict import tag_for_keyword

from davfs.confidentiality.options import MODIFIED_DATES, PATIENT_CHARACTERISTICS, Options
from davfs.confidentiality.table import Action, AttributePlace, listed_action
from davfs.confidentiality.unlisted import unlisted_action
from davfs.layout.parts import Field, TagValue
from davfs.layout.tags import MODALITIES, SUBJECT
from davfs.layout.template import Template
from davfs.layout.text import HashKey, TemplateError, TextFormat
from davfs.layout.values import ValueFormat, is_valid

PLAIN = frozenset({"CS", "AS", "DA", "TM", "DT", "IS", "US", "SS", "UL", "SL", "UV", "SV", "DS", "FL", "FD"})
"""Value representations whose values may be shown (DICOM PS3.5 section 6.2): all others may hold a name, an identifier,
or free text."""

_ANY = AttributePlace("")
"""No particular SOP class."""
_RETAINED = {
    MODIFIED_DATES: Options(modified_dates=True),
    PATIENT_CHARACTERISTICS: Options(patient_characteristics=True),
}


@dataclass(frozen=True, slots=True)
class ValidFormat:
    """Formats values that are valid in their representation; hides all others, since they may be a name.

    Attributes:
        representation: The value representation.
        value_format: Format of the values; None for the plain value.
    """

    representation: str
    value_format: ValueFormat | None

    def apply(self, value: str) -> str:
        """Format the value; return an empty text if it is no code, number or date."""
        if not is_valid(value, self.representation):
            return ""
        return self.value_format.apply(value) if self.value_format else value


def restrict(template: Template, options: Options, key: HashKey) -> Template:
    """Return a template that shows only what an anonymised layout may show.

    Args:
        template: The template.
        options: The layout's options of the confidentiality profile.
        key: The key by which dates are shifted.

    Raises:
        TemplateError: The template has a tag that is not allowed; the message says what is.
    """
    parts = (
        replace(part, tags=tuple(_restrict_tag(tag, options, key) for tag in part.tags))
        if isinstance(part, Field)
        else part
        for part in template.parts
    )
    return replace(template, parts=tuple(parts))


def _restrict_tag(tag: TagValue, options: Options, key: HashKey) -> TagValue:
    if isinstance(tag.value_format, TextFormat) and tag.value_format.digits:
        # The PatientID alone identifies nobody: it may be empty, or shared by several people.
        return replace(tag, keyword=SUBJECT, representation="UT") if tag.keyword == "PatientID" else tag
    representations = tag.representation.split(" or ")
    if not PLAIN.issuperset(representations):
        hashed = f"write {{{tag.keyword}:hash}}"
        raise TemplateError(f"{tag.keyword} may identify a person, and this layout is anonymised; {hashed}")
    action = _action(tag, options)
    if action not in {Action.KEEP, Action.SHIFT}:
        raise TemplateError(_refusal(tag))
    return replace(
        tag,
        value_format=ValidFormat(tag.representation, tag.value_format),
        shift=key if action is Action.SHIFT else None,
    )


def _action(tag: TagValue, options: Options) -> Action:
    """Return the action on the attribute in the files: a name must not reveal what they do not."""
    if tag.keyword == MODALITIES:
        return Action.KEEP
    number = tag_for_keyword(tag.keyword) or 0
    kind = tag.representation.split(" or ")[0]
    return listed_action(number, options, _ANY) or unlisted_action(tag.keyword, kind, options)


def _refusal(tag: TagValue) -> str:
    """Return why a tag is refused, and what could be written instead."""
    for word, kept in _RETAINED.items():
        if _action(tag, kept) in {Action.KEEP, Action.SHIFT}:
            instead = f'leave it out, or write retain = ["{word}"]'
            return f"{tag.keyword} is not in the files of this anonymised layout; {instead}"
    return f"{tag.keyword} identifies a person, and has no hash; leave it out of an anonymised layout"
