"""The searches that people have saved: in a JSON file, which outlives the process and may be shared by several."""

import fcntl
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from davfs import names
from davfs.errors import AlreadyExists, NoSpace, NotFound
from davfs.private import make_private

MOST = 1000
"""Searches that are kept; a listing reads them all."""
MOST_OF_ONE_USER = 200
"""Searches that one user has saved; those without a name are one."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Saved:
    """A search that was saved.

    Attributes:
        made: When, in seconds since 1970.
        user: By whom; empty for somebody without a name.
    """

    made: float
    user: str


class Searches:
    """Names of searches, each with the time of its creation and its user; unique without case.

    Args:
        file: Where they are kept; its folder exists.
        now: Clock, in seconds since 1970.
    """

    def __init__(self, file: Path, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now
        self._changing = threading.Lock()
        self._read: tuple[tuple[int, int, int], dict[str, Saved]] | None = None

    def all(self) -> Mapping[str, datetime]:
        """Return the names as they were given, and when (UTC)."""
        return {name: datetime.fromtimestamp(saved.made, UTC) for name, saved in self._known().items()}

    def add(self, name: str, user: str, *, replace: bool = False) -> None:
        """Keep a name; it lasts when this returns.

        Args:
            name: The name.
            user: Whose it is.
            replace: Whether one gives way that differs in case at most.

        Raises:
            AlreadyExists: There is one, and it must not be replaced.
            NoSpace: There are too many, or too many of this user.
        """
        with self._changed() as known:
            _put(known, name, Saved(self._now(), user), replace=replace)

    def rename(self, name: str, other: str, *, replace: bool) -> None:
        """Give a search another name.

        Raises:
            NotFound: There is no such search.
            AlreadyExists: The other name is taken, and must not be replaced.
        """
        with self._changed() as known:
            saved = _take(known, name)
            _put(known, other, Saved(self._now(), saved.user), replace=replace)

    def forget(self, name: str) -> None:
        """Drop a name.

        Raises:
            NotFound: There is no such search.
        """
        with self._changed() as known:
            _take(known, name)

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Saved]]:
        """Lend what is kept, and keep what has become of it; other processes wait meanwhile."""
        with self._changing, self._file.with_name(f"{self._file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = dict(self._known())
            yield known
            written = self._file.with_name(f"{self._file.name}.new")
            make_private(written)
            with written.open("w", encoding="ascii") as new:
                json.dump({name: asdict(saved) for name, saved in known.items()}, new, indent=1)
                new.flush()
                os.fsync(new.fileno())
            written.replace(self._file)
            _synchronise(self._file.parent)

    def _known(self) -> dict[str, Saved]:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return {}
        version = (status.st_ino, status.st_mtime_ns, status.st_size)
        read = self._read
        if read is None or read[0] != version:
            read = self._read = (version, _parsed(self._file))
        return read[1]


def _put(known: dict[str, Saved], name: str, saved: Saved, *, replace: bool) -> None:
    same = [one for one in known if names.folded(one) == names.folded(name)]
    if same and not replace:
        raise AlreadyExists((name,), "this search is saved already")
    for one in same:
        del known[one]
    if len(known) >= MOST:
        raise NoSpace((name,), f"{MOST} searches are saved already: delete some that nobody needs")
    if sum(other.user == saved.user for other in known.values()) >= MOST_OF_ONE_USER:
        raise NoSpace((name,), f"you have saved {MOST_OF_ONE_USER} searches already: delete some that you do not need")
    known[name] = saved


def _take(known: dict[str, Saved], name: str) -> Saved:
    if name not in known:
        raise NotFound((name,), "this search is not saved")
    return known.pop(name)


def _parsed(file: Path) -> dict[str, Saved]:
    try:
        content = json.loads(file.read_bytes())
        known = {str(name): Saved(float(one["made"]), str(one["user"])) for name, one in content.items()}
        _ = [datetime.fromtimestamp(saved.made, UTC) for saved in known.values()]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError) as error:
        _log.warning("the saved searches in %s cannot be read, and are left out: %s", file.name, type(error).__name__)
        return {}
    return known


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
