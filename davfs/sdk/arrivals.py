"""Reads which instances came to Orthanc and not through the drive, from the counts in native/arrivals.c."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from _davfs_sdk import ffi, lib

from davfs.audit.record import AuditAction, AuditRecord, Client

_PROTOCOLS = {
    lib.OrthancPluginInstanceOrigin_DicomProtocol: "dicom",
    lib.OrthancPluginInstanceOrigin_RestApi: "rest",
    lib.OrthancPluginInstanceOrigin_Plugin: "plugin",
    lib.OrthancPluginInstanceOrigin_Lua: "lua",
    lib.OrthancPluginInstanceOrigin_WebDav: "webdav",
}


def open_arrivals() -> None:
    """Have arrivals counted from now on."""
    lib.davfs_open_arrivals()


def close_arrivals() -> None:
    """Have no more arrivals counted; those that were can still be taken."""
    lib.davfs_close_arrivals()


def take_arrivals(seconds: int) -> Iterator[AuditRecord]:
    """Yield a record for each series and sender of which the first instance came so many seconds ago, or more.

    Earlier if there are many: native/arrivals.c has room for some thousands.
    """
    taken = ffi.new("davfs_arrival*")
    while lib.davfs_take_arrival(taken, seconds):
        yield _record(taken)


def lost_arrivals() -> int:
    """Return the number of instances that could not be counted since the last call."""
    return int(lib.davfs_lost_arrivals())


def _record(taken: Any) -> AuditRecord:
    protocol = "dicomweb" if taken.is_dicomweb else _PROTOCOLS.get(taken.origin, "")
    sender = Client(_text(taken.user), _text(taken.address), protocol=protocol, agent=_text(taken.title))
    series = series_id(*(ffi.string(each) for each in (taken.patient, taken.study, taken.series)))
    return AuditRecord(
        client=sender,
        action=AuditAction.ARRIVAL,
        time=datetime.fromtimestamp(taken.time, UTC),
        level="series" if series else "instance",
        resource=series or _text(taken.instance),
        study_instance_uid=_text(taken.study),
        sop_instances=taken.instances,
    )


def series_id(patient: bytes, study: bytes, series: bytes) -> str:
    """Return Orthanc's identifier of a series by PatientID and UIDs; empty if it cannot be computed.

    A PatientID that is not ASCII is encoded in the character set of its file, and Orthanc hashes it in UTF-8.

    Source: https://orthanc.uclouvain.be/book/faq/orthanc-ids.html
    """
    if not study or not series or not patient.isascii():
        return ""
    digest = hashlib.sha1(b"|".join((patient, study, series)), usedforsecurity=False).hexdigest()
    return "-".join(digest[start : start + 8] for start in range(0, 40, 8))


def _text(field: Any) -> str:
    text: str = ffi.string(field).decode("utf-8", "replace")
    return text
