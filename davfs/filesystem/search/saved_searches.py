"""Keeps the searches that users have saved, in a JSON file that processes can share, or in the database of nodes."""

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
from davfs.shared.database import SharedDatabase

MOST = 1000
"""Searches that can be saved; each listing of search/ reads all of them."""
MOST_OF_ONE_USER = 200
"""Searches that one user can save; users without a name count as one."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A saved search; the file has a member for each attribute.

    Attributes:
        made: When it was saved, in seconds since 1970.
        user: Name of the user who saved it; may be empty.
    """

    made: float
    user: str


class SavedSearches:
    """The saved searches by their names, which are unique without case.

    Args:
        file: The JSON file; its folder exists.
        now: Clock, in seconds since 1970.
    """

    def __init__(self, file: Path, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now
        self._changing = threading.Lock()
        self._read: tuple[tuple[int, int, int], dict[str, SavedSearch]] | None = None

    def all(self) -> Mapping[str, datetime]:
        """Return the names, and when each search was saved (UTC)."""
        return {name: datetime.fromtimestamp(saved.made, UTC) for name, saved in self._load().items()}

    def add(self, name: str, user: str, *, replace: bool = False) -> None:
        """Save a search for a user; it is on the disk when this returns.

        With ``replace``, it replaces searches whose names differ in case only.

        Raises:
            AlreadyExists: The name is taken, and must not be replaced.
            NoSpace: Too many searches are saved, in all or by this user.
        """
        with self._changed() as known:
            _insert(known, name, SavedSearch(self._now(), user), replace=replace)

    def rename(self, name: str, other: str, *, replace: bool) -> None:
        """Rename a search.

        Raises:
            NotFound: It is not saved.
            AlreadyExists: The other name is taken, and must not be replaced.
        """
        with self._changed() as known:
            saved = _pop(known, name)
            _insert(known, other, SavedSearch(self._now(), saved.user), replace=replace)

    def remove(self, name: str) -> None:
        """Remove a search.

        Raises:
            NotFound: It is not saved.
        """
        with self._changed() as known:
            _pop(known, name)

    @contextmanager
    def _changed(self) -> Iterator[dict[str, SavedSearch]]:
        """Yield the saved searches to be changed, and write them on exit; other processes wait meanwhile."""
        with self._changing, self._file.with_name(f"{self._file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = dict(self._load())
            yield known
            written = self._file.with_name(f"{self._file.name}.new")
            make_private(written)
            with written.open("w", encoding="ascii") as new:
                new.write(_text(known))
                new.flush()
                os.fsync(new.fileno())
            written.replace(self._file)
            _sync_folder(self._file.parent)

    def _load(self) -> dict[str, SavedSearch]:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return {}
        version = (status.st_ino, status.st_mtime_ns, status.st_size)
        read = self._read
        if read is None or read[0] != version:
            read = self._read = (version, _parsed(self._file.read_bytes))
        return read[1]


class SharedSearches(SavedSearches):
    """The saved searches of several nodes, in their database.

    Args:
        database: Has them.
        now: Clock, in seconds since 1970.
    """

    def __init__(self, database: SharedDatabase, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    @contextmanager
    def _changed(self) -> Iterator[dict[str, SavedSearch]]:
        with self._database.names_locked() as session:
            (saved,) = session.execute("SELECT saved FROM davfs_searches").first
            known = _parsed(lambda: saved)
            yield known
            session.execute("UPDATE davfs_searches SET saved = %(saved)s", {"saved": _text(known)})

    def _load(self) -> dict[str, SavedSearch]:
        ((saved,),) = self._database.rows("SELECT saved FROM davfs_searches", {})
        return _parsed(lambda: saved)


def _insert(known: dict[str, SavedSearch], name: str, saved: SavedSearch, *, replace: bool) -> None:
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


def _pop(known: dict[str, SavedSearch], name: str) -> SavedSearch:
    if name not in known:
        raise NotFound((name,), "this search is not saved")
    return known.pop(name)


def _text(known: Mapping[str, SavedSearch]) -> str:
    return json.dumps({name: asdict(saved) for name, saved in known.items()}, indent=1)


def _parsed(read: Callable[[], bytes | str]) -> dict[str, SavedSearch]:
    try:
        content = json.loads(read())
        known = {str(name): SavedSearch(float(one["made"]), str(one["user"])) for name, one in content.items()}
        _ = [datetime.fromtimestamp(saved.made, UTC) for saved in known.values()]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError) as error:
        _log.warning("the saved searches cannot be read, and are left out: %s", type(error).__name__)
        return {}
    return known


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
