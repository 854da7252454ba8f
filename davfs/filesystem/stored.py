"""Opens the stored file of an instance."""

from contextlib import ExitStack
from functools import cache
from typing import cast

from davfs.entry import Content, Entry, Streamed
from davfs.errors import Unavailable
from davfs.orthanc import HasStorageFolder, InstanceFiles, OrthancId


def open_stored(orthanc: InstanceFiles, entry: Entry, instance: OrthancId) -> Content:
    """Open a file; the caller closes it, as a context manager.

    If its size is not that of its entry, Orthanc is asked for the size: the instance was replaced, or the response is
    that of a proxy, whose maintenance page must not be taken for an image.

    Args:
        orthanc: Has the file.
        entry: The file's entry.
        instance: The instance.

    Raises:
        UnknownResource: The instance does not exist any more.
        Unavailable: The response is not that file.
    """
    if entry.steady and _has_storage_folder(type(orthanc)):
        stored = cast("HasStorageFolder", orthanc).open_stored(instance, entry.etag, entry.size)
        if stored is not None:
            return Streamed(entry, stored)
    with ExitStack() as stack:
        content = stack.enter_context(Streamed(entry, orthanc.open_instance(instance)))
        size = content.entry.size
        if size != entry.size and orthanc.instance_size(instance) != size:
            raise Unavailable("a file of another length came than Orthanc has")
        stack.pop_all()
    return content


@cache
def _has_storage_folder(kind: type) -> bool:
    """Return True if a class implements `HasStorageFolder`; cached, for ``isinstance`` takes 10 µs."""
    return issubclass(kind, HasStorageFolder)
