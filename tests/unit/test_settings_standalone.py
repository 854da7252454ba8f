"""The configuration of ``davfs serve``: what wins over what, and refusals that say where to look."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.errors import ConfigurationError
from davfs.settings.configuration import AuditSettings, Configuration, GivenValue, ServerSettings
from davfs.settings.standalone import OrthancSettings, StandaloneConfiguration, read_settings
from davfs.settings.state_folder import state_folder
from davfs.settings.toml_file import read_file

STATE = {"STATE_DIRECTORY": "/var/lib/davfs"}
KEYS = (
    "Layouts",
    "HashKey",
    "HashKeyFile",
    "AllowUpload",
    "AllowAttach",
    "AllowDelete",
    "DeleteForGood",
    "TrashRetentionDays",
    "TrashMetadata",
    "Audit.Enabled",
    "Audit.File",
    "Audit.MaximumSize",
    "Audit.MaximumAge",
    "Audit.MaximumFiles",
    "Audit.Syslog",
    "Audit.SyslogCA",
    "Audit.SyslogCertificate",
    "Audit.SyslogKey",
    "Audit.Format",
    "Audit.Listings",
    "Search",
    "Spool",
    "SpoolMaximumSize",
    "SpoolMaximumAge",
    "Catalog",
    "StorageFolder",
    "Wait",
    "Server.Address",
    "Server.Port",
    "Server.Certificate",
    "Server.Key",
    "Server.TrustedProxies",
    "Server.HostNames",
    "Orthanc.Url",
    "Orthanc.Username",
    "Orthanc.Password",
    "Orthanc.PasswordFile",
    "Orthanc.Certificate",
    "Orthanc.VerifyPeer",
    "PostgreSQL.ConnectionUri",
    "PostgreSQL.Schema",
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = leaves | st.lists(leaves, max_size=3) | st.dictionaries(st.text(), leaves, max_size=3)


def options(**settings: Any) -> dict[str, GivenValue]:
    """Return settings as if they were options; a key's dot is written ``__``."""
    return {key.replace("__", "."): GivenValue(value, f"--{key}") for key, value in settings.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration file that sets a little of everything."""
    path = tmp_path / "davfs.toml"
    path.write_text(
        '# the drive\nLayouts = ["by-patient", "mine.toml"]\nSpool = "spool"\n\n'
        '[Server]\nPort = 9000\n\n[Orthanc]\nUrl = "https://pacs.example"\nUsername = "drive"\nPassword = "secret"\n'
    )
    return path


def test_defaults() -> None:
    """Without any setting the drive of this machine's Orthanc is served to this machine alone."""
    folder = state_folder("http://127.0.0.1:8042", STATE)
    assert read_settings({}, None, STATE) == StandaloneConfiguration(
        drive=Configuration(
            uri="",
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
            server=ServerSettings(enabled=True, address="127.0.0.1", port=8043, certificate=None, key=None),
            spool=folder / "spool",
            spool_maximum_size=10 * 1024**3,
            spool_maximum_age=7 * 24 * 3600,
            catalog=folder / "catalog.sqlite",
            audit=AuditSettings(enabled=True, file=folder / "audit.jsonl"),
            trash_metadata=4242,
            storage_folder=None,
        ),
        orthanc=OrthancSettings("http://127.0.0.1:8042", "", "", None, verify_peer=True),
        wait=None,
    )


def test_a_file(file: Path) -> None:
    """Settings are read from the file, and its relative paths start at its own folder."""
    found = read_settings({}, file, STATE)
    assert found.drive.layouts == ("by-patient", str(file.parent / "mine.toml"))
    assert found.drive.spool == file.parent / "spool"
    assert found.drive.server.port == 9000
    assert (found.orthanc.url, found.orthanc.username, found.orthanc.password) == (
        "https://pacs.example",
        "drive",
        "secret",
    )


def test_database(tmp_path: Path) -> None:
    """Orthanc's database is named as in Orthanc's own configuration; its password is not shown."""
    (file := tmp_path / "davfs.toml").write_text('[PostgreSQL]\nConnectionUri = "postgresql://o:secret@db/orthanc"\n')
    found = read_settings({}, file, STATE)
    assert found.database == {"ConnectionUri": "postgresql://o:secret@db/orthanc", "Schema": "public"}
    assert "secret" not in repr(found)
    assert not read_settings({}, None, STATE).database


def test_database_without_psycopg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where the database is named, and what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    (file := tmp_path / "davfs.toml").write_text('[PostgreSQL]\nConnectionUri = "postgresql://db/orthanc"\n')
    with pytest.raises(ConfigurationError, match=r"davfs\.toml:2: PostgreSQL\.ConnectionUri.*install psycopg"):
        read_settings({}, file, STATE)


def test_options_win_over_the_file(file: Path) -> None:
    """An option replaces its own setting of the file, and leaves the others."""
    found = read_settings(options(Server__Port=9001), file, STATE)
    assert found.drive.server.port == 9001
    assert found.orthanc.url == "https://pacs.example"


def test_a_password_file_wins_over_a_password_in_the_file(file: Path, tmp_path: Path) -> None:
    """A password from a file that an option names replaces one that the configuration file holds."""
    (tmp_path / "password").write_text("from a file\n")
    found = read_settings(options(Orthanc__PasswordFile=str(tmp_path / "password")), file, STATE)
    assert found.orthanc.password == "from a file"


KEY = "a key that nobody knows"


def test_the_key_of_pseudonyms(file: Path, tmp_path: Path) -> None:
    """The key can come from an option, a key file or the configuration file, and is not in the settings' repr."""
    file.write_text(f'HashKey = "{KEY}"\n')
    assert read_settings({}, file, STATE).drive.hash_key == KEY
    (tmp_path / "key").write_text(f"{KEY} either\n")
    found = read_settings(options(HashKeyFile=str(tmp_path / "key")), file, STATE)
    assert found.drive.hash_key == f"{KEY} either"
    file.write_text('HashKeyFile = "key"\n')
    assert read_settings({}, file, STATE).drive.hash_key == f"{KEY} either"
    assert read_settings(options(HashKey=KEY), file, STATE).drive.hash_key == KEY
    assert KEY not in repr(found)


@pytest.mark.parametrize("content", ["short", "", None])
def test_a_bad_key_of_pseudonyms_is_not_told(tmp_path: Path, content: str | None) -> None:
    """The file is named, its content is not."""
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content)
    with pytest.raises(ConfigurationError, match=re.escape(str(key))) as caught:
        read_settings(options(HashKeyFile=str(key)), None, STATE)
    assert "short" not in str(caught.value)


