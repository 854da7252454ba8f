"""Codes of DICOM's audit messages, from context groups 400 to 405 (DICOM PS3.16)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodedValue:
    """A coded value, as PS3.15 A.5.1.1 has it.

    Attributes:
        code: Its code.
        meaning: Its meaning.
        system: The coding scheme.
    """

    code: str
    meaning: str
    system: str = "DCM"


APPLICATION_ACTIVITY = CodedValue("110100", "Application Activity")
INSTANCES_ACCESSED = CodedValue("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = CodedValue("110104", "DICOM Instances Transferred")
STUDY_DELETED = CodedValue("110105", "DICOM Study Deleted")
IMPORT = CodedValue("110107", "Import")
QUERY = CodedValue("110112", "Query")
SECURITY_ALERT = CodedValue("110113", "Security Alert")
USER_AUTHENTICATION = CodedValue("110114", "User Authentication")

APPLICATION_START = CodedValue("110120", "Application Start")
APPLICATION_STOP = CodedValue("110121", "Application Stop")
LOGIN = CodedValue("110122", "Login")
SOFTWARE_CONFIGURATION = CodedValue("110131", "Software Configuration")
AUDIT_RECORDING_STOPPED = CodedValue("110133", "Audit Recording Stopped")

APPLICATION = CodedValue("110150", "Application")
DESTINATION = CodedValue("110152", "Destination Role ID")
SOURCE = CodedValue("110153", "Source Role ID")
SOURCE_MEDIA = CodedValue("110155", "Source Media")

URI = CodedValue("110037", "URI")
STUDY_INSTANCE_UID = CodedValue("110180", "Study Instance UID")
NODE_ID = CodedValue("110182", "Node ID")
PATIENT_NUMBER = CodedValue("2", "Patient Number", "RFC-3881")
FOLDER = CodedValue("folder", "Folder of the drive", "99DAVFS")
