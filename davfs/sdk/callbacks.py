"""The six WebDAV callbacks, attached to their C side.

`crossing` owns every way from C into Python. Nothing else in this package is called by the core.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from _davfs_sdk import ffi, lib

from davfs.entry import Content, Entry, Path, read_all
from davfs.sdk.core import ErrorCode
from davfs.sdk.listings import Listing, Packed, PackedListings, date, mime, pack_files

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What the request filter noted of the request.

    Attributes:
        user: Name of HTTP Basic, empty for none.
        depth: The Depth header, 0 or 1; -1 for another value; None where none came, so it is no PROPFIND.
    """

    user: str
    depth: int | None


class WebDavCollection(Protocol):
    """What answers the callbacks. Paths come as the core decoded them, bytes that are no UTF-8 as lone surrogates.

    Any exception may leave these methods: `error_code` turns it into what the core understands.
    """

    def is_folder(self, path: Path, request: Request) -> bool:
        """Tell whether the path is a folder; False also where nothing is there."""

    def list_folder(self, path: Path, request: Request) -> Sequence[Entry] | None:
        """Return the entries of a folder, in any order; None where there is none. They are not changed any more."""

    def read_file(self, path: Path, request: Request) -> Content | Entry | None:
        """Return a file's content; its entry alone where only its size is asked for; None where there is no file."""

    def write_file(self, path: Path, request: Request, content: memoryview) -> bool:
        """Store a file; False where that is forbidden. The content lives as long as the call."""

    def make_folder(self, path: Path, request: Request) -> bool:
        """Make a folder; False where that is forbidden."""

    def delete_item(self, path: Path, request: Request) -> bool:
        """Delete a file or folder; False where that is forbidden."""

    def error_code(self, error: Exception) -> ErrorCode | None:
        """Return the core's code for an expected error, None for one that should not have happened."""


class _Answering:
    """The door that answers, set before the first callback, and what is kept of its listings."""

    door: WebDavCollection
    packed = PackedListings()


def serve(door: WebDavCollection) -> None:
    """Let a door answer the callbacks, registered by native/door.c, opened when `davfs.running.plugin.start` ends."""
    _Answering.door = door


def _log_unexpected(name: str, error: BaseException) -> None:
    """Log where an exception came from; its message stays out, it may hold a path or a tag."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
    _log.error("%s failed: %s in %s", name, type(error).__name__, where or "cffi")


def crossing(callback: Callable[..., None]) -> Callable[..., None]:
    """Attach a function as the C callback of its name.

    The function gets the decoded path and the filter's note, then the C arguments behind the path, and answers through
    those. What it raises becomes a code by the door's table; what the table does not know is logged and becomes
    ``Plugin`` (500).
    """
    name = callback.__name__.lstrip("_")

    def crossed(depth: int, items: Any, *arguments: Any) -> int:
        try:
            note = lib.davfs_take_request()
            request = Request(ffi.string(note.user).decode("utf-8", "replace"), note.depth if note.has_depth else None)
            path = tuple(ffi.string(items[i]).decode("utf-8", "surrogateescape") for i in range(depth))
            callback(path, request, *arguments)
        except Exception as error:  # noqa: BLE001  nothing may unwind into C
            return _refusal(name, error)
        return int(ErrorCode.Success)

    def last_resort(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ARG001  cffi's form
        _log_unexpected(name, error)

    ffi.def_extern(name=f"davfs_{name}", error=int(ErrorCode.Plugin), onerror=last_resort)(crossed)
    return callback


def _refusal(name: str, error: Exception) -> int:
    code = _Answering.door.error_code(error)
    if code is None:
        _log_unexpected(name, error)
        return int(ErrorCode.Plugin)
    return int(code)


@crossing
def _is_folder(path: Path, request: Request, exists: Any) -> None:
    """Answer the first callback of a PROPFIND; with depth 1, what is in a folder is what the second one asks for."""
    listing = _listed(path, request) if request.depth == 1 else None
    if listing is not None:
        rows = _packed(listing).rows
        lib.davfs_hand_over(rows, len(rows))
    exists[0] = int(listing is not None or _Answering.door.is_folder(path, request))


def _listed(path: Path, request: Request) -> Listing | None:
    since = lib.davfs_recent_generation()
    entries = _Answering.door.list_folder(path, request)
    return None if entries is None else Listing(path, since, entries)


@crossing
def _list_folder(  # noqa: PLR0913, PLR0917  the core's signature
    path: Path, request: Request, exists: Any, collection: Any, add_file: Any, add_folder: Any
) -> None:
    """Answer the second callback of a PROPFIND, where nothing was handed over by the first one."""
    listing = _listed(path, request)
    if listing is None:
        return
    rows = _packed(listing).rows
    lib.davfs_add_entries(collection, add_file, add_folder, rows, len(rows))
    exists[0] = 1


def _packed(listing: Listing) -> Packed:
    """Return a listing's entries, packed; native/recent.c knows its files from then on."""
    packed = _Answering.packed.of(listing)
    if packed.remembered != listing.since:
        _remember(listing.since, listing.path, packed.files)
        packed.remembered = listing.since
    return packed


@crossing
def _read_file(path: Path, request: Request, collection: Any, retrieve: Any) -> None:
    since = lib.davfs_recent_generation()
    found = _Answering.door.read_file(path, request)
    if isinstance(found, Entry):
        kind, moment = mime(found).encode(), date(found.modified).encode()
        _check(lib.davfs_send_zeros(collection, retrieve, found.size, kind, moment))
    elif found is not None:
        with found as content:
            _send(content, collection, retrieve)
            _remember(since, path[:-1], pack_files([replace(content.entry, name=path[-1])]))


def _send(content: Content, collection: Any, retrieve: Any) -> None:
    """Hand the whole content to the core: without a copy in Python where it is one buffer."""
    data = read_all(content)
    kind, moment = mime(content.entry).encode(), date(content.entry.modified).encode()
    with ffi.from_buffer(data) as pointer:  # see davfs.sdk.core.post
        _check(lib.davfs_send(collection, retrieve, pointer, len(data), kind, moment))


def _remember(since: int, folder: Path, files: bytes) -> None:
    """Let native/recent.c answer the next GET of these files of a folder (`pack_files`)."""
    if files:
        joined = "".join(f"{segment}/" for segment in folder).encode("utf-8", "surrogateescape")
        lib.davfs_remember_recent(since, joined, files, len(files))


def forget_recent() -> None:
    """Let Python answer every GET anew; to be called after each change of what paths lead to."""
    lib.davfs_forget_recent()


@crossing
def _write_file(path: Path, request: Request, done: Any, data: Any, size: int) -> None:
    content = memoryview(ffi.buffer(data, size)) if size else memoryview(b"")
    done[0] = int(_Answering.door.write_file(path, request, content))


@crossing
def _make_folder(path: Path, request: Request, done: Any) -> None:
    done[0] = int(_Answering.door.make_folder(path, request))


@crossing
def _delete_item(path: Path, request: Request, done: Any) -> None:
    done[0] = int(_Answering.door.delete_item(path, request))


def _check(code: int) -> None:
    if code != ErrorCode.Success:
        raise RuntimeError(f"Orthanc refused the content of a file: error {code}")
