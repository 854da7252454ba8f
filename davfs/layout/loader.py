"""Loads layout files; an error has the line of the mistake and says what is allowed there."""

import tomllib
from importlib import resources
from pathlib import Path

from davfs import names
from davfs.confidentiality.options import PROFILE_ALONE
from davfs.errors import LayoutError
from davfs.layout.document import LayoutDocument
from davfs.layout.levels import BELOW_LEVEL, TOP, LevelParser
from davfs.layout.model import Dates, Layout
from davfs.layout.profile import profile_options, refuse_options
from davfs.layout.tags import NO_EXTRA_TAGS, ExtraTags
from davfs.layout.text import HashKey
from davfs.layout.toml_lines import line_of_error
from davfs.layout.where import parse_conditions

KEYS = (*TOP, "where", "level")
"""Keys of a layout file."""

RESERVED = ("inbox", "search", "trash", "README.txt", "davfs-api")
"""Names at the drive's root, which no layout can have."""


def load_layout(path: Path, *, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None) -> Layout:
    """Load a layout file.

    Args:
        path: The file.
        extra: Extra tags in Orthanc's index, by level.
        key: The key of hashes, if there is one.

    Raises:
        LayoutError: It cannot be read, or has a mistake.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LayoutError(f"the layout cannot be read: {error.strerror}", str(path)) from error
    try:
        text = content.decode("utf-8-sig")  # some editors on Windows begin a file with U+FEFF
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LayoutError("this is not UTF-8; save the file in that encoding", str(path), line) from error
    return load_text(text, str(path), extra=extra, key=key)


def load_text(text: str, file: str, *, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None) -> Layout:
    """Load a layout from the text of its file.

    Args:
        text: The text, in TOML.
        file: Its name, for messages.
        extra: Extra tags in Orthanc's index, by level.
        key: The key of hashes, if there is one.

    Raises:
        LayoutError: It has a mistake.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LayoutError(f"no valid TOML: {error}", file, line_of_error(text, error)) from error
    except (ValueError, RecursionError) as error:  # a number, or brackets in brackets, beyond Python's own limits
        raise LayoutError(f"no valid TOML: {error}", file) from error
    source = LayoutDocument(text, file, document)
    source.check_keys("layout", (), document, KEYS, BELOW_LEVEL)
    anonymised = _anonymised(source, key)
    options = profile_options(source) if anonymised else None
    if options is None:
        refuse_options(source)
    # The tables first: a title in one of them is not missing, but in the wrong place.
    levels = LevelParser(source, extra, key, options).parse()
    where = parse_conditions(source, extra)
    title, description, dates = _title(source), source.string("description", ""), _dates(source)
    return Layout(title, description, levels, file, where, dates, anonymised, options or PROFILE_ALONE)


def shipped(name: str) -> Path | None:
    """Find a layout that comes with this package.

    Args:
        name: Its name, such as ``by-patient``.

    Returns:
        The file; None if there is no such layout.
    """
    return _shipped().get(name)


def shipped_names() -> list[str]:
    """Return the names of all layouts that come with this package."""
    return sorted(_shipped())


def _shipped() -> dict[str, Path]:
    files = resources.files("davfs.layouts").iterdir()
    return {file.stem: file for file in files if isinstance(file, Path) and file.suffix == ".toml"}


def _title(source: LayoutDocument) -> str:
    title = source.string("title")
    if names.safe(title) != title:
        reason = f'"{title}" cannot be the name of a folder; "{names.safe(title)}" can'
        raise source.error(reason, ("title",))
    if names.folded(title) in map(names.folded, RESERVED):
        raise source.error(f'"{title}" is taken by the drive itself; choose another title', ("title",))
    return title


def _anonymised(source: LayoutDocument, key: HashKey | None) -> HashKey | None:
    value = source.document.get("anonymised", False)
    if not isinstance(value, bool):
        reason = "anonymised is neither true nor false; write anonymised = true or leave it out"
        raise source.error(reason, ("anonymised",))
    if value and key is None:
        reason = "anonymised needs a key of your own; set Davfs.HashKey in the configuration"
        raise source.error(reason, ("anonymised",))
    return key if value else None


def _dates(source: LayoutDocument) -> Dates:
    text = source.string("dates", Dates.RECEPTION.value)
    known = {dates.value: dates for dates in Dates}
    if text not in known:
        raise source.error(f'dates: "{text}" is unknown; write one of {", ".join(known)}', ("dates",))
    return known[text]
