"""Encodes records as syslog messages (RFC 5424)."""

import os
import socket
from collections.abc import Callable
from enum import StrEnum

from davfs.audit.dicom_events import AuditSource, audit_message
from davfs.audit.json_lines import encode_line
from davfs.audit.record import AuditRecord, Outcome

_AUTHORIZATION = 10  # the facility "security/authorization messages"
_WARNING, _NOTICE = 4, 5
_LONGEST_HOST = 255


class MessageFormat(StrEnum):
    """The form of messages: the line of the audit file, or a DICOM audit message."""

    JSON = "json"
    DICOM = "dicom"


_MESSAGE_IDS = {MessageFormat.JSON: "audit", MessageFormat.DICOM: "DICOM+RFC3881"}


def message_encoder(form: MessageFormat) -> Callable[[AuditRecord], bytes]:
    """Return the function that encodes records as messages of this process.

    Source: RFC 5424 section 6; facility, severity and MSGID by DICOM PS3.15 A.6. The messages are ASCII, so that they
    need no byte order mark.
    """
    source = AuditSource(_host(), str(os.getpid()))
    header = f"{source.host} davfs {source.process} {_MESSAGE_IDS[form]} -"

    def encode(record: AuditRecord) -> bytes:
        content = (
            encode_line(record)[:-1] if form is MessageFormat.JSON else audit_message(record, source).xml().encode()
        )
        time = record.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return f"<{_priority(record)}>1 {time} {header} ".encode() + content

    return encode


def _priority(record: AuditRecord) -> int:
    return _AUTHORIZATION * 8 + (_WARNING if record.outcome in {Outcome.REFUSED, Outcome.FAILED} else _NOTICE)


def _host() -> str:
    """Return the name of this machine, without characters that a header must not have."""
    name = "".join(character for character in socket.gethostname() if "!" <= character <= "~")
    return name[:_LONGEST_HOST] or "-"
