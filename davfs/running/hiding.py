"""Assembles the part of the drive that hides what is in the trash."""

from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from davfs.orthanc import Orthanc
from davfs.orthanc.model import Change, Level, OrthancId
from davfs.settings.configuration import Configuration
from davfs.shared.database import SharedDatabase
from davfs.shared.mutex import PathMutex
from davfs.trash.hidden import VisibleOrthanc
from davfs.trash.known_marks import KnownMarks, MarkStorage
from davfs.trash.marks import Marks, OrthancMarks
from davfs.trash.study_locks import StudyLocks


@dataclass(frozen=True, slots=True)
class Hiding:
    """The marks of the trash, and the archive without what they hide.

    Attributes:
        known: The marks as they were read last.
        marks: Reads and changes the marks.
        visible: The archive as the drive shows it.
        revealed: Takes note of new entries of Orthanc's log; see `IndexCallbacks`.
        report: Reports whether something may be in the trash; to be called regularly, since the first index tells.
    """

    known: KnownMarks
    marks: Marks
    visible: VisibleOrthanc
    revealed: Callable[[Sequence[Change]], Collection[tuple[Level, OrthancId]]]
    report: Callable[[], None]


def assemble_hiding(  # noqa: PLR0913, PLR0917  what it connects
    orthanc: Orthanc,
    storage: MarkStorage,
    settings: Configuration,
    changed: Callable[[], None],
    set_trash: Callable[[bool], None],
    shared: SharedDatabase | None,
) -> Hiding:
    """Return what hides the trash of an archive.

    Args:
        orthanc: The archive.
        storage: Keeps the marks.
        settings: The settings.
        changed: Called when a path may lead to another resource than before.
        set_trash: Called with True while something may be in the trash, and with False otherwise.
        shared: The database of several Orthancs; None for one.
    """
    known = KnownMarks(orthanc, storage, settings.trash_metadata)

    def after_change(study: OrthancId) -> None:
        changed()
        set_trash(True)
        known.read([study])

    mutex = PathMutex(shared) if shared else None
    locks = StudyLocks(lambda study: mutex.hold(("trash", study)) if mutex else nullcontext())
    marks = OrthancMarks(orthanc, known.all, after_change, settings.trash_metadata, locks.hold)
    visible = VisibleOrthanc(orthanc, known, marks)

    def revealed(entries: Sequence[Change]) -> Collection[tuple[Level, OrthancId]]:
        found = visible.revealed(entries)
        report()
        return found

    def report() -> None:
        set_trash(settings.allow_delete or not known.are_none)

    report()
    return Hiding(known, marks, visible, revealed, report)
