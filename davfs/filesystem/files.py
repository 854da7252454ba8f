"""The files of a folder: named once, for as long as its instances stay the same."""

import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from davfs import names
from davfs.entry import Entry, Kind
from davfs.orthanc.model import Instance, OrthancId

_KEPT = 256
"""Folders whose files are kept: those that people have open."""
_EPOCH = datetime.fromtimestamp(0, UTC)
DICOM = "application/dicom"

TagsAbove: TypeAlias = Mapping[OrthancId, Mapping[str, str]]
"""Tags of series, those of what is above them included."""


@dataclass(frozen=True, slots=True)
class Shown:
    """How an instance is shown.

    Attributes:
        base: Its name before suffixes.
        date: Its date, in UTC; None for that of its reception.
    """

    base: str
    date: datetime | None = None


class Files:
    """The instances of one folder under the names that they are shown with.

    Args:
        instances: The folder's instances, a mapping for each series.
        above: Tags of the series and above, for each series, as far as names and dates are made from them.
        show: Tells how an instance is shown.
    """

    def __init__(
        self,
        instances: Sequence[Mapping[OrthancId, Instance]],
        above: TagsAbove,
        show: Callable[[Instance, TagsAbove], Shown],
    ) -> None:
        self.instances = instances
        self.above = above
        self._all = {one.id: one for series in instances for one in series.values()}
        self._shown = {one.id: show(one, above) for one in self._all.values()}
        bases = {one: each.base for one, each in self._shown.items()}
        self._by_name = {name: self._entry(name, one) for one, name in names.shown(bases, files=True).items()}
        self._by_key: dict[str, dict[OrthancId, str]] = {}
        for one, base in bases.items():
            self._by_key.setdefault(names.key(base), {})[one] = base

    @property
    def entries(self) -> Sequence[Entry]:
        """One entry for each instance."""
        return list(self._by_name.values())

    def find(self, segment: str) -> Entry | None:
        """Return what a name leads to, None for nothing."""
        shown = self._by_name.get(segment)
        if shown is not None:
            return shown
        candidates = {
            one: base for key in names.bases(segment, files=True) for one, base in self._by_key.get(key, {}).items()
        }
        found = names.resolve(segment, candidates, files=True)
        return self._entry(unicodedata.normalize("NFC", segment), found) if found else None

    def _entry(self, name: str, one: OrthancId) -> Entry:
        instance = self._all[one]
        date = self._shown[one].date or instance.received or _EPOCH
        return Entry(name, Kind.FILE, date, instance.size, instance.uuid, DICOM, resource=one, steady=True)


class FilesCache:
    """Keeps the `Files` of the folders used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str | None, Files] = OrderedDict()

    def files(
        self,
        folder: str | None,
        instances: Sequence[Mapping[OrthancId, Instance]],
        above: TagsAbove,
        show: Callable[[Instance, TagsAbove], Shown],
    ) -> Files:
        """Return the files of a folder, made anew only where its instances are others, or other tags are above them."""
        with self._lock:
            kept = self._kept.get(folder)
            if kept is not None:
                self._kept.move_to_end(folder)
        if kept is not None and kept.above == above and _same(kept.instances, instances):
            return kept
        made = Files(instances, above, show)
        with self._lock:
            self._kept[folder] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made


def _same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))
