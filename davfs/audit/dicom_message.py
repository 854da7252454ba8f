"""DICOM audit messages as values, and their XML (DICOM PS3.15 A.5.1.1).

The XML is ASCII: other characters are references, and those that XML has no place for become question marks. It is put
together without a parser's library, of which Orthanc's process may have loaded another one.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from davfs.audit.dicom_codes import CodedValue
from davfs.printable import printable

_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


@dataclass(frozen=True, slots=True)
class ActiveParticipant:
    """A person or process that took part.

    Attributes:
        user: UserID.
        role: RoleIDCode; None for none.
        is_requestor: UserIsRequestor.
        address: NetworkAccessPointID: an IP address, or with `is_host` a host name; empty for none.
        is_host: True if the address is a host name.
        aliases: AlternativeUserID; empty for none.
        name: UserName; empty for none.
        media: MediaType; None for none.
    """

    user: str
    role: CodedValue | None = None
    is_requestor: bool = False
    address: str = ""
    is_host: bool = False
    aliases: str = ""
    name: str = ""
    media: CodedValue | None = None

    def xml(self) -> str:
        """Return the element."""
        attributes = {
            "UserID": self.user,
            "AlternativeUserID": self.aliases,
            "UserName": self.name,
            "UserIsRequestor": "true" if self.is_requestor else "false",
            "NetworkAccessPointID": self.address,
            "NetworkAccessPointTypeCode": ("1" if self.is_host else "2") if self.address else "",
        }
        media = _element("MediaIdentifier", {}, _coded("MediaType", self.media)) if self.media else ""
        return _element("ActiveParticipant", attributes, (_coded("RoleIDCode", self.role) if self.role else "") + media)


@dataclass(frozen=True, slots=True)
class ParticipantObject:
    """An object of the event: a study, a patient, a query.

    Attributes:
        identifier: ParticipantObjectID.
        id_type: ParticipantObjectIDTypeCode.
        type_code: ParticipantObjectTypeCode, such as 1 for a person.
        role: ParticipantObjectTypeCodeRole, such as 3 for a study.
        name: ParticipantObjectName; None for an empty ParticipantObjectQuery instead.
        life_cycle: ParticipantObjectDataLifeCycle; empty for none.
        details: ParticipantObjectDetail, by type; empty texts are left out.
        instances: NumberOfInstances; None for none.
    """

    identifier: str
    id_type: CodedValue
    type_code: str
    role: str
    name: str | None
    life_cycle: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    instances: int | None = None

    def xml(self) -> str:
        """Return the element."""
        attributes = {
            "ParticipantObjectID": self.identifier,
            "ParticipantObjectTypeCode": self.type_code,
            "ParticipantObjectTypeCodeRole": self.role,
            "ParticipantObjectDataLifeCycle": self.life_cycle,
        }
        return _element("ParticipantObjectIdentification", attributes, "".join(self._content()))

    def _content(self) -> Sequence[str]:
        count = {"NumberOfInstances": str(self.instances)}
        return (
            _coded("ParticipantObjectIDTypeCode", self.id_type),
            "<ParticipantObjectQuery/>"
            if self.name is None
            else f"<ParticipantObjectName>{_escaped(self.name)}</ParticipantObjectName>",
            *(_detail(kind, value) for kind, value in self.details.items() if value),
            "" if self.instances is None else _element("ParticipantObjectDescription", {}, _element("SOPClass", count)),
        )


@dataclass(frozen=True, slots=True)
class AuditMessage:
    """A DICOM audit message.

    Attributes:
        event: EventID.
        action: EventActionCode: C, R, U, D or E.
        time: EventDateTime, with its time zone.
        outcome: EventOutcomeIndicator: 0, 4, 8 or 12.
        source: AuditSourceID.
        participants: Persons and processes.
        objects: Objects.
        event_type: EventTypeCode; None for none.
        description: EventOutcomeDescription; empty for none.
    """

    event: CodedValue
    action: str
    time: str
    outcome: str
    source: str
    participants: Sequence[ActiveParticipant]
    objects: Sequence[ParticipantObject] = ()
    event_type: CodedValue | None = None
    description: str = ""

    def xml(self) -> str:
        """Return the document."""
        identification = {
            "EventActionCode": self.action,
            "EventDateTime": self.time,
            "EventOutcomeIndicator": self.outcome,
        }
        described = f"<EventOutcomeDescription>{_escaped(self.description)}</EventOutcomeDescription>"
        event = (
            _coded("EventID", self.event),
            _coded("EventTypeCode", self.event_type) if self.event_type else "",
            described if self.description else "",
        )
        source = _element(
            "AuditSourceIdentification",
            {"AuditSourceID": self.source},
            _element("AuditSourceTypeCode", {"csd-code": "4"}),
        )
        parts = (
            _element("EventIdentification", identification, "".join(event)),
            *(participant.xml() for participant in self.participants),
            source,
            *(each.xml() for each in self.objects),
        )
        return f'<?xml version="1.0" encoding="UTF-8"?>{_element("AuditMessage", {}, "".join(parts))}'


def _element(name: str, attributes: Mapping[str, str], content: str = "") -> str:
    """Return an element; attributes that are empty are left out."""
    given = "".join(f' {key}="{_escaped(value)}"' for key, value in attributes.items() if value)
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def _coded(name: str, value: CodedValue) -> str:
    return _element(name, {"csd-code": value.code, "codeSystemName": value.system, "originalText": value.meaning})


def _detail(kind: str, value: str) -> str:
    encoded = base64.b64encode(value.encode("utf-8", "replace")).decode()
    return _element("ParticipantObjectDetail", {"type": kind, "value": encoded})


def _escaped(text: str) -> str:
    return printable(text).translate(_ESCAPED).encode("ascii", "xmlcharrefreplace").decode()
