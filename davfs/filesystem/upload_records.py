"""Remembers what clients tell about their uploads: the date of the file on their disk, and its checksums.

A record is kept as a property of the file in the inbox, under a name that clients neither see nor set. So it is
renamed, copied and deleted with the file. It holds for one version of the file, by its entity tag: never for what
replaces it.
The file's own date stays that of the upload, by which it expires.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from davfs.checksums import Algorithm, Checksums
from davfs.derived.checksums import StoredChecksums
from davfs.entry import Content, ContentAs, Entry, Path
from davfs.errors import NoSpace
from davfs.spool.files import UPLOAD_RECORD, InboxFiles


@dataclass(frozen=True, slots=True)
class UploadRecord:
    """What a client told about an upload.

    Attributes:
        etag: Entity tag of the file that it holds for.
        modified: Date of the file on the client's disk, in UTC; None if it was not told.
        checksums: Those of the uploaded bytes, as far as they were computed.
    """

    etag: str
    modified: datetime | None = None
    checksums: Checksums = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the record as the value of a property."""
        sums = {algorithm.value: digest.hex() for algorithm, digest in self.checksums.items()}
        told = {"modified": self.modified.timestamp()} if self.modified else {}
        return json.dumps({"etag": self.etag, **told, **sums}).encode()

    @classmethod
    def decode(cls, value: bytes) -> "UploadRecord":
        """Parse the value of a property.

        Raises:
            ValueError, KeyError, TypeError, OverflowError, OSError: It is no record.
        """
        found = json.loads(value)
        modified = datetime.fromtimestamp(found["modified"], UTC) if "modified" in found else None
        sums = {each: bytes.fromhex(found[each.value]) for each in Algorithm if each.value in found}
        return cls(str(found["etag"]), modified, sums)


class UploadRecords:
    """The records of the inbox.

    Args:
        spool: Keeps them.
        stored: Checksums of the imported files; None if they are not known.
    """

    def __init__(self, spool: InboxFiles, stored: StoredChecksums | None = None) -> None:
        self._spool = spool
        self._stored = stored

    def add(self, path: Path, record: UploadRecord, user: str) -> bool:
        """Keep a record of a file for a user, in place of an older one; return False if there is no room for it.

        Of a file that Orthanc serves the record has no checksums: Orthanc can have stored other bytes.

        Raises:
            NotFound: Nothing is at the path.
        """
        item = self._spool.stat(path)
        if item.receipt and not item.has_original:
            record = replace(record, checksums={})
        with suppress(NoSpace):
            self._spool.set_property(path, UPLOAD_RECORD, record.encode(), user)
            return True
        return False

    def drop(self, path: Path) -> None:
        """Forget a record: another upload has come, whose client told nothing."""
        if self._spool.properties.get(path, UPLOAD_RECORD) is not None:
            self._spool.properties.drop(path, UPLOAD_RECORD)

    def change_date(self, path: Path, entry: Entry, modified: datetime, user: str) -> bool:
        """Give a file another date, and keep its checksums; return False for a folder, or if there is no room.

        Raises:
            NotFound: Nothing is at the path.
        """
        known = self._of(path)
        record = known if known and known.etag == entry.etag else UploadRecord(entry.etag)
        return not entry.is_folder and self.add(path, replace(record, modified=modified), user)

    def redated(self, path: Path, content: Content) -> Content:
        """Return an open file with the date that its client told."""
        entry = self.dated(path, content.entry)
        return content if entry is content.entry else ContentAs(content, entry)

    def dated(self, path: Path, entry: Entry) -> Entry:
        """Return the entry of a file with the date that its client told."""
        return entry if entry.is_folder else _dated(entry, self._of(path))

    def all_dated(self, folder: Path, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries of a folder with the dates that their clients told."""
        records = self._some(folder, entries)
        return [_dated(entry, records.get(entry.name)) for entry in entries] if records else list(entries)

    def checksums(self, folder: Path, entries: Sequence[Entry]) -> dict[str, Checksums]:
        """Return the known checksums of files in a folder, by name; those of an imported file are Orthanc's.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        records = self._some(folder, entries)
        told = {
            entry.name: record.checksums
            for entry in entries
            if (record := records.get(entry.name)) and record.etag == entry.etag and record.checksums
        }
        return told | (self._stored.of(entries) if self._stored else {})

    def _of(self, path: Path) -> UploadRecord | None:
        return _decoded(self._spool.properties.get(path, UPLOAD_RECORD))

    def _some(self, folder: Path, entries: Sequence[Entry]) -> Mapping[str, UploadRecord]:
        """Return the records of some files in a folder, by name."""
        if len(entries) == 1:
            record = self._of((*folder, entries[0].name))
            return {entries[0].name: record} if record else {}
        values = self._spool.properties.in_folder(folder, UPLOAD_RECORD)
        found = ((entry.name, _decoded(values.get(entry.name))) for entry in entries) if values else ()
        return {name: record for name, record in found if record}


def _decoded(value: bytes | None) -> UploadRecord | None:
    """Parse a record; None if it is none: the inbox of an older version can have such a property."""
    with suppress(ValueError, KeyError, TypeError, OverflowError, OSError):
        return UploadRecord.decode(value) if value else None
    return None


def _dated(entry: Entry, record: UploadRecord | None) -> Entry:
    if record is None or record.modified is None or record.etag != entry.etag:
        return entry
    return entry._replace(modified=record.modified, changed=entry.modified)
