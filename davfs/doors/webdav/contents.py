"""The content of a file as WsgiDAV reads it: for a GET that has an ``If``, which the fast answer leaves to it."""

from collections.abc import Iterator
from io import RawIOBase

from davfs.entry import Content

_NOTHING: Iterator[memoryview] = iter(())


class ContentFile(RawIOBase):
    """Content as a file that is read from a place on.

    Args:
        content: Open content, which is closed with the file.
    """

    def __init__(self, content: Content) -> None:
        self._content = content.__enter__()
        self._buffers = _NOTHING
        self._rest = memoryview(b"")
        self.seek(0)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, in bytes from the start."""
        if whence:
            raise ValueError("only places from the start are known")
        self._buffers = self._content.buffers(offset)
        self._rest = memoryview(b"")
        return offset

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes, none at the end."""
        while not self._rest and (block := next(self._buffers, None)) is not None:
            self._rest = block
        taken = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(taken) :]
        return bytes(taken)

    def close(self) -> None:
        """Close the content."""
        if not self.closed:
            self._rest = memoryview(b"")
            self._buffers = _NOTHING
            self._content.__exit__(None, None, None)
        super().close()
