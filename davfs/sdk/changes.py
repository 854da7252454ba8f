"""Orthanc's change events, as they leave the queue of native/changes.c."""

from _davfs_sdk import ffi, lib

from davfs.events import Event, Happening

_EVENTS = {
    lib.OrthancPluginChangeType_Deleted: Event.DELETED,
    lib.OrthancPluginChangeType_OrthancStarted: Event.STARTED,
    -1: Event.LOST,
}


def next_change(timeout: float) -> Happening | None:
    """Wait for the next event without holding Python's lock.

    Args:
        timeout: Seconds.

    Returns:
        The event, oldest first; None after the time limit, or at once while Orthanc is stopping.
    """
    change = ffi.new("davfs_change*")
    if not lib.davfs_next_change(change, int(timeout * 1000)):
        return None
    return Happening(_EVENTS.get(change.kind, Event.OTHER), ffi.string(change.id).decode("ascii", "replace"))
