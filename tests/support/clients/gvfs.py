"""GVFS, the client behind GNOME Files: the commands of ``gio``, and its FUSE mount."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tests.support.clients import Client
from tests.support.clients.mounts import Mounted
from tests.support.clients.programs import run, running, wait_until


@dataclass(frozen=True, slots=True)
class Session:
    """A desktop session: what programs have in their environment to take part in it."""

    folder: Path
    environment: Mapping[str, str]

    def gio(self, *arguments: str | Path, content: bytes = b"") -> bytes:
        """Run one command of gio."""
        return run(["gio", *arguments], content=content, environment=self.environment)

    @property
    def mounts(self) -> Path:
        """The folder in which programs that know nothing of GVFS see its mounts."""
        return Path(self.environment["XDG_RUNTIME_DIR"]) / "gvfs"


@contextmanager
def _session(folder: Path) -> Iterator[Session]:
    """Run a D-Bus session bus, from which GVFS's daemons start as they are needed."""
    runtime, socket = folder / "runtime", folder / "bus"
    runtime.mkdir(mode=0o700)
    environment = {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(runtime),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_DATA_HOME": str(folder / "data"),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={socket}",
        "GIO_USE_VOLUME_MONITOR": "unix",
    }
    command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={socket}"]
    with running(command, folder / "bus.log", environment=environment):
        wait_until(socket.exists, "the session bus")
        yield Session(folder, environment)


@contextmanager
def _mounted(url: str, folder: Path) -> Iterator[tuple[Session, str]]:
    """Mount a drive in a session of its own, and return the session and the drive's address in GVFS."""
    location = f"dav{url.removeprefix('http')}"
    with _session(folder) as session:
        session.gio("mount", "--anonymous", location)
        wait_until(session.mounts.is_mount, "gvfsd-fuse mounts")
        try:
            yield session, location
        finally:
            session.gio("mount", "--unmount", location)
            run(["fusermount3", "-u", session.mounts])  # a bus that ends would leave it behind, and broken


@contextmanager
def gio(url: str, folder: Path) -> Iterator[Client]:
    """Connect with gio's commands."""
    with _mounted(url, folder) as (session, location):
        yield Gio(session, location)


@dataclass(frozen=True, slots=True)
class Gio:
    """gio of GLib 2.74 with GVFS 1.50."""

    session: Session
    location: str

    def list(self, folder: str) -> set[str]:
        """See `Client`."""
        listed = self.session.gio("list", "--print-uris", self._location(folder)).decode().splitlines()
        return {unquote(urlsplit(each).path.rstrip("/").rpartition("/")[2]) for each in listed}

    def read(self, path: str) -> bytes:
        """See `Client`."""
        return self.session.gio("cat", self._location(path))

    def write(self, path: str, content: bytes) -> None:
        """See `Client`."""
        local = self.session.folder / "put"
        local.write_bytes(content)
        self.session.gio("copy", local, self._location(path))

    def make_folder(self, path: str) -> None:
        """See `Client`."""
        self.session.gio("mkdir", self._location(path))

    def rename(self, old: str, new: str) -> None:
        """See `Client`."""
        self.session.gio("move", self._location(old), self._location(new))

    def delete(self, path: str) -> None:
        """See `Client`."""
        self.session.gio("remove", self._location(path))

    remove_folder = delete

    def _location(self, path: str) -> str:
        return self.location + quote(path)


@contextmanager
def gvfs_fuse(url: str, folder: Path) -> Iterator[Client]:
    """Connect with the folder in which programs that know nothing of GVFS see its mounts."""
    with _mounted(url, folder) as (session, _location):
        wait_until(lambda: any(session.mounts.iterdir()), "gvfsd-fuse shows the drive")
        (root,) = session.mounts.iterdir()
        yield Mounted(root)
