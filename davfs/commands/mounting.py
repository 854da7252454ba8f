"""The steps to mount a drive, for each system and client.

Sources: mount_webdav(8) of macOS; davfs2.conf(5) and mount.davfs(8) of davfs2 1.6; https://rclone.org/webdav/ and
https://rclone.org/commands/rclone_mount/; for Windows see `windows`. Statements about kernels, caches and locks
were observed with these clients.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from davfs.commands import windows

_PORTS = {"http": 80, "https": 443}
_BUFFER = "grep -q ^buf_size /etc/davfs2/davfs2.conf || echo buf_size 256 | sudo tee -a /etc/davfs2/davfs2.conf"
"""Sets an option that davfs2 needs before its first mount; see `_davfs2`."""


class System(StrEnum):
    """Systems and clients that mount drives."""

    MACOS = "macos"
    WINDOWS = "windows"
    GNOME = "gnome"
    KDE = "kde"
    DAVFS2 = "davfs2"
    RCLONE = "rclone"


@dataclass(frozen=True, slots=True)
class DriveUrl:
    """The URL of a drive, and its parts.

    Attributes:
        url: The whole URL, with a trailing slash.
        host: Name or IP address of the server.
        port: TCP port.
        path: Path of the drive on that server, with a trailing slash.
        secure: True for HTTPS.
    """

    url: str
    host: str
    port: int
    path: str
    secure: bool

    @property
    def own(self) -> bool:
        """True for the drive's own port; False for Orthanc's, whose core knows less of WebDAV."""
        return not self.path.endswith("/drive/")

    @classmethod
    def parse(cls, url: str) -> "DriveUrl":
        """Parse an ``http`` or ``https`` URL.

        Raises:
            ValueError: It is no URL of a folder: other schemes, passwords, queries and fragments are refused.
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError(url)
        path = parts.path.rstrip("/") + "/"
        port = parts.port or _PORTS[parts.scheme]
        return cls(f"{parts.scheme}://{parts.netloc}{path}", parts.hostname, port, path, parts.scheme == "https")


def this_system(platform: str = sys.platform, environment: Mapping[str, str] = os.environ) -> System:
    """Return the client that users of this machine would mount a drive with.

    Source: freedesktop.org's Desktop Entry Specification 1.5 for ``XDG_CURRENT_DESKTOP``.
    """
    if platform == "darwin":
        return System.MACOS
    if platform in {"win32", "cygwin"}:
        return System.WINDOWS
    desktops = environment.get("XDG_CURRENT_DESKTOP", "").upper().split(":")
    if "KDE" in desktops:
        return System.KDE
    return System.GNOME if any(desktops) else System.DAVFS2


def command(system: System, drive_url: DriveUrl) -> str:
    """Return the command that mounts a drive."""
    other = _other_scheme(drive_url, system)
    return {
        System.MACOS: f"open {drive_url.url}",
        System.WINDOWS: f"net use * {drive_url.url}",
        System.GNOME: f"gio mount {other}",
        System.KDE: f"dolphin {other}",
        System.DAVFS2: f"{_BUFFER}; sudo mount -t davfs {drive_url.url} /mnt",
        System.RCLONE: f"rclone mount \":webdav,url='{drive_url.url}':\" /mnt --vfs-cache-mode writes",
    }[system]


def steps(system: System, drive_url: DriveUrl) -> str:
    """Return all steps to mount a drive."""
    written = _STEPS[system](drive_url)
    return f"{written}\n\n{_LIMITS}" if not drive_url.own else written


def _other_scheme(drive_url: DriveUrl, system: System) -> str:
    name = "dav" if system is System.GNOME else "webdav"
    return f"{name}{'s' if drive_url.secure else ''}:{drive_url.url.partition(':')[2]}"


def _macos(drive_url: DriveUrl) -> str:
    return f"""\
macOS Finder
  1. Go > Connect to Server (Cmd-K), and type
         {drive_url.url}
  2. Connect as a registered user of Orthanc, or as a guest where Orthanc asks for no password.
  The drive is then at /Volumes.

In Terminal, at a folder of your own:
    mkdir -p ~/orthanc && mount_webdav -i -v Orthanc {drive_url.url} ~/orthanc
    umount ~/orthanc

So that Finder leaves no .DS_Store files on network drives (then log out and in):
    defaults write com.apple.desktopservices DSDontWriteNetworkStores -bool true"""


