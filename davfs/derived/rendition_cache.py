"""Caches the pictures and reports that Orthanc rendered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from davfs.cache import LruCache

RenditionKey: TypeAlias = tuple[str, ...]
"""Names that together stand for one content for ever."""


@dataclass(frozen=True, slots=True)
class _Rendition:
    """A rendition: its size in bytes, 0 if there is none; and its content, None if that is too large for the cache."""

    size: int
    content: bytes | None


class RenditionCache:
    """Renditions, of which the least recently used are evicted first.

    Nothing is locked while Orthanc renders: two threads that want the same at once may both ask for it.

    Args:
        capacity: Bytes of all cached contents.
        most: Number of renditions.
        largest: Bytes of the largest cached content; of a larger one only the size is cached.
    """

    def __init__(self, capacity: int = 64 << 20, most: int = 1000, largest: int = 16 << 20) -> None:
        self._largest = min(largest, capacity)
        self._cached: LruCache[RenditionKey, _Rendition] = LruCache(most, capacity)

    def size(self, key: RenditionKey, render: Callable[[], bytes | None]) -> int:
        """Return the size of a rendition in bytes, 0 if there is none.

        Args:
            key: Its key.
            render: Is called if it is not cached; errors are not cached.
        """
        cached = self._cached.get(key)
        return cached.size if cached else len(self._rendered(key, render))

    def content(self, key: RenditionKey, render: Callable[[], bytes | None]) -> bytes:
        """Return a rendition, empty if there is none; see `size`."""
        cached = self._cached.get(key)
        return self._rendered(key, render) if cached is None or cached.content is None else cached.content

    def _rendered(self, key: RenditionKey, render: Callable[[], bytes | None]) -> bytes:
        content = render() or b""
        kept = content if len(content) <= self._largest else None
        self._cached.put(key, _Rendition(len(content), kept), len(kept or b""))
        return content
