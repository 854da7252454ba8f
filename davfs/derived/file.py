"""A file that is made when it is asked for."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from davfs.entry import Readable


@dataclass(frozen=True, slots=True)
class DerivedFile:
    """A file that can be made.

    Attributes:
        size: Bytes that it will have: known before any of them is made.
        etag: Changes whenever the bytes do.
        media_type: Its MIME type.
        open: Gives the bytes. Entering the context raises the errors of `davfs.orthanc.Orthanc`; so does reading, which
            never ends early without an error.
        modified: When what it shows was changed last, as far as that is known, in UTC.
        check: Raises what opening would raise, as far as that can be told without making the file.
    """

    size: int
    etag: str
    media_type: str
    open: Callable[[], AbstractContextManager[Readable]]
    modified: datetime | None = None
    check: Callable[[], None] = lambda: None
