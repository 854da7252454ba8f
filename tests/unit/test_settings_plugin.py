"""The Davfs section of Orthanc's configuration: defaults, relative paths, and nothing bad that passes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.errors import ConfigurationError
from davfs.settings.configuration import AuditSettings, Configuration, ServerSettings, SyslogSettings
from davfs.settings.plugin import read_settings

HOME = Path("/etc/orthanc")
KEYS = (
    "Uri",
    "Server",
    "Layouts",
    "HashKey",
    "AllowUpload",
    "AllowDelete",
    "DeleteForGood",
    "TrashRetentionDays",
    "TrashMetadata",
    "Search",
    "Spool",
    "SpoolMaximumSize",
    "SpoolMaximumAge",
    "Catalog",
    "Python",
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    leaves, lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(st.text(), deeper, max_size=3)
)


def davfs(**settings: Any) -> Configuration:
    """Read a section."""
    return read_settings({"Davfs": settings}, HOME)


@pytest.mark.parametrize("configuration", [{}, {"Davfs": {}}])
def test_defaults(configuration: dict[str, Any]) -> None:
    """Without a section everything has a value, beside Orthanc's own data; nothing can be deleted."""
    data = HOME / "OrthancStorage" / "davfs"
    assert read_settings(configuration, HOME) == Configuration(
        uri="/davfs",
        layouts=("by-patient",),
        hash_key="",
        allow_upload=True,
        allow_attach=True,
        allow_delete=False,
        delete_for_good=False,
        trash_retention=30,
        search=True,
        cluster=False,
        quarantine=False,
        server=ServerSettings(enabled=False, address="127.0.0.1", port=8043, certificate=None, key=None),
        spool=data / "spool",
        spool_maximum_size=10 * 1024**3,
        spool_maximum_age=7 * 24 * 3600,
        catalog=data / "catalog.sqlite",
        audit=AuditSettings(enabled=True, file=data / "audit.jsonl"),
        trash_metadata=4242,
        storage_folder=None,
    )


@pytest.mark.parametrize(
    ("orthanc", "data"),
    [
        ({"StorageDirectory": "here"}, HOME / "here"),
        ({"StorageDirectory": "/var/storage"}, Path("/var/storage")),
        ({"StorageDirectory": "/var/storage", "IndexDirectory": "/var/index"}, Path("/var/index")),
        ({"IndexDirectory": "index"}, HOME / "index"),
    ],
)
def test_data_beside_the_index(orthanc: dict[str, Any], data: Path) -> None:
    """Spool and catalog lie where Orthanc has its index."""
    found = read_settings(orthanc, HOME)
    assert found.spool == data / "davfs" / "spool"
    assert found.catalog == data / "davfs" / "catalog.sqlite"


def test_relative_and_absolute_paths() -> None:
    """Relative paths start at the folder of Orthanc's configuration."""
    found = davfs(Spool="spool", Catalog="/var/c.sqlite")
    assert found.spool == HOME / "spool"
    assert found.catalog == Path("/var/c.sqlite")


@pytest.mark.parametrize("uri", ["/davfs", "/a/b", "/my.drive", "/~user/x_y-z", "/patients2", "/drive/patients"])
def test_good_uris(uri: str) -> None:
    """Paths of safe characters are taken, REST's words included where they do not come first."""
    assert davfs(Uri=uri).uri == uri


@pytest.mark.parametrize(
    "uri", ["", "/", "davfs", "/a/", "//a", "/a//b", "/a b", "/a/.", "/..", "/a.", "/é", "/a%20b", "/a\n"]
)
def test_bad_uris(uri: str) -> None:
    """A path that the core would read as another one is refused, and the message has what is allowed."""
    with pytest.raises(ConfigurationError, match=r"Davfs\.Uri .* must be a path such as /davfs"):
        davfs(Uri=uri)


@given(st.sampled_from(KEYS), values)
def test_any_value(key: str, value: Any) -> None:
    """Every value is taken, or refused with the key; nothing else is raised."""
    try:
        found = davfs(**{key: value})
    except ConfigurationError as error:
        assert f"Davfs.{key}" in str(error)  # noqa: PT017  most values are refused, not all
    else:
        assert found.spool.is_absolute()


@given(st.text().filter(lambda key: key not in KEYS))
def test_any_unknown_key(key: str) -> None:
    """A key that is not known is named."""
    with pytest.raises(ConfigurationError) as caught:
        davfs(**{key: 1})
    assert str(caught.value).startswith(f"Davfs.{key} is not a setting of this plugin: ")


@pytest.mark.parametrize("port", [-1, 65536, 70000])
def test_no_port(port: int) -> None:
    """A number that is no TCP port is refused, also while there is no server."""
    with pytest.raises(ConfigurationError, match=r"Davfs\.Server\.Port"):
        davfs(Server={"Enabled": False, "Port": port})


