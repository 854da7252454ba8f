"""Reads the settings of ``davfs serve``: options, environment variables, a TOML file, defaults, in order of precedence.

The file has the keys of Orthanc's ``Davfs`` section at its top, and a table for Orthanc itself: see docs/davfs.toml.
Relative paths start at the folder of the file that names them, or at the working directory. Errors name a setting as it
was written: ``--port``, ``DAVFS_PORT``, or file, line and key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from davfs.errors import ConfigurationError
from davfs.orthanc import postgresql
from davfs.settings.checks import hash_key
from davfs.settings.configuration import CheckedValues, Configuration, GivenValue, ServerSettings
from davfs.settings.state_folder import state_folder
from davfs.settings.table import LOOPBACK, SECRETS
from davfs.settings.toml_file import read_file


@dataclass(frozen=True, slots=True)
class OrthancSettings:
    """Settings of the connection to Orthanc.

    Attributes:
        url: Its URL, without a trailing slash.
        username: The drive's own user name; empty if Orthanc asks for none.
        password: That user's password.
        certificate: Certificates that Orthanc's must be signed by, a PEM file; None for those of this system.
        verify_peer: True if Orthanc's certificate is checked.
    """

    url: str
    username: str
    password: str = field(repr=False)
    certificate: Path | None
    verify_peer: bool

    @property
    def verify(self) -> Path | bool:
        """Certificates to verify Orthanc's with; True for those of this system, False for no verification."""
        return (self.certificate or True) if self.verify_peer else False


@dataclass(frozen=True, slots=True)
class StandaloneConfiguration:
    """Settings of a drive beside Orthanc.

    Attributes:
        drive: The drive's own settings, with an empty ``uri``.
        orthanc: The connection to Orthanc.
        wait: Seconds to wait for Orthanc at the start; None for no limit.
        database: Orthanc's database, as the section ``PostgreSQL`` of its own configuration names it; empty for none.
    """

    drive: Configuration
    orthanc: OrthancSettings
    wait: int | None
    database: Mapping[str, str] = field(default_factory=dict, repr=False)


def read_settings(
    given: Mapping[str, GivenValue], file: Path | None, environment: Mapping[str, str]
) -> StandaloneConfiguration:
    """Return the settings.

    Args:
        given: Options and variables, by key: ``Server.Port``.
        file: The configuration file; None for none.
        environment: Names the default folder of the state.

    Raises:
        ConfigurationError: A key is unknown, a value is not allowed, or a file cannot be read.
    """
    merged = _merged(read_file(file) if file else {}, given)
    values = CheckedValues(merged)
    orthanc = _orthanc(values, merged)
    drive = values.drive(
        uri="",
        layouts=_layouts(values, merged),
        hash_key=_hash_key(values),
        server=_server(values),
        data=state_folder(orthanc.url, environment),
    )
    return StandaloneConfiguration(drive, orthanc, values["Wait"], _database(values))


def read_audit_file(given: Mapping[str, GivenValue], file: Path | None, environment: Mapping[str, str]) -> Path:
    """Return the file of the audit trail, for which neither Orthanc's user nor a password has to be known.

    The parameters are those of `read_settings`.

    Raises:
        ConfigurationError: A key is unknown, a value is not allowed, or the configuration file cannot be read.
    """
    values = CheckedValues(_merged(read_file(file) if file else {}, given))
    return values.audit_file(state_folder(values["Orthanc.Url"], environment))


def _database(values: CheckedValues) -> Mapping[str, str]:
    uri = values["PostgreSQL.ConnectionUri"]
    if not uri:
        return {}
    postgresql.check_installed(values.where("PostgreSQL.ConnectionUri"), "the environment of davfs")
    return {"ConnectionUri": uri, "Schema": values["PostgreSQL.Schema"]}


def _orthanc(values: CheckedValues, given: Mapping[str, GivenValue]) -> OrthancSettings:
    username = values["Orthanc.Username"]
    password = _secret(values, "Orthanc.PasswordFile") or values["Orthanc.Password"]
    if bool(username) != bool(password):
        known, missing = ("Username", "a password") if username else ("Password", "a user name")
        where = next(each.where for key, each in given.items() if key.startswith(f"Orthanc.{known}"))
        raise ConfigurationError(f"{where} needs {missing} as well")
    certificate = _file(values, "Orthanc.Certificate")
    return OrthancSettings(values["Orthanc.Url"], username, password, certificate, values["Orthanc.VerifyPeer"])


def _layouts(values: CheckedValues, given: Mapping[str, GivenValue]) -> tuple[str, ...]:
    home = given["Layouts"].home if "Layouts" in given else Path()
    return tuple(str(home / name) if name.endswith(".toml") else name for name in values["Layouts"])


def _hash_key(values: CheckedValues) -> str:
    secret = _secret(values, "HashKeyFile")
    if not secret:
        return str(values["HashKey"])
    return hash_key(f"what is in '{values.path('HashKeyFile')}' ({values.where('HashKeyFile')})", secret)


def _server(values: CheckedValues) -> ServerSettings:
    certificate, key = _file(values, "Server.Certificate"), _file(values, "Server.Key")
    if key and not certificate:
        raise ConfigurationError(f"{values.where('Server.Key')} is the key of a certificate, and there is none")
    address = values["Server.Address"] or LOOPBACK
    return values.server(enabled=True, address=address, certificate=certificate, key=key)


def _file(values: CheckedValues, key: str) -> Path | None:
    path = values.path(key)
    if path and not path.is_file():
        raise ConfigurationError(f"{values.where(key)} is '{path}', and there is no such file")
    return path


def _secret(values: CheckedValues, key: str) -> str:
    """Return the content of a file that holds a secret; empty if no file is given."""
    file = _file(values, key)
    if not file:
        return ""
    try:
        secret = file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = f"which cannot be read: {type(error).__name__}"
        raise ConfigurationError(f"{values.where(key)} is '{file}', {reason}") from error
    if not secret:
        raise ConfigurationError(f"{values.where(key)} is '{file}', which is empty")
    return secret


def _merged(*sources: Mapping[str, GivenValue]) -> dict[str, GivenValue]:
    """Merge sources, the later over the earlier; a secret by value also replaces one by file, and so on."""
    merged: dict[str, GivenValue] = {}
    for source in sources:
        for secret in SECRETS:
            named = [key for key in secret if key in source]
            if len(named) == len(secret):
                first, second = (source[key].where for key in named)
                raise ConfigurationError(f"{first} and {second} are both given: keep one of them")
            if named:
                merged = {key: value for key, value in merged.items() if key not in secret}
        merged.update(source)
    return merged
