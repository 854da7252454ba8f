"""Recognises files that programs keep for a moment: while they save, or beside the file that a user opened.

They are never attached to a study. Many programs write such a file first, and rename it when it is complete.
"""

import re
from fnmatch import translate
from typing import Final

from davfs.imports.sniff import is_junk

_TEMPORARY: Final = (
    ".*",  # hidden files: .report.pdf.swp (vim), .goutputstream-XXXXXX (GNOME), .~lock.report.odt#, .fuse_hidden…
    "~$*",  # ~$report.docx (Word); but ~report.pdf is a report
    "*~",  # backups of editors
    "#*#",  # emacs
    "*.tmp", "*.temp", "*.part", "*.partial", "*.filepart", "*.crdownload", "*.download", "*.swp", "*.lock", "4913",
)  # fmt: skip
_IS_TEMPORARY: Final = re.compile("|".join(map(translate, _TEMPORARY)))


def is_temporary(name: str) -> bool:
    """Return True if a file of this name is not meant to stay."""
    return is_junk(name) or _IS_TEMPORARY.match(name.casefold()) is not None
