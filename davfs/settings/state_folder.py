"""Finds the folder of a drive's own files, and locks them against other drives."""

import fcntl
import hashlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from davfs.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}
_LONGEST_OWNER = 400


def state_folder(url: str, environment: Mapping[str, str]) -> Path:
    """Return the default folder for the spool and the catalog of one Orthanc; each Orthanc has its own.

    Args:
        url: Orthanc's URL.
        environment: Names the parent folder: systemd's ``STATE_DIRECTORY``, or else ``XDG_STATE_HOME``.

    Source: systemd.exec(5), ``StateDirectory=``; XDG Base Directory Specification 0.8.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    exact = f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"
    readable = re.sub(r"[^a-z0-9.-]", "_", f"{parts.hostname}-{port}")
    return _parent(environment) / f"{readable}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"


def _parent(environment: Mapping[str, str]) -> Path:
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = Path(environment.get("XDG_STATE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".local" / "state") / "davfs"


@contextmanager
def locked(spool: Path, catalog: Path) -> Iterator[None]:
    """Lock a spool and a catalog against other drives, until the end of the context or of the process.

    Each has a lock file: in the spool, and beside the catalog. So symbolic links and mounts lead to the same lock. The
    files stay, but the locks end with their process, also if it crashes.

    Args:
        spool: An existing folder.
        catalog: A file in an existing folder.

    Raises:
        ConfigurationError: Another drive uses one of them, or a lock file cannot be made.
    """
    file = catalog.resolve()
    if file.is_file() and file.stat().st_nlink > 1:
        raise ConfigurationError(f"Davfs.Catalog is '{catalog}', which has other names too (hard links): remove those")
    with ExitStack() as held:
        for key, path, lock in (
            ("Davfs.Spool", spool, spool / ".lock"),
            ("Davfs.Catalog", catalog, file.with_name(f"{file.name}.lock")),
        ):
            held.callback(os.close, _locked(key, path, lock))
        yield


def _locked(key: str, path: Path, lock: Path) -> int:
    """Lock a file, write its owner into it, and return its descriptor."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigurationError(f"{key}: the lock file '{lock}' cannot be made: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, _this_process().encode())
    except OSError as error:
        owner = os.pread(descriptor, _LONGEST_OWNER, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise ConfigurationError(f"{key} is '{path}', which another drive uses: {owner or 'unknown'}") from error
        raise ConfigurationError(f"{key}: the lock file '{lock}' cannot be used: {error.strerror}") from error
    return descriptor


def _this_process() -> str:
    name = Path("/proc/self/comm")
    program = name.read_text().strip() if name.exists() else "davfs"
    return f"{program}, process {os.getpid()} on {socket.gethostname()}"
