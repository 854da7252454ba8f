"""Describes a file that is made when it is read."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from davfs.entry import Readable


@dataclass(frozen=True, slots=True)
class DerivedFile:
    """A file that the drive makes from what Orthanc stores.

    Attributes:
        size: Its bytes, known before the first one is made.
        etag: Its entity tag, which changes whenever the bytes do.
        media_type: Its MIME type.
        open: Opens it. Entering the context raises the errors of `davfs.orthanc.Orthanc`; so does reading, which never
            ends early without an error.
        modified: Last change of its content, in UTC, if that is known.
        check: Raises the errors of opening, as far as they are known without making the file.
        instances: Number of instances that are in it as files; None if it is no archive.
    """

    size: int
    etag: str
    media_type: str
    open: Callable[[], AbstractContextManager[Readable]]
    modified: datetime | None = None
    check: Callable[[], None] = lambda: None
    instances: int | None = None
