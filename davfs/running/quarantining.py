"""Starts the quarantine over the parts of a drive."""

from typing import Protocol

from davfs.audit.record import AuditAction, AuditRecord, Client, Outcome
from davfs.audit.trail import AuditTrail
from davfs.catalog.catalog import Catalog
from davfs.catalog.store import Store
from davfs.imports.importer import ImportFilter
from davfs.imports.quarantined import QuarantineFolder
from davfs.quarantine.follower import HeldQueue, IdentityTable, QuarantineFollower, StudyIdentities
from davfs.quarantine.identity import Quarantined
from davfs.spool.files import InboxFiles


class Quarantine(IdentityTable, HeldQueue, ImportFilter, Protocol):
    """The filters of arriving instances: `davfs.quarantine.inside.InsideQuarantine`."""


class Follower(Protocol):
    """A thread that follows the archive."""

    def interrupt(self) -> None:
        """End it as soon as possible."""

    def stop(self, timeout: float) -> bool:
        """Stop it; return True if it ended within that many seconds."""


def start_quarantine(
    quarantine: Quarantine | None, store: Store, spool: InboxFiles, catalog: Catalog, audit: AuditTrail
) -> tuple[Follower, ...]:
    """Start the quarantine, if there is one; return its thread. Nothing has changed the store yet."""
    if quarantine is None:
        return ()
    studies = StudyIdentities(quarantine)
    store.observer = studies
    folder = QuarantineFolder(spool)

    def keep(held: Quarantined, content: memoryview) -> bool:
        audit.record(held_record(held))
        return folder.keep_arrival(held, content)

    follower = QuarantineFollower(studies, quarantine, store.observe_all, keep)
    follower.start(catalog)
    return (follower,)


def held_record(held: Quarantined) -> AuditRecord:
    """Return the record of an instance that was sent to Orthanc and not let in."""
    return AuditRecord(
        client=Client(protocol="dicom" if held.sender else "", agent=held.sender),
        action=AuditAction.QUARANTINE,
        study_instance_uid=held.study,
        sop_instances=1,
        outcome=Outcome.REFUSED,
        reason="Held",
    )
