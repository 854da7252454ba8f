"""PROPFIND, in place of WsgiDAV, which makes objects and a tree of elements for each property of each resource."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav import lock_storage, paths
from davfs.doors.webdav.body_buffer import body_xml
from davfs.doors.webdav.context import Environ, context_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.multistatus import DAV, LIVE, Mode, Shown, Wanted, multistatus
from davfs.doors.webdav.resources import check_conditions
from davfs.entry import Entry, Path
from davfs.errors import NotFound
from davfs.filesystem.drive import Drive

LARGEST_ANSWER = 10_000
"""Entries that infinite depth shows at most."""
MOST_NAMES = 100
LONGEST_NAMES = 4096
"""Characters of all names together: each that a resource lacks is repeated for it (RFC 4918 §9.1)."""
_DEAD = 16 * 1024 * 1024
"""Characters of dead properties in one answer; the rest is shown without, rather than that nobody sees the folder."""
_KEPT = 16 * 1024 * 1024
"""Bytes up to which an answer is kept in memory; a longer one is made twice, first for its length."""
_NAMES = 20_000
"""Names whose form in a URL is kept, for the next listing; about 5 MB."""
_BODY_MODES = {DAV + mode.value: mode for mode in Mode}

Start = Callable[..., Any]


class Propfind(BaseMiddleware):
    """Answers PROPFIND (RFC 4918 §9.1); a middleware of WsgiDAV."""

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request, or let the next application do so."""
        if environ["REQUEST_METHOD"] != "PROPFIND":
            passed_on: Iterable[bytes] = self.next_app(environ, start_response)
            return passed_on
        wanted = asked(body_xml(environ))
        found = self._found(environ, _depth(environ), wanted)
        return _answer(start_response, wanted, found)

    def _found(self, environ: Environ, depth: str, wanted: Wanted) -> list[Shown]:
        drive, provider = context_of(self.config).drive, environ["wsgidav.provider"]
        path = paths.segments(environ["PATH_INFO"])
        own = drive.stat(path)
        if "HTTP_IF" in environ:
            check_conditions(provider, environ)
        left = _Left(provider, path, wanted)
        places = _Places(drive, path)
        found = [left.at(places.own(own), inherited=True)]
        if own.is_folder and depth != "0":
            below = places.all() if depth == "1" else _deep(drive, path)
            found += map(left.at, below) if left.anything else below
        return found


def _deep(drive: Drive, path: Path) -> Iterator[Shown]:
    """Yield all that is below a folder, each folder before what is in it.

    Raises:
        HttpError: It is more than `LARGEST_ANSWER`.
    """
    count, waiting = 0, [path]
    while waiting:
        folder = waiting.pop()
        with suppress(NotFound):  # unless it is the first, it can have gone since it was listed
            for shown in _Places(drive, folder).all():
                count += 1
                if count >= LARGEST_ANSWER:
                    raise _too_much()
                if shown.entry.is_folder:
                    waiting.append((*folder, shown.entry.name))
                yield shown


class _Places:
    """What depends on the place of an entry, asked as seldom as possible.

    Args:
        drive: The drive.
        path: A folder, or the file that was asked for.
    """

    def __init__(self, drive: Drive, path: Path) -> None:
        self._drive = drive
        self._path = path
        self._alike = bool(path) and not drive.takes_files(path[:1])
        self._takes_files = drive.takes_files(path)
        self._quota = drive.quota(path)
        self._href = paths.quoted(path, folder=True)

    def own(self, entry: Entry) -> Shown:
        """Show the resource itself."""
        folder = self._path if entry.is_folder else self._path[:-1]
        href = paths.quoted(self._path, folder=entry.is_folder)
        return Shown(href, entry, self._drive.takes_files(folder), self._quota)

    def all(self) -> Iterator[Shown]:
        """Show what is in the folder."""
        return map(self._below, self._drive.list(self._path))

    def _below(self, entry: Entry) -> Shown:
        href = self._href + _in_url(entry.name, folder=entry.is_folder)
        if not entry.is_folder:
            return Shown(href, entry, self._takes_files, self._quota)
        if self._alike:
            return Shown(href, entry, lockable=False, quota=self._quota)
        path = (*self._path, entry.name)
        return Shown(href, entry, self._drive.takes_files(path), self._drive.quota(path))


