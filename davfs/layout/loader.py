"""Layout files, from TOML to a `Layout`; a wrong one is refused with its line and with what is allowed there."""

import tomllib
from importlib import resources
from pathlib import Path

from davfs import names
from davfs.confidentiality.options import PROFILE_ALONE
from davfs.errors import LayoutError
from davfs.layout.levels import BELOW_LEVEL, TOP, Levels
from davfs.layout.model import Dates, Layout
from davfs.layout.position import line_of_error
from davfs.layout.profile import profile_options, refuse_options
from davfs.layout.source import Source
from davfs.layout.tags import NO_EXTRA_TAGS, ExtraTags
from davfs.layout.text import HashKey
from davfs.layout.where import conditions

KEYS = (*TOP, "where", "level")
"""What a layout file can hold."""

RESERVED = ("inbox", "search", "trash", "README.txt", "davfs-api")
"""Names at the drive's root that no layout can have."""


def load(path: Path, *, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None) -> Layout:
    """Read a layout file.

    Args:
        path: The file.
        extra: Tags that Orthanc keeps besides its usual ones, by level.
        key: The key of hashes; None where there is none.

    Raises:
        LayoutError: It cannot be read, or is wrong.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LayoutError(f"the layout cannot be read: {error.strerror}", str(path)) from error
    try:
        text = content.decode("utf-8-sig")  # some editors of Windows begin a file with U+FEFF
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LayoutError("this is not UTF-8; save the file in that encoding", str(path), line) from error
    return load_text(text, str(path), extra=extra, key=key)


def load_text(text: str, file: str, *, extra: ExtraTags = NO_EXTRA_TAGS, key: HashKey | None = None) -> Layout:
    """Read the text of a layout file.

    Args:
        text: The text, in TOML.
        file: Its name, for messages.
        extra: Tags that Orthanc keeps besides its usual ones, by level.
        key: The key of hashes; None where there is none.

    Raises:
        LayoutError: It is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LayoutError(f"no valid TOML: {error}", file, line_of_error(text, error)) from error
    except (ValueError, RecursionError) as error:  # a number, or brackets in brackets, beyond Python's own limits
        raise LayoutError(f"no valid TOML: {error}", file) from error
    source = Source(text, file, document)
    source.check_keys("layout", (), document, KEYS, BELOW_LEVEL)
    anonymised = _anonymised(source, key)
    options = profile_options(source) if anonymised else None
    if options is None:
        refuse_options(source)
    # The tables first: a title that stands in one of them is not missing, it is in the wrong place.
    levels = Levels(source, extra, key, options).read()
    where = conditions(source, extra)
    title, description, dates = _title(source), source.string("description", ""), _dates(source)
    return Layout(title, description, levels, file, where, dates, anonymised, options or PROFILE_ALONE)


def shipped(name: str) -> Path | None:
    """Find a layout that comes with this package.

    Args:
        name: Its name, such as ``by-patient``.

    Returns:
        The file; None where no layout of that name is shipped.
    """
    return _shipped().get(name)


def shipped_names() -> list[str]:
    """Return the names of all layouts that come with this package."""
    return sorted(_shipped())


def _shipped() -> dict[str, Path]:
    files = resources.files("davfs.layouts").iterdir()
    return {file.stem: file for file in files if isinstance(file, Path) and file.suffix == ".toml"}


def _title(source: Source) -> str:
    title = source.string("title")
    if names.safe(title) != title:
        reason = f'"{title}" cannot be the name of a folder; "{names.safe(title)}" can'
        raise source.error(reason, ("title",))
    if names.folded(title) in map(names.folded, RESERVED):
        raise source.error(f'"{title}" is taken by the drive itself; choose another title', ("title",))
    return title


def _anonymised(source: Source, key: HashKey | None) -> HashKey | None:
    value = source.document.get("anonymised", False)
    if not isinstance(value, bool):
        reason = "anonymised is neither true nor false; write anonymised = true or leave it out"
        raise source.error(reason, ("anonymised",))
    if value and key is None:
        reason = "anonymised needs a key of your own; set Davfs.HashKey in the configuration"
        raise source.error(reason, ("anonymised",))
    return key if value else None


def _dates(source: Source) -> Dates:
    text = source.string("dates", Dates.RECEPTION.value)
    known = {dates.value: dates for dates in Dates}
    if text not in known:
        raise source.error(f'dates: "{text}" is unknown; write one of {", ".join(known)}', ("dates",))
    return known[text]
