"""Where a drive beside Orthanc keeps its own files, and that it keeps them alone."""

import fcntl
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from davfs.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}


def folder_of(url: str, environment: Mapping[str, str]) -> Path:
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
def claimed(*paths: Path) -> Iterator[None]:
    """Keep other drives away from these files and folders, until the end of the context or of the process.

    Args:
        paths: Each gets a lock file beside it, which stays.

    Raises:
        ConfigurationError: Another process has one of them, or there cannot be a lock file.
    """
    with ExitStack() as held:
        for path in paths:
            lock = path.with_name(f"{path.name}.lock")
            try:
                file = held.enter_context(lock.open("w"))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ConfigurationError(f"'{path}' is in use: another drive runs with it") from error
            except OSError as error:
                raise ConfigurationError(f"'{lock}' cannot be made: {error.strerror}") from error
        yield
