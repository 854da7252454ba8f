"""A layout as a frozen value."""

from dataclasses import dataclass

from davfs.layout.template import Template
from davfs.orthanc.model import Level


@dataclass(frozen=True, slots=True)
class LayoutLevel:
    """One level of folders, or of files at the level of the instances.

    Attributes:
        resource: What an entry of this level stands for.
        template: How it is called.
    """

    resource: Level
    template: Template


@dataclass(frozen=True, slots=True)
class Layout:
    """One tree over the archive.

    Attributes:
        title: Name of its folder at the drive's root, a safe name.
        description: One sentence for the people who use the drive; may be empty.
        levels: From the top down, each below the one before it in Orthanc's model. A level may be left out: its
            resources are passed through, so instances right under a study are those of all its series.
        file: Where it was read, for messages.
    """

    title: str
    description: str
    levels: tuple[LayoutLevel, ...]
    file: str
