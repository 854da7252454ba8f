"""Lists of ids that Orthanc gives again and again: read once, for as long as it gives the same bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from davfs.bounded import Bounded
from davfs.orthanc.model import OrthancId

_MOST = 256
"""Answers that are kept."""
_ROOM = 8 << 20
"""Bytes of them all; the lists that were read from them take about twice that."""


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    ids: Sequence[OrthancId]


class RepeatedAnswers:
    """What the last answers of Orthanc were read as."""

    def __init__(self) -> None:
        self._kept: Bounded[str, _Answer] = Bounded(_MOST, _ROOM)

    def ids(self, path: str, body: bytes, read: Callable[[bytes], Sequence[OrthancId]]) -> Sequence[OrthancId]:
        """Return the ids in an answer; the same object where the last one to this path had the same bytes.

        Args:
            path: What was asked for.
            body: The answer.
            read: Reads it.
        """
        kept = self._kept.get(path)
        if kept is not None and kept.body == body:
            return kept.ids
        ids = read(body)
        self._kept.put(path, _Answer(body, ids), len(body))
        return ids
