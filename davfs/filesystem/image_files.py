"""Names the files of the instances in a folder, once for as long as the instances and their tags stay the same."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

from davfs import names
from davfs.derived.file import DerivedFile
from davfs.entry import DICOM, Entry, EntryKind
from davfs.orthanc.model import Instance, OrthancId

_EPOCH = datetime.fromtimestamp(0, UTC)

SeriesTags: TypeAlias = Mapping[OrthancId, Mapping[str, str]]
"""Tags of each series, including those of its study and patient."""

NO_EXTRA_FILES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ShownImage:
    """The file that shows an instance.

    Attributes:
        base: Its base name, see `davfs.names`.
        date: Its date, in UTC; None for the date of reception.
        derived: The file that is derived from the instance; None for the stored DICOM file itself.
    """

    base: str
    date: datetime | None = None
    derived: DerivedFile | None = None


@dataclass(frozen=True, slots=True)
class ImageNaming:
    """All that the files of a folder's instances depend on, except the instances.

    Attributes:
        show: Returns the file that shows an instance; None for an instance that is not shown.
        digest: Returns the id whose digits a suffix has, for an Orthanc id.
        tags: Tags of the series, as far as names, dates or contents are made from them.
        extra_bases: Base names of the folder's extra files by id, where they conflict with those of the instances.
    """

    show: Callable[[Instance, SeriesTags], ShownImage | None]
    digest: Callable[[str], str]
    tags: SeriesTags
    extra_bases: Mapping[str, str] = field(default_factory=dict)


class ImageFiles:
    """The files of the instances in one folder.

    Args:
        instances: The folder's instances, a mapping for each series.
        naming: How they are named.

    Attributes:
        instances, naming: See the arguments.
        entries: One for each instance, in the order of their names.
    """

    def __init__(self, instances: Sequence[Mapping[OrthancId, Instance]], naming: ImageNaming) -> None:
        self.instances = instances
        self.naming = naming
        self._instances = {naming.digest(one.id): one for series in instances for one in series.values()}
        shown = ((digest, naming.show(one, naming.tags)) for digest, one in self._instances.items())
        self._shown = {digest: image for digest, image in shown if image is not None}
        self._bases = dict(naming.extra_bases) | {digest: image.base for digest, image in self._shown.items()}
        unique = names.unique_names(self._bases, files=True)
        self._extra_names = {one: unique[one] for one in naming.extra_bases}
        self._by_name = {name: self._entry(name, digest) for digest, name in unique.items() if digest in self._shown}
        self.entries: Sequence[Entry] = sorted(self._by_name.values(), key=lambda entry: entry.name)
        self._by_key: dict[str, list[str]] = {}
        for digest, base in self._bases.items():
            self._by_key.setdefault(names.folded(base), []).append(digest)

    def conflicts_with(self, extra_bases: Mapping[str, str]) -> bool:
        """Return True if base names of extra files can change how any file here is named."""
        keys = {key for base in extra_bases.values() for key in names.base_names(base, files=True)}
        return not (keys.isdisjoint(self._by_key) and keys.isdisjoint(self._suffixed)) if extra_bases else False

    def extra_names(self, extra_bases: Mapping[str, str]) -> Mapping[str, str]:
        """Return the names of the extra files beside these files, by id."""
        return self._extra_names or names.unique_names(extra_bases, files=True)

    def find(self, segment: str, extra_bases: Mapping[str, str] = NO_EXTRA_FILES) -> Entry | str | None:
        """Resolve a name to the entry of an instance, the id of an extra file, or None."""
        entry = self._by_name.get(segment)
        if entry is not None:
            return entry
        keys = names.base_names(segment, files=True)
        candidates = dict(extra_bases) | {one: self._bases[one] for key in keys for one in self._by_key.get(key, ())}
        found = names.resolve(segment, candidates, files=True)
        if found is None or found in extra_bases:
            return found
        return self._entry(unicodedata.normalize("NFC", segment), found)

    @cached_property
    def _suffixed(self) -> frozenset[str]:
        """Keys of all names that a base name with a suffix, or with what looks like one, can conflict with."""
        return frozenset(key for one in self._by_key if "~" in one for key in names.base_names(one, files=True))

    def instance(self, instance: OrthancId) -> Instance:
        """Return one of the instances."""
        return self._instances[self.naming.digest(instance)]

    def derived(self, instance: OrthancId) -> DerivedFile | None:
        """Return the derived file that shows an instance; None for the stored file itself."""
        return self._shown[self.naming.digest(instance)].derived

    def _entry(self, name: str, digest: str) -> Entry:
        instance, shown = self._instances[digest], self._shown[digest]
        date = shown.date or instance.received or _EPOCH
        if (file := shown.derived) is not None:
            return Entry(name, EntryKind.FILE, date, file.size, file.etag, file.media_type, resource=instance.id)
        entry = Entry(
            name, EntryKind.FILE, date, instance.size, instance.uuid, DICOM, resource=instance.id, steady=True
        )
        return entry._replace(changed=instance.received or _EPOCH) if shown.date else entry
