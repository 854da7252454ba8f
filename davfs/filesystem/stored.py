"""Opens the file of an instance, as Orthanc stores it."""

from contextlib import ExitStack

from davfs.entry import Content, Entry, Streamed
from davfs.errors import Unavailable
from davfs.orthanc import InstanceFiles, OrthancId


def open_stored(orthanc: InstanceFiles, entry: Entry, instance: OrthancId) -> Content:
    """Open a file; the caller closes it, as a context manager.

    It has another size than was known where it was replaced in Orthanc, or where it is not Orthanc that has answered: a
    proxy's page of maintenance must not be taken for an image.

    Args:
        orthanc: Has it.
        entry: What is known of it.
        instance: Which one.

    Raises:
        UnknownResource: The instance does not exist any more.
        Unavailable: What came is not that file.
    """
    with ExitStack() as stack:
        content = stack.enter_context(Streamed(entry, orthanc.open_instance(instance)))
        size = content.entry.size
        if size != entry.size and orthanc.instance_size(instance) != size:
            raise Unavailable("a file of another length came than Orthanc has")
        stack.pop_all()
    return content
