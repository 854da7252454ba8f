"""Parses ``retain``, ``clean`` and ``pixels``: the options of the confidentiality profile of an anonymised layout."""

from collections.abc import Mapping
from types import MappingProxyType

from davfs.confidentiality.options import (
    AS_THEY_ARE,
    MODIFIED_DATES,
    PATIENT_CHARACTERISTICS,
    STRUCTURED_CONTENT,
    Options,
)
from davfs.layout.document import LayoutDocument

RETAIN = (MODIFIED_DATES, PATIENT_CHARACTERISTICS)
CLEAN = (STRUCTURED_CONTENT,)
LISTS: Mapping[str, tuple[str, ...]] = MappingProxyType({"retain": RETAIN, "clean": CLEAN})
OPTIONS = (*LISTS, "pixels")
"""The keys."""


def profile_options(source: LayoutDocument) -> Options:
    """Return the options of an anonymised layout.

    Raises:
        LayoutError: One is unknown.
    """
    chosen = [word for key, known in LISTS.items() for word in _words(source, key, known)]
    pixels = source.document.get("pixels")
    if pixels is not None and pixels != AS_THEY_ARE:
        reason = f'pixels: write "{AS_THEY_ARE}", or leave it out: then images that may show a name are not there'
        raise source.error(reason, ("pixels",))
    return Options(
        modified_dates=MODIFIED_DATES in chosen,
        patient_characteristics=PATIENT_CHARACTERISTICS in chosen,
        structured_content=STRUCTURED_CONTENT in chosen,
        pixels_as_they_are=pixels is not None,
    )


def refuse_options(source: LayoutDocument) -> None:
    """Refuse the options in a layout that is not anonymised, where they have no effect.

    Raises:
        LayoutError: It has one.
    """
    for key in OPTIONS:
        if key in source.document:
            raise source.error(f"{key} is for anonymised layouts; write anonymised = true or leave it out", (key,))


def _words(source: LayoutDocument, key: str, known: tuple[str, ...]) -> list[str]:
    words = source.document.get(key, [])
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise source.error(f'{key} is a list; write {key} = ["{known[0]}"]', (key,))
    for word in words:
        if word not in known:
            listed = ", ".join(f'"{one}"' for one in known)
            raise source.error(f'{key}: "{word}" is unknown; there is {listed}', (key,), word)
    return words
