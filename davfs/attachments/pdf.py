"""Checks PDF files (ISO 32000-1) before they are attached."""

import re

from davfs.attachments.blocks import blocks
from davfs.errors import Refused

_PREFIX = b"%PDF-"
_BEFORE = re.compile(rb"(?:\xef\xbb\xbf)?[\x00\t\n\x0c\r ]*%PDF-\d")
"""Programs read a PDF although blanks precede it."""
_HEAD, _TAIL = 1024, 4096
_END = re.compile(rb"startxref\s+\d+\s+%%EOF")
_ENCRYPTED = re.compile(rb"/Encrypt(?:\s+\d+\s+\d+\s+R|\s*<<)")
"""The entry of the trailer (§7.5.5), which is never compressed or encrypted itself."""


def is_pdf(content: memoryview) -> bool:
    """Return True if a file begins as a PDF."""
    return _BEFORE.match(content[:_HEAD]) is not None


def check_pdf(content: memoryview) -> None:
    """Check that a PDF is whole, and can be read by everybody.

    Raises:
        Refused: It ends too early, or is encrypted: an archive outlives passwords.
    """
    if not _END.search(content[-_TAIL:]):
        raise Refused("The PDF is cut off: its end is missing.")
    if any(_ENCRYPTED.search(block) for block in blocks(content)):
        raise Refused("The PDF is protected by a password or by permissions: save or print it without them.")
