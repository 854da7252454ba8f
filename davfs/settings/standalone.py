"""The configuration of ``davfs serve``: options, environment, a TOML file and defaults, in this order of precedence.

The file has the keys of Orthanc's ``Davfs`` section at its top, and a table for Orthanc itself::

    Layouts = ["by-patient", "/etc/davfs/mine.toml"]
    AllowUpload = false

    [Server]
    Address = "0.0.0.0"
    Port = 8043
    Certificate = "drive.pem"

    [Orthanc]
    Url = "https://orthanc.example:8042"
    Username = "drive"
    PasswordFile = "orthanc-password"

Relative paths start at the folder of the file that names them, or at the working directory. Whatever is refused is
named as it was written: ``--port``, ``DAVFS_PORT``, or file, line and key.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from davfs.errors import ConfigurationError
from davfs.settings.checks import address, flag, hash_key, host_names, layout_names, networks, number, port, text
from davfs.settings.plugin import DEFAULT_PORT, LOOPBACK, Configuration, Server
from davfs.settings.state import folder_of
from davfs.settings.toml_file import Given, read_file


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach Orthanc.

    Attributes:
        url: Its address, without a slash at its end.
        username: Who the drive is for Orthanc; empty where Orthanc does not ask.
        password: That user's password.
        certificate: Certificates that Orthanc's must be signed by, a PEM file; None for those of this system.
        verify_peer: Whether Orthanc's certificate is checked.
    """

    url: str
    username: str
    password: str = field(repr=False)
    certificate: Path | None
    verify_peer: bool


@dataclass(frozen=True, slots=True)
class StandaloneConfiguration:
    """What an administrator can set for a drive beside Orthanc.

    Attributes:
        drive: The drive's own settings, with an empty ``uri``.
        orthanc: How to reach Orthanc.
        wait: Seconds to wait for Orthanc at the start; None for as long as it takes.
    """

    drive: Configuration
    orthanc: Connection
    wait: int | None


def read(given: Mapping[str, Given], file: Path | None, environment: Mapping[str, str]) -> StandaloneConfiguration:
    """Return the configuration.

    Args:
        given: Options and variables, by key: ``Server.Port``.
        file: The configuration file; None for none.
        environment: Tells where the state is kept.

    Raises:
        ConfigurationError: A key is unknown, a value is not allowed, or the file cannot be read.
    """
    settings = _Settings(_merged(read_file(file, _SETTINGS) if file else {}, given))
    orthanc = settings.connection()
    state = folder_of(orthanc.url, environment)
    drive = Configuration(
        uri="",
        layouts=settings.layouts(),
        hash_key=settings.hash_key(),
        allow_upload=settings["AllowUpload"],
        allow_delete=settings["AllowDelete"],
        search=settings["Search"],
        server=settings.server(),
        spool=settings.path("Spool") or state / "spool",
        spool_maximum_size=settings["SpoolMaximumSize"] * 1024 * 1024,
        spool_maximum_age=settings["SpoolMaximumAge"],
        catalog=settings.path("Catalog") or state / "catalog.sqlite",
    )
    return StandaloneConfiguration(drive, orthanc, settings["Wait"])


