"""The command line: versions, help, and the steps that mount a drive on each system."""

import configparser
import logging
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from davfs.commands import mounting
from davfs.commands.application import app
from davfs.commands.mounting import System, this_system
from davfs.commands.serve import warn
from davfs.settings.configuration import GivenValue
from davfs.settings.standalone import read_settings

DOOR = "https://pacs.example:8043/"
COLLECTION = "http://pacs.example:8042/davfs/drive/"


def davfs(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, arguments, prog_name="davfs")


def steps(system: str, url: str = DOOR) -> str:
    """Return what ``davfs mount-help`` prints."""
    result = davfs("mount-help", "--os", system, "--url", url)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_version() -> None:
    """``--version`` prints the version of the package."""
    result = davfs("--version")
    assert (result.exit_code, result.stdout) == (0, f"davfs {version('orthanc-davfs')}\n")


@pytest.mark.parametrize("system", list(System))
@pytest.mark.parametrize("url", [DOOR, COLLECTION])
def test_steps_name_the_drive(system: System, url: str) -> None:
    """Each system's steps hold the address in the form that this system takes."""
    place = url.partition(":")[2]
    scheme = {"gnome": "dav", "kde": "webdav"}.get(system, "http") + ("s" if url.startswith("https") else "")
    assert f"{scheme}:{place}" in steps(system, url)


@pytest.mark.parametrize("system", list(System))
def test_orthancs_own_port_has_its_limits(system: System) -> None:
    """The steps for Orthanc's own port name what it cannot do; those for the other door do not."""
    assert "knows no byte ranges" in steps(system, COLLECTION)
    assert "knows no byte ranges" not in steps(system, DOOR)


def test_rclone_mounts_nothing_that_has_no_ranges() -> None:
    """``rclone mount`` of Orthanc's own port would give wrong bytes, so no step mentions it."""
    assert "rclone mount orthanc:" in steps("rclone")
    assert "rclone mount orthanc:" not in steps("rclone", COLLECTION)


@pytest.mark.parametrize(("url", "locks"), [(DOOR, "1"), (COLLECTION, "0")])
def test_davfs2_has_a_configuration(url: str, locks: str) -> None:
    """The lines for davfs2.conf are a section of the mount point, with locks where there are real ones."""
    snippet = re.search(r"^\[/mnt/orthanc\]\n(?:\w+ .*\n)+", steps("davfs2", url), re.MULTILINE)
    assert snippet
    parser = configparser.ConfigParser(delimiters=" ", inline_comment_prefixes="#")
    parser.read_string(snippet[0])
    found = {key: value.strip() for key, value in parser["/mnt/orthanc"].items()}
    assert found["use_locks"] == locks
    assert found["buf_size"] == "256"


@pytest.mark.parametrize(
    ("url", "unc"),
    [(DOOR, r"\\pacs.example@SSL@8043\DavWWWRoot"), (COLLECTION, r"\\pacs.example@8042\DavWWWRoot\davfs\drive")],
)
def test_windows_has_a_path_for_programs(url: str, unc: str) -> None:
    """Programs that take no address take a path."""
    assert unc in steps("windows", url)


@pytest.mark.parametrize(("url", "basic"), [(DOOR, 1), (COLLECTION, 2)])
def test_registry_file(tmp_path: Path, url: str, basic: int) -> None:
    """The registry file is UTF-16 with a byte order mark and CRLF; Basic over plain HTTP only where there is no TLS."""
    file = tmp_path / "webdav.reg"
    result = davfs("mount-help", "--url", url, "--reg-file", str(file))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Windows")
    content = file.read_bytes()
    assert content.startswith(b"\xff\xfeW\x00")
    lines = content[2:].decode("utf-16-le").split("\r\n")
    assert not any("\n" in line for line in lines)
    assert lines[0] == "Windows Registry Editor Version 5.00"
    assert lines[-1] == ""
    assert r"[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\WebClient\Parameters]" in lines
    values = dict(re.findall(r'"(\w+)"=dword:([0-9a-f]{8})\r', content[2:].decode("utf-16-le")))
    assert {name: int(value, 16) for name, value in values.items()} == {
        "FileSizeLimitInBytes": 2**32 - 1,
        "FileAttributesLimitInBytes": 20_000_000,
        "BasicAuthLevel": basic,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--url", "pacs.example"], "is no address"),
        (["--url", "http://me:secret@pacs.example/"], "is no address"),
        (["--url", "http://pacs.example:port/"], "is no address"),
        (["--os", "beos"], "beos"),
        (["--os", "macos", "--reg-file", "x.reg"], "only Windows has a registry"),
        (["--reg-file", "/nowhere/x.reg"], "cannot be written"),
    ],
)
def test_refusals(arguments: list[str], message: str) -> None:
    """Contradicting options are refused, with exit code 2."""
    result = davfs("mount-help", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("platform", "desktop", "system"),
    [
        ("darwin", "", System.MACOS),
        ("win32", "", System.WINDOWS),
        ("linux", "KDE", System.KDE),
        ("linux", "ubuntu:GNOME", System.GNOME),
        ("linux", "XFCE", System.GNOME),
        ("linux", "", System.DAVFS2),
    ],
)
def test_this_system(platform: str, desktop: str, system: System) -> None:
    """Without ``--os`` the steps are those of the system that asks."""
    assert this_system(platform, {"XDG_CURRENT_DESKTOP": desktop}) is system


@pytest.mark.parametrize("system", list(System))
def test_one_line_mounts(system: System) -> None:
    """``davfs serve`` shows one line that mounts the drive."""
    line = mounting.command(system, mounting.DriveUrl.parse("http://127.0.0.1:8043"))
    assert "//127.0.0.1:8043/" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"Server.Address": "192.0.2.1"}, "images and passwords cross the network unencrypted"),
        ({"Server.Address": "192.0.2.1", "Server.Certificate": __file__}, ""),
        ({"Server.Address": "127.0.0.1"}, ""),
        ({"Orthanc.Url": "https://pacs.example", "Orthanc.VerifyPeer": False}, "Orthanc's certificate is not verified"),
        ({"Orthanc.VerifyPeer": False}, ""),
    ],
)
def test_warnings(settings: dict[str, Any], warning: str, caplog: pytest.LogCaptureFixture) -> None:
    """Settings that expose the drive to a network, or do not verify Orthanc's certificate, are warned of."""
    given = {key: GivenValue(value, "--x") for key, value in settings.items()}
    logging.getLogger("davfs").propagate = True  # another test may have sent the log elsewhere
    warn(read_settings(given, None, {"STATE_DIRECTORY": "/var/lib/davfs"}))
    assert (warning in caplog.text) if warning else not caplog.text


@pytest.mark.parametrize("option", ["--port", "--wait", "--spool-maximum-size", "--spool-maximum-age"])
def test_numbers(option: str) -> None:
    """A value that is no number is refused, and named."""
    result = davfs("serve", option, "many")
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.stderr
    assert "'many' is no whole number" in " ".join(result.stderr.replace("│", " ").split())