class _Left:
    """What clients have left at resources, locks and dead properties, asked for only where there can be any.

    Args:
        provider: Has both.
        path: The resource that was asked for.
        wanted: The properties that were asked for.
    """

    def __init__(self, provider: Any, path: Path, wanted: Wanted) -> None:
        takes_files = not path or provider.drive.takes_files(path[:1])
        of_locks = wanted.mode is Mode.ALL or f"{DAV}lockdiscovery" in wanted.names
        self._names = set(wanted.names) - LIVE if wanted.mode is Mode.NAMED else None
        manager, properties = provider.lock_manager, provider.prop_manager
        self._locks = manager if takes_files and of_locks and manager.storage.any else None
        any_dead = takes_files and self._names != set() and properties.any_below(paths.quoted(path, folder=False))
        self._properties = properties if any_dead else None
        self._left = _DEAD

    @property
    def anything(self) -> bool:
        """Whether there can be any of it."""
        return bool(self._locks or self._properties)

    def at(self, shown: Shown, *, inherited: bool = False) -> Shown:
        """Return a resource with what was left at it, and with ``inherited`` with the locks on folders that hold it."""
        if self._locks:
            found = self._locks.get_indirect_url_lock_list if inherited else self._locks.get_url_lock_list
            shown = shown._replace(locks=lock_storage.discovered(found(shown.href), shown.href))
        if self._properties and self._left > 0:
            dead = self._properties.all_of(shown.href)
            kept = {name: value for name, value in dead.items() if self._names is None or name in self._names}
            self._left -= sum(map(len, kept.values()))
            shown = shown._replace(dead=tuple(kept.items()))
        return shown


@lru_cache(maxsize=_NAMES)
def _in_url(name: str, *, folder: bool) -> str:
    return paths.quoted((name,), folder=folder)[1:]


def asked(root: Element | None) -> Wanted:
    """Return what a PROPFIND asks for.

    Args:
        root: Its body; None, for no body at all, stands for all properties (RFC 4918 §9.1).

    Raises:
        HttpError: It is something else, or names too much.
    """
    if root is None:
        return Wanted(Mode.ALL)
    modes = [child for child in root if child.tag in _BODY_MODES]
    if root.tag != f"{DAV}propfind" or len(modes) != 1:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body has to be a propfind element with allprop, propname or prop.")
    mode = _BODY_MODES[modes[0].tag]
    source = {Mode.NAMED: modes[0], Mode.ALL: root.find(f"{DAV}include")}.get(mode)
    names = () if source is None else tuple(dict.fromkeys(child.tag for child in source))
    if len(names) > MOST_NAMES or sum(map(len, names)) > LONGEST_NAMES:
        reason = f"A request names at most {MOST_NAMES} properties, with {LONGEST_NAMES} characters in all."
        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
    return Wanted(mode, names)


def _depth(environ: Environ) -> str:
    depth = str(environ.get("HTTP_DEPTH", "infinity")).lower()
    if depth not in ("0", "1", "infinity"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Depth is neither 0, 1 nor infinity.")
    return depth


def _too_much() -> HttpError:
    """Return the refusal of RFC 4918 §9.1.1."""
    reason = "There is too much below this folder for one answer."
    return HttpError(HTTPStatus.FORBIDDEN, reason, condition="{DAV:}propfind-finite-depth")


def _answer(start_response: Start, wanted: Wanted, found: list[Shown]) -> Iterable[bytes]:
    kept: list[bytes] = []
    length = 0
    for block in multistatus(wanted, found):
        length += len(block)
        if length <= _KEPT:
            kept.append(block)
    headers = [("Content-Type", "application/xml; charset=utf-8"), ("Content-Length", str(length))]
    start_response("207 Multi-Status", headers)
    return kept if length <= _KEPT else multistatus(wanted, found)
