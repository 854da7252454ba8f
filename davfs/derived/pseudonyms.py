"""Replaces patients and UIDs by keyed hashes, which are the same in every anonymised file.

The same UID becomes the same one in every file of every study: the slices of a volume keep their common frame of
reference, and references lead to the files that they are meant for.
"""

from davfs.confidentiality.uids import is_registered
from davfs.layout.text import HashKey
from davfs.layout.values import compile_format, formatted_text


class Pseudonyms:
    """Makes pseudonyms.

    Args:
        key: The key of the hashes.
    """

    def __init__(self, key: HashKey) -> None:
        self._key = key
        self._of_people = compile_format("UT", "hash", key)

    def patient(self, subject: str) -> str:
        """Return the pseudonym of a person: the same as ``{PatientID:hash}`` in an anonymised layout.

        Args:
            subject: The person, as `davfs.layout.subject` has it.
        """
        return formatted_text(subject, "UT", self._of_people)

    def uid(self, uid: str) -> str:
        """Return the replacement of a UID: at most 44 characters; a UID that the standard itself defines stays.

        Source: DICOM PS3.5 B.2; the 128 bits are of the hash, instead of a UUID.
        """
        return uid if is_registered(uid) else f"2.25.{int(self._key.digest(f'uid:{uid}')[:32], 16)}"
