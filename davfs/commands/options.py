"""The options of ``davfs serve`` and others: each with its variable, and its key in the configuration file."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from davfs.errors import ConfigurationError
from davfs.layout.tags import ExtraTags, representation
from davfs.orthanc.model import Level
from davfs.settings.checks import nearest
from davfs.settings.toml_file import Given

PASSWORD = "DAVFS_PASSWORD"  # noqa: S105  the name of a variable
"""A password is no option: every user of the machine could read it from the list of processes."""
HASH_KEY = "DAVFS_HASH_KEY"
"""Nor is the key of pseudonyms."""
_SECRETS = {"Orthanc.Password": PASSWORD, "HashKey": HASH_KEY}

KEYS = {
    "orthanc": "Orthanc.Url",
    "username": "Orthanc.Username",
    "password_file": "Orthanc.PasswordFile",
    "orthanc_certificate": "Orthanc.Certificate",
    "verify_peer": "Orthanc.VerifyPeer",
    "wait": "Wait",
    "address": "Server.Address",
    "port": "Server.Port",
    "certificate": "Server.Certificate",
    "key": "Server.Key",
    "host_name": "Server.HostNames",
    "layout": "Layouts",
    "hash_key_file": "HashKeyFile",
    "allow_upload": "AllowUpload",
    "allow_delete": "AllowDelete",
    "search": "Search",
    "spool": "Spool",
    "spool_maximum_size": "SpoolMaximumSize",
    "spool_maximum_age": "SpoolMaximumAge",
    "catalog": "Catalog",
}
_LEVELS = {level.name.lower(): level for level in Level}
_ORTHANC, _SERVER, _DRIVE = "Orthanc", "Server", "Drive"


def _whole(value: str) -> int:
    """Return a whole number; typer's own refusal does not repeat what was given."""
    try:
        return int(value)
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no whole number") from None


def _option(
    panel: str, variable: str, text: str, metavar: str | None = None, parser: Callable[[str], int] | None = None
) -> Any:
    """Return an option with its variable, in a panel of the help."""
    return typer.Option(envvar=variable, help=text, metavar=metavar, parser=parser, rich_help_panel=panel)


_number = partial(_option, parser=_whole)

Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(envvar="DAVFS_CONFIG", help="A TOML file with the keys of Orthanc's Davfs section, and [Orthanc]."),
]
OrthancUrl: TypeAlias = Annotated[
    str | None, _option(_ORTHANC, "DAVFS_ORTHANC_URL", "Orthanc's address. Default: http://127.0.0.1:8042.", "URL")
]
Username: TypeAlias = Annotated[
    str | None,
    _option(_ORTHANC, "DAVFS_USERNAME", f"A user of Orthanc; the password comes from a file, or from {PASSWORD}."),
]
PasswordFile: TypeAlias = Annotated[
    str | None, _option(_ORTHANC, "DAVFS_PASSWORD_FILE", "A file that holds that user's password.", "PATH")
]
OrthancCertificate: TypeAlias = Annotated[
    str | None,
    _option(
        _ORTHANC,
        "DAVFS_ORTHANC_CERTIFICATE",
        "Certificates (PEM) that Orthanc's is signed by, instead of this system's.",
        "PATH",
    ),
]
VerifyPeer: TypeAlias = Annotated[
    bool | None,
    _option(_ORTHANC, "DAVFS_VERIFY_PEER", "Whether Orthanc's certificate is checked. Default: verify-peer."),
]
Wait: TypeAlias = Annotated[
    int | None,
    _number(
        _ORTHANC,
        "DAVFS_WAIT",
        "Give up where Orthanc does not answer within so many seconds. Default: wait as long as it takes.",
        "SECONDS",
    ),
]
Address: TypeAlias = Annotated[
    str | None,
    _option(
        _SERVER,
        "DAVFS_ADDRESS",
        "Where to listen: 127.0.0.1 for this machine alone, 0.0.0.0 or :: for everybody. Default: 127.0.0.1.",
        "IP",
    ),
]
Port: TypeAlias = Annotated[int | None, _number(_SERVER, "DAVFS_PORT", "The TCP port. Default: 8043.", "PORT")]
Certificate: TypeAlias = Annotated[
    str | None,
    _option(_SERVER, "DAVFS_CERTIFICATE", "The server's own certificate (PEM): HTTPS instead of HTTP.", "PATH"),
]
Key: TypeAlias = Annotated[
    str | None,
    _option(_SERVER, "DAVFS_KEY", "The certificate's private key (PEM), unless it is in the same file.", "PATH"),
]
HostNames: TypeAlias = Annotated[
    list[str] | None,
    _option(
        _SERVER,
        "DAVFS_HOST_NAMES",
        "A name by which the drive is reached where nobody has to log in, such as that of a proxy. Can be repeated.",
        "NAME",
    ),
]
Layouts: TypeAlias = Annotated[
    list[str] | None,
    _option(
        _DRIVE,
        "DAVFS_LAYOUTS",
        "A folder at the top: a shipped layout, or a .toml file. Can be repeated. Default: by-patient.",
        "NAME",
    ),
]
HashKeyFile: TypeAlias = Annotated[
    str | None,
    _option(
        _DRIVE,
        "DAVFS_HASH_KEY_FILE",
        f"A file with the key of pseudonyms, 16 characters or more; or set {HASH_KEY}. Default: no pseudonyms.",
        "PATH",
    ),
]
AllowUpload: TypeAlias = Annotated[
    bool | None, _option(_DRIVE, "DAVFS_ALLOW_UPLOAD", "Whether inbox/ takes files. Default: allow-upload.")
]
AllowDelete: TypeAlias = Annotated[
    bool | None,
    _option(_DRIVE, "DAVFS_ALLOW_DELETE", "Whether deleting in a layout deletes in Orthanc. Default: no-allow-delete."),
]
Search: TypeAlias = Annotated[
    bool | None, _option(_DRIVE, "DAVFS_SEARCH", "Whether there is search/. Default: search.")
]
Spool: TypeAlias = Annotated[
    str | None,
    _option(
        _DRIVE,
        "DAVFS_SPOOL",
        "The folder behind inbox/. Default: one for each Orthanc, below $XDG_STATE_HOME/davfs.",
        "PATH",
    ),
]
SpoolMaximumSize: TypeAlias = Annotated[
    int | None,
    _number(_DRIVE, "DAVFS_SPOOL_MAXIMUM_SIZE", "Megabytes that it may hold; 0: no limit. Default: 10240.", "MB"),
]
SpoolMaximumAge: TypeAlias = Annotated[
    int | None,
    _number(
        _DRIVE,
        "DAVFS_SPOOL_MAXIMUM_AGE",
        "Seconds after which it lists a file no more; 0: never. Default: 604800.",
        "SECONDS",
    ),
]
Catalog: TypeAlias = Annotated[
    str | None, _option(_DRIVE, "DAVFS_CATALOG", "The local index, an SQLite file. Default: beside the spool.", "PATH")
]
Tags: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="A tag that Orthanc's option ExtraMainDicomTags adds, with its level, such as series:SliceThickness.",
        metavar="LEVEL:KEYWORD",
    ),
]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", envvar="DAVFS_VERBOSE", help="Log more.")]


