"""Connects the quarantine to the filters of native/quarantine.c, in Orthanc's process."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from davfs.errors import Held, Unavailable
from davfs.quarantine.accepted import AcceptedIdentities
from davfs.quarantine.folding import foldings
from davfs.quarantine.identity import REASON, PatientIdentity, Quarantined, unpack_known
from davfs.sdk import quarantine

T = TypeVar("T")

_TAGS = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")


class InsideQuarantine:
    """The filters' table, queue and imports: `IdentityTable`, `HeldQueue`, `davfs.imports.importer.ImportFilter`.

    Args:
        accepted: Keeps the identities that were accepted beside others of their study.
    """

    def __init__(self, accepted: AcceptedIdentities) -> None:
        self._accepted = accepted
        self._complete = False
        quarantine.set_folding(foldings())

    def is_alone(self) -> None:
        """Record that no other plugin has filters or changes instances; see native/quarantine.c."""
        quarantine.is_alone()

    def set_study(self, study: str, patient: Mapping[str, str]) -> None:
        """See `IdentityTable`."""
        quarantine.set_study(study, *(patient.get(tag, "") for tag in _TAGS))

    def forget_study(self, study: str) -> None:
        """See `IdentityTable`."""
        quarantine.forget_study(study)

    def clear(self) -> None:
        """See `IdentityTable`."""
        quarantine.clear()

    def set_complete(self, *, complete: bool) -> None:
        """See `IdentityTable`; identities that were accepted belong to studies, which are known by then."""
        if complete and not self._complete:
            for identity in self._accepted.all():
                quarantine.restore(*identity)
        self._complete = complete
        quarantine.set_complete(complete)

    def settle(self, seconds: float) -> None:
        """See `IdentityTable`."""
        quarantine.settle(seconds)

    def take(self, timeout: float, keep: Callable[[Quarantined, memoryview], None]) -> bool:
        """See `HeldQueue`."""
        with quarantine.next_held(timeout) as held:
            if held is not None:
                keep(replace(_quarantined(held.verdict), sender=held.sender), held.content)
        return held is not None

    def lost(self) -> int:
        """See `HeldQueue`."""
        return quarantine.lost_held()

    def judged(self, job: Callable[[], T], *, accepted: bool) -> T:
        """See `ImportFilter`."""
        try:
            result, further = quarantine.judged(job, accepted=accepted)
        except quarantine.HeldError as error:
            held = _quarantined(error.verdict)
            raise Held(REASON, held.lines(), held.patient) from None
        except quarantine.NotReadyError:
            raise Unavailable("the identities in the archive are being read, for its quarantine") from None
        if further:
            self._accepted.add((further.patient, further.name, further.birth_date, further.sex, further.study))
        return result


def _quarantined(verdict: quarantine.Verdict) -> Quarantined:
    identity = verdict.identity
    person = PatientIdentity(identity.name, identity.birth_date, identity.sex)
    return Quarantined(
        identity.patient, person, identity.instance, tuple(unpack_known(verdict.known)), study=identity.study
    )
