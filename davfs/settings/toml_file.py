"""Reads a file of settings, in TOML; errors name the line."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError
from davfs.layout.toml_lines import TomlPath, line_of, line_of_error
from davfs.settings.checks import nearest
from davfs.settings.configuration import GivenValue
from davfs.settings.table import SETTINGS, RunMode, expanded, known_keys

_KEYS = known_keys(RunMode.STANDALONE)


def read_file(file: Path) -> dict[str, GivenValue]:
    """Return the settings in a file, by key: ``Server.Port``.

    Raises:
        ConfigurationError: It cannot be read, or has an unknown key.
    """
    content, document = _parsed(file)
    home = file.absolute().parent
    found = {}
    for steps, value in _settings(document):
        key, line = ".".join(map(str, steps)), line_of(content, steps)
        if key not in _KEYS:
            raise ConfigurationError(f"{file}:{line}: {_reason(key)}")
        found[key] = GivenValue(value, f"{file}:{line}: {key}", home)
    return found


def _parsed(file: Path) -> tuple[str, dict[str, Any]]:
    content = ""
    try:
        content = file.read_text(encoding="utf-8-sig")  # some editors of Windows begin a file with U+FEFF
        return content, tomllib.loads(content)
    except OSError as error:
        raise ConfigurationError(f"the configuration file '{file}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: this is not UTF-8; save the file in that encoding") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}:{line_of_error(content, error)}: no valid TOML: {error}") from error


def _settings(document: Mapping[str, Any]) -> Iterator[tuple[TomlPath, Any]]:
    """Yield the settings in a document; a table that should not be one is a setting itself."""
    tables = {key.partition(".")[0] for key in _KEYS if "." in key}
    for name, value in document.items():
        if name in tables and isinstance(value, dict):
            yield from (((name, key), inner) for key, inner in value.items())
        elif name in tables and isinstance(short := expanded(name, value), dict):
            yield from (((name, key), inner) for key, inner in short.items())
        else:
            yield (name,), value


def _reason(key: str) -> str:
    if key in SETTINGS:
        return f"{key} is a setting of the plugin alone: leave it out"
    if any(other.startswith(f"{key}.") for other in _KEYS):
        return f"{key} must be a table: [{key}]"
    return f"{key} is not a setting of davfs serve: {nearest(key, _KEYS)}"
