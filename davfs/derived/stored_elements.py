"""Elements of a data set as they are stored: pydicom's raw ones, so that what nobody changes is written back as it was.

Nothing here converts a value. pydicom would check each one that it converts, and warn with the value in the warning;
warnings go to Orthanc's log, where no patient's data may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

_UNDEFINED = 0xFFFFFFFF


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
        """Its value representation: the dictionary's where the file has none, UN where neither knows."""
        stored = self.dataset.get_item(self.tag).VR
        if stored not in {None, "UN"}:
            return str(stored)
        try:
            return dictionary_VR(self.tag)
        except KeyError:
            return "UN"

    @property
    def value(self) -> bytes:
        """Its value as it is stored."""
        stored = self.dataset.get_item(self.tag)
        if isinstance(stored, RawDataElement):
            return stored.value or b""
        # What pydicom read already: the character set, and what has no value.
        values = [] if stored.value is None else stored.value if stored.VM > 1 else [stored.value]
        return "\\".join(map(str, values)).encode(errors="surrogateescape")

    @property
    def items(self) -> Sequence[Dataset]:
        """The items of a sequence.

        Raises:
            Exception: It is none.
        """
        value = self.dataset[self.tag].value or ()
        if isinstance(value, bytes):  # PS3.5 section 6.2.2: what some system did not know, its items are implicit
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
        """Take it out of its data set."""
        del self.dataset[self.tag]


def elements(dataset: Dataset) -> list[StoredElement]:
    """Return the elements of a data set, in the order of their tags, without those in its sequences.

    Raises:
        ValueError: The data set ends within one of them; pydicom takes what there is for the whole value.
    """
    tags = sorted(dataset.keys())
    for tag in tags:
        stored = dataset.get_item(tag)
        if isinstance(stored, RawDataElement) and stored.length not in {len(stored.value or b""), _UNDEFINED}:
            raise ValueError("a data set ends within an element")
    return [StoredElement(dataset, tag) for tag in tags]
