"""The transport of requests to Orthanc: in its process (`davfs.orthanc.inside`), or by HTTP (`davfs.orthanc.http`)."""

from contextlib import AbstractContextManager
from typing import Protocol

from davfs.entry import Readable
from davfs.orthanc import Buffer
from davfs.orthanc.model import OrthancId


class Transport(Protocol):
    """Sends requests to Orthanc; raises subclasses of `OrthancError`."""

    def get(self, path: str) -> bytes:
        """Return the body of the response to a GET."""

    def post(self, path: str, body: Buffer) -> bytes:
        """Return the body of the response to a POST."""

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """Return any DICOM file in another transfer syntax."""

    def delete(self, path: str) -> None:
        """Send a DELETE."""

    def open_file(self, instance: OrthancId, start: int) -> AbstractContextManager[Readable]:
        """Open the DICOM file of an instance, to be read from ``start`` on."""
