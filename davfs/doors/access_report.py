"""Reports to the audit trail what clients do, in the same way at both doors (docs/audit.md has the table)."""

from collections.abc import Iterable
from dataclasses import dataclass

from davfs.audit.record import NOT_FOUND, AuditAction, AuditRecord, Client, Outcome
from davfs.audit.trail import AuditTrail
from davfs.entry import DICOM, Content, Entry, Path
from davfs.errors import Busy, NoSpace, NotAnonymised, NotFound, PathError, UnknownResource
from davfs.imports.report import ImportReport
from davfs.settings.setup import INBOX, SEARCH, TRASH

_SEARCH, _INBOX, _TRASH = (SEARCH,), (INBOX,), (TRASH,)
"""Folders in the drive's root that are no layouts."""
_QUERY = 2
"""Segments of the path of a search."""


@dataclass(slots=True)
class AccessReport:
    """What is known so far of one request; it becomes one record at most.

    Attributes:
        action: What the client wants; None if nothing is to be recorded, whatever happens.
        is_notable: Whether a record is due: something was read, changed or refused.
        is_attachment: What was uploaded has become an attachment of a study.
        level: See `AuditRecord`, like all others.
    """

    action: AuditAction | None
    is_notable: bool = False
    level: str = ""
    resource: str = ""
    study_instance_uid: str = ""
    patient: str = ""
    sop_instances: int | None = None
    bytes: int | None = None
    size: int | None = None
    keywords: tuple[str, ...] = ()
    hits: int | None = None
    is_attachment: bool = False
    outcome: Outcome = Outcome.DONE
    reason: str = ""

    def opened(self, path: Path, content: Content) -> None:
        """Note a file that is going to be sent; the drive's own texts are not recorded."""
        entry = content.entry
        self.action, self.size = AuditAction.READ, entry.size
        self.is_notable = bool(entry.resource) or path[:1] in {_INBOX, _TRASH}
        self._concern(entry)
        count: int | None = getattr(content, "instances", None)
        self.sop_instances = self.sop_instances if count is None else count

    def listed(self, path: Path, entry: Entry, entries: Iterable[Entry]) -> None:
        """Note a folder that was listed; of a search its keywords, never what was searched."""
        self.is_notable = True
        if _is_search(path) and "=" in path[1]:
            self.action, self.keywords = AuditAction.SEARCH, _keywords(path[1])
            self.hits = sum(each.is_folder for each in entries)
        else:
            self.action, self.level, self.resource = AuditAction.LIST, entry.level, entry.resource

    def imported(self, imported: ImportReport) -> None:
        """Note what was imported into Orthanc; of a ZIP the studies, also if the rest of it was refused."""
        self.is_attachment = imported.is_attachment
        if imported.instances:
            self.level, self.resource = imported.level, ",".join(imported.resources)
            self.sop_instances = imported.instances

    def foreseen(self, entry: Entry, trail: AuditTrail) -> None:
        """Find out about what will be deleted, which nobody knows afterwards."""
        if self.action is None or not trail.wants(self.action):
            return
        self._concern(entry)
        known = trail.completed(self._made(Client()))
        self.study_instance_uid, self.patient = known.study_instance_uid, known.patient
        self.sop_instances = known.sop_instances

    def done(self, entry: Entry | None = None) -> None:
        """Note that a change was made, of an entry if it is one of the drive."""
        self.is_notable = True
        if entry is not None:
            self._concern(entry)

    def deleted(self, resources: str) -> None:
        """Note which resources were deleted: those of a patient folder are studies; none for a file of the drive."""
        self.is_notable = True
        if not resources:
            self.level, self.study_instance_uid, self.patient, self.sop_instances = "", "", "", 0
        elif self.level in {"", "patient"}:
            self.level = "study"
        self.resource = resources

    def changed(self, studies: Iterable[str]) -> None:
        """Note which studies a request has changed that has no path, by Orthanc's ids."""
        self.is_notable, self.level, self.resource = True, "study", ",".join(studies)

    def failed(self, error: BaseException) -> None:
        """Note that a request was refused, or could not be answered."""
        if self.action not in {None, AuditAction.LIST}:
            self.is_notable = True
            is_part = self.action is AuditAction.UPLOAD and bool(self.sop_instances)  # of a ZIP
            self.outcome = Outcome.PARTIAL if is_part else _outcome(error)
            self.reason = NOT_FOUND if isinstance(error, UnknownResource) else type(error).__name__

    def refused(self, reason: str) -> None:
        """Note that a request was refused for a reason without an error of its own."""
        if self.action not in {None, AuditAction.LIST}:
            self.is_notable, self.outcome, self.reason = True, Outcome.REFUSED, reason

    def sent(self, count: int | None, *, ended: bool) -> None:
        """Note how many bytes of a file were sent, None if that is not known, and whether that is all that was due."""
        self.bytes = count
        if self.outcome is Outcome.DONE and (not ended or count != self.size):
            self.outcome, self.reason = Outcome.PARTIAL, "" if ended else "Interrupted"

    def record(self, client: Client) -> AuditRecord | None:
        """Return the record; None if none is due."""
        return self._made(client) if self.is_notable and self.action else None

    def _made(self, client: Client) -> AuditRecord:
        action = self.action or AuditAction.READ
        if action is AuditAction.ATTACH and self.outcome is Outcome.DONE and not self.is_attachment:
            action = AuditAction.UPLOAD  # an image, or a file that is kept beside the images for a while
        return AuditRecord(
            client=client,
            action=action,
            level=self.level,
            resource=self.resource,
            study_instance_uid=self.study_instance_uid,
            patient=self.patient,
            sop_instances=self.sop_instances,
            bytes=self.bytes,
            size=self.size,
            keywords=self.keywords,
            hits=self.hits,
            outcome=self.outcome,
            reason=self.reason,
        )

    def _concern(self, entry: Entry) -> None:
        is_image = bool(entry.resource) and entry.media_type == DICOM
        self.resource, self.level = entry.resource, "instance" if is_image else entry.level
        self.sop_instances = None if entry.is_folder and entry.resource else int(is_image)


def action_of(method: str, path: Path) -> AuditAction | None:
    """Return what a request does, by its method and path; None for what is not recorded, or not yet known."""
    match method, path[:1]:
        case "GET", _:
            return AuditAction.READ
        case "PUT", _:
            return AuditAction.UPLOAD if path[:1] in {_INBOX, _SEARCH, _TRASH, ()} else AuditAction.ATTACH
        case "DELETE", _:
            return AuditAction.PURGE if path[:1] == _TRASH else AuditAction.DELETE
        case "MOVE", _:
            return AuditAction.RESTORE if path[:1] == _TRASH else AuditAction.MOVE
        case "COPY", _:
            return AuditAction.COPY
    return None


def wants_listing(trail: AuditTrail, path: Path) -> bool:
    """Return True if a record is due for the listing of a folder."""
    return trail.wants(AuditAction.SEARCH if _is_search(path) else AuditAction.LIST)


def _outcome(error: BaseException) -> Outcome:
    """Return whether something was not allowed, or could not be done."""
    if isinstance(error, NoSpace | Busy | NotFound):
        return Outcome.FAILED
    return Outcome.REFUSED if isinstance(error, PathError | NotAnonymised) else Outcome.FAILED


def _is_search(path: Path) -> bool:
    return len(path) == _QUERY and path[:1] == _SEARCH


def _keywords(query: str) -> tuple[str, ...]:
    """Return the tags of a query that was found to be one: what stands before each ``=`` is a DICOM keyword."""
    return tuple(part.partition("=")[0].strip() for part in query.split(","))
