"""A file of settings, in TOML, with the line of each, so that a refusal can tell where to look."""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError
from davfs.layout.position import Key, line_of, line_of_error
from davfs.settings.checks import nearest

_PLUGIN_ONLY = frozenset({"Uri", "Python", "Server.Enabled"})


@dataclass(frozen=True, slots=True)
class Given:
    """A value as the administrator gave it.

    Attributes:
        value: The value.
        where: Where it stands, for messages: ``--port``.
        home: Folder that relative paths start from.
    """

    value: Any
    where: str
    home: Path = field(default_factory=Path.cwd)


def read_file(file: Path, known: Collection[str]) -> dict[str, Given]:
    """Return the settings in a file, by key: ``Server.Port``.

    Args:
        file: The file, in TOML.
        known: The keys that may be there.

    Raises:
        ConfigurationError: It cannot be read, or holds another key.
    """
    try:
        content = file.read_text(encoding="utf-8-sig")  # some editors of Windows begin a file with U+FEFF
        document = tomllib.loads(content)
    except OSError as error:
        raise ConfigurationError(f"the configuration file '{file}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: this is not UTF-8; save the file in that encoding") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}:{line_of_error(content, error)}: no valid TOML: {error}") from error
    home = file.absolute().parent
    found = {}
    for steps, value in _settings(document, known):
        key, line = ".".join(map(str, steps)), line_of(content, steps)
        if key not in known:
            raise ConfigurationError(f"{file}:{line}: {_reason(key, known)}")
        found[key] = Given(value, f"{file}:{line}: {key}", home)
    return found


def _settings(document: Mapping[str, Any], known: Collection[str]) -> Iterator[tuple[Key, Any]]:
    """Yield the settings in a document; a table that should not be one is a setting itself."""
    tables = {key.partition(".")[0] for key in known if "." in key}
    for name, value in document.items():
        if name in tables and isinstance(value, dict):
            yield from (((name, key), inner) for key, inner in value.items())
        else:
            yield (name,), value


def _reason(key: str, known: Collection[str]) -> str:
    if key in _PLUGIN_ONLY:
        return f"{key} is a setting of the plugin alone: leave it out"
    if any(other.startswith(f"{key}.") for other in known):
        return f"{key} must be a table: [{key}]"
    return f"{key} is not a setting of davfs serve: {nearest(key, known)}"
