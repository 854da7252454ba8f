"""What a template of an anonymised layout can show: keyed hashes, and codes, numbers and dates that name nobody."""

import re
from dataclasses import dataclass, replace

from davfs.layout.tags import SUBJECT
from davfs.layout.template import Field, Tag, Template
from davfs.layout.text import TemplateError, TextFormat
from davfs.layout.values import Format, is_clock, is_genuine

SHOWN = frozenset({"CS", "AS", "DA", "TM", "DT", "IS", "US", "SS", "UL", "SL", "UV", "SV", "DS", "FL", "FD"})
"""Value representations that are shown as they are (DICOM PS3.5 section 6.2): all others may hold a name, an
identifier, or text that somebody typed."""

_OF_A_LIFE = re.compile("Birth|Death")
"""What keywords of PS3.6 have in common that tell when somebody was born, or died."""


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


def restricted(template: Template) -> Template:
    """Return the template that shows nothing else than what an anonymised layout may show.

    Raises:
        TemplateError: It asks for more; the message says what is allowed.
    """
    pieces = (
        replace(piece, tags=tuple(map(_restricted, piece.tags))) if isinstance(piece, Field) else piece
        for piece in template.pieces
    )
    return replace(template, pieces=tuple(pieces))


def _restricted(tag: Tag) -> Tag:
    if isinstance(tag.how, TextFormat) and tag.how.digits:
        # A PatientID alone tells too little: it may be empty, or be that of several people.
        return replace(tag, keyword=SUBJECT, representation="UT") if tag.keyword == "PatientID" else tag
    representations = tag.representation.split(" or ")
    if _OF_A_LIFE.search(tag.keyword) and is_clock(tag.representation):
        raise TemplateError(
            f"{tag.keyword} tells who somebody is, and has no hash; leave it out of an anonymised layout"
        )
    if not SHOWN.issuperset(representations):
        hashed = f"write {{{tag.keyword}:hash}}"
        raise TemplateError(f"{tag.keyword} may tell who somebody is, and this layout is anonymised; {hashed}")
    return replace(tag, how=GenuineFormat(tag.representation, tag.how))
