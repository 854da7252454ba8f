"""Starts the quarantine over the parts of a drive."""

from typing import Protocol

from davfs.catalog.catalog import Catalog
from davfs.catalog.store import Store
from davfs.imports.importer import ImportFilter
from davfs.imports.quarantined import QuarantineFolder
from davfs.quarantine.follower import HeldQueue, IdentityTable, QuarantineFollower, StudyIdentities
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
    quarantine: Quarantine | None, store: Store, spool: InboxFiles, catalog: Catalog
) -> tuple[Follower, ...]:
    """Start the quarantine, if there is one; return its thread. Nothing has changed the store yet."""
    if quarantine is None:
        return ()
    studies = StudyIdentities(quarantine)
    store.observer = studies
    keep = QuarantineFolder(spool).keep_arrival
    follower = QuarantineFollower(studies, quarantine, store.observe_all, keep)
    follower.start(catalog)
    return (follower,)
