"""Unpacks ZIPs, and imports the DICOM files in them, and in ZIPs inside them, within limits.

A refused member does not affect the others. A member that may be DICOM and cannot be read (encrypted, damaged, cut off,
or packed by an unsupported method) is refused by name; one that is not DICOM is ignored.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as DiskPath

from davfs.elements.walk import Walk
from davfs.errors import BadFile, Contradiction, DamagedZip, Held, Refused, ZipTooLarge
from davfs.imports.element_budget import ElementBudget
from davfs.imports.importer import LARGEST_FILE, UNREADABLE, Imported, Importer
from davfs.imports.progress import Progress
from davfs.imports.sniff import IMPORTABLE, FileType, check_whole, sniff, sniff_head, sniff_member
from davfs.imports.zip_directory import ZipMember, directory, recovered
from davfs.imports.zip_members import unpacked
from davfs.orthanc import Buffer
from davfs.printable import printable

DEEPEST = 2
"""Levels of ZIPs inside a ZIP whose files are imported."""

_DETAILS, _LONGEST_NAME = 100, 200
"""Members that the details of a refusal name, and characters of a name."""


@dataclass(frozen=True, slots=True)
class ZipResult:
    """The result of importing a ZIP.

    Attributes:
        imported: The imported members.
        refused: Name and reason of each refused member.
        held: How many of them contradict the identities in the archive.
        ignored: How many members are not DICOM.
    """

    imported: tuple[Imported, ...]
    refused: tuple[tuple[str, str], ...]
    ignored: int
    held: int = 0


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """The limits of a ZIP, together with all ZIPs inside it: a ZIP bomb is refused before it is unpacked.

    Attributes:
        members: Number of members.
        member_size: Unpacked bytes of one DICOM file.
        total_size: Unpacked bytes of all members.
        ratio: Unpacked bytes for each byte of the ZIP; deflate reaches 1032.
        spare: Unpacked bytes that are allowed at any ratio, for blank images.
    """

    members: int = 50_000
    member_size: int = LARGEST_FILE
    total_size: int = 256 << 30
    ratio: int = 200
    spare: int = 1 << 30


class ZipImporter:
    """Imports ZIPs; its methods may be called from several threads at once.

    Args:
        importer: Imports each member that is DICOM.
        limits: What a ZIP may ask for.
        scratch: Folder for large members while they are imported; None for the system's own.
        keep_held: Keeps a member whose patient contradicts the archive, given its name and content.
    """

    def __init__(
        self,
        importer: Importer,
        *,
        limits: ZipLimits | None = None,
        scratch: DiskPath | None = None,
        keep_held: Callable[[Held, str, memoryview], object] = lambda _error, _name, _content: None,
    ) -> None:
        self._importer = importer
        self._keep_held = keep_held
        self._limits = limits or ZipLimits()
        self._scratch = scratch

    def import_zip(self, content: Buffer, progress: Progress | None = None, *, accepted: bool = False) -> ZipResult:
        """Import the DICOM files in a ZIP one by one; those before a failure stay imported.

        Args:
            content: The ZIP.
            progress: Counts the members, and may end the import; None for no progress.
            accepted: Whether members are imported whatever their patients contradict.

        Raises:
            Refused: At least one member was refused, the ZIP exceeds the limits, or it was cut off.
            Contradiction: At least one member contradicts the identities in the archive.
            StorageFull: Orthanc, or the disk for unpacked members, is full.
            Unavailable: Orthanc does not answer, or the drive is stopping; the caller may try again.
        """
        progress = progress or Progress()
        progress.check()
        run = _Run(self._importer, self._limits, self._scratch, progress, len(content))
        run.accepted, run.keep_held = accepted, self._keep_held
        cut = ""
        try:
            run.import_members(_Archive(memoryview(content)))
        except (DamagedZip, ZipTooLarge) as error:
            cut = f"The ZIP cannot be imported as a whole: {error}."
        result = run.result()
        if result.refused or cut:
            raise _refusal(result, cut)
        return result


@dataclass(frozen=True, slots=True)
class _Archive:
    """A ZIP, which may be inside another one.

    Attributes:
        content: All of it.
        path: Its path in the outermost ZIP, with a slash at its end; empty for that one itself.
        depth: How many ZIPs it is inside of.
        shrunk: Bytes of the outermost ZIP for each byte of this one.
    """

    content: memoryview
    path: str = ""
    depth: int = 0
    shrunk: float = 1.0


class _Run:
    """The import of one ZIP: its limits, and the members so far."""

    accepted = False
    keep_held: Callable[[Held, str, memoryview], object]

    def __init__(
        self, importer: Importer, limits: ZipLimits, scratch: DiskPath | None, progress: Progress, packed: int
    ) -> None:
        self._importer = importer
        self._limits = limits
        self._scratch = scratch
        self._progress = progress
        self._most = min(limits.total_size, limits.spare + limits.ratio * packed)
        self._budget = ElementBudget()
        self._members = 0
        self._total = 0
        self._imported: list[Imported] = []
        self._refused: list[tuple[str, str]] = []
        self._held = 0

    def result(self) -> ZipResult:
        """Return the result."""
        ignored = self._members - len(self._imported) - len(self._refused)
        return ZipResult(tuple(self._imported), tuple(self._refused), max(0, ignored), self._held)

    def import_members(self, archive: _Archive) -> None:
        """Import the members of a ZIP.

        Raises:
            Refused: It exceeds the limits; nothing of it was unpacked.
            DamagedZip: Its directory is missing; the members that could be found without it were imported.
            ZipTooLarge: Its directory is too large.
        """
        try:
            members = directory(archive.content)
        except DamagedZip:
            for member in recovered(archive.content):
                self._admit([member])
                self._try(archive, member)
            raise
        self._admit(members)
        for member in members:
            self._try(archive, member)

    def _admit(self, members: list[ZipMember]) -> None:
        """Count members before they are unpacked: they are never unpacked beyond the size that they claim."""
        total = self._total + sum(member.size for member in members)
        if self._members + len(members) > self._limits.members:
            raise Refused(f"The ZIP has more than {self._limits.members} members.")
        if total > self._most:
            raise Refused("The ZIP unpacks to more than is allowed.")
        self._total = total
        self._members += len(members)
        self._progress.total += len(members)

    def _try(self, archive: _Archive, member: ZipMember) -> None:
        self._progress.check()
        before = len(self._imported)
        try:
            self._import(archive, member)
        except (Refused, BadFile, DamagedZip, ZipTooLarge) as error:
            self._refused.append((_shown(archive.path + member.name), _reason(error)))
            self._progress.refused += 1
        else:
            self._progress.ignored += len(self._imported) == before

    def _import(self, archive: _Archive, member: ZipMember) -> None:
        found = sniff_member(archive.content, member)
        if found is FileType.NOTHING:
            check_whole(archive.content, member, self._limits.member_size, self._progress.check)
        if found is FileType.ZIP or found in IMPORTABLE:
            if member.size > self._limits.member_size:
                raise Refused(f"It is larger than {self._limits.member_size} bytes.")
            with unpacked(archive.content, member, self._scratch, self._progress.check) as content:
                if found is FileType.ZIP:
                    self._import_inner(archive, member, content)
                else:
                    self._import_or_hold(content, member, int(member.packed * archive.shrunk), found)

    def _import_or_hold(self, content: memoryview, member: ZipMember, packed: int, found: FileType) -> None:
        try:
            self._import_dicom(content, packed, found)
        except Held as error:
            self._held += 1
            self.keep_held(error, member.name, content)
            raise

    def _import_inner(self, outer: _Archive, member: ZipMember, content: memoryview) -> None:
        if outer.depth == DEEPEST:
            if sniff(content) is FileType.ZIP:
                raise Refused(f"It lies in more than {DEEPEST} other ZIPs.")
            return
        shrunk = outer.shrunk * min(1.0, member.packed / max(1, member.size))
        before = len(self._imported), len(self._refused)
        try:
            path = f"{outer.path}{member.name}/"[-_LONGEST_NAME - 1 :]
            self.import_members(_Archive(content, path, outer.depth + 1, shrunk))
        except DamagedZip:
            if (len(self._imported), len(self._refused)) != before:  # or it is a damaged text document, for instance
                raise

    def _import_dicom(self, content: memoryview, packed: int, found: FileType) -> None:
        walk = Walk(content)
        self._budget.check(content, packed, walk)
        if found is FileType.UNLIKELY_DICOM:  # by its first bytes
            found = sniff_head(content, len(content))
        if found is FileType.NOTHING:
            return
        offer = self._importer.import_if_readable if found is FileType.UNLIKELY_DICOM else self._importer.import_dicom
        if imported := offer(content, walk, accepted=self.accepted):
            self._imported.append(imported)
            self._progress.imported += 1
            if imported.study:
                self._progress.studies[imported.study] = None


def _refusal(result: ZipResult, cut: str) -> Refused:
    """Return the error for refused members; names are in the details only."""
    if not result.refused:
        return Refused(f"{cut} {len(result.imported)} files were imported.")
    total = len(result.refused) + len(result.imported)
    reasons = Counter(reason for _, reason in result.refused).most_common(3)
    details = [f"{name}: {reason}" for name, reason in result.refused[:_DETAILS]]
    if len(result.refused) > _DETAILS:
        details.append(f"… and {len(result.refused) - _DETAILS} more")
    summary = " ".join(reason for reason, _ in reasons)
    told = f"{len(result.refused)} of the {total} files to import were refused: {summary}"
    kind = Contradiction if result.held else Refused
    return kind(f"{told} {cut}".rstrip(), tuple(details))


def _reason(error: Refused | BadFile | DamagedZip | ZipTooLarge) -> str:
    match error:
        case Refused():
            return error.reason
        case DamagedZip() | ZipTooLarge():
            return f"The member cannot be read: {error}."
    return UNREADABLE


def _shown(name: str) -> str:
    """Return the end of a member's path, without control characters: a path can have hundreds of kilobytes."""
    shown = printable(name[-_LONGEST_NAME:])
    return f"…{shown}" if len(name) > _LONGEST_NAME else shown
