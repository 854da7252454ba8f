"""A file that is being sent to Orthanc, and becomes a record of the audit trail when it was."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from davfs.doors.access_report import AccessReport
from davfs.entry import Content


class RecordedContent:
    """`davfs.entry.Content` that reports how reading it ended.

    Args:
        content: The open file.
        report: Describes the access.
        record: Takes the report at the end.
    """

    def __init__(self, content: Content, report: AccessReport, record: Callable[[AccessReport], None]) -> None:
        self._content = content
        self._report = report
        self._record = record
        self.entry = content.entry

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `Content`."""
        return self._content.buffers(start, stop)

    def __enter__(self) -> Self:
        self._content.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._content.__exit__(kind, error, traceback)
        finally:
            if error is None:
                self._report.sent(self.entry.size, ended=True)
            else:
                self._report.failed(error)
            self._record(self._report)
