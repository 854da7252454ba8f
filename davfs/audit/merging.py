"""Makes one record of many: of a file that is read in ranges, and of the images of a series that arrive.

A record of a part is held back until no other of the same client and resource has come for a while.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from davfs.audit.record import NOT_FOUND, AuditAction, AuditRecord, Outcome

_IDLE_SECONDS = 10.0
"""Seconds without a further part after which a record is complete."""
_LONGEST_SECONDS = 60.0
"""Seconds after which it is complete in any case."""
_MOST = 10_000
"""Records that are held back; the oldest is completed for a new one."""

_POLLED = frozenset({AuditAction.ARRIVAL, AuditAction.LIST, AuditAction.SEARCH})
"""What programs do again and again, without a person who asks for it."""


@dataclass(slots=True)
class _HeldRecord:
    record: AuditRecord
    first: float
    last: float


class RecordMerger:
    """Holds records of parts back; all times are seconds of a monotonic clock. Used by one thread."""

    def __init__(self) -> None:
        self._held: dict[tuple[object, ...], _HeldRecord] = {}

    def add(self, record: AuditRecord, now: float) -> Iterator[AuditRecord]:
        """Add a record; yield those that are complete by that."""
        if not _is_part(record):
            yield record
            return
        key = _key(record)
        held = self._held.get(key)
        if held:
            held.record, held.last = _merged(held.record, record), now
            return
        if len(self._held) >= _MOST:
            yield _completed(self._held.pop(next(iter(self._held))).record)
        self._held[key] = _HeldRecord(record, now, now)

    def expired(self, now: float) -> Iterator[AuditRecord]:
        """Yield records that have been held for long enough."""
        for key, held in list(self._held.items()):
            if now - held.last >= _IDLE_SECONDS or now - held.first >= _LONGEST_SECONDS:
                del self._held[key]
                yield _completed(held.record)

    def rest(self) -> Iterator[AuditRecord]:
        """Yield all records that are held."""
        held, self._held = self._held, {}
        for each in held.values():
            yield _completed(each.record)

    def __len__(self) -> int:
        return len(self._held)


def _is_part(record: AuditRecord) -> bool:
    if record.reason == NOT_FOUND or record.action in {AuditAction.LOGIN_REFUSED, AuditAction.QUARANTINE}:
        return True
    if record.action in _POLLED:
        return record.outcome is Outcome.DONE
    return record.action is AuditAction.READ and record.outcome is Outcome.PARTIAL


def _key(record: AuditRecord) -> tuple[object, ...]:
    reason = "" if record.action is AuditAction.READ and record.resource else record.reason
    study = record.study_instance_uid if record.action is AuditAction.QUARANTINE else ""
    client = record.client
    repeats = record.reason == NOT_FOUND or record.action is AuditAction.LOGIN_REFUSED
    who = (client.user, client.address, client.door) if repeats else client  # whatever program they claim to be
    return who, record.action, record.resource or study, reason, record.keywords, record.hits


def _merged(first: AuditRecord, second: AuditRecord) -> AuditRecord:
    arrived = first.action in {AuditAction.ARRIVAL, AuditAction.QUARANTINE}
    return replace(
        first,
        time=second.time,
        study_instance_uid=first.study_instance_uid or second.study_instance_uid,
        patient=first.patient or second.patient,
        sop_instances=_sum(first.sop_instances, second.sop_instances) if arrived else first.sop_instances,
        bytes=_sum(first.bytes, second.bytes),
        size=first.size if second.size is None else second.size,
        reason=second.reason or first.reason,
        requests=first.requests + second.requests,
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return second if first is None else first if second is None else first + second


def _completed(record: AuditRecord) -> AuditRecord:
    """Return the record of a whole read, if the parts add up to one."""
    whole = record.size is not None and (record.bytes or 0) >= record.size
    return replace(record, outcome=Outcome.DONE, reason="") if whole else record
