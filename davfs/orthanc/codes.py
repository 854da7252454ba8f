"""Maps Orthanc's error codes to the errors of the drive: one table for Orthanc's SDK and for HTTP.

Inside Orthanc a call of the SDK returns a code; over HTTP the code is in the body of the response, unless
``HttpDescribeErrors`` is off or a proxy has answered: then the status is mapped.

Only an upload has a content that can be refused. Any code that is neither temporary nor about space or permissions,
unknown codes included, means a refusal of that content: it would be in vain to send the same file again.

Source: ``OrthancPluginErrorCode`` in ``orthanc/OrthancCPlugin.h``.
"""

from enum import Enum, auto
from http import HTTPStatus

from davfs.errors import BadFile, OrthancError, StorageFull, Unavailable, UnknownResource


class Meaning(Enum):
    """The meaning of an error code, or of an HTTP status."""

    CONTENT = auto()
    """Orthanc cannot do this with what it was given."""
    GONE = auto()
    """There is no such resource; of an upload: as `CONTENT`."""
    TEMPORARY = auto()
    """The same request may succeed later."""
    FULL = auto()
    """Orthanc's storage is full."""
    DENIED = auto()
    """The drive itself is not allowed to, or does not reach Orthanc: a matter for the administrator."""


def _as(meaning: Meaning, *codes: int) -> dict[int, Meaning]:
    return dict.fromkeys(codes, meaning)


MEANINGS: dict[int, Meaning] = {
    -1: Meaning.CONTENT,  # InternalError: also what an exception of one of its libraries becomes
    1: Meaning.CONTENT,  # Plugin
    2: Meaning.CONTENT,  # NotImplemented
    3: Meaning.CONTENT,  # ParameterOutOfRange: of many damaged files
    4: Meaning.TEMPORARY,  # NotEnoughMemory
    5: Meaning.CONTENT,  # BadParameterType
    6: Meaning.CONTENT,  # BadSequenceOfCalls
    7: Meaning.GONE,  # InexistentItem
    8: Meaning.CONTENT,  # BadRequest
    9: Meaning.TEMPORARY,  # NetworkProtocol
    10: Meaning.CONTENT,  # SystemCommand
    11: Meaning.TEMPORARY,  # Database
    12: Meaning.CONTENT,  # UriSyntax
    13: Meaning.GONE,  # InexistentFile
    14: Meaning.FULL,  # CannotWriteFile
    15: Meaning.CONTENT,  # BadFileFormat
    16: Meaning.TEMPORARY,  # Timeout
    17: Meaning.GONE,  # UnknownResource
    18: Meaning.TEMPORARY,  # IncompatibleDatabaseVersion
    19: Meaning.FULL,  # FullStorage
    20: Meaning.CONTENT,  # CorruptedFile
    21: Meaning.CONTENT,  # InexistentTag: a data set without the UIDs that every instance has; its status is 404
    22: Meaning.DENIED,  # ReadOnly
    **_as(Meaning.CONTENT, 23, 24),  # IncompatibleImageFormat, IncompatibleImageSize
    25: Meaning.TEMPORARY,  # SharedLibrary
    **_as(Meaning.CONTENT, 26, 27, 28),  # UnknownPluginService, UnknownDicomTag, BadJson
    29: Meaning.DENIED,  # Unauthorized
    30: Meaning.CONTENT,  # BadFont
    31: Meaning.TEMPORARY,  # DatabasePlugin
    32: Meaning.TEMPORARY,  # StorageAreaPlugin
    **_as(Meaning.CONTENT, 33, 34, 35),  # EmptyRequest, NotAcceptable, NullPointer
    36: Meaning.TEMPORARY,  # DatabaseUnavailable
    37: Meaning.TEMPORARY,  # CanceledJob
    38: Meaning.CONTENT,  # BadGeometry
    39: Meaning.TEMPORARY,  # SslInitialization
    **_as(Meaning.CONTENT, 40, 41),  # DiscontinuedAbi, BadRange
    42: Meaning.TEMPORARY,  # DatabaseCannotSerialize
    43: Meaning.TEMPORARY,  # Revision: somebody else was faster
    44: Meaning.CONTENT,  # MainDicomTagsMultiplyDefined
    45: Meaning.DENIED,  # ForbiddenAccess
    46: Meaning.CONTENT,  # DuplicateResource
    47: Meaning.CONTENT,  # IncompatibleConfigurations
    **_as(Meaning.TEMPORARY, *range(1000, 1016)),  # SQLite…
    **_as(Meaning.FULL, 2000, 2001),  # DirectoryOverFile, FileStorageCannotWrite
    2002: Meaning.TEMPORARY,  # DirectoryExpected
    **_as(Meaning.TEMPORARY, 2003, 2004),  # HttpPortInUse, DicomPortInUse
    2005: Meaning.CONTENT,  # BadHttpStatusInRest
    **_as(Meaning.TEMPORARY, 2006, 2007),  # RegularFileExpected, PathToExecutable
    2008: Meaning.FULL,  # MakeDirectory
    **_as(Meaning.CONTENT, *range(2009, 2018)),  # BadApplicationEntityTitle, NoCFindHandler … DicomMoveUnavailable
    2018: Meaning.CONTENT,  # CannotStoreInstance
    **_as(Meaning.CONTENT, *range(2019, 2027)),  # CreateDicom…
    **_as(Meaning.CONTENT, 2027, 2028),  # UnknownModality, BadJobOrdering
    **_as(Meaning.CONTENT, *range(2029, 2036)),  # …Lua…: a script of the administrator fails on this file
    **_as(Meaning.TEMPORARY, 2036, 2037, 2038),  # …AlreadyRegistered, DatabaseNotInitialized
    **_as(Meaning.CONTENT, *range(2039, 2046)),  # SslDisabled, CannotOrderSlices … DicomGetUnavailable
    3000: Meaning.CONTENT,  # UnsupportedMediaType
}
"""Each of Orthanc's codes but 0, of all versions."""

