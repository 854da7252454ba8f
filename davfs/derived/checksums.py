"""Looks up the checksums that Orthanc keeps of its stored files.

Orthanc names a file anew whenever its bytes change, so a checksum is cached by that name and never asked for again.
Orthanc 1.10.1 has no request for those of many files: a series of 1,000 images costs 1,000 short requests once. Then
the names are compared, in one request: an image that was replaced meanwhile has none.
"""

import re
from collections.abc import Iterable, Sequence

from davfs import checksums
from davfs.cache import LruCache
from davfs.checksums import Checksums
from davfs.entry import Entry
from davfs.errors import DatabaseGone, UnknownResource
from davfs.orthanc import ChecksumLookup, OrthancId

_NAME = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The form of Orthanc's names of stored files, which no other entity tag has."""
_CACHED = 200_000
"""Stored files whose checksums are cached: some 60 MB."""


class StoredChecksums:
    """The checksums of Orthanc's stored files; thread-safe.

    Args:
        orthanc: Keeps them.
    """

    def __init__(self, orthanc: ChecksumLookup) -> None:
        self._orthanc = orthanc
        self._cache: LruCache[str, Checksums] = LruCache(_CACHED)

    def of(self, entries: Iterable[Entry]) -> dict[str, Checksums]:
        """Return those that are known, by the names of the entries; files that the drive makes or keeps have none.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        files = [(entry.name, OrthancId(entry.resource), entry.etag) for entry in entries if _is_stored(entry)]
        found = self.look_up([(instance, uuid) for _, instance, uuid in files])
        return {name: found[uuid] for name, _, uuid in files if found.get(uuid)}

    def is_current(self, entry: Entry) -> bool:
        """Return True if Orthanc still has the stored file of an entry, or if the entry has none.

        What was opened before this is the file of this entry: Orthanc never uses a name again.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        if not _is_stored(entry):
            return True
        return [each.uuid for each in self._orthanc.instances([OrthancId(entry.resource)])] == [entry.etag]

    def look_up(self, files: Sequence[tuple[OrthancId, str]]) -> dict[str, Checksums]:
        """Return those that Orthanc keeps, by its names of the files; empty for a file without any.

        Args:
            files: Each file's instance, and Orthanc's name of the file.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        found = {uuid: known for _, uuid in files if (known := self._cache.get(uuid)) is not None}
        missing = {uuid: instance for instance, uuid in files if uuid not in found}
        try:
            return found | self._ask(missing) if missing else found
        except DatabaseGone:
            return found

    def _ask(self, missing: dict[str, OrthancId]) -> dict[str, Checksums]:
        kept = {uuid: self._kept(instance) for uuid, instance in missing.items()}
        now = {each.id: each.uuid for each in self._orthanc.instances(list(missing.values()))}
        current = {uuid for uuid, instance in missing.items() if now.get(instance) == uuid}
        for uuid in current:
            self._cache.put(uuid, kept[uuid])
        return {uuid: known if uuid in current else {} for uuid, known in kept.items()}

    def _kept(self, instance: OrthancId) -> Checksums:
        try:
            return checksums.md5_of(self._orthanc.instance_md5(instance))
        except UnknownResource:  # gone, or Orthanc keeps none
            return {}


def _is_stored(entry: Entry) -> bool:
    """Return True if an entry shows a file as Orthanc stores it: its entity tag is Orthanc's name of the file."""
    return bool(entry.resource) and (entry.steady or _NAME.fullmatch(entry.etag) is not None)
