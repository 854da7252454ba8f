"""Reports files that Orthanc sends for the drive to the audit trail, when they were sent."""

from collections.abc import Callable
from types import TracebackType

from davfs.doors.access_report import AccessReport
from davfs.entry import Content, ContentAs


class RecordedContent(ContentAs):
    """`Content` that reports how reading it ended.

    Args:
        content: The open file.
        report: Describes the access.
        record: Takes the report at the end.
    """

    def __init__(self, content: Content, report: AccessReport, record: Callable[[AccessReport], None]) -> None:
        super().__init__(content, content.entry)
        self._report = report
        self._record = record

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, traceback)
        finally:
            if error is None:
                self._report.sent(self.entry.size, ended=True)
            else:
                self._report.failed(error)
            self._record(self._report)
