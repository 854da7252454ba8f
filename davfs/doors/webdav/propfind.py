"""PROPFIND of live properties, past WsgiDAV, which makes objects and a tree of elements for each property.

Whatever needs WsgiDAV goes on to it: infinite depth, properties that clients have set, and what is locked.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from xml.etree.ElementTree import Element

from wsgidav.mw.base_mw import BaseMiddleware
from wsgidav.util import send_status_response

from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ, context_of
from davfs.doors.webdav.messages import root_of
from davfs.doors.webdav.multistatus import DAV, LIVE, Mode, Shown, Wanted, multistatus
from davfs.doors.webdav.refusals import Refusal, refusal
from davfs.entry import Entry, Path
from davfs.errors import DavfsError
from davfs.filesystem.drive import Drive

_KEPT = 20_000
"""Entries up to which an answer, about 10 MB, is kept in memory; a longer one is made twice, first for its length."""
_NAMES = 20_000
"""Names whose form in a URL is kept, for the next listing; about 5 MB."""
_DEPTHS = ("0", "1")
_BODY_MODES = {DAV + mode.value: mode for mode in Mode}

Start = Callable[..., Any]


class Propfind(BaseMiddleware):
    """Answers PROPFIND of live properties with depth 0 and 1; a middleware of WsgiDAV."""

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request, or let the next application do so."""
        if environ["REQUEST_METHOD"] != "PROPFIND" or "HTTP_IF" in environ:
            return self._passed_on(environ, start_response)
        try:
            wanted = asked(root_of(environ))
            path = paths.segments(environ["PATH_INFO"])
            if environ.get("HTTP_DEPTH") not in _DEPTHS or self._needs_more(environ, path, wanted):
                return self._passed_on(environ, start_response)
            found = self._found(path, deep=environ["HTTP_DEPTH"] == "1")
        except Refusal as error:
            return _refused(environ, start_response, error)
        except DavfsError as error:
            return _refused(environ, start_response, refusal(error))
        return _answer(start_response, wanted, found)

    def _passed_on(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        answer: Iterable[bytes] = self.next_app(environ, start_response)
        return answer

    def _needs_more(self, environ: Environ, path: Path, wanted: Wanted) -> bool:
        """Tell whether what is shown may be locked, or have properties that clients have set."""
        drive = context_of(self.config).drive
        if path and not drive.takes_files(path[:1]):
            return False
        provider = environ["wsgidav.provider"]
        if wanted.mode is Mode.ALL or f"{DAV}lockdiscovery" in wanted.names:
            storage = provider.lock_manager.storage
            if storage.any and storage.near(provider.ref_url(path, folder=False)):
                return True
        if wanted.mode is Mode.NAMED and LIVE.issuperset(wanted.names):
            return False
        return bool(provider.prop_manager.any_below(paths.quoted(path, folder=False)))

    def _found(self, path: Path, *, deep: bool) -> list[Shown]:
        drive = context_of(self.config).drive
        own = drive.stat(path)
        listed = list(drive.list(path)) if deep and own.is_folder else []
        places = _Places(drive, path)
        return [places.own(own), *map(places.below, listed)]


class _Places:
    """What depends on the place of an entry, asked as seldom as possible.

    Args:
        drive: The drive.
        path: The resource that was asked for.
    """

    def __init__(self, drive: Drive, path: Path) -> None:
        self._drive = drive
        self._path = path
        self._alike = bool(path) and not drive.takes_files(path[:1])
        self._takes_files = drive.takes_files(path)
        self._room = drive.room(path)
        self._href = paths.quoted(path, folder=True)

    def own(self, entry: Entry) -> Shown:
        """Show the resource that was asked for."""
        folder = self._path if entry.is_folder else self._path[:-1]
        href = paths.quoted(self._path, folder=entry.is_folder)
        return Shown(href, entry, self._drive.takes_files(folder), self._room)

    def below(self, entry: Entry) -> Shown:
        """Show an entry of it."""
        href = self._href + _in_url(entry.name, folder=entry.is_folder)
        if not entry.is_folder:
            return Shown(href, entry, self._takes_files, self._room)
        if self._alike:
            return Shown(href, entry, lockable=False, room=self._room)
        path = (*self._path, entry.name)
        return Shown(href, entry, self._drive.takes_files(path), self._drive.room(path))


@lru_cache(maxsize=_NAMES)
def _in_url(name: str, *, folder: bool) -> str:
    return paths.quoted((name,), folder=folder)[1:]


def asked(root: Element | None) -> Wanted:
    """Return what a PROPFIND asks for.

    Args:
        root: Its body; None, for no body at all, stands for all properties (RFC 4918 §9.1).

    Raises:
        Refusal: It is something else.
    """
    if root is None:
        return Wanted(Mode.ALL)
    modes = [child for child in root if child.tag in _BODY_MODES]
    if root.tag != f"{DAV}propfind" or len(modes) != 1:
        raise Refusal(HTTPStatus.BAD_REQUEST, "The body has to be a propfind element with allprop, propname or prop.")
    mode = _BODY_MODES[modes[0].tag]
    source = {Mode.NAMED: modes[0], Mode.ALL: root.find(f"{DAV}include")}.get(mode)
    names = () if source is None else tuple(dict.fromkeys(child.tag for child in source))
    return Wanted(mode, names)


def _refused(environ: Environ, start_response: Start, error: Refusal) -> Iterable[bytes]:
    answer: Iterable[bytes] = send_status_response(environ, start_response, error)
    return answer


def _answer(start_response: Start, wanted: Wanted, found: list[Shown]) -> Iterable[bytes]:
    if len(found) <= _KEPT:
        body: Iterable[bytes] = [b"".join(multistatus(wanted, found))]
        length = sum(map(len, body))
    else:
        length = sum(map(len, multistatus(wanted, found)))
        body = multistatus(wanted, found)
    headers = [("Content-Type", "application/xml; charset=utf-8"), ("Content-Length", str(length))]
    start_response("207 Multi-Status", headers)
    return body
