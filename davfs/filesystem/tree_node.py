"""A folder or file of a layout, as a path resolves to it."""

from collections.abc import Callable
from dataclasses import dataclass

from davfs.catalog.plan import Folder
from davfs.derived.file import DerivedFile
from davfs.entry import Entry
from davfs.orthanc.model import Level, OrthancId


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A folder or file.

    Attributes:
        level: Level of the resource; None for a group, the layout's root and an extra file, which are no resources.
        id: Orthanc's id of the resource; of a patient folder its node in the catalog, see `davfs.catalog.plan`; None
            where `level` is.
        entry: Its entry, as far as it is known without asking Orthanc.
        folder: Its folder in the catalog; None for a file, and for a folder at the end of a layout without files.
        derive: Returns the derived file that it is; None for a folder, and for a DICOM file as it is stored. Raises
            `UnknownResource` if the file does not exist any more.
        hide: Hides an extra file for a minute; None for all else.
    """

    level: Level | None
    id: OrthancId | None
    entry: Entry
    folder: Folder | None
    derive: Callable[[], DerivedFile] | None = None
    hide: Callable[[], None] | None = None

    @property
    def has_subfolders(self) -> bool:
        """True for a folder with folders in it, other than one with files of instances, or without any."""
        return self.folder is not None and self.folder.shows is not Level.INSTANCE


def entry_of(entry: Entry, derived: DerivedFile) -> Entry:
    """Return the entry of a derived file with its size, entity tag, type and, if it has one, date."""
    modified = derived.modified or entry.modified
    return entry._replace(modified=modified, size=derived.size, etag=derived.etag, media_type=derived.media_type)
