"""The files of a folder: named once, for as long as its instances, and what else is in it, stay the same."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

from davfs import names
from davfs.cache import LruCache
from davfs.derived.file import DerivedFile
from davfs.entry import DICOM, Entry, EntryKind
from davfs.orthanc.model import Instance, OrthancId

_KEPT = 10_000
"""Folders whose files are kept."""
_INSTANCES = 100_000
"""Files in all of them, those of the folders that people have open: some 100 MB."""
_EPOCH = datetime.fromtimestamp(0, UTC)

TagsAbove: TypeAlias = Mapping[OrthancId, Mapping[str, str]]
"""Tags of series, those of what is above them included."""

NO_OTHERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Shown:
    """How an instance is shown.

    Attributes:
        base: Its name before suffixes.
        date: Its date, in UTC; None for that of its reception.
        made: What is shown for its DICOM file; None for the file itself.
    """

    base: str
    date: datetime | None = None
    made: DerivedFile | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """How the instances of a folder are shown.

    Attributes:
        show: Tells it of one; None for one that is not shown.
        mark: Tells what the digits of its suffix are made from.
        above: Tags of the series and above, for each series, as far as names, dates and contents are made from them.
        others: Base names of what else is in the folder, by identity, where those of the instances meet them.
    """

    show: Callable[[Instance, TagsAbove], Shown | None]
    mark: Callable[[str], str]
    above: TagsAbove
    others: Mapping[str, str] = field(default_factory=dict)


class Files:
    """The instances of one folder under the names that they are shown with.

    Args:
        instances: The folder's instances, a mapping for each series.
        naming: How they are shown.

    Attributes:
        instances, naming: See the arguments.
        entries: One for each instance, in the order of their names.
    """

    def __init__(self, instances: Sequence[Mapping[OrthancId, Instance]], naming: Naming) -> None:
        self.instances = instances
        self.naming = naming
        self._all = {naming.mark(one.id): one for series in instances for one in series.values()}
        shows = ((mark, naming.show(one, naming.above)) for mark, one in self._all.items())
        self._shown = {mark: each for mark, each in shows if each is not None}
        self._bases = dict(naming.others) | {mark: each.base for mark, each in self._shown.items()}
        shown = names.unique_names(self._bases, files=True)
        self._others = {one: shown[one] for one in naming.others}
        self._by_name = {name: self._entry(name, mark) for mark, name in shown.items() if mark in self._shown}
        self.entries: Sequence[Entry] = sorted(self._by_name.values(), key=lambda entry: entry.name)
        self._by_key: dict[str, list[str]] = {}
        for mark, base in self._bases.items():
            self._by_key.setdefault(names.folded(base), []).append(mark)

    def meets(self, others: Mapping[str, str]) -> bool:
        """Tell whether base names of something else have to do with any name here."""
        keys = {key for base in others.values() for key in names.base_names(base, files=True)}
        return not (keys.isdisjoint(self._by_key) and keys.isdisjoint(self._suffixed)) if others else False

    def shown(self, others: Mapping[str, str]) -> Mapping[str, str]:
        """Return the names of something else beside these files, by identity; see `naming`."""
        return self._others or names.unique_names(others, files=True)

    def find(self, segment: str, others: Mapping[str, str] = NO_OTHERS) -> Entry | str | None:
        """Return what a name leads to: the entry of an instance, the identity of something else, None for nothing."""
        shown = self._by_name.get(segment)
        if shown is not None:
            return shown
        keys = names.base_names(segment, files=True)
        candidates = dict(others) | {one: self._bases[one] for key in keys for one in self._by_key.get(key, ())}
        found = names.resolve(segment, candidates, files=True)
        if found is None or found in others:
            return found
        return self._entry(unicodedata.normalize("NFC", segment), found)

    @cached_property
    def _suffixed(self) -> frozenset[str]:
        """Keys that base names with a suffix, or what looks like one, have to do with."""
        return frozenset(key for one in self._by_key if "~" in one for key in names.base_names(one, files=True))

    def instance(self, instance: OrthancId) -> Instance:
        """Return one of the instances."""
        return self._all[self.naming.mark(instance)]

    def made(self, instance: OrthancId) -> DerivedFile | None:
        """Return what is shown for the file of an instance; None for the file itself."""
        return self._shown[self.naming.mark(instance)].made

    def _entry(self, name: str, mark: str) -> Entry:
        instance, shown = self._all[mark], self._shown[mark]
        date = shown.date or instance.received or _EPOCH
        if (made := shown.made) is not None:
            return Entry(name, EntryKind.FILE, date, made.size, made.etag, made.media_type, resource=instance.id)
        return Entry(name, EntryKind.FILE, date, instance.size, instance.uuid, DICOM, resource=instance.id, steady=True)


class FilesCache:
    """Keeps the `Files` of the folders used last."""

    def __init__(self) -> None:
        self._kept: LruCache[str | None, Files] = LruCache(_KEPT, _INSTANCES)

    def files(self, folder: str | None, instances: Sequence[Mapping[OrthancId, Instance]], naming: Naming) -> Files:
        """Return the files of a folder, made anew only where its instances are others, or are shown otherwise."""
        kept = self._kept.get(folder)
        if kept is not None and kept.naming == naming and _same(kept.instances, instances):
            return kept
        made = Files(instances, naming)
        self._kept.put(folder, made, len(made.entries))
        return made


def _same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))
