"""Throws away the body of a request that is refused."""

from davfs.doors.webdav.context import Environ

LIMIT = 64 * 1024 * 1024
"""Bytes that are read to throw them away."""

_PIECE = 64 * 1024


def discard(environ: Environ, limit: int = LIMIT) -> bool:
    """Read the body of a request that will be refused: Explorer does not look at an answer before it has sent all.

    Args:
        environ: The request.
        limit: Bytes; a longer body is left where it is.

    Returns:
        Whether all of it was read, so that the connection can be used again.
    """
    environ["wsgidav.some_input_read"] = 1  # WsgiDAV reads no more of it, least of all into memory
    announced = _announced(environ)
    wanted = limit if announced is None else min(announced, limit)
    try:
        whole = _read(environ, wanted) if wanted else announced == 0
    except (OSError, ValueError):  # it broke off, or is no chunked coding
        return False
    if announced is not None:
        whole = wanted == announced
    if whole:
        environ["wsgidav.all_input_read"] = 1
    return whole


def _announced(environ: Environ) -> int | None:
    return 0
