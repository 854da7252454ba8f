"""Clients that make a folder of this machine out of a drive: davfs2 and ``rclone mount``."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import chown
from tempfile import TemporaryDirectory

from tests.support.clients import Client, Connect
from tests.support.clients.commands import rclone_settings
from tests.support.clients.programs import run, running, wait_until

_DAVFS = """\
ask_auth 0
use_locks {locks}
buf_size 256
delay_upload 0
dir_refresh 0
file_refresh 0
cache_dir {cache}
secrets {secrets}
"""  # buf_size: without it every listing fails with EINVAL on recent kernels


@dataclass(frozen=True, slots=True)
class Mounted:
    """A folder that is a drive."""

    root: Path

    def list(self, folder: str) -> set[str]:
        """See `Client`; davfs2 has a ``lost+found`` of its own."""
        return {each.name for each in (self.root / folder).iterdir()} - {"lost+found"}

    def read(self, path: str) -> bytes:
        """See `Client`."""
        return (self.root / path).read_bytes()

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """See `RangeReader`."""
        with (self.root / path).open("rb", buffering=0) as file:
            file.seek(start)
            return file.read(length)

    def write(self, path: str, content: bytes) -> None:
        """See `Client`."""
        (self.root / path).write_bytes(content)

    def make_folder(self, path: str) -> None:
        """See `Client`."""
        (self.root / path).mkdir()

    def rename(self, old: str, new: str) -> None:
        """See `Client`."""
        (self.root / old).rename(self.root / new)

    def delete(self, path: str) -> None:
        """See `Client`."""
        (self.root / path).unlink()

    def remove_folder(self, path: str) -> None:
        """See `Client`."""
        (self.root / path).rmdir()


def davfs2(*, locks: bool) -> Connect:
    """Return what mounts with davfs2, which locks the files that it writes, or does not."""

    @contextmanager
    def connect(url: str, folder: Path) -> Iterator[Client]:
        mountpoint = folder / "mnt"
        mountpoint.mkdir()
        with TemporaryDirectory(
            prefix="davfs2-"
        ) as cache:  # not below pytest's folders, which davfs2's user cannot enter
            settings = _davfs_settings(folder, Path(cache), locks=locks)
            run(["mount", "-t", "davfs", "-o", f"conf={settings}", url, mountpoint])
            try:
                yield Mounted(mountpoint)
            finally:
                _unmount_davfs(mountpoint)

    return connect


def _davfs_settings(folder: Path, cache: Path, *, locks: bool) -> Path:
    """Write davfs2's configuration, and give it a folder for its cache."""
    secrets, settings = folder / "secrets", folder / "davfs2.conf"
    cache.chmod(0o775)
    chown(cache, "root", "davfs2")
    secrets.touch(mode=0o600)
    settings.touch(mode=0o600)
    settings.write_text(_DAVFS.format(locks=int(locks), cache=cache, secrets=secrets))
    return settings


def _unmount_davfs(mountpoint: Path) -> None:
    """Unmount, and wait for the process behind the mount: it uploads what it still has."""
    pid = Path("/run/mount.davfs") / (str(mountpoint).strip("/").replace("/", "-") + ".pid")
    process = Path("/proc") / pid.read_text().strip()
    run(["umount", "-i", mountpoint])
    wait_until(lambda: not process.exists(), "davfs2 ends")


@contextmanager
def rclone_mount(url: str, folder: Path) -> Iterator[Client]:
    """Mount with rclone, which uploads at once and remembers nothing about folders."""
    mountpoint = folder / "mnt"
    mountpoint.mkdir()
    remote: list[str | Path] = [
        "drive:",
        mountpoint,
        "--config",
        rclone_settings(url, folder),
        "--cache-dir",
        folder / "cache",
    ]
    caching = ["--vfs-cache-mode", "writes", "--vfs-write-back", "0s", "--dir-cache-time", "0s", "--attr-timeout", "0s"]
    tries = ["--retries", "1", "--low-level-retries", "2"]
    with running(["rclone", "mount", *remote, *caching, *tries], folder / "rclone.log"):
        wait_until(mountpoint.is_mount, "rclone mounts")
        try:
            yield Mounted(mountpoint)
        finally:
            run(["fusermount3", "-u", mountpoint])
