"""Orthanc's REST API from inside its own process, through the SDK: no HTTP, and no copy of a DICOM file."""

from collections.abc import Callable
from http import HTTPStatus
from typing import ParamSpec, TypeVar

from davfs.entry import InMemory
from davfs.errors import Unavailable
from davfs.orthanc import Buffer
from davfs.orthanc.codes import error_of
from davfs.orthanc.model import OrthancId
from davfs.orthanc.transport import Method, Tagged
from davfs.sdk import core

P = ParamSpec("P")
R = TypeVar("R")


class InsideTransport:
    """`davfs.orthanc.transport.Transport` over the SDK's ``OrthancPluginRestApi…`` functions."""

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        return _call(core.get, path)

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        return _call(core.post, path, body)

    def call(self, method: Method, path: str, body: bytes = b"", match: str = "") -> Tagged:
        """See `davfs.orthanc.transport.Transport`."""
        status, content, tag = _call(core.call, method, path, body, match)
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise error_of(f"Orthanc answered {status}", status)
        return Tagged(content, tag)

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        return _call(core.transcoded, content, syntax)

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.transport.Transport`."""
        _call(core.delete, path)

    def open_file(self, instance: OrthancId, start: int) -> InMemory:  # noqa: ARG002  Transport's form
        """See `davfs.orthanc.transport.Transport`; the bytes are the core's own memory."""
        return InMemory(_call(core.CoreBuffer.of_instance, instance))


def _call(function: Callable[P, R], *arguments: P.args, **options: P.kwargs) -> R:
    try:
        return function(*arguments, **options)
    except core.CoreError as error:
        if error.code == core.ErrorCode.Stopped:
            raise Unavailable(error.description) from None
        raise error_of(error.description, error.code) from None
