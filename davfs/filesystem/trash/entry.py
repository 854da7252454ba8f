"""Entries of the trash: the deletions of all studies that belong together."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property, reduce
from typing import Any

from davfs import names
from davfs.dates import iso_date
from davfs.entry import Path
from davfs.filesystem.trash.joining import common, title_of
from davfs.orthanc.model import OrthancId
from davfs.printable import printable
from davfs.trash.mark import Deletion, EntryId, StudyMark

_DATE = "%Y-%m-%d %Hh%M"
_DOORS = {"orthanc": "Orthanc's own port", "drive": "the drive's own port", "serve": "davfs serve"}


@dataclass(frozen=True)  # without slots, for what is computed once
class TrashEntry:
    """What one client deleted in one go.

    Attributes:
        id: Its id.
        deletions: A deletion for each study, at least one; without the instances, which can be millions in all.
        counts: Number of series, in whole or in part, and of images of each study.
    """

    id: EntryId
    deletions: Mapping[OrthancId, Deletion]
    counts: Mapping[OrthancId, tuple[int, int]]

    @property
    def series(self) -> int:
        """Number of series, in whole or in part."""
        return sum(series for series, _ in self.counts.values())

    @property
    def images(self) -> int:
        """Number of images."""
        return sum(images for _, images in self.counts.values())

    def only(self, studies: Collection[OrthancId]) -> "TrashEntry | None":
        """Return the entry with some of its studies; None without any."""
        if self.deletions.keys() <= set(studies):
            return self
        left = {study: each for study, each in self.deletions.items() if study in studies}
        return replace(self, deletions=left, counts={study: self.counts[study] for study in left}) if left else None

    @property
    def _any(self) -> Deletion:
        return next(iter(self.deletions.values()))

    @cached_property
    def time(self) -> datetime:
        """Time of the last deletion, in UTC."""
        return max(each.time for each in self.deletions.values())

    @property
    def user(self) -> str:
        """User who deleted it; empty for an anonymous one."""
        return self._any.user

    @property
    def address(self) -> str:
        """IP address of the client; empty if it is not known."""
        return self._any.address

    @property
    def door(self) -> str:
        """The door, as `davfs.audit.record.Door` names it; empty for the drive itself."""
        return self._any.door

    @property
    def layout(self) -> str:
        """Title of the layout in which it was deleted."""
        return self._any.layout

    @cached_property
    def path(self) -> Path:
        """The folder, or file, in the layout that was deleted, or that has all that was."""
        return reduce(common, (each.path for each in self.deletions.values()))

    @cached_property
    def base_name(self) -> str:
        """Name of its folder in the trash, unless another entry has the same one; the date is local time."""
        return names.safe(f"{_local(self.time)} {title_of(self.path)}")

    def expires(self, retention: timedelta) -> datetime | None:
        """Return when it is deleted for good, in UTC; None for never."""
        try:
            return self.time + retention if retention else None
        except OverflowError:
            return None


def _local(time: datetime) -> str:
    try:
        return time.astimezone().strftime(_DATE)
    except (OverflowError, OSError, ValueError):  # a mark can have any time
        return time.strftime(_DATE)


def entries_of(marks: Mapping[OrthancId, StudyMark]) -> Mapping[EntryId, TrashEntry]:
    """Return the entries by id, newest first; without those that are being deleted for good."""
    found: defaultdict[EntryId, dict[OrthancId, Deletion]] = defaultdict(dict)
    counts: defaultdict[EntryId, dict[OrthancId, tuple[int, int]]] = defaultdict(dict)
    for study, mark in marks.items():
        for each in mark.deletions:
            if not each.purger:
                found[each.id][study] = replace(each, instances={})
                counts[each.id][study] = len(each.instances), len(each)
    entries = [TrashEntry(one, deletions, counts[one]) for one, deletions in found.items()]
    return {entry.id: entry for entry in sorted(entries, key=lambda each: (each.time, each.id), reverse=True)}


def named(entries: Iterable[TrashEntry]) -> Mapping[str, TrashEntry]:
    """Return entries by the names of their folders."""
    by_id = {entry.id: entry for entry in entries}
    shown = names.unique_names({one: entry.base_name for one, entry in by_id.items()}, files=False)
    return {name: by_id[one] for one, name in shown.items()}


def resolved(name: str, entries: Iterable[TrashEntry]) -> TrashEntry | None:
    """Return the entry that a name leads to, also if it has had this name before another entry came, or went."""
    by_id = {entry.id: entry for entry in entries}
    found = names.resolve(name, {one: entry.base_name for one, entry in by_id.items()}, files=False)
    return by_id[found] if found else None


def description(entry: TrashEntry, retention: timedelta) -> str:
    """Return the text of ``deleted.txt``: by whom, from where, through which door, and what was deleted."""
    expires = entry.expires(retention)
    gone = f"on {iso_date(expires)} (UTC), unless it is restored" if expires else "never by itself"
    counts = (
        _counted(len(entry.deletions), "study", "studies"),
        f"{entry.series:,} series",
        _counted(entry.images, "image", "images"),
    )
    return (
        f"Deleted:   {printable('/'.join((entry.layout, *entry.path)))}\n"
        f"When:      {iso_date(entry.time)} (UTC)\n"
        f"By:        {printable(entry.user) or 'a user without a name'}\n"
        f"From:      {printable(entry.address) or 'an unknown address'}\n"
        f"Through:   {_DOORS.get(entry.door, 'the drive itself')}\n"
        f"Contains:  {', '.join(counts)}\n"
        f"For good:  {gone}\n"
        "\n"
        "Move this folder, or a part of it, into the folder of a layout: then it is back where it was.\n"
        "What is deleted here is deleted from the archive for good.\n"
    )


def entry_form(name: str, entry: TrashEntry, retention: timedelta) -> dict[str, Any]:
    """Return an entry as JSON has it: dates by RFC 3339, in UTC; ``expires`` is null for never, or if it is unknown."""
    expires = entry.expires(retention)
    return {
        "id": entry.id,
        "name": name,
        "deleted": iso_date(entry.time),
        "expires": iso_date(expires) if expires else None,
        "user": entry.user,
        "address": entry.address,
        "door": entry.door,
        "folder": "/".join((entry.layout, *entry.path)),
        "studies": len(entry.deletions),
        "series": entry.series,
        "images": entry.images,
    }


def _counted(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
