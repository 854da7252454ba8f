"""The form of records in the audit file: one JSON object a line (docs/audit.schema.json)."""

import json
from typing import Any

from davfs.audit.record import AuditRecord


def encode_line(record: AuditRecord) -> bytes:
    """Return a record as a line of ASCII, with its line feed; no text in it can begin another line."""
    return json.dumps(fields(record), separators=(",", ":")).encode() + b"\n"


def fields(record: AuditRecord) -> dict[str, Any]:
    """Return a record as a JSON object; fields that say nothing are left out, but the first five."""
    client = record.client
    first = {
        "time": record.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "action": record.action.value,
        "outcome": record.outcome.value,
        "user": client.user,
        "address": client.address,
    }
    others = {
        "door": client.door.value if client.door else "",
        "protocol": client.protocol,
        "agent": client.agent,
        "level": record.level,
        "resource": record.resource,
        "study_instance_uid": record.study_instance_uid,
        "patient": record.patient,
        "sop_instances": record.sop_instances,
        "bytes": record.bytes,
        "size": record.size,
        "keywords": ",".join(record.keywords),
        "hits": record.hits,
        "reason": record.reason,
        "requests": record.requests if record.requests > 1 else None,
        "lost": record.lost or None,
    }
    return first | {key: value for key, value in others.items() if value not in ("", None)}
