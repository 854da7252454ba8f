"""Attaches the six WebDAV callbacks to their C declarations.

The round trip of a request at Orthanc's own port:

1. Orthanc calls the request filter (native/request_filter.c), which starts the record of the request (native/request.c)
   with the user, the address, the user agent, and the Depth header.
2. On the same thread, Orthanc calls one of the six callbacks (native/webdav_callbacks.c), for PROPFIND two of them. C
   alone sends a file that was listed or read recently (native/recent_files.c), and the response to the second callback
   of a PROPFIND, if step 5 has left it in the record.
3. Otherwise a thread with an ordinary stack takes over (native/python_threads.c), and cffi calls a function of this
   module with the record.
4. `_crossing` decodes the path and calls the `WebDavCollection` (`davfs.doors.collection`). It asks the drive, which
   calls Orthanc's REST API through `davfs.sdk.core` (native/core.cc). cffi releases Python's lock around each call.
5. The response goes to C in one call: a whole listing as one packed buffer, a file as a pointer to Orthanc's memory. An
   exception becomes an error code; none leaves Python.
6. native/send.cc passes entries and bytes to Orthanc, which writes the HTTP response.
"""

import logging
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from _davfs_sdk import ffi, lib

from davfs.audit.record import Client, Door
from davfs.entry import Content, Entry, Path, read_all
from davfs.sdk.core import ErrorCode
from davfs.sdk.listings import ListingCache, core_date, core_media_type, pack_entries, pack_files

_log = logging.getLogger(__name__)


class WebDavCollection(Protocol):
    """Answers the callbacks. Paths come as Orthanc decoded them, bytes that are no UTF-8 as lone surrogates.

    The methods may raise any exception; `error_code` translates it for Orthanc.
    """

    def stat(self, path: Path) -> Entry | None:
        """Return the entry of a folder or file, None if there is none."""

    def check_size(self, path: Path, entry: Entry) -> None:
        """Raise an error if a file is too large for Orthanc to count its bytes."""

    def list_folder(self, path: Path, client: Client) -> Sequence[Entry] | None:
        """Return the entries of a folder, in any order, None if there is no such folder. They do not change later."""

    def read_file(self, path: Path, client: Client) -> Content | None:
        """Open a file; return None if there is none."""

    def write_file(self, path: Path, client: Client, content: memoryview) -> bool:
        """Store a file; return False if that is forbidden. The content is valid during the call."""

    def make_folder(self, path: Path, client: Client) -> bool:
        """Make a folder; return False if that is forbidden."""

    def delete_item(self, path: Path, client: Client) -> bool:
        """Delete a file or folder; return False if that is forbidden."""

    def error_code(self, error: Exception) -> ErrorCode | None:
        """Return Orthanc's code for an expected error, None for an unexpected one."""


class _Registered:
    """The collection that answers, set before the first callback, its packed listings, and see `refuse_recent`."""

    collection: WebDavCollection
    listings = ListingCache()
    refuse_recent = False


def register_collection(collection: WebDavCollection) -> None:
    """Answer the callbacks with a collection; native/plugin.c opens them after `davfs.running.plugin.start`."""
    _Registered.collection = collection


