"""The names of the files of a folder, computed once for as long as its instances stay the same."""

import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from davfs import names
from davfs.orthanc.model import Instance, OrthancId

_KEPT = 256
"""Folders whose names are kept: those that people have open."""


class FileNames:
    """The shown names of the instances of one folder.

    Args:
        instances: The folder's instances, a mapping for each series.
        base_name: Gives the name of an instance before suffixes.
    """

    def __init__(self, instances: Sequence[Mapping[OrthancId, Instance]], base_name: Callable[[Instance], str]) -> None:
        self.instances = instances
        self._bases = {one.id: base_name(one) for series in instances for one in series.values()}
        self.shown = names.shown(self._bases, files=True)
        self._by_name = {name: one for one, name in self.shown.items()}
        self._by_key: dict[str, dict[OrthancId, str]] = {}
        for one, base in self._bases.items():
            self._by_key.setdefault(names.key(base), {})[one] = base

    def resolve(self, segment: str) -> OrthancId | None:
        """Return the instance that a name leads to, None for none."""
        found = self._by_name.get(unicodedata.normalize("NFC", segment))
        if found is not None:
            return found
        candidates = {
            one: base for key in names.bases(segment, files=True) for one, base in self._by_key.get(key, {}).items()
        }
        return names.resolve(segment, candidates, files=True)

    def instance(self, one: OrthancId) -> Instance:
        """Return one of the instances."""
        return next(series[one] for series in self.instances if one in series)


class NamesCache:
    """Keeps `FileNames` of the folders used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[OrthancId | None, FileNames] = OrderedDict()

    def names(
        self,
        folder: OrthancId | None,
        instances: Sequence[Mapping[OrthancId, Instance]],
        base_name: Callable[[Instance], str],
    ) -> FileNames:
        """Return the names of a folder, computed anew only where its instances are other objects than last time."""
        with self._lock:
            kept = self._kept.get(folder)
            if kept is not None:
                self._kept.move_to_end(folder)
        if kept is not None and _same(kept.instances, instances):
            return kept
        made = FileNames(instances, base_name)
        with self._lock:
            self._kept[folder] = made
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made


def _same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))
