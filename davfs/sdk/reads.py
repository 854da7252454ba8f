"""Reads which files were sent without Python, from the queue in native/read_queue.c."""

from datetime import UTC, datetime
from typing import Any

from _davfs_sdk import ffi, lib

from davfs.audit.record import AuditAction, AuditRecord, Client, Door

_MOST = 256


def open_reads() -> None:
    """Have reads queued from now on."""
    lib.davfs_open_reads()


def close_reads() -> None:
    """Have no more reads queued, and end the wait of `take_reads`; those in the queue can still be taken."""
    lib.davfs_close_reads()


def take_reads(seconds: float) -> list[AuditRecord]:
    """Return records of some of the queued reads, oldest first; wait so many seconds for the first one."""
    reads = ffi.new("davfs_read[]", _MOST)
    return [_record(reads[at]) for at in range(lib.davfs_take_reads(reads, _MOST, int(seconds * 1000)))]


def lost_reads() -> int:
    """Return the number of reads for which there was no room since the last call."""
    return int(lib.davfs_lost_reads())


def _record(read: Any) -> AuditRecord:
    return AuditRecord(
        client=Client(_text(read.user), _text(read.address), Door.ORTHANC, "webdav", _text(read.agent)),
        action=AuditAction.READ,
        time=datetime.fromtimestamp(read.time, UTC),
        level="instance",
        resource=_text(read.instance),
        sop_instances=1,
        bytes=read.size,
    )


def _text(field: Any) -> str:
    text: str = ffi.string(field).decode("utf-8", "replace")
    return text