def _log_unexpected(name: str, error: BaseException) -> None:
    """Log where an exception came from, without its message, which may hold a path or a tag."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames))
    _log.error("%s failed: %s in %s", name, type(error).__name__, where or "cffi")


def _crossing(callback: Callable[[Path, Any], None]) -> Callable[[Path, Any], None]:
    """Attach a function as the C callback of its name.

    The function gets the decoded path and the ``davfs_request*``, and puts its result there. Its exceptions become
    error codes; one that the collection does not expect is logged and becomes ``Plugin`` (500).
    """
    name = callback.__name__.lstrip("_")

    def crossed(request: Any) -> int:
        try:
            segments = (ffi.string(request.path[i]) for i in range(request.segments))
            callback(tuple(segment.decode("utf-8", "surrogateescape") for segment in segments), request)
        except Exception as error:  # noqa: BLE001  nothing may unwind into C
            return _error_code(name, error)
        return int(ErrorCode.Success)

    def last_resort(kind: type[BaseException], error: BaseException, trace: Any) -> None:  # noqa: ARG001  cffi's form
        _log_unexpected(name, error)

    ffi.def_extern(name=f"davfs_{name}", error=int(ErrorCode.Plugin), onerror=last_resort)(crossed)
    return callback


def _error_code(name: str, error: Exception) -> int:
    code = _Registered.collection.error_code(error)
    if code is None:
        _log_unexpected(name, error)
        return int(ErrorCode.Plugin)
    return int(code)


def _client(request: Any) -> Client:
    user, address, agent = (
        ffi.string(field).decode("utf-8", "replace") for field in (request.user, request.address, request.agent)
    )
    return Client(user, address, Door.ORTHANC, "webdav", agent)


@_crossing
def _is_folder(path: Path, request: Any) -> None:
    """Answer the first callback of a PROPFIND, and keep the response to the second one in the record, where possible.

    Orthanc asks for a folder's entries next if the depth is 1, and for a file's content, of which it needs the size.
    """
    listing = _packed_listing(path, request) if request.has_depth and request.depth == 1 else None
    if listing is not None:
        lib.davfs_keep_response(request, True, ErrorCode.Success, listing, len(listing))  # noqa: FBT003  C's form
        request.result[0] = 1
        return
    entry = _Registered.collection.stat(path)
    if entry is not None and entry.is_folder:
        request.result[0] = 1
    elif entry is not None and request.has_depth:
        _keep_file_size(path, entry, request)


def _keep_file_size(path: Path, entry: Entry, request: Any) -> None:
    code, packed = int(ErrorCode.Success), pack_entries([entry])
    try:
        _Registered.collection.check_size(path, entry)
    except Exception as error:  # noqa: BLE001  the second callback's
        code = _error_code("read_file", error)
    lib.davfs_keep_response(request, False, code, packed, len(packed))  # noqa: FBT003  C's form


@_crossing
def _list_folder(path: Path, request: Any) -> None:
    """Answer the second callback of a PROPFIND for which the record has no response."""
    listing = _packed_listing(path, request)
    if listing is not None:
        lib.davfs_add_entries(request, listing, len(listing))
        request.result[0] = 1


def _packed_listing(path: Path, request: Any) -> bytes | None:
    """Return a folder's entries as ``davfs_add_entries`` takes them, None if there is no such folder.

    The DICOM files among them go to the cache of native/recent_files.c.
    """
    generation = _recent_generation()
    entries = _Registered.collection.list_folder(path, _client(request))
    if entries is None:
        return None
    packed = _Registered.listings.packed(path, entries)
    if packed.generation != generation:
        _add_recent(generation, path, packed.files)
        packed.generation = generation
    return packed.entries


@_crossing
def _read_file(path: Path, request: Any) -> None:
    generation = _recent_generation()
    found = _Registered.collection.read_file(path, _client(request))
    if found is not None:
        with found as content:
            _send(content, request)
            _add_recent(generation, path[:-1], pack_files([content.entry._replace(name=path[-1])]))


def _send(content: Content, request: Any) -> None:
    """Send the whole content to Orthanc, without a copy in Python if it is one buffer."""
    data = read_all(content)
    media_type, date = core_media_type(content.entry).encode(), core_date(content.entry.modified).encode()
    with ffi.from_buffer(data) as pointer:  # see davfs.sdk.core.post
        code = lib.davfs_send_file(request, pointer, len(data), media_type, date)
    if code != ErrorCode.Success:
        raise RuntimeError(f"Orthanc refused the content of a file: error {code}")


def _recent_generation() -> int:
    """Return the generation of native/recent_files.c, before anything is asked of the drive."""
    if not _Registered.refuse_recent:
        lib.davfs_follow_log()
    return int(lib.davfs_recent_generation())


def _add_recent(generation: int, folder: Path, files: bytes) -> None:
    """Have native/recent_files.c answer the next GET of these files of a folder (`pack_files`)."""
    if files and not _Registered.refuse_recent:
        joined = "".join(f"{segment}/" for segment in folder).encode("utf-8", "surrogateescape")
        lib.davfs_add_recent(generation, joined, files, len(files))


def clear_recent() -> None:
    """Clear the cache of native/recent_files.c, after each change of the resources that paths lead to."""
    lib.davfs_clear_recent()


def set_trash(there_is_one: bool) -> None:  # noqa: FBT001  as the callback of the assembly is called
    """Have native/recent_files.c look into Orthanc's log before each file if something may be in the trash."""
    lib.davfs_set_trash(int(there_is_one))


def refuse_recent(refuse: bool) -> None:  # noqa: FBT001  as the callbacks of an outage are called
    """Have all GETs come to Python, or no longer so."""
    _Registered.refuse_recent = refuse
    clear_recent()


@_crossing
def _write_file(path: Path, request: Any) -> None:
    content = memoryview(ffi.buffer(request.data, request.size)) if request.size else memoryview(b"")
    request.result[0] = int(_Registered.collection.write_file(path, _client(request), content))


@_crossing
def _make_folder(path: Path, request: Any) -> None:
    request.result[0] = int(_Registered.collection.make_folder(path, _client(request)))


@_crossing
def _delete_item(path: Path, request: Any) -> None:
    request.result[0] = int(_Registered.collection.delete_item(path, _client(request)))
