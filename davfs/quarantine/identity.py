"""Describes for people why an instance was not let into the archive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Flag

REASON = (
    "Its patient contradicts the archive, which has another person under this PatientID. The file is in"
    " inbox/quarantine/, with a text that says what contradicts what."
)
"""What users see of it: without data of a patient."""
_FIELDS = 4  # of each identity in the packed form
_DATE = 8  # digits


class Contradicting(Flag):
    """Attributes that contradict; the values are those of native/davfs.h."""

    BIRTH_DATE = 1
    SEX = 2
    NAME = 4


_TITLES = {
    Contradicting.NAME: "no part of the name is the same",
    Contradicting.BIRTH_DATE: "another date of birth",
    Contradicting.SEX: "another sex",
}


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Who a patient is, as far as it is known: each value may be empty.

    Attributes:
        name: PatientName.
        birth_date: PatientBirthDate, digits.
        sex: PatientSex.
    """

    name: str
    birth_date: str
    sex: str

    def __str__(self) -> str:
        date = self.birth_date
        shown = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == _DATE else date
        born, sex = f", born {shown}" if shown else "", f", sex {self.sex}" if self.sex else ""
        return f"{self.name or 'no name'}{born}{sex}"


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An instance that was not let in.

    Attributes:
        patient: PatientID.
        person: Whose it claims to be.
        instance: SOPInstanceUID.
        known: The persons that the archive has under this PatientID and that it contradicts, each with how.
        sender: AE title of the sender; empty if it is not known.
        study: StudyInstanceUID; empty if it is not known.
    """

    patient: str
    person: PatientIdentity
    instance: str
    known: Sequence[tuple[PatientIdentity, Contradicting]]
    sender: str = ""
    study: str = ""

    def lines(self) -> tuple[str, ...]:
        """Return what contradicts what, line by line."""
        sender = (f"Sent by:          {self.sender}",) if self.sender else ()
        return (
            f"PatientID:        {self.patient}",
            f"This file:        {self.person}",
            *sender,
            *(f"In the archive:   {person} ({_joined(how)})" for person, how in self.known),
            "",
            "If it belongs to this patient, move it to inbox/accepted/, which lets it in. If not, delete it.",
        )


def unpack_known(packed: bytes) -> Iterator[tuple[PatientIdentity, Contradicting]]:
    """Unpack identities that contradict an instance, as ``davfs_judge_identity`` packs them."""
    fields = packed.decode("utf-8", "replace").split("\0")
    for start in range(0, len(fields) - _FIELDS + 1, _FIELDS):
        name, birth_date, sex, bits = fields[start : start + _FIELDS]
        yield PatientIdentity(name, birth_date, sex), Contradicting(int(bits))


def _joined(how: Contradicting) -> str:
    return ", ".join(title for attribute, title in _TITLES.items() if attribute in how)
