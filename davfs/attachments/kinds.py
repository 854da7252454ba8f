"""Detects by its content what an attachment is: the name only tells what its owner takes the file for."""

from collections.abc import Callable
from enum import Enum
from typing import Final

from davfs.attachments.jpeg import is_jpeg
from davfs.attachments.pdf import is_pdf
from davfs.attachments.png import is_png
from davfs.attachments.stl import is_stl
from davfs.attachments.text import is_text
from davfs.errors import Refused


class AttachmentKind(Enum):
    """What a file is that can be attached to a study; the value is its name for users."""

    PDF = "PDF"
    JPEG = "JPEG"
    PNG = "PNG"
    STL = "STL"
    TEXT = "text"

    __hash__ = object.__hash__


_SIGNS: Final[tuple[tuple[AttachmentKind, Callable[[memoryview], bool]], ...]] = (
    (AttachmentKind.PDF, is_pdf),
    (AttachmentKind.JPEG, is_jpeg),
    (AttachmentKind.PNG, is_png),
    (AttachmentKind.STL, is_stl),
    (AttachmentKind.TEXT, is_text),
)
_SUFFIXES: Final = {
    "pdf": AttachmentKind.PDF,
    "jpg": AttachmentKind.JPEG,
    "jpeg": AttachmentKind.JPEG,
    "jpe": AttachmentKind.JPEG,
    "png": AttachmentKind.PNG,
    "stl": AttachmentKind.STL,
}
_OF_TEXTS: Final = {"", "txt", "text", "log", "md", "csv"}
"""Endings of text files that people read as they are; the source of a web page, for example, is none of them."""
_OTHERS = "Only PDF, JPEG, PNG, STL and text files can be attached to a study. Save it as a PDF."


def has_signature(content: memoryview) -> bool:
    """Return True if the first bytes of a file are those of a PDF, JPEG or PNG, so that it is not DICOM."""
    return any(is_kind(content) for is_kind in (is_pdf, is_jpeg, is_png))


def detect(name: str, content: memoryview) -> AttachmentKind:
    """Return the kind of a file.

    Args:
        name: Its name; if that promises another kind, the file is damaged or misnamed.
        content: All of its bytes, at least one.

    Raises:
        Refused: It cannot be attached.
    """
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    promised = _SUFFIXES.get(ending)
    found = next((kind for kind, is_kind in _SIGNS if is_kind(content)), None)
    if promised and found is not promised:
        raise Refused(f"Its name says that it is a {promised.value} file, but its content is not.")
    if found is None or (found is AttachmentKind.TEXT and ending not in _OF_TEXTS):
        raise Refused(_OTHERS)
    return found
