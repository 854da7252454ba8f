"""Imports the DICOM files in a ZIP, member by member, within limits."""

import errno
import io
import mmap
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as DiskPath
from typing import IO

from davfs.errors import BadFile, DamagedZip, Refused, StorageFull, ZipTooLarge
from davfs.imports.elements import ElementBudget
from davfs.imports.importer import LARGEST_FILE, UNREADABLE, Imported, Importer
from davfs.imports.progress import Progress
from davfs.imports.sniff import OFFERED, Sniffed, open_member, open_zip, sniff_member, zip_errors
from davfs.orthanc import Buffer

_BLOCK = 1 << 20
_IN_MEMORY = 16 << 20  # bytes up to which a member is unpacked into memory, and not onto the disk
_DETAILS = 100  # members that a reason names, and no more


@dataclass(frozen=True, slots=True)
class Unzipped:
    """What became of the members of a ZIP.

    Attributes:
        imported: The members that Orthanc holds now.
        refused: ``name: reason`` of those that it did not take.
        ignored: How many are no DICOM.
    """

    imported: tuple[Imported, ...]
    refused: tuple[tuple[str, str], ...]
    ignored: int


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """How much a ZIP may ask for.

    Attributes:
        members: Number of members.
        member_size: Unpacked bytes of one DICOM file.
        total_size: Unpacked bytes of all members.
        ratio: Unpacked bytes for a byte of the ZIP; deflate reaches 1032.
        spare: Unpacked bytes that are allowed at any ratio: blank images shrink to nothing.
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
    """

    def __init__(self, importer: Importer, *, limits: ZipLimits | None = None, scratch: DiskPath | None = None) -> None:
        self._importer = importer
        self._limits = limits or ZipLimits()
        self._scratch = scratch

    def import_zip(self, content: Buffer, progress: Progress | None = None) -> Unzipped:
        """Import the DICOM files in a ZIP, one after another; those before a failure stay imported.

        Encrypted and damaged members count as refused, since they may be DICOM; ZIPs in the ZIP are ignored.

        Args:
            content: The ZIP.
            progress: Is told how far it is, and may end it; None where nobody wants to know.

        Raises:
            Refused: At least one member was refused, or the ZIP asks for too much.
            StorageFull: Orthanc, or the disk on which members are unpacked, is full.
            Unavailable: Nothing is known, or the drive is stopping; the caller may try again.
        """
        progress = progress or Progress()
        progress.check()
        try:
            archive = open_zip(memoryview(content))
        except (DamagedZip, ZipTooLarge) as error:
            raise Refused(f"The ZIP cannot be imported: {error}.") from error
        with archive:
            self._check_limits(archive.infolist(), len(content))
            result = self._import_members(archive, progress)
        if result.refused:
            raise _refusal(result)
        return result

    def _check_limits(self, members: list[zipfile.ZipInfo], packed: int) -> None:
        # The sizes in the directory are the ZIP's own claim, but zipfile never unpacks more than they say.
        limits = self._limits
        total = sum(member.file_size for member in members)
        if len(members) > limits.members:
            raise Refused(f"The ZIP has more than {limits.members} members.")
        if total > min(limits.total_size, limits.spare + limits.ratio * packed):
            raise Refused("The ZIP unpacks to more than is allowed.")

    def _import_members(self, archive: zipfile.ZipFile, progress: Progress) -> Unzipped:
        imported: list[Imported] = []
        refused: list[tuple[str, str]] = []
        members = archive.infolist()
        budget = ElementBudget()
        progress.total += len(members)
        for member in members:
            progress.check()
            try:
                done = self._import_member(archive, member, budget, progress)
            except (Refused, BadFile, DamagedZip) as error:
                refused.append((member.filename, _reason(error)))
                progress.refused += 1
            else:
                imported += [done] if done else []
                progress.imported += bool(done)
                progress.ignored += not done
        return Unzipped(tuple(imported), tuple(refused), len(members) - len(imported) - len(refused))

    def _import_member(
        self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, budget: ElementBudget, progress: Progress
    ) -> Imported | None:
        """Import a member; None where it is no DICOM."""
        found = sniff_member(archive, member)
        if found not in OFFERED:
            return None
        if member.file_size > self._limits.member_size:
            raise Refused(f"It is larger than {self._limits.member_size} bytes.")
        with self._unpacked(archive, member, progress) as content:
            budget.check(content, member.compress_size)
            if found is Sniffed.UNLIKELY_DICOM:
                return self._importer.import_maybe(content)
            return self._importer.import_dicom(content)

    @contextmanager
    def _unpacked(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, progress: Progress) -> Iterator[memoryview]:
        if member.file_size <= _IN_MEMORY:
            buffer = io.BytesIO()
            _unpack(archive, member, buffer, progress)
            yield memoryview(buffer.getvalue())
            return
        with _full_disk(), tempfile.TemporaryFile(dir=self._scratch) as file:
            _unpack(archive, member, file, progress)
            # Left to the garbage collector: closing it would raise while a traceback still holds a view of it.
            yield memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: IO[bytes], progress: Progress) -> None:
    with open_member(archive, member) as source:
        while block := _next_block(source):
            progress.check()
            target.write(block)
    target.flush()  # before it is mapped: a full disk has to show here, and not as a signal


def _next_block(source: zipfile.ZipExtFile) -> bytes:
    with zip_errors():
        return source.read(_BLOCK)


@contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("no room on this disk to unpack a member of the ZIP") from error
        raise


def _refusal(result: Unzipped) -> Refused:
    """Sum up for the user which members were refused; names go to the details only."""
    total = len(result.refused) + len(result.imported)
    reasons = Counter(reason for _, reason in result.refused).most_common(3)
    details = [f"{_printable(name)}: {reason}" for name, reason in result.refused[:_DETAILS]]
    if len(result.refused) > _DETAILS:
        details.append(f"… and {len(result.refused) - _DETAILS} more")
    summary = " ".join(reason for reason, _ in reasons)
    return Refused(f"{len(result.refused)} of the {total} files to import were refused: {summary}", tuple(details))


def _reason(error: Refused | BadFile | DamagedZip) -> str:
    match error:
        case Refused():
            return error.reason
        case DamagedZip():
            return f"The member cannot be read: {error}."
    return UNREADABLE


def _printable(name: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in name)
