"""Accesses elements of a pydicom data set as they are stored, so that unchanged values are written back unchanged.

No value is converted. pydicom would check each value that it converts, and write it into a warning; warnings go to
Orthanc's log, where no patient's data may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import DataElement, Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag, Tag
from pydicom.values import convert_SQ

from davfs.elements.headers import UNDEFINED, representation_of


@dataclass(frozen=True, slots=True)
class StoredElement:
    """One element of a data set.

    Attributes:
        dataset: The data set that has it.
        tag: Its tag.
    """

    dataset: Dataset
    tag: BaseTag

    @property
    def representation(self) -> str:
        """Its value representation: the dictionary's if the file has none, UN if neither knows it."""
        stored = self.dataset.get_item(self.tag).VR
        return representation_of(self.tag) if stored in {None, "UN"} else str(stored)

    @property
    def value(self) -> bytes:
        """Its value as it is stored."""
        stored = self.dataset.get_item(self.tag)
        if isinstance(stored, RawDataElement):
            return stored.value or b""
        # Already converted by pydicom: the character set, and elements without a value.
        values = [] if stored.value is None else stored.value if stored.VM > 1 else [stored.value]
        return "\\".join(map(str, values)).encode(errors="surrogateescape")

    @property
    def items(self) -> Sequence[Dataset]:
        """The items of a sequence.

        Raises:
            Exception: It is no sequence.
        """
        value = self.dataset[self.tag].value or ()
        if isinstance(value, bytes):  # PS3.5 section 6.2.2: the items of an unknown sequence are implicit
            self.put(DataElement(self.tag, "SQ", convert_SQ(value, True, True)))  # noqa: FBT003  positions of pydicom's
            value = self.dataset[self.tag].value
        return list(value)

    def put(self, element: DataElement) -> None:
        """Store another element of the same tag."""
        self.dataset[self.tag] = element

    def declare(self, representation: str) -> None:
        """Set the value representation, if the file has none: some data sets are not in their transfer syntax."""
        stored = self.dataset.get_item(self.tag)
        if isinstance(stored, RawDataElement) and stored.VR is None:
            self.dataset[self.tag] = stored._replace(VR=representation)

    def remove(self) -> None:
        """Remove it from its data set."""
        del self.dataset[self.tag]


def stored_value(dataset: Dataset, keyword: str) -> bytes:
    """Return the value of an attribute as it is stored; empty if the data set has none."""
    tag = Tag(keyword)
    return StoredElement(dataset, tag).value if tag in dataset else b""


def stored_text(dataset: Dataset, keyword: str) -> str:
    """Return a text of ASCII, without its padding; empty if the data set has none."""
    return stored_value(dataset, keyword).decode("latin-1").strip(" \0")


def elements(dataset: Dataset) -> list[StoredElement]:
    """Return the elements of a data set, in the order of their tags, without those in its sequences.

    Raises:
        ValueError: The data set ends within one of them, which pydicom accepts.
    """
    tags = sorted(dataset.keys())
    for tag in tags:
        stored = dataset.get_item(tag)
        if isinstance(stored, RawDataElement) and stored.length not in {len(stored.value or b""), UNDEFINED}:
            raise ValueError("a data set ends within an element")
    return [StoredElement(dataset, tag) for tag in tags]
