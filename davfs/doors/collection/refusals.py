"""The one table from the drive's errors to the core's codes, and so to HTTP statuses.

Orthanc turns a code into a status (Enumerations.cpp, ConvertErrorCodeToHttpStatus): the comment behind each line.
It has no code for 405, 423 or 507: FullStorage is 500, in Orthanc 1.13.0 as well. `Forbidden` is not here: the
callbacks answer it without an error (403).
"""

from davfs import errors
from davfs.sdk.core import Code

REFUSALS: dict[type[Exception], Code] = {
    errors.NotFound: Code.UnknownResource,  # 404
    errors.NotAFolder: Code.Revision,  # 409
    errors.IsAFolder: Code.Revision,  # 409
    errors.AlreadyExists: Code.NotAcceptable,  # 406: rclone takes it, like the 405 of RFC 4918 §9.3.1, for "is there"
    errors.ParentMissing: Code.Revision,  # 409, RFC 4918 §9.3.1 and §9.7.1
    errors.BadName: Code.BadRequest,  # 400
    errors.Conflict: Code.Revision,  # 409
    errors.Rejected: Code.UnsupportedMediaType,  # 415
    errors.NoSpace: Code.DatabaseUnavailable,  # 503: like 507 (RFC 4918 §11.5) temporary, and nobody's mistake
    errors.TooLarge: Code.NotAcceptable,  # 406: a status of the client's, for rclone tries those of the server's again
    errors.Busy: Code.DatabaseUnavailable,  # 503
    errors.UnknownResource: Code.UnknownResource,  # 404
    errors.BadFile: Code.UnsupportedMediaType,  # 415
    errors.StorageFull: Code.DatabaseUnavailable,  # 503, as NoSpace
    errors.NotAnonymised: Code.NotAcceptable,  # 406, as TooLarge
    errors.Unavailable: Code.DatabaseUnavailable,  # 503
}


def code(error: Exception) -> Code | None:
    """Return the core's code for an error of the drive, None for any other."""
    return next((REFUSALS[kind] for kind in type(error).__mro__ if kind in REFUSALS), None)
