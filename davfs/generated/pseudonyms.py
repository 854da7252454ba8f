"""What stands for patients and UIDs in anonymised files: keyed hashes, the same wherever they are made.

Orthanc makes up a new UID for each one that it replaces, in every answer anew: the slices of a volume would not share
their frame of reference any more, and no reference would lead anywhere. Here each becomes the hash of the one before.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydicom import Dataset

from davfs.generated.elements import Element, elements
from davfs.layout.text import HashKey
from davfs.layout.values import compile_format, read

_OF_THE_STANDARD = "1.2.840.10008."


class Pseudonyms:
    """Makes them.

    Args:
        key: The key of the hashes.
    """

    def __init__(self, key: HashKey) -> None:
        self._key = key
        self._of_people = compile_format("UT", "hash", key)

    def patient(self, subject: str) -> str:
        """Return what stands for a person: what an anonymised layout shows for ``{PatientID:hash}``.

        Args:
            subject: The person, as `davfs.layout.subject` has it.
        """
        return read(subject, "UT", self._of_people)

    def uid(self, uid: str) -> str:
        """Return what stands for a UID: at most 44 characters.

        Source: DICOM PS3.5 B.2; the 128 bits are of the hash, instead of a UUID.
        """
        return f"2.25.{int(self._key.digest(f'uid:{uid}')[:32], 16)}"

    def replace_uids(self, dataset: Dataset, original: Mapping[str, Any], instance: str) -> None:
        """Replace every UID that Orthanc made up by what stands for the one that was there before.

        A UID that Orthanc left alone stays. Where there was none, what is put there depends on the instance and the
        place.

        Args:
            dataset: What Orthanc made; it is changed.
            original: The tags of the instance, as `davfs.orthanc.Orthanc.all_tags` has them.
            instance: The instance's SOPInstanceUID.
        """
        for element in elements(dataset):
            name = f"{element.tag.group:04x},{element.tag.element:04x}"
            before = original.get(name)
            place = f"{instance}/{name}"
            if element.representation == "SQ":
                self._replace_in_items(element, before if isinstance(before, list) else [], place)
            elif element.representation == "UI":
                self._replace_in(element, before if isinstance(before, str) else "", place)

    def _replace_in_items(self, sequence: Element, before: Sequence[Mapping[str, Any]], place: str) -> None:
        for at, item in enumerate(sequence.items):
            self.replace_uids(item, before[at] if at < len(before) else {}, f"{place}/{at}")

    def _replace_in(self, element: Element, before: str, place: str) -> None:
        stored = element.value.decode("latin-1").strip(" \0")
        if stored in {"", before}:
            return
        now, then = stored.split("\\"), before.split("\\") if before else []
        olds = then if len(now) == len(then) else [""] * len(now)
        news = [self._new(*each, f"{place}/{at}") for at, each in enumerate(zip(now, olds, strict=True))]
        value = "\\".join(news).encode("latin-1")
        element.replace(value + b"\0" * (len(value) % 2))

    def _new(self, now: str, before: str, place: str) -> str:
        if not now or now == before or now.startswith(_OF_THE_STANDARD):
            return now
        if before.startswith(_OF_THE_STANDARD):
            return before  # such as a well-known frame of reference: it is nobody's
        return self.uid(before) if before else self.uid(place)
