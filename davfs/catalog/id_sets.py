"""Sets of resources that take little memory: the index of an archive may have millions."""

from collections.abc import Iterable, Iterator

from davfs.catalog.packing import pack, unpack
from davfs.orthanc.model import OrthancId

_ID = 20


class PackedIds:
    """A list of ids, each in twenty bytes; as text it takes five times that."""

    def __init__(self) -> None:
        self._packed = bytearray()
        self._others = list[OrthancId]()

    def extend(self, ids: Iterable[OrthancId]) -> None:
        """Append ids."""
        for one in ids:
            packed = pack(one)
            if isinstance(packed, bytes) and len(packed) == _ID:
                self._packed += packed
            else:
                self._others.append(one)

    def __len__(self) -> int:
        return len(self._packed) // _ID + len(self._others)

    def __iter__(self) -> Iterator[OrthancId]:
        for start in range(0, len(self._packed), _ID):
            yield OrthancId(unpack(bytes(self._packed[start : start + _ID])))
        yield from self._others


class RowSet:
    """A set of numbers of resources in the index's file, with a bit for each."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def update(self, rows: Iterable[int]) -> None:
        """Add numbers."""
        for row in rows:
            place, bit = divmod(row, 8)
            if place >= len(self._bits):
                self._bits.extend(bytes(place + 1))
            self._bits[place] |= 1 << bit

    def __contains__(self, row: int) -> bool:
        place, bit = divmod(row, 8)
        return place < len(self._bits) and bool(self._bits[place] & 1 << bit)