def test_a_key_of_pseudonyms_is_given_once(tmp_path: Path) -> None:
    """Two in one place contradict each other."""
    with pytest.raises(ConfigurationError, match="--HashKey and --HashKeyFile are both given"):
        read_settings(options(HashKey=KEY, HashKeyFile=str(tmp_path)), None, STATE)


def test_passwords_are_not_shown(file: Path) -> None:
    """A configuration that is printed shows no password."""
    assert "secret" not in repr(read_settings({}, file, STATE))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Layout = ['by-patient']", "{file}:2: Layout is not a setting of davfs serve: did you mean Layouts?"),
        ("Server = 8043", "{file}:2: Server must be a table: [Server]"),
        ("[Server]\nPrt = 1", "{file}:3: Server.Prt is not a setting of davfs serve: did you mean Server.Port?"),
        ("[Server]\n\nPort = 70000", "{file}:4: Server.Port is 70000 and must be a TCP port: 1 to 65535"),
        ("[Server]\nEnabled = true", "{file}:3: Server.Enabled is a setting of the plugin alone: leave it out"),
        ("Uri = '/davfs'", "{file}:2: Uri is a setting of the plugin alone: leave it out"),
        ("AllowDelete = 'no'", "{file}:2: AllowDelete is 'no' and must be true or false"),
        ("[Orthanc]\nPassword = 1234", "{file}:3: Orthanc.Password must be text in quotes"),
        ("AllowDelete = ", "{file}:2: no valid TOML"),
    ],
)
def test_refusals_in_a_file(tmp_path: Path, line: str, message: str) -> None:
    """A wrong setting in a file is refused with the file, the line and what is allowed."""
    path = tmp_path / "davfs.toml"
    path.write_text(f"# a comment\n{line}\n")
    with pytest.raises(ConfigurationError) as caught:
        read_settings({}, path, STATE)
    assert str(caught.value).startswith(message.format(file=path))


def test_no_file(tmp_path: Path) -> None:
    """A configuration file that is missing is refused, not passed over."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_settings({}, tmp_path / "none.toml", STATE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"Server.Address": "example.org"}, "--x is 'example.org' and must be an IP address"),
        ({"Server.Key": __file__}, "--x is the key of a certificate, and there is none"),
        ({"Server.Certificate": "/nowhere.pem"}, "--x is '/nowhere.pem', and there is no such file"),
        ({"Orthanc.Url": "pacs.example:8042"}, "--x is 'pacs.example:8042' and must be Orthanc's address"),
        ({"Orthanc.Url": "http://pacs.example/?q"}, "--x is 'http://pacs.example/\\?q' and must be .* without '\\?'"),
        ({"Orthanc.Url": "http://me:secret@pacs"}, "--x holds a user name"),
        ({"Orthanc.Username": "me"}, "--x needs a password as well"),
        ({"Orthanc.Password": "secret"}, "--x needs a user name as well"),
        ({"Orthanc.Password": "secret", "Orthanc.PasswordFile": __file__}, "--x and --x are both given"),
    ],
)
def test_refusals(settings: dict[str, Any], message: str) -> None:
    """Settings that cannot work are refused, and the message has no password."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_settings({key: GivenValue(value, "--x") for key, value in settings.items()}, None, STATE)
    assert "secret" not in str(caught.value)


def test_an_empty_password_file(tmp_path: Path) -> None:
    """A file without a password is no password."""
    empty = tmp_path / "password"
    empty.touch()
    with pytest.raises(ConfigurationError, match="which is empty"):
        read_settings(options(Orthanc__Username="me", Orthanc__PasswordFile=str(empty)), None, STATE)


@given(st.sampled_from(KEYS), values)
def test_any_value(key: str, value: Any) -> None:
    """Every value is taken, or refused by its name; nothing else is raised."""
    try:
        read_settings({key: GivenValue(value, "--the-option")}, None, STATE)
    except ConfigurationError as error:
        assert "--the-option" in str(error)  # noqa: PT017  most values are refused, not all


def test_the_example_knows_every_setting(tmp_path: Path) -> None:
    """With every comment sign before a setting taken away, the example in docs/ names all settings but the secrets."""
    example = Path(__file__).parents[2] / "docs" / "davfs.toml"
    everything = tmp_path / "davfs.toml"
    everything.write_text(re.sub(r"^#(\w+ = )", r"\1", example.read_text(), flags=re.MULTILINE))
    assert set(read_file(everything)) == set(KEYS) - {"Orthanc.Password", "HashKey"}
    assert read_settings({}, example, STATE) == read_settings({}, None, STATE)


def test_audit_is_switched_off(tmp_path: Path) -> None:
    """``Audit = false`` is short for a table that says so."""
    file = tmp_path / "davfs.toml"
    file.write_text("Audit = false\n")
    assert not read_settings({}, file, STATE).drive.audit.enabled
