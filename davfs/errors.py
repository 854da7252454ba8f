"""Defines the errors that this package raises.

::

    DavfsError
    ├── PathError                 about one path of the drive
    │   ├── NotFound              nothing is at the path
    │   ├── NotAFolder            a file is at the path, and a folder is needed
    │   ├── IsAFolder             a folder is at the path, and a file is needed
    │   ├── AlreadyExists         the name is taken
    │   ├── ParentMissing         the folder of the path does not exist
    │   ├── BadName               the drive cannot keep a file of this name
    │   ├── Forbidden             this folder, or the configuration, does not allow it
    │   ├── Conflict              it contradicts what Orthanc has under the same identifiers
    │   ├── Rejected              Orthanc refused the content
    │   │   └── UploadTooLarge    … because it is larger than what can be attached to a study
    │   ├── NoSpace               the spool's quota, or Orthanc's, is used up
    │   ├── TooLarge              this door cannot serve a file of that size
    │   └── Busy                  the work could not start in time: try again
    ├── OrthancError              Orthanc's REST API answered with an error
    │   ├── UnknownResource       … because the resource does not exist (any more)
    │   ├── BadFile               … because the content is no DICOM file
    │   ├── StorageFull           … because its storage is full
    │   ├── NotAnonymised         … or its answer would still identify the patient
    │   ├── UnreadableMark        … or a study's mark of the trash is damaged, or of a newer version
    │   └── Unavailable           … because it, or its database, cannot be reached
    │       └── DatabaseGone      … because its database is known to be gone: it was not asked
    ├── NotImported               some content cannot be imported, wherever on the drive it was dropped
    │   ├── Refused               Orthanc will not take it, however often it is tried
    │   │   ├── Contradiction     … because it has a different file with the same identifiers
    │   │   └── Held              … because its patient contradicts the archive, and lies in quarantine
    │   ├── DamagedZip            a ZIP, or one of its members, cannot be read
    │   └── ZipTooLarge           a ZIP has a larger directory than is read into memory
    └── ConfigurationError        the administrator has to change something
        └── LayoutError           … in a layout file: carries file and line

A path error has the path and a reason that can be shown to the user, never an HTTP status: each door has one table from
these classes to its own codes. `NotImported` never reaches a door: the inbox raises a path error instead.
"""


class DavfsError(Exception):
    """Root of all errors of this package."""


class PathError(DavfsError):
    """An error about one path of the drive.

    Args:
        path: Segments below the drive's root.
        reason: One sentence for the user, without patient data beyond the path itself.
    """

    def __init__(self, path: tuple[str, ...], reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.reason = reason


class NotFound(PathError):
    """Nothing is at the path."""


class NotAFolder(PathError):
    """A file is at the path, and a folder is needed."""


class IsAFolder(PathError):
    """A folder is at the path, and a file is needed."""


class AlreadyExists(PathError):
    """The name is taken."""


class ParentMissing(PathError):
    """The folder of the path does not exist."""


class BadName(PathError):
    """The drive cannot keep a file of this name."""


class Forbidden(PathError):
    """This folder, or the configuration, does not allow it."""


class Conflict(PathError):
    """It contradicts what Orthanc has under the same identifiers: another file, or another patient."""


class Rejected(PathError):
    """Orthanc refused the content."""


class UploadTooLarge(Rejected):
    """The content is larger than what can be attached to a study."""


class NoSpace(PathError):
    """The spool's quota, or Orthanc's storage, is used up."""


class TooLarge(PathError):
    """This door cannot serve a file of that size; another one may."""


class Busy(PathError):
    """The work could not start in time; trying again later may help."""


class OrthancError(DavfsError):
    """Orthanc's REST API answered with an error.

    Args:
        reason: What Orthanc said, without patient data.
        code: Orthanc's own error code (``OrthancPluginErrorCode``) or HTTP status, for the log.
    """

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class UnknownResource(OrthancError):
    """The resource does not exist in Orthanc, or not any more."""


class BadFile(OrthancError):
    """Orthanc says that the content is no DICOM file that it can read."""


class StorageFull(OrthancError):
    """Orthanc's storage is full."""


class NotAnonymised(OrthancError):
    """A file cannot be shown without identifying the patient."""


class UnreadableMark(OrthancError):
    """The mark of a study in the trash cannot be read, so that it must not be changed."""


class Unavailable(OrthancError):
    """Orthanc, or its database, cannot be reached."""


class ValueChanged(Unavailable):
    """A value in Orthanc was changed by another request meanwhile."""


class DatabaseGone(Unavailable):
    """Orthanc's database is known to be gone, so that Orthanc was not asked."""


class NotImported(DavfsError):
    """Some content cannot be imported."""


class Refused(NotImported):
    """Orthanc will not take this content, however often it is tried.

    Args:
        reason: One sentence for the user, without patient data.
        details: Lines for the text file beside the refused file; never logged, for they can name members of a ZIP.
    """

    def __init__(self, reason: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


class Contradiction(Refused):
    """Orthanc already has a different file with the same identifiers."""


class Held(Refused):
    """Its patient contradicts the identity that the archive has under its PatientID.

    Args:
        reason: As for `Refused`.
        details: As for `Refused`.
        patient: Its PatientID; never logged.
    """

    def __init__(self, reason: str, details: tuple[str, ...], patient: str) -> None:
        super().__init__(reason, details)
        self.patient = patient


class DamagedZip(NotImported):
    """A ZIP, or one of its members, cannot be read."""


class ZipTooLarge(NotImported):
    """A ZIP has a larger directory than is read into memory."""


class ConfigurationError(DavfsError):
    """The administrator has to change the configuration before the drive can start."""


class LayoutError(ConfigurationError):
    """A layout file is wrong.

    Args:
        reason: What is wrong and what is allowed.
        file: The layout's file name.
        line: Line in that file, from 1; None where the whole file is meant.
    """

    def __init__(self, reason: str, file: str, line: int | None = None) -> None:
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {reason}")
        self.reason = reason
        self.file = file
        self.line = line
