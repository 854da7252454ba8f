"""Reads which files were sent without Python, from the queue in native/read_queue.c."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from _davfs_sdk import ffi, lib

from davfs.audit.record import AuditAction, AuditRecord, Client, Door

_MOST = 256
_CLIENTS = 256
"""Clients that are cached: many reads have the same one."""


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
        client=_client(ffi.string(read.user), ffi.string(read.address), ffi.string(read.agent)),
        action=AuditAction.READ,
        time=datetime.fromtimestamp(read.time, UTC),
        level="instance",
        resource=ffi.string(read.instance).decode(),
        sop_instances=1,
        bytes=read.size,
    )


@lru_cache(maxsize=_CLIENTS)
def _client(user: bytes, address: bytes, agent: bytes) -> Client:
    name, host, program = (text.decode("utf-8", "replace") for text in (user, address, agent))
    return Client(name, host, Door.ORTHANC, "webdav", program)
