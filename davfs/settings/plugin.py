"""The ``Davfs`` section of Orthanc's configuration.

Unknown keys and bad values are refused with the key, the value and what is allowed: a typing mistake in a hospital's
configuration must not become a default.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError
from davfs.settings.checks import (
    address,
    flag,
    hash_key,
    host_names,
    is_loopback,
    layout_names,
    nearest,
    networks,
    number,
    port,
    text,
)

_URI = re.compile(r"(/[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*)+")
_TAKEN = frozenset({
    "app", "changes", "exports", "instances", "jobs", "modalities", "patients", "peers", "plugins", "queries", "series",
    "statistics", "storage-commitment", "studies", "system", "tools", "webdav",
})  # fmt: skip
_LONGEST_URI = 200
LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8043


@dataclass(frozen=True, slots=True)
class Server:
    """The drive's own WebDAV server (door 2).

    Attributes:
        enabled: Whether there is one.
        address: Where it listens: an IP address, or ``localhost``.
        port: Its TCP port.
        certificate: Its own certificate for TLS, a PEM file; None for that of Orthanc, if any.
        key: The certificate's private key, a PEM file; None where the certificate's file holds it too.
        trusted_proxies: Networks of the proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
        host_names: Names by which it may be asked for where nobody has to log in, beside those of this machine.
    """

    enabled: bool
    address: str
    port: int
    certificate: Path | None
    key: Path | None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    host_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an administrator can set.

    Attributes:
        uri: Where Orthanc's HTTP server has the collection; users mount ``{uri}/drive/``. Empty where there is none.
        layouts: Names of shipped layouts, or absolute paths of TOML files; each is a folder of the drive.
        hash_key: The secret that layouts make pseudonyms with; empty for none.
        allow_upload: Whether ``inbox/`` takes files.
        allow_delete: Whether patients, studies, series and instances can be deleted through the drive.
        search: Whether there is ``search/``, where a layout shows the files of images.
        server: The drive's own WebDAV server.
        spool: Folder that holds what is dropped into ``inbox/``.
        spool_maximum_size: Bytes that the spool may hold; 0 for no limit.
        spool_maximum_age: Seconds after which what was dropped into ``inbox/`` is not listed any more; 0 for no limit.
        catalog: The local index, an SQLite file.
    """

    uri: str
    layouts: tuple[str, ...]
    hash_key: str = field(repr=False)
    allow_upload: bool
    allow_delete: bool
    search: bool
    server: Server
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
        hash_key=value["HashKey"],
        allow_upload=value["AllowUpload"],
        allow_delete=value["AllowDelete"],
        search=value["Search"],
        server=_server(value["Server"], orthanc, home),
        spool=home / (value["Spool"] or data / "davfs" / "spool"),
        spool_maximum_size=value["SpoolMaximumSize"] * 1024 * 1024,
        spool_maximum_age=value["SpoolMaximumAge"],
        catalog=home / (value["Catalog"] or data / "davfs" / "catalog.sqlite"),
    )


def _check_keys(where: str, section: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in section:
        if key not in known:
            raise ConfigurationError(f"{where}.{key} is not a setting of this plugin: {nearest(key, known)}")


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


def _table(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{key} is {value!r} and must be an object with the keys {', '.join(_SERVER)}")
    _check_keys(key, value, _SERVER)
    return {name: check(f"{key}.{name}", value.get(name, default)) for name, (default, check) in _SERVER.items()}


def _server(value: Mapping[str, Any], orthanc: Mapping[str, Any], home: Path) -> Server:
    """Return the server, which is never more open than Orthanc itself."""
    remote = orthanc.get("RemoteAccessAllowed") is True
    where = value["Address"] or ("0.0.0.0" if remote else LOOPBACK)  # noqa: S104  as Orthanc listens itself
    if not remote and not is_loopback(where):
        reason = "while Orthanc's own RemoteAccessAllowed is false: the drive is never more open than Orthanc"
        raise ConfigurationError(f"Davfs.Server.Address is {where!r}, {reason}")
    if value["Key"] and not value["Certificate"]:
        raise ConfigurationError("Davfs.Server.Key is the key of a Certificate, and there is none")
    certificate, key = (home / value[name] if value[name] else None for name in ("Certificate", "Key"))
    proxies, names = tuple(value["TrustedProxies"]), tuple(value["HostNames"])
    return Server(value["Enabled"], where, value["Port"], certificate, key, proxies, names)


_SERVER: dict[str, tuple[Any, Callable[[str, Any], Any]]] = {
    "Enabled": (False, flag),
    "Address": ("", address),  # Orthanc's own decides
    "Port": (DEFAULT_PORT, port),
    "Certificate": ("", text),
    "Key": ("", text),
    "TrustedProxies": ([], networks),
    "HostNames": ([], host_names),
}
_DEFAULTS: dict[str, tuple[Any, Callable[[str, Any], Any]]] = {
    "Uri": ("/davfs", _uri),
    "Server": ({}, _table),
    "Layouts": (["by-patient"], layout_names),
    "HashKey": ("", hash_key),
    "AllowUpload": (True, flag),
    "AllowDelete": (False, flag),
    "Search": (True, flag),
    "Spool": ("", text),
    "SpoolMaximumSize": (10 * 1024, number),  # MB, as Orthanc's MaximumStorageSize
    "SpoolMaximumAge": (7 * 24 * 3600, number),  # seconds, as Orthanc's StableAge
    "Catalog": ("", text),
    "Python": ("", text),  # read by native/plugin.c, before there is a Python
}
