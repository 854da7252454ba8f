"""What a path within a layout leads to."""

from collections.abc import Callable
from dataclasses import dataclass

from davfs.catalog.plan import Folder
from davfs.derived.file import DerivedFile
from davfs.entry import Entry
from davfs.orthanc.model import Level, OrthancId


@dataclass(frozen=True, slots=True)
class Node:
    """What a path leads to.

    Attributes:
        level: Level of the resource; None for what is none: a group, the layout's root, an extra file.
        id: The resource; of a patient the node of the folder, see `davfs.catalog.plan`; None for what is none.
        entry: Its entry, as far as it is known without asking Orthanc.
        folder: What can be found below it; None for a file, and for a folder at the end of a layout without files.
        make: Tells how a file is made; None for a folder, and for a DICOM file as it is stored. Raises
            `UnknownResource` where what it showed is gone.
        hide: Takes an extra file out of its folder for a while; None for all else.
    """

    level: Level | None
    id: OrthancId | None
    entry: Entry
    folder: Folder | None
    make: Callable[[], DerivedFile] | None = None
    hide: Callable[[], None] | None = None
