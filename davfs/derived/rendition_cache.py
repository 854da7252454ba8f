"""Caches the pictures and reports that Orthanc rendered."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

RenditionKey: TypeAlias = tuple[str, ...]
"""What was asked for, by names of which each stands for one content for ever."""


@dataclass(frozen=True, slots=True)
class _Rendition:
    """What there was.

    Attributes:
        size: Bytes; 0 where there was nothing.
        content: Those bytes; None for what is too large to be kept.
    """

    size: int
    content: bytes | None


class RenditionCache:
    """A cache of pictures and reports that Orthanc rendered; the least recently used are evicted first.

    Nothing is locked while somebody is asked: two threads that want the same at once may both ask.

    Args:
        room: Bytes of all contents that are kept.
        most: Number of answers.
        largest: Bytes of the largest content that is kept; of larger ones the size is.
    """

    def __init__(self, room: int = 64 << 20, most: int = 1000, largest: int = 16 << 20) -> None:
        self._room = room
        self._most = most
        self._largest = largest
        self._lock = threading.Lock()
        self._kept: OrderedDict[RenditionKey, _Rendition] = OrderedDict()
        self._bytes = 0

    def size(self, key: RenditionKey, ask: Callable[[], bytes | None]) -> int:
        """Return how many bytes the answer has, 0 for none.

        Args:
            key: What is asked for.
            ask: Is called where the answer is not kept; what it raises is not kept either.
        """
        known = self._known(key)
        return known.size if known else len(self._asked(key, ask))

    def content(self, key: RenditionKey, ask: Callable[[], bytes | None]) -> bytes:
        """Return the answer, empty for none; see `size`."""
        known = self._known(key)
        return self._asked(key, ask) if known is None or known.content is None else known.content

    def _known(self, key: RenditionKey) -> _Rendition | None:
        with self._lock:
            known = self._kept.get(key)
            if known:
                self._kept.move_to_end(key)
            return known

    def _asked(self, key: RenditionKey, ask: Callable[[], bytes | None]) -> bytes:
        content = ask() or b""
        answer = _Rendition(len(content), content if len(content) <= self._largest else None)
        with self._lock:
            self._bytes += _bytes(answer) - _bytes(self._kept.pop(key, None))
            self._kept[key] = answer
            while self._bytes > self._room or len(self._kept) > self._most:
                self._bytes -= _bytes(self._kept.popitem(last=False)[1])
        return content


def _bytes(answer: _Rendition | None) -> int:
    return len(answer.content) if answer and answer.content else 0
