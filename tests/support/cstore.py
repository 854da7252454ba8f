"""Sends DICOM instances by C-STORE, as modalities do."""

import io
from collections.abc import Iterable

import pydicom
from pynetdicom import AE

SUCCESS = 0x0000
NO_ANSWER = -1


def send(port: int, contents: Iterable[bytes], *, title: str = "DAVFS", seconds: float = 10) -> list[int]:
    """Send DICOM files to this machine by C-STORE, in one association, and return the status of each.

    Args:
        port: TCP port of the DICOM server.
        contents: DICOM files.
        title: Our own AE title.
        seconds: Time limit for each answer.

    Returns:
        DIMSE statuses, 0x0000 for success (DICOM PS3.7 Annex C); -1 where no answer came.

    Raises:
        ConnectionError: The server refused the association.
    """
    datasets = [pydicom.dcmread(io.BytesIO(content)) for content in contents]
    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = seconds
    for sop_class, syntax in sorted({(each.SOPClassUID, each.file_meta.TransferSyntaxUID) for each in datasets}):
        entity.add_requested_context(sop_class, syntax)
    association = entity.associate("127.0.0.1", port)
    if not association.is_established:
        raise ConnectionError(f"port {port} refused the association of {title}")
    try:
        answers = [association.send_c_store(dataset) for dataset in datasets]
    finally:
        association.release()
    return [int(answer.Status) if "Status" in answer else NO_ANSWER for answer in answers]
