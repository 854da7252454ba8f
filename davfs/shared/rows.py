"""A row of the table of names: what is at a path of the inbox that several Orthancs share."""

from datetime import UTC, datetime
from typing import NamedTuple

from davfs import media_types
from davfs.entry import DICOM, Entry, EntryKind, Path
from davfs.errors import BadName
from davfs.orthanc import OrthancId
from davfs.spool import disk_errors
from davfs.spool.items import DEEPEST, Item, Receipt, is_name
from davfs.spool.property_database import path_key

BELOW = "(path = %(path)s OR path >= %(below)s AND path < %(beyond)s)"
"""Condition: a path, and all below it; for `path_keys`."""
VISIBLE = "(is_folder OR %(age)s::float8 = 0 OR modified > clock_timestamp() - make_interval(secs => %(age)s))"
"""Condition: it has not expired."""

_LONGEST_PATH = 2400
"""Bytes of a path: an index of PostgreSQL takes no more than 2,704."""
COLUMNS = (
    "path, is_folder, content, instance, receipt_size, size, etag, extract(epoch FROM modified)::float8, " + VISIBLE
)


class Name(NamedTuple):
    """A row of the table; see `davfs.shared.schema`.

    Attributes:
        modified: Seconds since 1970.
        is_visible: False if it has expired.
    """

    path: str
    is_folder: bool
    content: int | None
    instance: str | None
    receipt_size: int | None
    size: int
    etag: str
    modified: float
    is_visible: bool

    def item(self) -> Item:
        """Return it as an item of the inbox."""
        name, modified = self.path.rpartition("/")[2], datetime.fromtimestamp(self.modified, UTC)
        if self.is_folder:
            return Item(Entry(name, EntryKind.FOLDER, modified))
        if self.instance is None:
            media_type = media_types.of_name(name)
            return Item(Entry(name, EntryKind.FILE, modified, self.size, self.etag, media_type))
        receipt = Receipt(OrthancId(self.instance), self.receipt_size or 0)
        entry = Entry(name, EntryKind.FILE, modified, self.size, self.etag, DICOM, resource=self.instance)
        return Item(entry, receipt, has_original=self.content is not None)


def can_exist(path: Path) -> bool:
    """Return True if there can be anything at a path."""
    return len(path) <= DEEPEST and all(map(is_name, path)) and len(path_key(path).encode()) <= _LONGEST_PATH


def check_path(path: Path, below: int = 0, longest: int = 0) -> None:
    """Check that a file or folder can be kept at a path.

    Args:
        path: Where.
        below: Levels of folders below it.
        longest: Bytes of the longest path below it.

    Raises:
        BadName: A name, the depth or the length does not allow it.
    """
    disk_errors.check_names(path, below)
    if len(path_key(path).encode()) + longest > _LONGEST_PATH:
        raise BadName(path, f"A path can have {_LONGEST_PATH} bytes, and no more.")