def given(context: typer.Context, environment: Mapping[str, str]) -> dict[str, Given]:
    """Return what options and variables say, by key of the configuration.

    Raises:
        ConfigurationError: A variable is not known.
    """
    _check(context, environment)
    return found(context, environment)


def _check(context: typer.Context, environment: Mapping[str, str]) -> None:
    variables = {str(parameter.envvar) for parameter in context.command.params if parameter.envvar}
    variables |= set(_SECRETS.values())
    for name in environment:
        if name.startswith("DAVFS_") and name not in variables:
            raise ConfigurationError(f"{name} is no variable of davfs serve: {nearest(name, variables)}")


def found(context: typer.Context, environment: Mapping[str, str]) -> dict[str, Given]:
    """Return what options and variables say; as `given`, where variables may be there for another command."""
    options = {
        KEYS[str(parameter.name)]: Given(value, _where(context, parameter))
        for parameter in context.command.params
        if parameter.name in KEYS and (value := _value(context, parameter)) is not None
    }
    return options | {key: Given(environment[name], name) for key, name in _SECRETS.items() if environment.get(name)}


def _value(context: typer.Context, parameter: Any) -> Any:
    value = context.params[str(parameter.name)]
    return list(value) or None if isinstance(value, (list, tuple)) else value


def _where(context: typer.Context, parameter: Any) -> str:
    source = context.get_parameter_source(str(parameter.name))
    from_environment = source is not None and source.name == "ENVIRONMENT"
    return str(parameter.envvar if from_environment else parameter.opts[0])


def extra_tags(tags: Sequence[str] | None) -> ExtraTags:
    """Return the tags that Orthanc keeps besides its usual ones, as they were given.

    Raises:
        typer.BadParameter: One is no tag of a level.
    """
    found: dict[Level, list[str]] = {}
    for text in tags or ():
        name, _, keyword = text.partition(":")
        if name not in _LEVELS or representation(keyword) is None:
            allowed = f"write one of {', '.join(_LEVELS)}, a colon, and a DICOM keyword"
            raise typer.BadParameter(f"{text!r} is no tag of a level: {allowed}", param_hint="--tag")
        found.setdefault(_LEVELS[name], []).append(keyword)
    return found
