"""Finds the line of a key in a TOML file; ``tomllib`` has lines for syntax errors only."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeAlias

TomlPath: TypeAlias = tuple[str | int, ...]
"""A path in a document: keys, and indices of arrays."""


def line_of(text: str, key: TomlPath, value: str = "") -> int:
    """Find the line of a key, or of a part of its value.

    Longer and longer beginnings of the text are parsed until one contains the key: if a beginning is a valid document,
    a statement has just ended. So TOML's strings, headers and inline tables need no second parser.

    Args:
        text: A document without syntax errors that contains the key.
        key: The key.
        value: A part of the value; of a statement of several lines, the line that contains it is meant.

    Returns:
        The line, from 1.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    start = 0
    for end in range(1, len(lines) + 1):
        document = _parsed("\n".join(lines[:end]))
        if document is not None and _contains(document, key):
            return 1 + next((at for at in range(start, end) if value in lines[at]), start)
        if document is not None:
            start = end
    return len(lines)


def line_in(file: Path, key: TomlPath) -> int | None:
    """Find the line of a key in a file that was read before; None if it cannot be read any more."""
    try:
        return line_of(file.read_text("utf-8-sig"), key)
    except (OSError, UnicodeDecodeError):
        return None


def line_of_error(text: str, error: tomllib.TOMLDecodeError) -> int:
    """Return the line of a syntax error, which Python 3.11 has in its message only."""
    match = re.search(r"\(at line (\d+), column \d+\)", str(error))
    return int(match[1]) if match else len(text.rstrip("\n").split("\n"))


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _contains(document: Any, key: TomlPath) -> bool:
    for step in key:
        if isinstance(step, str) and (not isinstance(document, dict) or step not in document):
            return False
        if isinstance(step, int) and (not isinstance(document, list) or step >= len(document)):
            return False
        document = document[step]
    return True
