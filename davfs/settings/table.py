"""All settings, each declared once: key, check, default, option, environment variable and help text.

`plugin` reads them from the section ``Davfs`` of Orthanc's configuration, `standalone` from a TOML file, options and
environment variables. README.md and docs/davfs.toml describe them, which tests compare with this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any

from davfs.settings import checks

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8043


class RunMode(Flag):
    """The ways to run the drive: inside Orthanc, or by ``davfs serve``."""

    PLUGIN = auto()
    STANDALONE = auto()
    BOTH = PLUGIN | STANDALONE


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        key: Its name in configuration files, after that of its table: ``Server.Port``.
        check: Returns the value if it is allowed, given the setting's name for messages and the value; or raises
            ConfigurationError.
        option: Its option of ``davfs serve``, with the name of the value for the help; empty for none.
        variable: Its environment variable; empty for none.
        help: Its line in ``davfs serve --help``, without the default.
        default: Its value if it is not given; empty if that depends on the way to run the drive.
        modes: The ways to run the drive in which it can be given.
    """

    key: str
    check: Callable[[str, Any], Any]
    option: str = ""
    variable: str = ""
    help: str = ""
    default: Any = ""
    modes: RunMode = RunMode.BOTH


_ALL = (
    Setting("Uri", checks.collection_uri, default="/davfs", modes=RunMode.PLUGIN),
    Setting("Python", checks.path, modes=RunMode.PLUGIN),  # read by native/plugin.c, before there is a Python
    Setting(
        "Orthanc.Url",
        checks.server_url,
        "--orthanc URL",
        "DAVFS_ORTHANC_URL",
        "Orthanc's address.",
        default="http://127.0.0.1:8042",
        modes=RunMode.STANDALONE,
    ),
    Setting(
        "Orthanc.Username",
        checks.word,
        "--username",
        "DAVFS_USERNAME",
        "A user of Orthanc; the password comes from a file, or from DAVFS_PASSWORD.",
        modes=RunMode.STANDALONE,
    ),
    Setting("Orthanc.Password", checks.word, "", "DAVFS_PASSWORD", modes=RunMode.STANDALONE),
    Setting(
        "Orthanc.PasswordFile",
        checks.path,
        "--password-file PATH",
        "DAVFS_PASSWORD_FILE",
        "A file that holds that user's password.",
        modes=RunMode.STANDALONE,
    ),
    Setting(
        "Orthanc.Certificate",
        checks.path,
        "--orthanc-certificate PATH",
        "DAVFS_ORTHANC_CERTIFICATE",
        "Certificates (PEM) that Orthanc's is signed by, instead of this system's.",
        modes=RunMode.STANDALONE,
    ),
    Setting(
        "Orthanc.VerifyPeer",
        checks.flag,
        "--verify-peer",
        "DAVFS_VERIFY_PEER",
        "Whether Orthanc's certificate is checked.",
        default=True,
        modes=RunMode.STANDALONE,
    ),
    Setting("PostgreSQL.ConnectionUri", checks.word, "", "DAVFS_POSTGRESQL", modes=RunMode.STANDALONE),
    Setting("PostgreSQL.Schema", checks.word, default="public", modes=RunMode.STANDALONE),
    Setting(
        "Wait",
        checks.number,
        "--wait SECONDS",
        "DAVFS_WAIT",
        "Give up where Orthanc does not answer within so many seconds. Default: wait as long as it takes.",
        default=None,
        modes=RunMode.STANDALONE,
    ),
    Setting("Server.Enabled", checks.flag, default=False, modes=RunMode.PLUGIN),
    Setting(
        "Server.Address",  # without it the plugin listens as Orthanc does
        checks.address,
        "--address IP",
        "DAVFS_ADDRESS",
        "Where to listen: 127.0.0.1 for this machine alone, 0.0.0.0 or :: for everybody. Default: 127.0.0.1.",
    ),
    Setting("Server.Port", checks.port, "--port PORT", "DAVFS_PORT", "The TCP port.", default=DEFAULT_PORT),
    Setting(
        "Server.Certificate",  # without it the plugin takes that of Orthanc
        checks.path,
        "--certificate PATH",
        "DAVFS_CERTIFICATE",
        "The server's own certificate (PEM): HTTPS instead of HTTP.",
    ),
    Setting(
        "Server.Key",
        checks.path,
        "--key PATH",
        "DAVFS_KEY",
        "The certificate's private key (PEM), unless it is in the same file.",
    ),
    Setting("Server.TrustedProxies", checks.networks, default=[]),
    Setting(
        "Server.HostNames",
        checks.host_names,
        "--host-name NAME",
        "DAVFS_HOST_NAMES",
        "A name by which the drive is reached where nobody has to log in, such as that of a proxy. Can be repeated.",
        default=[],
    ),
    Setting(
        "Layouts",
        checks.layout_names,
        "--layout NAME",
        "DAVFS_LAYOUTS",
        "A folder at the top: a shipped layout, or a .toml file. Can be repeated.",
        default=["by-patient"],
    ),
    Setting("HashKey", checks.hash_key, "", "DAVFS_HASH_KEY"),
    Setting(
        "HashKeyFile",
        checks.path,
        "--hash-key-file PATH",
        "DAVFS_HASH_KEY_FILE",
        "A file with the key of pseudonyms, 16 characters or more; or set DAVFS_HASH_KEY. Default: no pseudonyms.",
        modes=RunMode.STANDALONE,
    ),
    Setting(
        "AllowUpload", checks.flag, "--allow-upload", "DAVFS_ALLOW_UPLOAD", "Whether inbox/ takes files.", default=True
    ),
    Setting(
        "AllowDelete",
        checks.flag,
        "--allow-delete",
        "DAVFS_ALLOW_DELETE",
        "Whether patients, studies, series and images can be deleted in layouts: they are put into trash/.",
        default=False,
    ),
    Setting(
        "AllowAttach",  # without it, as AllowUpload
        checks.flag,
        "--allow-attach",
        "DAVFS_ALLOW_ATTACH",
        "Whether files can be dropped on a study: DICOM, PDF, JPEG, PNG, STL, text. Default: as --allow-upload.",
        default=None,
    ),
    Setting(
        "DeleteForGood",
        checks.flag,
        "--delete-for-good",
        "DAVFS_DELETE_FOR_GOOD",
        "Whether deleting in a layout deletes in Orthanc at once, past the trash.",
        default=False,
    ),
    Setting(
        "TrashRetentionDays",
        checks.number,
        "--trash-retention-days DAYS",
        "DAVFS_TRASH_RETENTION_DAYS",
        "Days after which Orthanc deletes what is in the trash; 0: never.",
        default=30,
    ),
    Setting(
        "TrashMetadata",
        checks.user_metadata,
        "--trash-metadata NUMBER",
        "DAVFS_TRASH_METADATA",
        "Number of the metadata of studies that says what is in the trash.",
        default=4242,
    ),
    Setting("Cluster", checks.flag, default=False, modes=RunMode.PLUGIN),
    Setting("Quarantine.Identity", checks.flag, default=False, modes=RunMode.PLUGIN),  # read by native/plugin.c, too
    Setting("Audit.Enabled", checks.flag, "--audit", "DAVFS_AUDIT", "Whether accesses are recorded.", default=True),
    Setting(
        "Audit.File",
        checks.path,
        "--audit-file PATH",
        "DAVFS_AUDIT_FILE",
        "The file of the records, one JSON object a line. Default: audit.jsonl beside the catalog.",
    ),
    Setting(
        "Audit.MaximumSize",
        checks.number,
        "--audit-maximum-size MB",
        "DAVFS_AUDIT_MAXIMUM_SIZE",
        "Megabytes after which that file gets the date in its name, and a new one begins; 0: no limit.",
        default=100,
    ),
    Setting(
        "Audit.MaximumAge",
        checks.number,
        "--audit-maximum-age SECONDS",
        "DAVFS_AUDIT_MAXIMUM_AGE",
        "Seconds after which it does; 0: no limit.",
        default=30 * 24 * 3600,
    ),
    Setting(
        "Audit.MaximumFiles",
        checks.number,
        "--audit-maximum-files NUMBER",
        "DAVFS_AUDIT_MAXIMUM_FILES",
        "How many of these older files are kept; 0: all.",
        default=0,
    ),
    Setting(
        "Audit.Syslog",
        checks.syslog_url,
        "--audit-syslog URL",
        "DAVFS_AUDIT_SYSLOG",
        "A syslog server that gets the records too, such as tls://logs.example.org:6514; or tcp:, or udp:.",
    ),
    Setting(
        "Audit.SyslogCA",
        checks.path,
        "--audit-syslog-ca PATH",
        "DAVFS_AUDIT_SYSLOG_CA",
        "Certificates (PEM) that the syslog server's is signed by, instead of this system's.",
    ),
    Setting(
        "Audit.SyslogCertificate",
        checks.path,
        "--audit-syslog-certificate PATH",
        "DAVFS_AUDIT_SYSLOG_CERTIFICATE",
        "The drive's own certificate (PEM), for a syslog server that asks for one.",
    ),
    Setting(
        "Audit.SyslogKey",
        checks.path,
        "--audit-syslog-key PATH",
        "DAVFS_AUDIT_SYSLOG_KEY",
        "That certificate's private key (PEM), unless it is in the same file.",
    ),
    Setting(
        "Audit.Format",
        checks.audit_format,
        "--audit-format FORMAT",
        "DAVFS_AUDIT_FORMAT",
        "The form of the messages to syslog: json, or dicom (DICOM PS3.15 A.5).",
        default="json",
    ),
    Setting(
        "Audit.Listings",
        checks.flag,
        "--audit-listings",
        "DAVFS_AUDIT_LISTINGS",
        "Whether listings of folders are recorded too.",
        default=False,
    ),
    Setting("Audit.Arrivals", checks.flag, default=True, modes=RunMode.PLUGIN),
    Setting("Search", checks.flag, "--search", "DAVFS_SEARCH", "Whether there is search/.", default=True),
    Setting(
        "Spool",
        checks.path,
        "--spool PATH",
        "DAVFS_SPOOL",
        "The folder behind inbox/. Default: one for each Orthanc, below $XDG_STATE_HOME/davfs.",
    ),
    Setting(
        "SpoolMaximumSize",  # as Orthanc's MaximumStorageSize
        checks.number,
        "--spool-maximum-size MB",
        "DAVFS_SPOOL_MAXIMUM_SIZE",
        "Megabytes that it may hold; 0: no limit.",
        default=10 * 1024,
    ),
    Setting(
        "SpoolMaximumAge",  # as Orthanc's StableAge
        checks.number,
        "--spool-maximum-age SECONDS",
        "DAVFS_SPOOL_MAXIMUM_AGE",
        "Seconds after which it lists a file no more; 0: never.",
        default=7 * 24 * 3600,
    ),
    Setting(
        "Catalog",
        checks.path,
        "--catalog PATH",
        "DAVFS_CATALOG",
        "The local index, an SQLite file. Default: beside the spool.",
    ),
    Setting(
        "StorageFolder",
        checks.path,
        "--storage-folder PATH",
        "DAVFS_STORAGE_FOLDER",
        "Orthanc's StorageDirectory, where it can be read here: images are then sent from its files.",
    ),
)
SETTINGS = {setting.key: setting for setting in _ALL}
"""All settings by key."""
SECRETS = (("Orthanc.Password", "Orthanc.PasswordFile"), ("HashKey", "HashKeyFile"))
"""Secrets that are given by value, or by the file that holds them; by value they are no options, since every user of
the machine can read a process's options."""


def known_keys(mode: RunMode) -> tuple[str, ...]:
    """Return the keys that can be given in a way of running the drive."""
    return tuple(setting.key for setting in _ALL if mode in setting.modes)


def expanded(key: str, value: Any) -> Any:
    """Return what a value of a table stands for: ``"Audit": false`` for ``"Audit": {"Enabled": false}``."""
    return {"Enabled": value} if key == "Audit" and isinstance(value, bool) else value
