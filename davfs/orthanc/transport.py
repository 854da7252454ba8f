"""The transport of requests to Orthanc: in its process (`davfs.orthanc.inside`), or by HTTP (`davfs.orthanc.http`)."""

from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol, TypeAlias

from davfs.entry import Readable
from davfs.orthanc import Buffer
from davfs.orthanc.model import OrthancId

Method: TypeAlias = Literal["GET", "PUT", "DELETE"]


class Tagged(NamedTuple):
    """The body of a response, and its entity tag; an empty one if it has none."""

    body: bytes
    tag: str


class Transport(Protocol):
    """Sends requests to Orthanc; raises subclasses of `OrthancError`."""

    def get(self, path: str) -> bytes:
        """Return the body of the response to a GET."""

    def post(self, path: str, body: Buffer) -> bytes:
        """Return the body of the response to a POST."""

    def call(self, method: Method, path: str, body: bytes = b"", match: str = "") -> Tagged:
        """Send a request about a value that has an entity tag.

        Args:
            method: Its method.
            path: Its path.
            body: Body of a PUT.
            match: Entity tag for the header ``If-Match`` (RFC 9110 §13.1.1); empty for none.
        """

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """Return any DICOM file in another transfer syntax."""

    def delete(self, path: str) -> None:
        """Send a DELETE."""

    def open_file(self, instance: OrthancId, start: int) -> AbstractContextManager[Readable]:
        """Open the DICOM file of an instance, to be read from ``start`` on."""
