"""What a template of an anonymised layout can show: keyed hashes, and codes, numbers and dates that name nobody."""

from dataclasses import dataclass, replace

from pydicom.datadict import tag_for_keyword

from davfs.confidentiality.options import MODIFIED_DATES, PATIENT_CHARACTERISTICS, Options
from davfs.confidentiality.table import Action, Place, listed
from davfs.confidentiality.unlisted import unlisted
from davfs.layout.tags import MODALITIES, SUBJECT
from davfs.layout.template import Field, Tag, Template
from davfs.layout.text import HashKey, TemplateError, TextFormat
from davfs.layout.values import Format, is_genuine

SHOWN = frozenset({"CS", "AS", "DA", "TM", "DT", "IS", "US", "SS", "UL", "SL", "UV", "SV", "DS", "FL", "FD"})
"""Value representations that are shown as they are (DICOM PS3.5 section 6.2): all others may hold a name, an
identifier, or text that somebody typed."""

_ANY = Place("")
"""No SOP class in particular."""
_RETAINED = {
    MODIFIED_DATES: Options(modified_dates=True),
    PATIENT_CHARACTERISTICS: Options(patient_characteristics=True),
}


@dataclass(frozen=True, slots=True)
class GenuineFormat:
    """Values that are what their representation says; of all others nothing is shown, for they may be a name.

    Attributes:
        representation: The value representation.
        how: Format of the values; None for the plain value.
    """

    representation: str
    how: Format | None

    def write(self, value: str) -> str:
        """Write the value; empty where it is no code, number or date."""
        if not is_genuine(value, self.representation):
            return ""
        return self.how.write(value) if self.how else value


def restricted(template: Template, options: Options, key: HashKey) -> Template:
    """Return the template that shows nothing else than what an anonymised layout may show.

    Args:
        template: What it asks for.
        options: What the layout keeps.
        key: By which dates are shifted.

    Raises:
        TemplateError: It asks for more; the message says what is allowed.
    """
    pieces = (
        replace(piece, tags=tuple(_restricted(tag, options, key) for tag in piece.tags))
        if isinstance(piece, Field)
        else piece
        for piece in template.pieces
    )
    return replace(template, pieces=tuple(pieces))


def _restricted(tag: Tag, options: Options, key: HashKey) -> Tag:
    if isinstance(tag.how, TextFormat) and tag.how.digits:
        # A PatientID alone tells too little: it may be empty, or be that of several people.
        return replace(tag, keyword=SUBJECT, representation="UT") if tag.keyword == "PatientID" else tag
    representations = tag.representation.split(" or ")
    if not SHOWN.issuperset(representations):
        hashed = f"write {{{tag.keyword}:hash}}"
        raise TemplateError(f"{tag.keyword} may tell who somebody is, and this layout is anonymised; {hashed}")
    action = _action(tag, options)
    if action not in {Action.KEEP, Action.SHIFT}:
        raise TemplateError(_refusal(tag))
    return replace(tag, how=GenuineFormat(tag.representation, tag.how), shift=key if action is Action.SHIFT else None)


def _action(tag: Tag, options: Options) -> Action:
    """Return what becomes of an attribute in the files: a name must not tell what they do not."""
    if tag.keyword == MODALITIES:
        return Action.KEEP
    number = tag_for_keyword(tag.keyword) or 0
    kind = tag.representation.split(" or ")[0]
    return listed(number, options, _ANY) or unlisted(tag.keyword, kind, options)


def _refusal(tag: Tag) -> str:
    """Return what is wrong, and what could be written instead."""
    for word, kept in _RETAINED.items():
        if _action(tag, kept) in {Action.KEEP, Action.SHIFT}:
            instead = f'leave it out, or write retain = ["{word}"]'
            return f"{tag.keyword} is not in the files of this anonymised layout; {instead}"
    return f"{tag.keyword} tells who somebody is, and has no hash; leave it out of an anonymised layout"
