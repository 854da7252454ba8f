"""A part of a file on a disk, as a block of a response: the kernel sends it, and no program copies it."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileRange:
    """A part of an open file, which is closed when the response has ended.

    Attributes:
        descriptor: The open file.
        start: Offset of the first byte.
        stop: Offset behind the last byte.
    """

    descriptor: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def without(self, count: int) -> "FileRange":
        """Return the part without so many bytes at its beginning."""
        return FileRange(self.descriptor, self.start + count, self.stop)

    def send(self, socket: int) -> int:
        """Send bytes to a socket, as far as that goes now; return how many.

        Raises:
            OSError: Nothing goes now, the connection is broken, or the file has become shorter.
        """
        return self._checked(os.sendfile(socket, self.descriptor, self.start, len(self)))

    def read(self, most: int) -> bytes:
        """Return at most so many bytes of the beginning, at least one.

        Raises:
            OSError: The file cannot be read, or has become shorter.
        """
        block = os.pread(self.descriptor, min(most, len(self)), self.start)
        self._checked(len(block))
        return block

    def _checked(self, count: int) -> int:
        if not count and len(self):
            raise ConnectionAbortedError("a file is shorter than it was")
        return count
