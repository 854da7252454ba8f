"""A layout as a frozen value."""

from dataclasses import dataclass
from enum import Enum

from davfs.confidentiality.options import PROFILE_ALONE, Options
from davfs.layout.condition import Condition
from davfs.layout.template import Template
from davfs.layout.text import HashKey
from davfs.orthanc.model import Level


class Dates(Enum):
    """What the dates of folders and files tell."""

    RECEPTION = "reception"
    """When Orthanc got the files."""
    ACQUISITION = "acquisition"
    """When the images were made, as far as the tags tell; of a group or a patient, the latest of what is in it."""


_DIGITS, _SHORT = 40, 10
"""Digits of an Orthanc id, and those of it that a suffix shows (`davfs.names.id_suffix`)."""


@dataclass(frozen=True, slots=True)
class LayoutLevel:
    """One level of folders, or of files at the level of the instances.

    Attributes:
        resource: What an entry of this level stands for; None for a group, which is a folder for each value.
        over: Whose tags and labels the template reads, and those above it: the resource itself, or for a group the next
            resource below it.
        template: How it is called. That of a group may have several values for one resource.
        files: Names of extra files in each folder of this level (patients, studies and series), as templates.
    """

    resource: Level | None
    over: Level
    template: Template
    files: tuple["ExtraFile", ...] = ()


class ExtraFileKind(Enum):
    """What an extra file holds."""

    ZIP = "zip"
    """The DICOM files below the folder."""
    JSON = "json"
    """The tags of the folder's resource."""
    PREVIEW = "png"
    """A picture of the images below the folder."""
    REPORT = "pdf"
    """The first encapsulated PDF below the folder."""


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """A file beside what is in a folder.

    Attributes:
        kind: What it holds.
        template: How it is called.
    """

    kind: ExtraFileKind
    template: Template


@dataclass(frozen=True, slots=True)
class Layout:
    """One tree over the archive.

    Attributes:
        title: Name of its folder at the drive's root, a safe name.
        description: One sentence for the people who use the drive; may be empty.
        levels: From the top down, each resource below the one before it in Orthanc's model, with any number of groups
            before and between them. A resource's level may be left out: its resources are passed through, so instances
            right under a study are those of all its series.
        file: Where it was read, for messages.
        where: What has to hold for a study to appear; all of them.
        dates: What the dates of folders and files tell.
        anonymised: The key of what stands for names and identifiers, where nothing in the tree may tell who a patient
            is; None where it may.
        options: Of an anonymised layout, what it keeps nevertheless, or has cleaned.
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
        """Return the hexadecimal digits that suffixes and ``{id}`` are made from.

        An Orthanc id is a SHA-1 of the PatientID and UIDs: whoever sees ten digits of it finds the PatientID by trying
        all, so an anonymised layout shows a keyed hash instead.

        Args:
            node: An Orthanc id, or the node of a group's or a patient's folder (`davfs.catalog.plan`). Of a patient's,
                the first ten digits are those of what stands before the slash, as ``{id}`` has them, and the others
                are those behind it.
        """
        owner, _, rest = node.partition("/")
        digits = self.anonymised.digest(owner)[:_DIGITS] if self.anonymised else owner
        return digits.replace("-", "")[:_SHORT] + rest if rest else digits
