"""Makes a DICOM audit message of a record: which message an action is, and who took part (DICOM PS3.15 A.5.3).

docs/audit.md has the table. No message has the name of a patient, a PatientID or the text of a search: patients are
named by Orthanc's identifiers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from davfs.audit import dicom_codes as codes
from davfs.audit.dicom_codes import CodedValue
from davfs.audit.dicom_message import ActiveParticipant, AuditMessage, ParticipantObject
from davfs.audit.record import AuditAction, AuditRecord, Outcome

_UNKNOWN = "unknown"
_OMITTED = "omitted"
_ERASED = "15"
"""ParticipantObjectDataLifeCycle: permanent erasure."""
_OUTCOMES = {Outcome.DONE: "0", Outcome.PARTIAL: "0", Outcome.REFUSED: "4", Outcome.FAILED: "8"}


@dataclass(frozen=True, slots=True)
class AuditSource:
    """The process that reports.

    Attributes:
        host: Name of its machine.
        process: Its number there, as the logs of the machine have it.
    """

    host: str
    process: str


_Participants = Callable[[AuditRecord, AuditSource], Sequence[ActiveParticipant]]
_Objects = Callable[[AuditRecord, AuditSource], Sequence[ParticipantObject]]


@dataclass(frozen=True, slots=True)
class _MessageKind:
    """One of the messages of the standard, as an action uses it."""

    event: CodedValue
    action: str
    participants: _Participants
    objects: _Objects
    event_type: CodedValue | None = None


def audit_message(record: AuditRecord, source: AuditSource) -> AuditMessage:
    """Return the message of a record."""
    kind = _kind(record)
    described = record.outcome.value if record.outcome is not Outcome.DONE else ""
    return AuditMessage(
        event=kind.event,
        action=kind.action,
        time=record.time.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
        outcome=_OUTCOMES[record.outcome],
        source=source.host,
        participants=kind.participants(record, source),
        objects=kind.objects(record, source),
        event_type=kind.event_type,
        description=f"{described}: {record.reason}" if record.reason else described,
    )


def _kind(record: AuditRecord) -> _MessageKind:
    if record.action is AuditAction.READ and record.sop_instances == 0:
        return _ACCESS_READ
    if record.action in {AuditAction.DELETE, AuditAction.PURGE} and record.level in {"study", "patient"}:
        return _STUDY_DELETED
    return _KINDS[record.action]


def _process(source: AuditSource, role: CodedValue | None = None, *, is_requestor: bool = False) -> ActiveParticipant:
    return ActiveParticipant(source.process, role, is_requestor, source.host, is_host=True, name="orthanc-davfs")


def _client(record: AuditRecord, role: CodedValue | None = None) -> ActiveParticipant:
    client = record.client
    aliases = f"AETITLES={client.agent}" if client.protocol == "dicom" and client.agent else ""
    user = client.user or client.address or _UNKNOWN
    address = client.address or _UNKNOWN
    return ActiveParticipant(
        user, role, is_requestor=True, address=address, is_host=not client.address, aliases=aliases
    )


def _reading(record: AuditRecord, source: AuditSource) -> Sequence[ActiveParticipant]:
    return _process(source, codes.SOURCE), _client(record, codes.DESTINATION)


def _sending(record: AuditRecord, source: AuditSource) -> Sequence[ActiveParticipant]:
    return _client(record, codes.SOURCE), _process(source, codes.DESTINATION)


def _importing(record: AuditRecord, source: AuditSource) -> Sequence[ActiveParticipant]:
    address = record.client.address or _UNKNOWN
    media = ActiveParticipant(
        address, codes.SOURCE_MEDIA, address=address, is_host=not record.client.address, media=codes.URI
    )
    return _client(record, codes.DESTINATION), _process(source, codes.DESTINATION), media


def _acting(record: AuditRecord, source: AuditSource) -> Sequence[ActiveParticipant]:
    """Return who acted: the client and the process, or the process alone."""
    return (_client(record), _process(source)) if record.client.door else (_process(source, is_requestor=True),)


def _running(_record: AuditRecord, source: AuditSource) -> Sequence[ActiveParticipant]:
    return (_process(source, codes.APPLICATION),)


def _nothing(_record: AuditRecord, _source: AuditSource) -> Sequence[ParticipantObject]:
    return ()


def _studies_and_patients(record: AuditRecord, _source: AuditSource) -> Sequence[ParticipantObject]:
    """Return the studies and patients of a record; of several, such as in a ZIP, the first study has the details."""
    first, *others = (record.study_instance_uid or _UNKNOWN).split(",")
    life_cycle = _ERASED if record.action is AuditAction.PURGE else ""
    study = ParticipantObject(
        identifier=first,
        id_type=codes.STUDY_INSTANCE_UID,
        type_code="2",
        role="3",
        name=record.resource or _UNKNOWN,
        life_cycle=life_cycle,
        details=_details(record),
        instances=record.sop_instances,
    )
    further = (ParticipantObject(each, codes.STUDY_INSTANCE_UID, "2", "3", _OMITTED, life_cycle) for each in others)
    patients = (record.patient or _UNKNOWN).split(",")
    return study, *further, *(ParticipantObject(each, codes.PATIENT_NUMBER, "1", "1", _OMITTED) for each in patients)


def _queried(record: AuditRecord, _source: AuditSource) -> Sequence[ParticipantObject]:
    identifier = record.resource or record.action.value
    return (ParticipantObject(identifier, codes.FOLDER, "2", "3", None, details=_details(record)),)


def _alerted(record: AuditRecord, source: AuditSource) -> Sequence[ParticipantObject]:
    told = f"{record.lost} records of the audit trail were lost" if record.lost else "settings were read again"
    details = {"Alert Description": told}
    return (ParticipantObject(source.host, codes.NODE_ID, "2", "13", source.host, details=details),)


def _details(record: AuditRecord) -> dict[str, str]:
    client = record.client
    return {
        "action": record.action.value,
        "level": record.level,
        "resource": record.resource,
        "door": client.door.value if client.door else "",
        "protocol": client.protocol,
        "agent": client.agent,
        "bytes": "" if record.bytes is None else str(record.bytes),
        "keywords": ",".join(record.keywords),
        "hits": "" if record.hits is None else str(record.hits),
        "requests": str(record.requests) if record.requests > 1 else "",
    }


_ACCESS_READ = _MessageKind(codes.INSTANCES_ACCESSED, "R", _acting, _studies_and_patients)
_ACCESS_UPDATE = _MessageKind(codes.INSTANCES_ACCESSED, "U", _acting, _studies_and_patients)
_ACCESS_DELETE = _MessageKind(codes.INSTANCES_ACCESSED, "D", _acting, _studies_and_patients)
_STUDY_DELETED = _MessageKind(codes.STUDY_DELETED, "D", _acting, _studies_and_patients)
_ARRIVAL = _MessageKind(codes.INSTANCES_TRANSFERRED, "C", _sending, _studies_and_patients)
_IMPORT = _MessageKind(codes.IMPORT, "C", _importing, _studies_and_patients)
_QUERY = _MessageKind(codes.QUERY, "E", _sending, _queried)
_LOGIN = _MessageKind(codes.USER_AUTHENTICATION, "E", lambda record, _source: (_client(record),), _nothing, codes.LOGIN)
_KINDS = {
    AuditAction.READ: _MessageKind(codes.INSTANCES_TRANSFERRED, "R", _reading, _studies_and_patients),
    AuditAction.LIST: _QUERY,
    AuditAction.SEARCH: _QUERY,
    AuditAction.UPLOAD: _IMPORT,
    AuditAction.ATTACH: _IMPORT,
    AuditAction.DELETE: _ACCESS_DELETE,
    AuditAction.PURGE: _ACCESS_DELETE,
    AuditAction.RESTORE: _ACCESS_UPDATE,
    AuditAction.MOVE: _ACCESS_UPDATE,
    AuditAction.COPY: _ACCESS_READ,
    AuditAction.LOGIN: _LOGIN,
    AuditAction.LOGIN_REFUSED: _LOGIN,
    AuditAction.ARRIVAL: _ARRIVAL,
    AuditAction.QUARANTINE: _ARRIVAL,
    AuditAction.RELOAD: _MessageKind(codes.SECURITY_ALERT, "E", _acting, _alerted, codes.SOFTWARE_CONFIGURATION),
    AuditAction.START: _MessageKind(codes.APPLICATION_ACTIVITY, "E", _running, _nothing, codes.APPLICATION_START),
    AuditAction.STOP: _MessageKind(codes.APPLICATION_ACTIVITY, "E", _running, _nothing, codes.APPLICATION_STOP),
    AuditAction.ALERT: _MessageKind(codes.SECURITY_ALERT, "E", _acting, _alerted, codes.AUDIT_RECORDING_STOPPED),
}
