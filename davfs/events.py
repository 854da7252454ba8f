"""What Orthanc tells its plugins as it happens."""

from dataclasses import dataclass
from enum import Enum


class Event(Enum):
    """What happened, as far as the drive minds."""

    DELETED = "deleted"
    STARTED = "started"
    LOST = "lost"
    """The queue was full: any number of events is missing."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Happening:
    """One event, with Orthanc's id of the resource, empty where there is none."""

    event: Event
    id: str
