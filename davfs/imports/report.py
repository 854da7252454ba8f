"""Reports what an upload brought into Orthanc, to the one who asked for it on the same thread.

A ZIP that is refused as a whole can have brought most of its images into Orthanc: an error has no place for that.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

_MOST = 16
"""Resources that a report names."""


@dataclass(slots=True)
class ImportReport:
    """What was imported since the report began.

    Attributes:
        instances: Number of instances.
        level: ``instance`` if files were imported, ``study`` if it was a ZIP; empty for nothing.
        resources: Orthanc's ids of the first instances or studies.
        is_attachment: True for a document that was made an instance.
    """

    instances: int = 0
    level: str = ""
    resources: tuple[str, ...] = ()
    is_attachment: bool = False


_current: ContextVar[ImportReport | None] = ContextVar("import_report", default=None)


@contextmanager
def reported_imports() -> Iterator[ImportReport]:
    """Return a report of what this thread imports until the end of the block."""
    report = ImportReport()
    token = _current.set(report)
    try:
        yield report
    finally:
        _current.reset(token)


def report_import(level: str, resources: Iterable[str], instances: int = 1, *, is_attachment: bool = False) -> None:
    """Add to the report of this thread, if there is one."""
    report = _current.get()
    if report is not None and instances:
        before = report.resources if report.level == level else ()
        report.instances += instances
        report.level = level
        report.is_attachment = is_attachment
        report.resources = tuple(dict.fromkeys((*before, *resources)))[:_MOST]
