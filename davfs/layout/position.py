"""Where in a TOML file something stands; ``tomllib`` tells lines of syntax errors only."""

import re
import tomllib
from pathlib import Path
from typing import Any, TypeAlias

Key: TypeAlias = tuple[str | int, ...]
"""A path into a document: keys, and indices in arrays."""


def line_of(text: str, key: Key, value: str = "") -> int:
    """Find the line of a key, or of what is wrong in its value.

    The document is parsed line by line until it holds the key: where the beginning of a file is a document, a
    statement has just ended. So there is no second idea here of what TOML's strings, headers and inline tables are.

    Args:
        text: A document without syntax errors that holds the key.
        key: The key.
        value: The value; where the statement runs over several lines and one of them holds it, that is meant.

    Returns:
        The line, from 1.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    start = 0
    for end in range(1, len(lines) + 1):
        document = _parsed("\n".join(lines[:end]))
        if document is not None and _holds(document, key):
            return 1 + next((at for at in range(start, end) if value in lines[at]), start)
        if document is not None:
            start = end
    return len(lines)


def line_in(file: Path, key: Key) -> int | None:
    """Find the line of a key of a file that was read before; None where it cannot be read any more."""
    try:
        return line_of(file.read_text("utf-8-sig"), key)
    except (OSError, UnicodeDecodeError):
        return None


def line_of_error(text: str, error: tomllib.TOMLDecodeError) -> int:
    """Tell the line of a syntax error, which Python 3.11 has in its message only."""
    match = re.search(r"\(at line (\d+), column \d+\)", str(error))
    return int(match[1]) if match else len(text.rstrip("\n").split("\n"))


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _holds(document: Any, key: Key) -> bool:
    for step in key:
        if isinstance(step, str) and (not isinstance(document, dict) or step not in document):
            return False
        if isinstance(step, int) and (not isinstance(document, list) or step >= len(document)):
            return False
        document = document[step]
    return True
