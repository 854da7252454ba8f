"""The ``Davfs`` section of Orthanc's configuration.

Unknown keys and bad values are refused with the key, the value and what is allowed: a typing mistake in a hospital's
configuration must not become a default.
"""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError

_URI = re.compile(r"(/[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*)+")
_TAKEN = frozenset({
    "app", "changes", "exports", "instances", "jobs", "modalities", "patients", "peers", "plugins", "queries", "series",
    "statistics", "storage-commitment", "studies", "system", "tools", "webdav",
})  # fmt: skip
_LONGEST_URI = 200
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an administrator can set.

    Attributes:
        uri: Where Orthanc's HTTP server has the collection; users mount ``{uri}/drive/``.
        layouts: Names of shipped layouts, or absolute paths of TOML files; each is a folder of the drive.
        allow_upload: Whether ``inbox/`` takes files.
        allow_delete: Whether patients, studies, series and instances can be deleted through the drive.
        spool: Folder that holds what is dropped into ``inbox/``.
        spool_maximum_size: Bytes that the spool may hold; 0 for no limit.
        spool_maximum_age: Seconds after which what was dropped into ``inbox/`` is not listed any more; 0 for no limit.
        catalog: The local index, an SQLite file.
    """

    uri: str
    layouts: tuple[str, ...]
    allow_upload: bool
    allow_delete: bool
    spool: Path
    spool_maximum_size: int
    spool_maximum_age: int
    catalog: Path


def read(orthanc: Mapping[str, Any], home: Path) -> Configuration:
    """Return the configuration of the plugin.

    Args:
        orthanc: Orthanc's whole configuration, as parsed JSON.
        home: Folder that relative paths start from (that of Orthanc's configuration file).

    Raises:
        ConfigurationError: A key is unknown or a value is not allowed.
    """
    section = orthanc.get("Davfs", {})
    if not isinstance(section, dict):
        raise ConfigurationError(f"Davfs must be an object with the keys {', '.join(sorted(_DEFAULTS))}")
    _check_keys("Davfs", section, _DEFAULTS)
    data = home / orthanc.get("IndexDirectory", orthanc.get("StorageDirectory", "OrthancStorage"))
    value = {key: check(f"Davfs.{key}", section.get(key, default)) for key, (default, check) in _DEFAULTS.items()}
    return Configuration(
        uri=value["Uri"],
        layouts=tuple(value["Layouts"]),
        allow_upload=value["AllowUpload"],
        allow_delete=value["AllowDelete"],
        spool=home / (value["Spool"] or data / "davfs" / "spool"),
        spool_maximum_size=value["SpoolMaximumSize"] * 1024 * 1024,
        spool_maximum_age=value["SpoolMaximumAge"],
        catalog=home / (value["Catalog"] or data / "davfs" / "catalog.sqlite"),
    )


def _check_keys(where: str, section: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    for key in section:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
            raise ConfigurationError(f"{where}.{key} is not a setting of this plugin: {hint}")


def _flag(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigurationError(f"{key} is {value!r} and must be true or false")


def _number(key: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigurationError(f"{key} is {value!r} and must be a whole number, 0 or more")


def _text(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ConfigurationError(f"{key} is {value!r} and must be a path in quotes")


def _uri(key: str, value: Any) -> str:
    allowed = (
        f"must be a path such as /davfs of less than {_LONGEST_URI} characters:"
        " letters, digits, '-', '_', '~' and inner dots, without a slash at its end"
    )
    if not isinstance(value, str) or not _URI.fullmatch(value) or len(value) >= _LONGEST_URI:
        raise ConfigurationError(f"{key} is {value!r} and {allowed}")
    if value.split("/")[1] in _TAKEN:
        raise ConfigurationError(
            f"{key} is {value!r}, which Orthanc's own REST API uses: choose another, such as /davfs"
        )
    return value


def _layouts(key: str, value: Any) -> list[str]:
    if isinstance(value, list) and value and all(isinstance(item, str) and item for item in value):
        return value
    raise ConfigurationError(f"{key} is {value!r} and must be a list of names of layouts, such as ['by-patient']")


def _server(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{key} is {value!r} and must be an object with the keys Enabled and Port")
    _check_keys(key, value, {"Enabled": None, "Port": None})
    if _number(f"{key}.Port", value.get("Port", 0)) > _LAST_PORT:
        raise ConfigurationError(f"{key}.Port is {value['Port']!r} and must be a TCP port, at most {_LAST_PORT}")
    if _flag(f"{key}.Enabled", value.get("Enabled", False)):
        raise ConfigurationError(f"{key}.Enabled must be false: this version has no server of its own yet")
    return value


_DEFAULTS: dict[str, tuple[Any, Callable[[str, Any], Any]]] = {
    "Uri": ("/davfs", _uri),
    "Server": ({}, _server),
    "Layouts": (["by-patient"], _layouts),
    "AllowUpload": (True, _flag),
    "AllowDelete": (False, _flag),
    "Spool": ("", _text),
    "SpoolMaximumSize": (10 * 1024, _number),  # MB, as Orthanc's MaximumStorageSize
    "SpoolMaximumAge": (7 * 24 * 3600, _number),  # seconds, as Orthanc's StableAge
    "Catalog": ("", _text),
    "Python": ("", _text),  # read by native/plugin.c, before there is a Python
}