def _gnome(drive_url: DriveUrl) -> str:
    address = _other_scheme(drive_url, System.GNOME)
    return f"""\
GNOME Files
  Other Locations (or Network) > Connect to Server, and type
      {address}

In a terminal:
    gio mount {address}
    gio list {address}
    gio mount -u {address}

Programs that know nothing of GNOME find the drive below $XDG_RUNTIME_DIR/gvfs/. On Debian that needs the packages
gvfs-backends and gvfs-fuse."""


def _kde(drive_url: DriveUrl) -> str:
    address = _other_scheme(drive_url, System.KDE)
    return f"""\
KDE Dolphin
  Press Ctrl-L, and type
      {address}
  To keep it: right-click on Places > Add Entry, with the same address.

In a terminal:
    dolphin {address}
    kioclient ls {address}

Programs that know nothing of KDE can open its files where the package kio-fuse is installed. davfs2 gives a folder in
the file system itself: davfs mount-help --os davfs2."""


def _davfs2(drive_url: DriveUrl) -> str:
    locks = "1" if drive_url.own else "0"
    why = "locks files while they are written" if drive_url.own else "the locks of Orthanc's own port protect nothing"
    return f"""\
davfs2 (Linux)
  1. sudo apt-get install davfs2; sudo mkdir -p /mnt/orthanc
  2. Append to /etc/davfs2/davfs2.conf:
[/mnt/orthanc]
use_locks {locks}        # {why}
buf_size 256       # KiB; with the usual 16, listings fail with "Invalid argument" on recent kernels
delay_upload 0     # seconds: upload as soon as a file is closed
dir_refresh 0      # seconds: ask at each listing what there is
file_refresh 0     # seconds: the same for each file that is opened
ask_auth 1         # 0 where Orthanc asks for no password
  3. Name and password go to /etc/davfs2/secrets (rights 0600), unless you want to be asked:
/mnt/orthanc  USER  "PASSWORD"
  4. sudo mount -t davfs {drive_url.url} /mnt/orthanc
     sudo umount /mnt/orthanc        waits until all is uploaded

To mount it at the first access, a line in /etc/fstab:
{drive_url.url} /mnt/orthanc davfs rw,_netdev,noauto,x-systemd.automount,uid=USER,gid=GROUP 0 0

A copy ends before its upload does: cp cannot tell that a file was refused. Look into inbox/rejected/ on the drive."""


def _rclone(drive_url: DriveUrl) -> str:
    mount = """\
Mounted as a folder (needs the package fuse3):
    mkdir -p ~/orthanc
    rclone mount orthanc: ~/orthanc --vfs-cache-mode writes --vfs-write-back 0s --dir-cache-time 0s --attr-timeout 0s
    fusermount3 -u ~/orthanc
  writes are kept on the disk until a file is closed, and uploaded then; listings are never older than their request."""
    never = """\
Copy whole folders. Do not use rclone mount or rclone cat here: a single file reads as empty, and the middle of one
gives wrong bytes, both without an error."""
    return f"""\
rclone (every system)
    rclone config create orthanc webdav url={drive_url.url} vendor=other user=USER pass=PASSWORD --obscure
  without user, pass and --obscure where Orthanc asks for no password.

    rclone lsf orthanc:
    rclone copy orthanc:by-patient local-folder
    rclone copy local-folder orthanc:inbox

{mount if drive_url.own else never}"""


def _windows(drive_url: DriveUrl) -> str:
    return windows.steps(drive_url.url, drive_url.host, drive_url.port, drive_url.path, secure=drive_url.secure)


_LIMITS = """\
This address is on Orthanc's own port. Its core knows no byte ranges, no real locks, no renaming, and no dates that
Finder and GNOME understand: copy files out before you open them. The drive's own server knows all of that: Davfs.Server
in Orthanc's configuration, or davfs serve."""

_STEPS: dict[System, Callable[[DriveUrl], str]] = {
    System.MACOS: _macos,
    System.WINDOWS: _windows,
    System.GNOME: _gnome,
    System.KDE: _kde,
    System.DAVFS2: _davfs2,
    System.RCLONE: _rclone,
}
