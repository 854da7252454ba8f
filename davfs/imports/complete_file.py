"""A completely received upload, which has no path in the inbox yet: in a file of the spool, or in memory."""

from typing import Protocol

from davfs.entry import Path
from davfs.orthanc import Buffer
from davfs.spool.files import InboxFiles
from davfs.spool.items import Item, Receipt


class CompleteFile(Protocol):
    """A completely received upload; `davfs.spool.upload_file.UploadFile` is one."""

    @property
    def needed(self) -> int:
        """Bytes that keeping it takes from the quota."""

    def view(self) -> memoryview:
        """Return its bytes."""

    def keep(self, path: Path, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """Keep it in the inbox, as `InboxFiles.write` does: an ordinary file or, with a receipt, an original."""


class CompleteBytes:
    """A `CompleteFile` in the caller's memory.

    Args:
        spool: Keeps it.
        content: All of its bytes.
    """

    def __init__(self, spool: InboxFiles, content: Buffer) -> None:
        self._spool = spool
        self._view = memoryview(content)
        self.needed = len(self._view)

    def view(self) -> memoryview:
        """See `CompleteFile`."""
        return self._view

    def keep(self, path: Path, *, replace: bool = True, receipt: Receipt | None = None) -> Item:
        """See `CompleteFile`."""
        return self._spool.write(path, self._view, replace=replace, receipt=receipt)