class _Settings:
    """Checked values, by key."""

    def __init__(self, given: Mapping[str, Given]) -> None:
        self._given = given

    def __getitem__(self, key: str) -> Any:
        default, check = _SETTINGS[key]
        found = self._given.get(key)
        return check(found.where, found.value) if found else default

    def path(self, key: str) -> Path | None:
        value = self[key]
        return self._given[key].home / value if value else None

    def file(self, key: str) -> Path | None:
        path = self.path(key)
        if path and not path.is_file():
            raise ConfigurationError(f"{self.where(key)} is '{path}', and there is no such file")
        return path

    def where(self, key: str) -> str:
        return self._given[key].where

    def layouts(self) -> tuple[str, ...]:
        home = self._given["Layouts"].home if "Layouts" in self._given else Path()
        return tuple(str(home / name) if name.endswith(".toml") else name for name in self["Layouts"])

    def server(self) -> Server:
        certificate, key = self.file("Server.Certificate"), self.file("Server.Key")
        if key and not certificate:
            raise ConfigurationError(f"{self.where('Server.Key')} is the key of a certificate, and there is none")
        return Server(
            enabled=True,
            address=self["Server.Address"] or LOOPBACK,
            port=self["Server.Port"],
            certificate=certificate,
            key=key,
            trusted_proxies=tuple(self["Server.TrustedProxies"]),
            host_names=tuple(self["Server.HostNames"]),
        )

    def connection(self) -> Connection:
        username, password = self["Orthanc.Username"], self._password()
        if bool(username) != bool(password):
            known, missing = ("Username", "a password") if username else ("Password", "a user name")
            where = next(given.where for key, given in self._given.items() if key.startswith(f"Orthanc.{known}"))
            raise ConfigurationError(f"{where} needs {missing} as well")
        return Connection(
            url=self["Orthanc.Url"],
            username=username,
            password=password,
            certificate=self.file("Orthanc.Certificate"),
            verify_peer=self["Orthanc.VerifyPeer"],
        )

    def hash_key(self) -> str:
        file = self.file("HashKeyFile")
        where = f"what is in '{file}' ({self.where('HashKeyFile')})" if file else ""
        return hash_key(where, self._secret("HashKeyFile", file)) if file else str(self["HashKey"])

    def _password(self) -> str:
        file = self.file("Orthanc.PasswordFile")
        return self._secret("Orthanc.PasswordFile", file) if file else str(self["Orthanc.Password"])

    def _secret(self, key: str, file: Path) -> str:
        try:
            secret = file.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = f"which cannot be read: {type(error).__name__}"
            raise ConfigurationError(f"{self.where(key)} is '{file}', {reason}") from error
        if not secret:
            raise ConfigurationError(f"{self.where(key)} is '{file}', which is empty")
        return secret


def _merged(*sources: Mapping[str, Given]) -> dict[str, Given]:
    """Return what is given, each source over those before it; a secret by value replaces one by file, and so on."""
    merged: dict[str, Given] = {}
    for source in sources:
        for secret in _SECRETS:
            named = [key for key in secret if key in source]
            if len(named) == len(secret):
                first, second = (source[key].where for key in named)
                raise ConfigurationError(f"{first} and {second} are both given: keep one of them")
            if named:
                merged = {key: value for key, value in merged.items() if key not in secret}
        merged.update(source)
    return merged


def _url(key: str, value: Any) -> str:
    example = "must be Orthanc's address, such as http://127.0.0.1:8042"
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # no port, or no IPv6 address
        right = False
    if not right or any(ord(character) <= ord(" ") for character in value):
        raise ConfigurationError(f"{key} is {value!r} and {example}")
    if "@" in parts.netloc:
        raise ConfigurationError(f"{key} holds a user name: give it and the password by settings of their own")
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{key} is {value!r} and {example}, without '?' and '#'")
    return str(value).rstrip("/")


def _word(key: str, value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise ConfigurationError(f"{key} must be text in quotes")  # without the value, which may be a password


_SECRETS = (("Orthanc.Password", "Orthanc.PasswordFile"), ("HashKey", "HashKeyFile"))
"""Given by value, or by the file that holds it."""
_SETTINGS: dict[str, tuple[Any, Callable[[str, Any], Any]]] = {
    "Layouts": (["by-patient"], layout_names),
    "HashKey": ("", hash_key),
    "HashKeyFile": ("", text),
    "AllowUpload": (True, flag),
    "AllowDelete": (False, flag),
    "Search": (True, flag),
    "Spool": ("", text),
    "SpoolMaximumSize": (10 * 1024, number),  # MB, as Orthanc's MaximumStorageSize
    "SpoolMaximumAge": (7 * 24 * 3600, number),  # seconds, as Orthanc's StableAge
    "Catalog": ("", text),
    "Wait": (None, number),  # seconds
    "Server.Address": ("", address),
    "Server.Port": (DEFAULT_PORT, port),
    "Server.Certificate": ("", text),
    "Server.Key": ("", text),
    "Server.TrustedProxies": ([], networks),
    "Server.HostNames": ([], host_names),
    "Orthanc.Url": ("http://127.0.0.1:8042", _url),
    "Orthanc.Username": ("", _word),
    "Orthanc.Password": ("", _word),
    "Orthanc.PasswordFile": ("", text),
    "Orthanc.Certificate": ("", text),
    "Orthanc.VerifyPeer": (True, flag),
}
