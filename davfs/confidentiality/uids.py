"""UIDs that the standard defines, which identify no person."""

from pydicom.config import IGNORE
from pydicom.uid import UID


def is_registered(uid: str) -> bool:
    """Return True for a UID of DICOM PS3.6, such as that of a SOP class or of a well-known frame of reference."""
    return bool(UID(uid, IGNORE).type)


def class_name(sop_class: str) -> str:
    """Return the standard's name of a SOP class; an empty text for a private one."""
    uid = UID(sop_class, IGNORE)
    return uid.name if uid.type == "SOP Class" else ""
