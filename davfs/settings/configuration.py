"""The settings of a drive as values that the rest of the code works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError
from davfs.settings.checks import IpNetwork
from davfs.settings.table import SETTINGS

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of the drive's own WebDAV server (door 2).

    Attributes:
        enabled: True if it is opened.
        address: IP address that it listens at, or ``localhost``.
        port: TCP port.
        certificate: Its own certificate for TLS, a PEM file; None for that of Orthanc, if any.
        key: The certificate's private key, a PEM file; None if the certificate's file holds it too.
        trusted_proxies: Networks of the proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
        host_names: Host names that requests without a login may name, besides those of this machine.
    """

    enabled: bool
    address: str
    port: int
    certificate: Path | None
    key: Path | None
    trusted_proxies: tuple[IpNetwork, ...] = ()
    host_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyslogSettings:
    """Settings of the syslog server that gets the records of the audit trail.

    Attributes:
        url: Its URL, such as ``tls://logs.example.org:6514``.
        form: The form of messages: ``json`` or ``dicom``.
        authority: Certificates that its certificate must be signed by, a PEM file; None for those of this system.
        certificate: The drive's own certificate for it, a PEM file; None for none.
        key: That certificate's private key, a PEM file; None if the certificate's file holds it too.
    """

    url: str
    form: str = "json"
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Settings of the audit trail.

    Attributes:
        enabled: True if accesses are recorded.
        file: The file of the records, one JSON object a line.
        maximum_size: Bytes after which a new file begins; 0 for no limit.
        maximum_age: Seconds after which a new file begins; 0 for no limit.
        maximum_files: Number of older files that are kept; 0 for all.
        syslog: The syslog server that gets the records too; None for none.
        listings: True if listings of folders are recorded.
        arrivals: True if images that come to Orthanc past the drive are recorded.
    """

    enabled: bool
    file: Path
    maximum_size: int = 100 * _MEGABYTE
    maximum_age: int = 30 * 24 * 3600
    maximum_files: int = 0
    syslog: SyslogSettings | None = None
    listings: bool = False
    arrivals: bool = True


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings of a drive.

    Attributes:
        uri: Path of the collection in Orthanc's HTTP server; users mount ``{uri}/drive/``. Empty for none.
        layouts: Names of shipped layouts, or absolute paths of TOML files; each is a folder of the drive.
        hash_key: The secret that layouts make pseudonyms with; empty for none.
        allow_upload: True if ``inbox/`` takes files.
        allow_attach: True if files can be dropped on studies in the folders of layouts.
        allow_delete: True if patients, studies, series and instances can be deleted through the drive.
        delete_for_good: True if they are deleted in Orthanc at once, past the trash.
        trash_retention: Days after which what is in the trash is deleted for good; 0 for never.
        search: True if there is ``search/``.
        cluster: True if several Orthancs share one PostgreSQL database.
        quarantine: True if what contradicts the identities in the archive is not let in.
        server: The drive's own WebDAV server.
        spool: Folder that holds the files of ``inbox/``.
        spool_maximum_size: Bytes that the spool may hold; 0 for no limit.
        spool_maximum_age: Seconds after which a file of ``inbox/`` is no longer listed; 0 for no limit.
        catalog: The local index, an SQLite file.
        audit: The audit trail.
        trash_metadata: Number of the metadata of studies that says what is in the trash.
        storage_folder: Orthanc's storage folder, if files are to be read there; None to ask Orthanc for all of them.
    """

    uri: str
    layouts: tuple[str, ...]
    hash_key: str = field(repr=False)
    allow_upload: bool
    allow_attach: bool
    allow_delete: bool
    delete_for_good: bool
    trash_retention: int
    search: bool
    cluster: bool
    quarantine: bool
    server: ServerSettings
    spool: Path
    spool_maximum_size: int
    spool_maximum_age: int
    catalog: Path
    audit: AuditSettings
    trash_metadata: int
    storage_folder: Path | None


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A value as the administrator wrote it.

    Attributes:
        value: The value, unchecked.
        where: Its place, for messages: ``--port``.
        home: Folder that relative paths start from.
    """

    value: Any
    where: str
    home: Path = field(default_factory=Path.cwd)


class CheckedValues:
    """Checked values by key; the default for a key that is not given.

    Raises:
        ConfigurationError: A value is not allowed.
    """

    def __init__(self, given: Mapping[str, GivenValue]) -> None:
        self._given = given
        self._checked = {key: SETTINGS[key].check(each.where, each.value) for key, each in given.items()}

    def __getitem__(self, key: str) -> Any:
        return self._checked.get(key, SETTINGS[key].default)

    def where(self, key: str) -> str:
        """Return the place where a key was given."""
        return self._given[key].where

    def path(self, key: str) -> Path | None:
        """Return a path, made absolute; None if it is not given, or empty."""
        value = self[key]
        return self._given[key].home / value if value else None

    def server(self, *, enabled: bool, address: str, certificate: Path | None, key: Path | None) -> ServerSettings:
        """Return the settings of the drive's own server."""
        proxies, names = tuple(self["Server.TrustedProxies"]), tuple(self["Server.HostNames"])
        return ServerSettings(enabled, address, self["Server.Port"], certificate, key, proxies, names)

    def drive(
        self, *, uri: str, layouts: tuple[str, ...], hash_key: str, server: ServerSettings, data: Path
    ) -> Configuration:
        """Return the settings of the drive; `data` is the default folder of the spool and the catalog."""
        return Configuration(
            uri=uri,
            layouts=layouts,
            hash_key=hash_key,
            allow_upload=self["AllowUpload"],
            allow_attach=self["AllowUpload"] if self["AllowAttach"] is None else self["AllowAttach"],
            allow_delete=self["AllowDelete"],
            search=self["Search"],
            cluster=self["Cluster"],
            quarantine=self["Quarantine.Identity"],
            server=server,
            spool=self.path("Spool") or data / "spool",
            spool_maximum_size=self["SpoolMaximumSize"] * _MEGABYTE,
            spool_maximum_age=self["SpoolMaximumAge"],
            catalog=self._catalog(data),
            audit=self._audit(data),
            trash_metadata=self["TrashMetadata"],
            storage_folder=self.path("StorageFolder"),
            delete_for_good=self["DeleteForGood"],
            trash_retention=self["TrashRetentionDays"],
        )

    def audit_file(self, data: Path) -> Path:
        """Return the file of the audit trail; `data` as for `drive`."""
        return self.path("Audit.File") or self._catalog(data).parent / "audit.jsonl"

    def _catalog(self, data: Path) -> Path:
        return self.path("Catalog") or data / "catalog.sqlite"

    def _audit(self, data: Path) -> AuditSettings:
        return AuditSettings(
            enabled=self["Audit.Enabled"],
            file=self.audit_file(data),
            maximum_size=self["Audit.MaximumSize"] * _MEGABYTE,
            maximum_age=self["Audit.MaximumAge"],
            maximum_files=self["Audit.MaximumFiles"],
            syslog=self._syslog() if self["Audit.Syslog"] else None,
            listings=self["Audit.Listings"],
            arrivals=self["Audit.Arrivals"],
        )

    def _syslog(self) -> SyslogSettings:
        files = {key: self.path(f"Audit.Syslog{key}") for key in ("CA", "Certificate", "Key")}
        settings = SyslogSettings(self["Audit.Syslog"], self["Audit.Format"], *files.values())
        for key, file in files.items():
            where = self.where(f"Audit.Syslog{key}") if file else ""
            if file and not settings.url.startswith("tls:"):
                raise ConfigurationError(f"{where} is for TLS, and Syslog is '{settings.url}': it must begin with tls:")
            if file and not file.is_file():
                raise ConfigurationError(f"{where} is '{file}', and there is no such file")
        if settings.key and not settings.certificate:
            raise ConfigurationError(f"{self.where('Audit.SyslogKey')} is the key of a certificate, and there is none")
        return settings
