"""A layout: a folder tree over the archive, as a value."""

from dataclasses import dataclass
from enum import Enum

from davfs.confidentiality.options import PROFILE_ALONE, Options
from davfs.layout.condition import Condition
from davfs.layout.template import Template
from davfs.layout.text import HashKey
from davfs.orthanc.model import Level


class Dates(Enum):
    """Which dates folders and files show."""

    RECEPTION = "reception"
    """When Orthanc received the files."""
    ACQUISITION = "acquisition"
    """When the images were acquired, if the tags tell; of a group or a patient, the latest date in it."""


_DIGITS, _SHORT = 40, 10
"""Digits of an Orthanc id, and those of it that a suffix shows (`davfs.names.id_suffix`)."""


@dataclass(frozen=True, slots=True)
class LayoutLevel:
    """One level of folders, or of files at the level of the instances.

    Attributes:
        resource: Level of the resources; None for groups, which are a folder for each value.
        tag_level: Level whose tags and labels, and those above it, the template reads: that of the resource, or for a
            group that of the next resource below.
        template: Makes the names. That of a group may have several values for one resource.
        files: Extra files in each folder of this level.
    """

    resource: Level | None
    tag_level: Level
    template: Template
    files: tuple["ExtraFile", ...] = ()


class ExtraFileKind(Enum):
    """Content of an extra file."""

    ZIP = "zip"
    """The DICOM files below the folder."""
    CHECKSUMS = "txt"
    """The MD5s of the DICOM files below the folder."""
    JSON = "json"
    """The tags of the folder's resource."""
    PREVIEW = "png"
    """A picture of the images below the folder."""
    REPORT = "pdf"
    """The first encapsulated PDF below the folder."""


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """A file that the drive makes beside the content of a folder.

    Attributes:
        kind: Its content.
        template: Makes its name.
    """

    kind: ExtraFileKind
    template: Template


@dataclass(frozen=True, slots=True)
class Layout:
    """One folder tree over the archive.

    Attributes:
        title: Name of its folder at the drive's root, a safe name.
        description: One sentence for the users of the drive; may be empty.
        levels: From the top down, each resource below the one before it in Orthanc's model, with any number of groups
            before and between them. A resource's level may be left out: its resources are passed through, so instances
            right under a study are those of all its series.
        file: Its file, for messages.
        where: The conditions; a study has to meet all of them.
        dates: Which dates folders and files show.
        anonymised: The key of the hashes that replace names and identifiers, if nothing in the tree may identify a
            patient; None for any other layout.
        options: Options of the confidentiality profile, for an anonymised layout.
    """

    title: str
    description: str
    levels: tuple[LayoutLevel, ...]
    file: str
    where: tuple[Condition, ...] = ()
    dates: Dates = Dates.RECEPTION
    anonymised: HashKey | None = None
    options: Options = PROFILE_ALONE

    def digest(self, node: str) -> str:
        """Return the hexadecimal digits of which suffixes and ``{id}`` are made.

        An Orthanc id is a SHA-1 of the PatientID and UIDs: ten digits of it are enough to find the PatientID by trying
        all. So an anonymised layout shows a keyed hash instead.

        Args:
            node: An Orthanc id, or the node of a group's or a patient folder (`davfs.catalog.plan`). Of a patient's,
                the first ten digits are those of what stands before the slash, as ``{id}`` has them, and the others
                are those behind it.
        """
        owner, _, rest = node.partition("/")
        digits = self.anonymised.digest(owner)[:_DIGITS] if self.anonymised else owner
        return digits.replace("-", "")[:_SHORT] + rest if rest else digits
