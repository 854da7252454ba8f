"""Suggestions for misspelled words in layout files."""

import difflib
from collections.abc import Collection


def nearest_first(word: str, known: Collection[str]) -> str:
    """List the known words, those most similar to a word first."""
    lower = {other.lower(): other for other in known}
    close = [lower[other] for other in difflib.get_close_matches(word.lower(), lower, max(len(known), 1))]
    return ", ".join([*close, *(other for other in known if other not in close)])
