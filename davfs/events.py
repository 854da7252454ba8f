"""The change events that Orthanc sends to its plugins, reduced to what the drive needs."""

from dataclasses import dataclass
from enum import Enum


class EventKind(Enum):
    """Kind of an event."""

    DELETED = "deleted"
    STARTED = "started"
    LOST = "lost"
    """The queue of events was full: any number of events is missing."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ResourceEvent:
    """An event and Orthanc's id of its resource; an empty id if the event has none."""

    kind: EventKind
    id: str
