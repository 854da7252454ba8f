"""Reads the records of an audit file and of the older files beside it, also of compressed ones."""

import gzip
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from davfs.audit.rotation import rotated_files

RecordFields: TypeAlias = Mapping[str, Any]
"""A record as it is in the file."""

_STAMP = re.compile(r"-(\d{8}T\d{6})Z")
_CLOCK = timedelta(days=1)
"""What a clock may have been put back by without a file being left out."""


@dataclass(slots=True)
class AuditQuery:
    """The records that are wanted; empty texts and None want all.

    Attributes:
        user: User name.
        study: StudyInstanceUID; or Orthanc's id of a study, a patient or another resource.
        action: Action, such as ``read``.
        since: First moment.
        until: First moment that is not wanted any more.
        unreadable: Number of lines so far that are no records.
        damaged: Older files that could not be read, or not to their end.
    """

    user: str = ""
    study: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None
    unreadable: int = field(default=0, init=False)
    damaged: list[Path] = field(default_factory=list, init=False)

    def records(self, path: Path) -> Iterator[RecordFields]:
        """Yield the records that are wanted, in the order in which they were written.

        An older file that cannot be read does not cost the others: it is in `damaged` then.

        Args:
            path: The audit file; older ones beside it are read first.

        Raises:
            OSError: The file cannot be read.
        """
        with ExitStack() as opened:  # the file is opened first: meanwhile it may become one of the others
            try:
                current: BinaryIO | None = opened.enter_context(path.open("rb"))
            except FileNotFoundError:
                current = None
                if not rotated_files(path):
                    raise
            for file in rotated_files(path):
                if not self._is_too_old(path, file):
                    yield from self._older(file, current)
            yield from self._wanted(current or ())

    def _is_too_old(self, path: Path, file: Path) -> bool:
        """Return True if a file ended before the first moment."""
        match = _STAMP.match(file.name.removeprefix(path.stem)) if self.since and file != path else None
        if not match or not self.since:
            return False
        return datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) + _CLOCK < self.since

    def _older(self, file: Path, current: BinaryIO | None) -> Iterator[RecordFields]:
        with ExitStack() as opened:
            try:
                content = opened.enter_context(_opened(file))
                is_current = current and os.path.samestat(file.stat(), os.fstat(current.fileno()))
            except FileNotFoundError:  # it was too old, and removed meanwhile
                return
            except OSError:
                self.damaged.append(file)
                return
            if not is_current:
                yield from self._wanted(self._readable(file, content))

    def _readable(self, file: Path, content: BinaryIO) -> Iterator[bytes]:
        """Yield the lines of a file, as far as it can be read."""
        try:
            yield from content
        except (OSError, EOFError, zlib.error):
            self.damaged.append(file)

    def _wanted(self, lines: Iterable[bytes]) -> Iterator[RecordFields]:
        for line in lines:
            record = _parsed(line)
            if record is None:
                self.unreadable += 1
            elif self._wants(record):
                yield record

    def _wants(self, record: RecordFields) -> bool:
        known = {
            each
            for key in ("study_instance_uid", "patient", "resource")
            for each in str(record.get(key, "")).split(",")
        }
        moment = datetime.fromisoformat(record["time"])
        return (
            self.user in ("", record["user"])
            and self.action in ("", record["action"])
            and (not self.study or self.study in known)
            and (self.since is None or moment >= self.since)
            and (self.until is None or moment < self.until)
        )


def _opened(file: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(file)) if file.suffix == ".gz" else file.open("rb")


def _parsed(line: bytes) -> RecordFields | None:
    """Return a record; None for a line that is none, such as one that a power failure cut off."""
    with suppress(ValueError, TypeError, KeyError, RecursionError, OverflowError):
        record = json.loads(line)
        if all(isinstance(record[key], str) for key in ("time", "user", "action", "outcome", "address")):
            moment = datetime.fromisoformat(record["time"])
            moment.astimezone()  # fails at the ends of the calendar
            return cast("RecordFields", record) if moment.tzinfo else None
    return None
