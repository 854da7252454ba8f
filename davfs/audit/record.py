"""One record of the audit trail: an access as a value, without names of patients and without paths."""

import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

_log = logging.getLogger(__name__)

NOT_FOUND = "NotFound"
"""The reason where nothing is of that name: clients look for such names all the time, and these records are merged."""

_LONGEST = 256
"""Characters of a text that a client chooses, such as its user agent; the rest is cut off."""


class AuditAction(StrEnum):
    """What was done.

    A deletion in a layout is `DELETE`, one in the trash, for good, `PURGE`. `ALERT` says that records were lost.
    """

    READ = "read"
    LIST = "list"
    SEARCH = "search"
    UPLOAD = "upload"
    ATTACH = "attach"
    DELETE = "delete"
    RESTORE = "restore"
    PURGE = "purge"
    MOVE = "move"
    COPY = "copy"
    LOGIN = "login"
    LOGIN_REFUSED = "login-refused"
    ARRIVAL = "arrival"
    QUARANTINE = "quarantine"
    RELOAD = "reload"
    START = "start"
    STOP = "stop"
    ALERT = "alert"


class Outcome(StrEnum):
    """How it ended: `PARTIAL` in part, `REFUSED` was not allowed, `FAILED` could not be done."""

    DONE = "done"
    PARTIAL = "partial"
    REFUSED = "refused"
    FAILED = "failed"


class Door(StrEnum):
    """Where it came in: at Orthanc's own port, at the drive's port in the plugin, or at that of ``davfs serve``."""

    ORTHANC = "orthanc"
    DRIVE = "drive"
    SERVE = "serve"


@dataclass(frozen=True, slots=True)
class Client:
    """The one who did it. All texts are as the client claims them, but the address.

    Attributes:
        user: User name; empty for an anonymous one.
        address: IP address, behind trusted proxies that of the client; empty if it is not known.
        door: The door; None if the drive itself acts, or if the image came to Orthanc past the drive.
        protocol: ``webdav``, ``http`` (the page and its calls); of arrivals ``dicom``, ``rest``, ``dicomweb``.
        agent: User agent of HTTP; of arrivals by DICOM the remote AE title.
    """

    user: str = ""
    address: str = ""
    door: Door | None = None
    protocol: str = ""
    agent: str = ""

    def shortened(self) -> "Client":
        """Return the client with texts of bounded length."""
        if max(len(self.user), len(self.agent), len(self.address), len(self.protocol)) <= _LONGEST:
            return self
        return replace(
            self,
            user=self.user[:_LONGEST],
            agent=self.agent[:_LONGEST],
            address=self.address[:_LONGEST],
            protocol=self.protocol[:_LONGEST],
        )


NOBODY = Client()
"""The client of what the drive does by itself, such as starting."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class AuditRecord:
    """One access. The trail completes it before it is written: a frozen one would take three times as long to make.

    Attributes:
        client: Who.
        action: What.
        time: When it ended (UTC).
        level: ``patient``, ``study``, ``series`` or ``instance``; empty if no resource of Orthanc is concerned.
        resource: Orthanc's id of the resource; empty for none, or for one that is not known. Those of several studies,
            such as in an uploaded ZIP, are joined by commas; so are their StudyInstanceUIDs.
        study_instance_uid: Its study; empty to have the trail look it up. Of what is deleted, it has to be looked up
            before: `AuditTrail.completed`.
        patient: Orthanc's id of its patient; empty to have the trail look it up.
        sop_instances: Number of instances concerned, 0 for a text about them; None to have the trail look it up.
        bytes: Bytes that were transferred; None if that is not known.
        size: Bytes of the whole file, where a part of it was read: parts that add up to it are a whole read.
        keywords: Of a search, the DICOM keywords of its conditions; never what was searched.
        hits: Of a search, the number of studies that it found.
        outcome: How it ended.
        reason: The class name of the error; empty if there was none.
        requests: Number of requests that this record stands for.
        lost: Number of records that were lost, in a record that tells so.
    """

    client: Client
    action: AuditAction
    time: datetime = field(default_factory=_now)
    level: str = ""
    resource: str = ""
    study_instance_uid: str = ""
    patient: str = ""
    sop_instances: int | None = None
    bytes: int | None = None
    size: int | None = None
    keywords: tuple[str, ...] = ()
    hits: int | None = None
    outcome: Outcome = Outcome.DONE
    reason: str = ""
    requests: int = 1
    lost: int = 0


def lost_records(number: int) -> AuditRecord:
    """Return the record that tells of lost ones, and warn of them in the log."""
    _log.warning("%d records of the audit trail were lost", number)
    alert, failed = AuditAction.ALERT, Outcome.FAILED
    return AuditRecord(client=NOBODY, action=alert, outcome=failed, reason="RecordsLost", lost=number)