def test_trusted_proxies() -> None:
    """Proxies are addresses and networks; what is neither, or both at once, is refused with what is allowed."""
    proxies = davfs(Server={"TrustedProxies": ["127.0.0.1", "10.1.0.0/16", "2001:db8::/32"]}).server.trusted_proxies
    assert [str(each) for each in proxies] == ["127.0.0.1/32", "10.1.0.0/16", "2001:db8::/32"]
    refused: tuple[Any, ...] = ("127.0.0.1", ["proxy"], [1], [""], ["10.1.2.3/16"], {}, None)
    for value in refused:
        with pytest.raises(ConfigurationError, match=r"Davfs\.Server\.TrustedProxies .* must be a list"):
            davfs(Server={"TrustedProxies": value})


def test_the_server_listens_as_orthanc_does() -> None:
    """The server listens on all addresses if Orthanc does; relative paths start at Orthanc's configuration."""
    section = {"Server": {"Enabled": True, "Certificate": "drive.pem", "Key": "/etc/ssl/drive.key"}}
    found = read_settings({"RemoteAccessAllowed": True, "Davfs": section}, HOME).server
    assert found == ServerSettings(
        enabled=True,
        address="0.0.0.0",  # noqa: S104  as Orthanc
        port=8043,
        certificate=HOME / "drive.pem",
        key=Path("/etc/ssl/drive.key"),
    )


def test_the_server_is_never_more_open_than_orthanc() -> None:
    """An address that others reach is refused while Orthanc itself answers its own machine alone."""
    assert davfs(Server={"Address": "::1"}).server.address == "::1"
    with pytest.raises(ConfigurationError, match=r"Davfs\.Server\.Address is '0\.0\.0\.0', while Orthanc's own"):
        davfs(Server={"Address": "0.0.0.0"})  # noqa: S104  this is what is refused


def test_a_key_without_a_certificate() -> None:
    """A private key alone is a mistake."""
    with pytest.raises(ConfigurationError, match=r"Davfs\.Server\.Key is the key of a Certificate"):
        davfs(Server={"Key": "drive.key"})


def test_the_key_of_pseudonyms() -> None:
    """The key of pseudonyms is taken unchanged, and is not in the settings' repr."""
    assert davfs(HashKey="sixteen letters!").hash_key == "sixteen letters!"
    assert "sixteen" not in repr(davfs(HashKey="sixteen letters!"))


@pytest.mark.parametrize("value", ["fifteen letters", 1234567890123456, ["sixteen letters!"], "\ud800" * 16, None])
def test_bad_keys_of_pseudonyms(value: Any) -> None:
    """A key that is too short, or no text, is refused; the message does not repeat it."""
    with pytest.raises(ConfigurationError) as caught:
        davfs(HashKey=value)
    assert str(caught.value) == "Davfs.HashKey must be text in quotes, of at least 16 characters"


def test_layouts_are_named_once() -> None:
    """The same one twice is a mistake."""
    with pytest.raises(ConfigurationError, match=r"Davfs\.Layouts has 'by-date' twice: keep one of them"):
        davfs(Layouts=["by-date", "by-patient", "by-date"])


def test_audit_is_switched_off() -> None:
    """``"Audit": false`` is short for an object that says so."""
    assert not davfs(Audit=False).audit.enabled
    assert davfs(Audit=False) == davfs(Audit={"Enabled": False})
    assert davfs(Audit=True) == davfs()
    with pytest.raises(ConfigurationError, match=r"Davfs.Audit is 0 and must be an object"):
        davfs(Audit=0)


@pytest.mark.parametrize(
    ("audit", "message"),
    [
        ({"Syslog": "http://logs"}, r"Davfs.Audit.Syslog is 'http://logs' and must be a syslog server, such as tls://"),
        ({"Format": "xml"}, r"Davfs.Audit.Format is 'xml' and must be one of json, dicom"),
        (
            {"Syslog": "tcp://logs", "SyslogCA": "ca.pem"},
            r"Davfs.Audit.SyslogCA is for TLS, and Syslog is 'tcp://logs:514'",
        ),
        (
            {"Syslog": "tls://logs", "SyslogCA": "ca.pem"},
            r"Davfs.Audit.SyslogCA is '.*ca.pem', and there is no such file",
        ),
        (
            {"Syslog": "tls://logs", "SyslogKey": __file__},
            r"Davfs.Audit.SyslogKey is the key of a certificate, and there",
        ),
        ({"Sylog": "tls://logs"}, r"Davfs.Audit.Sylog is not a setting of this plugin: did you mean Syslog\?"),
    ],
)
def test_audit_that_cannot_work(audit: dict[str, Any], message: str) -> None:
    """Settings of the audit trail that cannot work are refused."""
    with pytest.raises(ConfigurationError, match=message):
        davfs(Audit=audit)


def test_syslog() -> None:
    """The syslog server has a port, and the form of messages is JSON unless it is set."""
    assert davfs(Audit={"Syslog": "udp://logs"}).audit.syslog == SyslogSettings("udp://logs:514")
    assert davfs().audit.syslog is None
