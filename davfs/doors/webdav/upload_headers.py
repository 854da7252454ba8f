"""Parses what a client tells about the file that it uploads: its checksums, and its date.

A file whose checksum is another one was damaged on its way, and is refused before anything of it is stored.
"""

import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from davfs import checksums
from davfs.checksums import DIGEST_NAMES, Algorithm, Checksums, RunningChecksums
from davfs.doors.webdav.context import Environ, user_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.entry import Entry, Path
from davfs.errors import PathError, Unavailable
from davfs.filesystem.drive import Drive
from davfs.filesystem.upload_records import UploadRecord

DATE_ACCEPTED = ("X-OC-Mtime", "accepted")
"""Header of a response: the file has the date that the client told. Otherwise rclone tries to set it by PROPPATCH."""
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_SECONDS = re.compile(r"\d{1,11}(?:\.\d{1,9})?")
_BYTES = re.compile(r"\s*([a-z*][\w.*-]*)\s*=\s*:([A-Za-z0-9+/]*={0,2}):\s*(?:;[^,]*)?")
"""A member of a dictionary of byte sequences (RFC 8941 §3.2, §3.3.5)."""
_FORMER_DIGEST = re.compile(r"\s*([\w-]+)\s*=\s*([A-Za-z0-9+/]+={0,2})\s*")
"""RFC 3230 §4.3.2."""


@dataclass(frozen=True, slots=True)
class UploadHeaders:
    """What a client tells about an upload.

    Attributes:
        announced: Checksums of the file.
        modified: Its date, in UTC; None if it is not told.
    """

    announced: Checksums
    modified: datetime | None

    @classmethod
    def of(cls, environ: Environ) -> "UploadHeaders":
        """Parse ``OC-Checksum``, ``Content-MD5``, ``Repr-Digest``, ``Content-Digest``, ``Digest`` and ``X-OC-Mtime``.

        Checksums of unknown algorithms are ignored (RFC 9530 §2), and so is a date that is none.

        Raises:
            HttpError: A checksum is malformed, or two contradict each other.
        """
        announced: dict[Algorithm, bytes] = {}
        try:
            for algorithm, digest in _announced(environ):
                if announced.setdefault(algorithm, digest) != digest:
                    raise HttpError(HTTPStatus.BAD_REQUEST, "Two checksums of the upload contradict each other.")
        except ValueError as error:
            raise HttpError(HTTPStatus.BAD_REQUEST, "A checksum of the upload cannot be understood.") from error
        return cls(announced, parse_upload_date(environ.get("HTTP_X_OC_MTIME", "")))

    def start(self) -> RunningChecksums:
        """Begin to compute the checksums, if any was announced; the MD5 too, for which clients ask later."""
        return RunningChecksums({*self.announced, Algorithm.MD5} if self.announced else ())

    def check(self, received: RunningChecksums) -> None:
        """Compare the checksums of the received bytes with those that were announced.

        Raises:
            HttpError: One is another.
        """
        digests = received.digests()
        wrong = [each.value for each, digest in self.announced.items() if digests[each] != digest]
        if wrong:
            reason = f"The upload was damaged on its way: its {wrong[0]} is another one. Nothing was stored."
            raise HttpError(HTTPStatus.BAD_REQUEST, reason)

    def record(self, stored: Entry, received: RunningChecksums) -> UploadRecord | None:
        """Return what to remember of the upload; None for nothing."""
        digests = received.digests()
        return UploadRecord(stored.etag, self.modified, digests) if self.modified or digests else None


def remember(drive: Drive, path: Path, record: UploadRecord | None, user: str) -> bool:
    """Keep what a client told about a file that it has just uploaded; return True if the file has the told date."""
    records = drive.upload_records(path)
    if records is None:
        return False
    with suppress(PathError, Unavailable):  # the file is stored, and stays without
        if record is None:
            records.drop(path[1:])
        else:
            return records.add(path[1:], record, user) and record.modified is not None
    return False


def change_date(drive: Drive, path: Path, environ: Environ) -> list[tuple[str, str]]:
    """Give a file that was copied or moved the date that a client told; return headers that say so."""
    records, modified = drive.upload_records(path), parse_upload_date(environ.get("HTTP_X_OC_MTIME", ""))
    with suppress(PathError, Unavailable):  # it has been done, without
        if records and modified and records.change_date(path[1:], drive.stat(path), modified, user_of(environ)):
            return [DATE_ACCEPTED]
    return []


def parse_upload_date(text: str) -> datetime | None:
    """Parse seconds since 1970, or a date of HTTP; return None for anything else, and for a date past 2199."""
    try:
        if _SECONDS.fullmatch(text.strip()):
            found = datetime.fromtimestamp(float(text), UTC)
        else:
            found = parsedate_to_datetime(text)
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if datetime.fromtimestamp(0, UTC) <= found < _LATEST else None


def _announced(environ: Environ) -> Iterator[tuple[Algorithm, bytes]]:
    """Yield the checksums in the headers; raises ``ValueError`` for one that is malformed."""
    yield from checksums.parse(environ.get("HTTP_OC_CHECKSUM", "")).items()
    if "HTTP_CONTENT_MD5" in environ:  # RFC 1864
        yield Algorithm.MD5, b64decode(environ["HTTP_CONTENT_MD5"].strip(), validate=True)
    for header, form in (
        ("HTTP_REPR_DIGEST", _BYTES),
        ("HTTP_CONTENT_DIGEST", _BYTES),
        ("HTTP_DIGEST", _FORMER_DIGEST),
    ):
        yield from _digests(environ.get(header, ""), form)


def _digests(value: str, form: re.Pattern[str]) -> Iterator[tuple[Algorithm, bytes]]:
    for part in filter(str.strip, value.split(",")):
        name = part.partition("=")[0].strip().lower()
        if name in DIGEST_NAMES:
            if (parsed := form.fullmatch(part)) is None:
                raise ValueError("malformed")
            yield DIGEST_NAMES[name], b64decode(parsed[2], validate=True)
