"""The form of records in the audit file: one JSON object a line (docs/audit.schema.json).

Lines are put together by hand: this takes a third of the time of `json.dumps`, and each read has one.
"""

from functools import lru_cache
from json.encoder import encode_basestring_ascii

from davfs.audit.record import AuditRecord, Client

_CLIENTS = 256
"""Clients whose part of the line is cached."""


def encode_line(record: AuditRecord) -> bytes:
    """Return a record as a line of ASCII, with its line feed; no text in it can begin another line.

    Fields that say nothing are left out, but the first five.
    """
    texts = (
        ("level", record.level),
        ("resource", record.resource),
        ("study_instance_uid", record.study_instance_uid),
        ("patient", record.patient),
        ("keywords", ",".join(record.keywords)),
        ("reason", record.reason),
    )
    numbers = (
        ("sop_instances", record.sop_instances),
        ("bytes", record.bytes),
        ("size", record.size),
        ("hits", record.hits),
        ("requests", record.requests if record.requests > 1 else None),
        ("lost", record.lost or None),
    )
    first = f'"time":"{record.time.isoformat("T", "microseconds")[:-6]}Z","action":"{record.action}"'
    fields = [first, f'"outcome":"{record.outcome}"', _client_fields(record.client)]
    fields += [f'"{key}":{encode_basestring_ascii(text)}' for key, text in texts if text]
    fields += [f'"{key}":{number}' for key, number in numbers if number is not None]
    return f"{{{','.join(fields)}}}\n".encode()


@lru_cache(maxsize=_CLIENTS)
def _client_fields(client: Client) -> str:
    """Return the fields about a client; many records have the same one."""
    others = (("door", client.door or ""), ("protocol", client.protocol), ("agent", client.agent))
    fields = [f'"{key}":{encode_basestring_ascii(text)}' for key, text in others if text]
    first = (
        f'"{key}":{encode_basestring_ascii(text)}' for key, text in (("user", client.user), ("address", client.address))
    )
    return ",".join([*first, *fields])
