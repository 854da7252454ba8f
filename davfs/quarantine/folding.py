"""Computes what the characters of patients' names are compared as: without case, accents and width.

native/identity_character.c applies it. Of ASCII, which is not in the table, all but letters and digits separates words.
"""

import unicodedata
from collections.abc import Iterator

SEPARATOR = " "
"""What characters between words are compared as."""

_LARGEST = 11
"""Bytes that a character can become, as native/davfs.h has them."""
_FIRST, _LAST = 0x80, 0x1FFFF
_UNCHANGED = ((0x3400, 0x9FFF), (0xA000, 0xA4CF), (0xAC00, 0xF8FF))
"""Ideographs, Yi, Hangul and what follows, with no other forms."""
_HIRAGANA = range(0x3041, 0x3097)
_TO_KATAKANA = 0x60
_SPECIAL = str.maketrans(
    {"ł": "l", "đ": "d", "ð": "d", "þ": "th", "ø": "o", "æ": "ae", "œ": "oe", "ħ": "h", "\u0131": "i"}
)
"""Letters that are written with others where they cannot be typed, and that Unicode does not decompose."""


def foldings() -> Iterator[tuple[int, bytes]]:
    """Yield each character that is compared as another text, in ascending order, with that text in UTF-8."""
    for code in range(_FIRST, _LAST + 1):
        if not any(first <= code <= last for first, last in _UNCHANGED):
            character = chr(code)
            folded = fold(character).encode("utf-8", "ignore")
            if folded != character.encode("utf-8", "ignore") and len(folded) <= _LARGEST:
                yield code, folded


def fold(character: str) -> str:
    """Return what a character is compared as: nothing for an accent, a space for what separates words."""
    decomposed = unicodedata.normalize("NFKD", character).casefold().translate(_SPECIAL)
    letters = [_katakana(one) for one in unicodedata.normalize("NFKD", decomposed) if not _is_ignored(one)]
    if any(unicodedata.category(one)[0] in "PZ" or unicodedata.category(one) == "Cc" for one in letters):
        return SEPARATOR
    return "".join(letters)


def _is_ignored(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me", "Cf"}


def _katakana(character: str) -> str:
    return chr(ord(character) + _TO_KATAKANA) if ord(character) in _HIRAGANA else character
