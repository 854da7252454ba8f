"""PROPFIND, in place of WsgiDAV's, which makes objects and a tree of elements for each property of each resource."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from http import HTTPStatus
from itertools import chain, repeat
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.checksums import Checksums
from davfs.doors.access_report import wants_listing
from davfs.doors.webdav import lock_storage, paths
from davfs.doors.webdav.body_buffer import body_xml
from davfs.doors.webdav.context import PROVIDER, Environ, StartResponse, access_of, path_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.multistatus import (
    CHECKSUMS,
    DAV,
    LIVE,
    ListedResource,
    PropfindMode,
    RequestedProperties,
    multistatus,
)
from davfs.doors.webdav.provider import DriveProvider
from davfs.doors.webdav.resources import is_lockable
from davfs.doors.webdav.responses import send_blocks
from davfs.entry import Entry, Path
from davfs.errors import NotFound, Unavailable
from davfs.filesystem.drive import Drive

LARGEST_RESPONSE = 10_000
"""Entries that infinite depth shows at most."""
MOST_NAMES = 100
LONGEST_NAMES = 4096
"""Characters of all names together: each that a resource lacks is repeated for it (RFC 4918 §9.1)."""
_DEAD = 16 * 1024 * 1024
"""Characters of dead properties in one response; further ones are left out, or nobody could list the folder."""
_BLOCK = 500
"""Entries whose names are escaped at once."""
_STATUS = f"{HTTPStatus.MULTI_STATUS.value} {HTTPStatus.MULTI_STATUS.phrase}"
_HEADERS = (("Content-Type", "application/xml; charset=utf-8"),)
_MODES = {DAV + mode.value: mode for mode in PropfindMode}


class Propfind(BaseMiddleware):
    """Answers PROPFIND (RFC 4918 §9.1)."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or pass it on."""
        if environ["REQUEST_METHOD"] != "PROPFIND":
            response: Iterable[bytes] = self.next_app(environ, start_response)
            return response
        requested = parse_propfind(body_xml(environ))
        found = _find(environ, _depth(environ), requested)
        return send_blocks(start_response, _STATUS, _HEADERS, multistatus(requested, found))


def parse_propfind(root: Element | None) -> RequestedProperties:
    """Parse the body of a PROPFIND; None, for no body at all, stands for all properties (RFC 4918 §9.1).

    Raises:
        HttpError: It is something else, or names too much.
    """
    if root is None:
        return RequestedProperties(PropfindMode.ALL)
    modes = [child for child in root if child.tag in _MODES]
    if root.tag != f"{DAV}propfind" or len(modes) != 1:
        raise HttpError(HTTPStatus.BAD_REQUEST, "The body has to be a propfind element with allprop, propname or prop.")
    mode = _MODES[modes[0].tag]
    source = {PropfindMode.NAMED: modes[0], PropfindMode.ALL: root.find(f"{DAV}include")}.get(mode)
    names = () if source is None else tuple(dict.fromkeys(child.tag for child in source))
    if len(names) > MOST_NAMES or sum(map(len, names)) > LONGEST_NAMES:
        reason = f"A request names at most {MOST_NAMES} properties, with {LONGEST_NAMES} characters in all."
        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
    return RequestedProperties(mode, names)


def _depth(environ: Environ) -> str:
    depth = str(environ.get("HTTP_DEPTH", "infinity")).lower()
    if depth not in ("0", "1", "infinity"):
        raise HttpError(HTTPStatus.BAD_REQUEST, "The header Depth is neither 0, 1 nor infinity.")
    return depth


def _find(environ: Environ, depth: str, requested: RequestedProperties) -> Iterable[ListedResource]:
    """Return the resources of the response. Errors are raised at once, before the response begins."""
    provider: DriveProvider = environ[PROVIDER]
    drive, path = provider.context.drive, path_of(environ)
    entries: Iterable[Entry] | None = None
    if depth == "1" and "HTTP_IF" not in environ:
        entry, entries = drive.browse(path)
    else:
        entry = drive.stat(path)
        if "HTTP_IF" in environ:
            provider.check_conditions(environ)
    client_data = _ClientData(provider, path, requested)
    with_checksums = CHECKSUMS in requested.names
    folder = _FolderLister(drive, path, with_checksums=with_checksums)
    itself = client_data.add(folder.itself(entry), inherited=True)
    if not entry.is_folder or depth == "0":
        return [itself]
    if wants_listing(provider.context.audit, path):
        entries = list(drive.list(path) if entries is None else entries)
        access_of(environ).listed(path, entry, entries)
    below: Iterable[ListedResource] = folder.entries(entries) if depth == "1" else _all_below(drive, path, requested)
    return chain([itself], list(map(client_data.add, below)) if client_data.exists else below)


def _all_below(drive: Drive, path: Path, requested: RequestedProperties) -> list[ListedResource]:
    return list(_descendants(drive, path, with_checksums=CHECKSUMS in requested.names))


def _descendants(drive: Drive, path: Path, *, with_checksums: bool) -> Iterator[ListedResource]:
    """Yield everything below a folder, each folder before what is in it.

    Raises:
        HttpError: It is more than `LARGEST_RESPONSE` (RFC 4918 §9.1.1).
    """
    count, folders = 0, [path]
    while folders:
        folder = folders.pop()
        with suppress(NotFound):  # unless it is the first, it can have gone since it was listed
            for resource in _FolderLister(drive, folder, with_checksums=with_checksums).entries():
                count += 1
                if count >= LARGEST_RESPONSE:
                    reason = "There is too much below this folder for one response."
                    raise HttpError(HTTPStatus.FORBIDDEN, reason, condition="{DAV:}propfind-finite-depth")
                if resource.entry.is_folder:
                    folders.append((*folder, resource.entry.name))
                yield resource


