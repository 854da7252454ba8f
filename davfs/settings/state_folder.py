"""Where a drive keeps its own files, and that it keeps them alone."""

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
    """Return the folder for what belongs to one Orthanc: two servers never share one.

    Args:
        url: Orthanc's address.
        environment: Names the folder above: systemd's ``STATE_DIRECTORY``, or else ``XDG_STATE_HOME``.

    Source: systemd.exec(5), ``StateDirectory=``; XDG Base Directory Specification 0.8.
    """
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme]
    exact = f"{parts.scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"
    readable = re.sub(r"[^a-z0-9.-]", "_", f"{parts.hostname}-{port}")
    return _above(environment) / f"{readable}-{hashlib.sha256(exact.encode()).hexdigest()[:8]}"


def _above(environment: Mapping[str, str]) -> Path:
    if given := environment.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = Path(environment.get("XDG_STATE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".local" / "state") / "davfs"


@contextmanager
def locked(spool: Path, catalog: Path) -> Iterator[None]:
    """Keep other drives away from a spool and a catalog, until the end of the context or of the process.

    Each has a lock file, which stays: in the spool, and beside the catalog. So it is the same one by whichever path the
    two are reached, symbolic links and mounts included; and it is free again when its owner has crashed.

    Args:
        spool: The folder; it exists.
        catalog: The file; its folder exists.

    Raises:
        ConfigurationError: Another drive has one of them, or there cannot be a lock file.
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
    """Open a lock file, write into it who has it, and return its descriptor."""
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
