"""Calls Orthanc's core, with Python's types.

Source: ``orthanc/OrthancCPlugin.h``, section "Orthanc" and "Toolbox".
"""

import json
import re
from enum import IntEnum
from typing import Any, Self

from _davfs_sdk import ffi, lib


class ErrorCode(IntEnum):
    """The ``OrthancPluginErrorCode`` values that this plugin knows."""

    Success = lib.OrthancPluginErrorCode_Success
    Plugin = lib.OrthancPluginErrorCode_Plugin
    BadRequest = lib.OrthancPluginErrorCode_BadRequest
    UnknownResource = lib.OrthancPluginErrorCode_UnknownResource
    NotAcceptable = lib.OrthancPluginErrorCode_NotAcceptable
    DatabaseUnavailable = lib.OrthancPluginErrorCode_DatabaseUnavailable
    Revision = lib.OrthancPluginErrorCode_Revision
    UnsupportedMediaType = lib.OrthancPluginErrorCode_UnsupportedMediaType
    Stopped = lib.DAVFS_STOPPED
    """Not one of Orthanc's: Orthanc is stopping, and no call into its core is made."""


class CoreError(Exception):
    """A core call failed.

    Args:
        code: ``OrthancPluginErrorCode``.
    """

    def __init__(self, code: int) -> None:
        text = lib.davfs_describe(code)
        self.code = code
        self.description = "unknown error" if text == ffi.NULL else ffi.string(text).decode("utf-8", "replace")
        super().__init__(self.description)


class CoreBuffer:
    """Memory allocated by Orthanc's core: a context manager over its bytes, which frees it on exit."""

    def __init__(self) -> None:
        self.pointer = ffi.gc(ffi.new("OrthancPluginMemoryBuffer*"), _free)

    @classmethod
    def of_instance(cls, instance: str) -> Self:
        """Read the DICOM file of an instance (``OrthancPluginGetDicomForInstance``).

        Raises:
            CoreError: There is no such instance, or its file cannot be read.
        """
        buffer = cls()
        _check(lib.davfs_get_file(buffer.pointer, instance.encode()))
        return buffer

    def __enter__(self) -> memoryview:
        return memoryview(ffi.buffer(self.pointer.data, self.pointer.size)) if self.pointer.size else memoryview(b"")

    def __exit__(self, *_: object) -> None:
        ffi.release(self.pointer)


def _free(pointer: Any) -> None:
    lib.davfs_free(pointer)


def _check(code: int) -> None:
    if code != ErrorCode.Success:
        raise CoreError(code)


def get(path: str) -> bytes:
    """Send a GET to Orthanc's own REST API.

    Raises:
        CoreError: Orthanc refused.
    """
    buffer = CoreBuffer()
    _check(lib.davfs_get(buffer.pointer, path.encode()))
    with buffer as view:
        return bytes(view)


def post(path: str, body: bytes | bytearray | memoryview) -> bytes:
    """Send a POST to Orthanc's own REST API; the body is not copied.

    Raises:
        CoreError: Orthanc refused.
    """
    buffer = CoreBuffer()
    # Released at once, never by the garbage collector: it crashes on a cycle that holds both a view and this.
    with ffi.from_buffer(body) as data:
        _check(lib.davfs_post(buffer.pointer, path.encode(), data, len(body)))
    with buffer as view:
        return bytes(view)


def transcoded(content: bytes | bytearray | memoryview, syntax: str) -> bytes:
    """Convert a DICOM file, which need not be stored in Orthanc, to another transfer syntax.

    Args:
        content: The file; it is not copied.
        syntax: UID of the transfer syntax.

    Raises:
        CoreError: Orthanc cannot convert it.
    """
    buffer = CoreBuffer()
    with ffi.from_buffer(content) as data:  # as in `post`
        _check(lib.davfs_transcode(buffer.pointer, data, len(content), syntax.encode()))
    with buffer as view:
        return bytes(view)


def delete(path: str) -> None:
    """Send a DELETE to Orthanc's own REST API.

    Raises:
        CoreError: Orthanc refused.
    """
    _check(lib.davfs_delete(path.encode()))


_METHODS = {
    "GET": lib.OrthancPluginHttpMethod_Get,
    "PUT": lib.OrthancPluginHttpMethod_Put,
    "DELETE": lib.OrthancPluginHttpMethod_Delete,
}


def call(method: str, path: str, body: bytes, match: str) -> tuple[int, bytes, str]:
    """Send a request to Orthanc's own REST API (``OrthancPluginCallRestApi``).

    Args:
        method: GET, PUT or DELETE.
        path: Its path.
        body: Its body.
        match: Its header ``If-Match``; empty for none.

    Returns:
        Status, body and entity tag of the response.

    Raises:
        CoreError: Orthanc refused.
    """
    response, headers, status = CoreBuffer(), CoreBuffer(), ffi.new("uint16_t*")
    condition = match.encode() if match else ffi.NULL
    arguments = (_METHODS[method], path.encode(), condition, body, len(body))
    _check(lib.davfs_call(response.pointer, headers.pointer, status, *arguments))
    with response as content, headers as fields:
        found = json.loads(bytes(fields) or b"{}")
        tag = next((value for name, value in found.items() if name.lower() == "etag"), "")
        return int(status[0]), bytes(content), str(tag)


def refuse_calls() -> None:
    """Refuse all further calls with `ErrorCode.Stopped`; native/plugin.c waits for those under way."""
    lib.davfs_refuse_calls()


def _owned_string(pointer: Any) -> str:
    if pointer == ffi.NULL:
        return ""
    try:
        text: str = ffi.string(pointer).decode("utf-8", "replace")
    finally:
        lib.OrthancPluginFreeString(lib.davfs_context, pointer)
    return text


def largest_response() -> int:
    """Return the number of bytes that Orthanc's HTTP server can send in one response.

    Before 1.11.3 it passes the length to CivetWeb's ``mg_write()`` as an ``int``: a larger response is 200 without a
    body (seen on 1.10.1; Orthanc's release notes). "mainline" is newer than any release.
    """
    version = re.match(r"(\d+)\.(\d+)\.(\d+)", ffi.string(lib.davfs_context.orthancVersion).decode())
    old = version is not None and tuple(map(int, version.groups())) < (1, 11, 3)
    return (1 << 31) - 1 if old else (1 << 32) - 1


def configuration() -> str:
    """Return Orthanc's whole configuration as JSON, all its files merged."""
    return _owned_string(lib.OrthancPluginGetConfiguration(lib.davfs_context))


def configuration_path() -> str:
    """Return the configuration's file or folder as it was given to Orthanc, empty for none."""
    return _owned_string(lib.OrthancPluginGetConfigurationPath(lib.davfs_context))