_STATUSES: dict[int, Meaning] = {
    HTTPStatus.UNAUTHORIZED: Meaning.DENIED,
    HTTPStatus.FORBIDDEN: Meaning.DENIED,
    HTTPStatus.NOT_FOUND: Meaning.GONE,
    HTTPStatus.METHOD_NOT_ALLOWED: Meaning.DENIED,
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: Meaning.DENIED,
    HTTPStatus.REQUEST_TIMEOUT: Meaning.TEMPORARY,
    HTTPStatus.TOO_EARLY: Meaning.TEMPORARY,
    HTTPStatus.TOO_MANY_REQUESTS: Meaning.TEMPORARY,
    HTTPStatus.BAD_GATEWAY: Meaning.TEMPORARY,
    HTTPStatus.SERVICE_UNAVAILABLE: Meaning.TEMPORARY,
    HTTPStatus.GATEWAY_TIMEOUT: Meaning.TEMPORARY,
    HTTPStatus.INSUFFICIENT_STORAGE: Meaning.FULL,
}
"""HTTP statuses; all others mean `Meaning.CONTENT`."""

_ERRORS: dict[Meaning, type[OrthancError]] = {
    Meaning.CONTENT: OrthancError,
    Meaning.GONE: UnknownResource,
    Meaning.TEMPORARY: Unavailable,
    Meaning.FULL: StorageFull,
    Meaning.DENIED: OrthancError,
}


_LOST = frozenset({13, 20, 2006})
"""InexistentFile, CorruptedFile, RegularFileExpected: the storage's errors if a file is missing."""


def error_of(reason: str, code: int) -> OrthancError:
    """Return the error for a code.

    Args:
        reason: Orthanc's message, without patient data.
        code: Orthanc's own code or, without one, the HTTP status.
    """
    return _ERRORS[_meaning(code)](reason, code)


def upload_error(error: OrthancError) -> OrthancError:
    """Return the error for the response to an upload: `BadFile` if Orthanc refuses its content."""
    if error.code is None or _meaning(error.code) not in (Meaning.CONTENT, Meaning.GONE):
        return error
    return BadFile(error.reason, error.code)


def is_lost(error: OrthancError) -> bool:
    """Return True if an error that was raised by reading a stored file means that it is missing or damaged."""
    return error.code in _LOST or not isinstance(error, Unavailable)


def _meaning(code: int) -> Meaning:
    known = MEANINGS.get(code) or _STATUSES.get(code)
    if known is None and HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
        return Meaning.DENIED  # a redirection: another address than Orthanc's
    return known or Meaning.CONTENT
