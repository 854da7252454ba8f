"""Maps the drive's errors to Orthanc's error codes, and so to HTTP statuses.

Orthanc turns a code into a status (Enumerations.cpp, ConvertErrorCodeToHttpStatus): the comment behind each line.
It has no code for 405, 423 or 507: FullStorage is 500, in Orthanc 1.13.0 as well. `Forbidden` is not here: the
callbacks answer it without an error (403).
"""

from davfs import errors
from davfs.sdk.core import ErrorCode

ERROR_CODES: dict[type[Exception], ErrorCode] = {
    errors.NotFound: ErrorCode.UnknownResource,  # 404
    errors.NotAFolder: ErrorCode.Revision,  # 409
    errors.IsAFolder: ErrorCode.Revision,  # 409
    errors.AlreadyExists: ErrorCode.NotAcceptable,  # 406: like 405 (RFC 4918 §9.3.1) "is there" for rclone
    errors.ParentMissing: ErrorCode.Revision,  # 409, RFC 4918 §9.3.1 and §9.7.1
    errors.BadName: ErrorCode.BadRequest,  # 400
    errors.Conflict: ErrorCode.Revision,  # 409
    errors.Rejected: ErrorCode.UnsupportedMediaType,  # 415
    errors.UploadTooLarge: ErrorCode.UnsupportedMediaType,  # 415: Orthanc has no code for 413
    errors.NoSpace: ErrorCode.DatabaseUnavailable,  # 503: temporary like 507 (RFC 4918 §11.5)
    errors.TooLarge: ErrorCode.NotAcceptable,  # 406: rclone retries statuses of the server's (5xx)
    errors.Busy: ErrorCode.DatabaseUnavailable,  # 503
    errors.UnknownResource: ErrorCode.UnknownResource,  # 404
    errors.BadFile: ErrorCode.UnsupportedMediaType,  # 415
    errors.StorageFull: ErrorCode.DatabaseUnavailable,  # 503, as NoSpace
    errors.NotAnonymised: ErrorCode.NotAcceptable,  # 406, as TooLarge
    errors.UnreadableMark: ErrorCode.Revision,  # 409
    errors.Unavailable: ErrorCode.DatabaseUnavailable,  # 503
}


def error_code(error: Exception) -> ErrorCode | None:
    """Return Orthanc's code for an error of the drive, None for any other error."""
    return next((ERROR_CODES[kind] for kind in type(error).__mro__ if kind in ERROR_CODES), None)