class _FolderLister:
    """Lists a folder; properties that depend on the folder alone are looked up once.

    Args:
        drive: The drive.
        path: A folder, or a file that is shown by itself.
        with_checksums: Whether to look up checksums.
    """

    def __init__(self, drive: Drive, path: Path, *, with_checksums: bool) -> None:
        self._with_checksums = with_checksums
        self._drive = drive
        self._path = path
        self._is_read_only = bool(path) and not drive.takes_files(path[:1])
        self._takes_files = drive.takes_files(path)
        self._quota = drive.quota(path)
        self._href = paths.quoted(path, folder=True)

    def itself(self, entry: Entry) -> ListedResource:
        """Return the resource at the path itself."""
        href = self._href if entry.is_folder or not self._path else self._href.removesuffix("/")
        sums = self._drive.checksums(self._path[:-1], [entry]) if self._with_checksums and self._path else {}
        return ListedResource(
            href, entry, is_lockable(self._drive, self._path, entry), self._quota, sums.get(entry.name)
        )

    def entries(self, listed: Iterable[Entry] | None = None) -> Iterator[ListedResource]:
        """Return the entries of the folder, which is listed now unless they are given."""
        return self._listed(list(self._drive.list(self._path) if listed is None else listed))

    def _listed(self, entries: Sequence[Entry]) -> Iterator[ListedResource]:
        for start in range(0, len(entries), _BLOCK):
            block = entries[start : start + _BLOCK]
            segments = paths.quoted_segments([entry.name for entry in block])
            hrefs = [
                f"{self._href}{segment}{'/' if entry.is_folder else ''}"
                for entry, segment in zip(block, segments, strict=True)
            ]
            found = self._drive.checksums(self._path, block) if self._with_checksums else {}
            sums = [found.get(entry.name) for entry in block] if found else repeat(None)
            if self._is_read_only:
                values = self._lockable(block), repeat(self._quota), sums, repeat(""), repeat(())
                yield from map(ListedResource._make, zip(hrefs, block, *values))  # noqa: B905  most do not end
            else:
                yield from map(self._changeable, hrefs, block, sums)

    def _lockable(self, entries: Sequence[Entry]) -> Iterable[bool]:
        """Return for each entry of a layout's folder if it can be locked; see `is_lockable`."""
        return [self._takes_files and not (each.is_folder or each.steady) for each in entries]

    def _changeable(self, href: str, entry: Entry, checksums: Checksums | None) -> ListedResource:
        if not entry.is_folder:
            return ListedResource(href, entry, self._takes_files, self._quota, checksums)
        path = (*self._path, entry.name)
        return ListedResource(href, entry, is_lockable(self._drive, path, entry), self._drive.quota(path))


def _has_locks(manager: Any, *, needed: bool) -> bool:
    """Return True if there is any lock; the archive is listed without them while their database is gone."""
    try:
        return bool(manager.storage.has_locks)
    except Unavailable:
        if needed:
            raise
        return False


class _ClientData:
    """Adds locks and dead properties to resources; looks them up only where there can be any.

    Args:
        provider: Has both.
        path: The resource of the request.
        requested: The properties of the request.
    """

    def __init__(self, provider: DriveProvider, path: Path, requested: RequestedProperties) -> None:
        drive, manager = provider.context.drive, provider.lock_manager
        in_inbox = not path or drive.takes_files(path[:1])
        takes_files = in_inbox or any(map(drive.takes_files, {path[:-1], path}))
        of_locks = requested.mode is PropfindMode.ALL or f"{DAV}lockdiscovery" in requested.names
        self._names = set(requested.names) - LIVE if requested.mode is PropfindMode.NAMED else None
        self._drive = drive
        self._locks = manager if takes_files and of_locks and _has_locks(manager, needed=in_inbox) else None
        area = self._drive.properties_area(path)
        any_dead = not path or (area is not None and area.properties().any_below(path[1:]))
        self._left = _DEAD if takes_files and self._names != set() and any_dead else 0

    @property
    def exists(self) -> bool:
        """True if there can be any of it."""
        return bool(self._locks or self._left)

    def add(self, resource: ListedResource, *, inherited: bool = False) -> ListedResource:
        """Return a resource with its locks and dead properties; ``inherited`` adds the locks on folders above."""
        if self._locks and (inherited or resource.lockable):
            find = self._locks.get_indirect_url_lock_list if inherited else self._locks.get_url_lock_list
            resource = resource._replace(locks=lock_storage.lockdiscovery(find(resource.href), resource.href))
        if self._left > 0:
            dead = tuple(self._dead_properties(paths.segments(unquote(resource.href))))
            self._left -= sum(len(value) for _, value in dead)
            resource = resource._replace(dead=dead)
        return resource

    def _dead_properties(self, path: Path) -> Iterator[tuple[str, str]]:
        area = self._drive.properties_area(path)
        for name, value in area.properties().all(path[1:]).items() if area else ():
            if self._names is None or name in self._names:
                yield name, value.decode()
