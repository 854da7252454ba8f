"""Caches parsed responses of Orthanc: a response with the same bytes as the last one is not parsed again."""

from collections.abc import Callable
from typing import Any, TypeVar

from davfs.cache import LruCache

_MOST = 256
"""Number of cached responses."""
_CAPACITY = 8 << 20
"""Bytes of all cached responses; the objects that were parsed from them take about twice that."""

T = TypeVar("T")


class ResponseCache:
    """The last response to each request, and the object that was parsed from it.

    Args:
        capacity: Bytes of all cached responses.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._kept: LruCache[str, tuple[bytes, Any]] = LruCache(_MOST, capacity)

    def read(self, path: str, body: bytes, read: Callable[[bytes], T]) -> T:
        """Return a parsed response; the same object if the last one to this request had the same bytes.

        Args:
            path: The path of the request, or the body of a POST; its responses are all parsed in the same way.
            body: The body of the response.
            read: Parses it.
        """
        kept = self._kept.get(path)
        if kept is not None and kept[0] == body:
            same: T = kept[1]
            return same
        read_as = read(body)
        self._kept.put(path, (body, read_as), len(body))
        return read_as
