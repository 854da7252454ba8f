"""Orthanc's REST API from inside its own process, through the SDK: no HTTP, and no copy of a DICOM file."""

from collections.abc import Iterator
from contextlib import contextmanager

from davfs.errors import BadFile, OrthancError, StorageFull, Unavailable, UnknownResource
from davfs.orthanc import Buffer
from davfs.orthanc.model import OrthancId
from davfs.sdk import core

_ERRORS: dict[int, type[OrthancError]] = {
    core.Code.UnknownResource: UnknownResource,
    core.Code.InexistentItem: UnknownResource,
    core.Code.InexistentFile: UnknownResource,
    core.Code.BadFileFormat: BadFile,
    core.Code.InexistentTag: BadFile,  # a data set without the UIDs that every instance has
    core.Code.FullStorage: StorageFull,
    core.Code.DatabaseUnavailable: Unavailable,
}


class InsideTransport:
    """`davfs.orthanc.rest.Transport` over the SDK's ``OrthancPluginRestApi…`` functions."""

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.rest.Transport`."""
        with _errors():
            return core.get(path)

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.rest.Transport`."""
        with _errors():
            return core.post(path, body)

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.rest.Transport`."""
        with _errors():
            core.delete(path)

    @contextmanager
    def instance_file(self, instance: OrthancId) -> Iterator[memoryview]:
        """See `davfs.orthanc.rest.Transport`; the bytes stay where the core put them."""
        with _errors():
            content = core.CoreBuffer.of_instance(instance)
        with content as view:
            yield view


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except core.CoreError as error:
        raise _ERRORS.get(error.code, OrthancError)(error.description, error.code) from None
