"""Reads Orthanc's change events from the queue in native/change_queue.c."""

from _davfs_sdk import ffi, lib

from davfs.events import EventKind, ResourceEvent

_EVENTS = {
    lib.OrthancPluginChangeType_Deleted: EventKind.DELETED,
    lib.OrthancPluginChangeType_OrthancStarted: EventKind.STARTED,
    lib.DAVFS_CHANGES_LOST: EventKind.LOST,
}


def next_change(timeout: float) -> ResourceEvent | None:
    """Wait for the next event without holding Python's lock.

    Args:
        timeout: Seconds.

    Returns:
        The event, oldest first; None after the timeout, or at once while Orthanc is stopping.
    """
    change = ffi.new("davfs_change*")
    if not lib.davfs_next_change(change, int(timeout * 1000)):
        return None
    return ResourceEvent(_EVENTS.get(change.kind, EventKind.OTHER), ffi.string(change.id).decode("ascii", "replace"))
