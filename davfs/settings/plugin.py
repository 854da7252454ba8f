"""Reads the section ``Davfs`` of Orthanc's configuration.

Unknown keys and values that are not allowed are refused: a typing mistake in a hospital's configuration must not become
a default.
"""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError
from davfs.settings.checks import is_loopback, nearest
from davfs.settings.configuration import CheckedValues, Configuration, GivenValue, ServerSettings
from davfs.settings.table import LOOPBACK, RunMode, expanded, known_keys

_KEYS = frozenset(key.partition(".")[0] for key in known_keys(RunMode.PLUGIN))
_OBJECTS = frozenset(key.partition(".")[0] for key in known_keys(RunMode.PLUGIN) if "." in key)


def read_settings(orthanc: Mapping[str, Any], home: Path) -> Configuration:
    """Return the settings of the plugin.

    Args:
        orthanc: Orthanc's whole configuration, as parsed JSON.
        home: Folder that relative paths start from (that of Orthanc's configuration file).

    Raises:
        ConfigurationError: A key is unknown or a value is not allowed.
    """
    values = CheckedValues(
        {key: GivenValue(value, f"Davfs.{key}", home) for key, value in _given(orthanc.get("Davfs", {}))}
    )
    data = home / orthanc.get("IndexDirectory", orthanc.get("StorageDirectory", "OrthancStorage"))
    return values.drive(
        uri=values["Uri"],
        layouts=tuple(values["Layouts"]),
        hash_key=values["HashKey"],
        server=_server(values, remote=orthanc.get("RemoteAccessAllowed") is True),
        data=data / "davfs",
    )


def _given(section: Any) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of a section, with those of its objects as ``Server.Port``."""
    for key, value in _object("Davfs", section, sorted(_KEYS)).items():
        if key not in _OBJECTS:
            yield key, value
            continue
        known = tuple(each.partition(".")[2] for each in known_keys(RunMode.PLUGIN) if each.startswith(f"{key}."))
        for inner, own in _object(f"Davfs.{key}", expanded(key, value), known).items():
            yield f"{key}.{inner}", own


def _object(where: str, value: Any, known: Collection[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        shown = "" if where == "Davfs" else f"is {value!r} and "  # the section may hold a key of pseudonyms
        raise ConfigurationError(f"{where} {shown}must be an object with the keys {', '.join(known)}")
    for key in value:
        if key not in known:
            raise ConfigurationError(f"{where}.{key} is not a setting of this plugin: {nearest(key, known)}")
    return value


def _server(values: CheckedValues, *, remote: bool) -> ServerSettings:
    """Return the server's settings; it is never more open than Orthanc itself."""
    address = values["Server.Address"] or ("0.0.0.0" if remote else LOOPBACK)  # noqa: S104  as Orthanc listens itself
    if not remote and not is_loopback(address):
        reason = "while Orthanc's own RemoteAccessAllowed is false: the drive is never more open than Orthanc"
        raise ConfigurationError(f"Davfs.Server.Address is {address!r}, {reason}")
    certificate, key = values.path("Server.Certificate"), values.path("Server.Key")
    if key and not certificate:
        raise ConfigurationError("Davfs.Server.Key is the key of a Certificate, and there is none")
    return values.server(enabled=values["Server.Enabled"], address=address, certificate=certificate, key=key)
