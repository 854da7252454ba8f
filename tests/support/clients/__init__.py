"""Real WebDAV clients behind one small interface; each module has those of one kind."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

LIMIT = 30
"""Seconds that one command of a client may take."""


class ClientFailed(Exception):
    """The client reported that it could not do what it was asked to."""


class Client(Protocol):
    """A client that is connected to a drive. Paths are decoded, relative to the drive, without a slash at the front.

    Every method raises `ClientFailed` or `OSError` where the client reports a failure. A client that reports none may
    still have failed: the server knows.
    """

    def list(self, folder: str) -> set[str]:
        """Return the names in a folder, the empty path being the drive itself."""
        ...

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        ...

    def write(self, path: str, content: bytes) -> None:
        """Make a file, or replace one."""
        ...

    def make_folder(self, path: str) -> None:
        """Make a folder."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Give a file or a folder another path."""
        ...

    def delete(self, path: str) -> None:
        """Delete a file."""
        ...

    def remove_folder(self, path: str) -> None:
        """Delete an empty folder."""
        ...


@runtime_checkable
class RangeReader(Protocol):
    """A client that can read a part of a file."""

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return so many bytes of a file, from an offset on."""
        ...


Connect: TypeAlias = Callable[[str, Path], AbstractContextManager[Client]]
"""Connects a client to the drive at an address that ends in a slash; the folder is for what the client keeps."""


class Unconnected:
    """A client that could not be connected: each of its operations fails for that reason.

    Args:
        reason: What the client said.
    """

    def __init__(self, reason: ClientFailed) -> None:
        self._reason = reason

    def list(self, folder: str) -> set[str]:  # noqa: ARG002
        """See `Client`."""
        raise self._reason

    def read(self, path: str) -> bytes:  # noqa: ARG002
        """See `Client`."""
        raise self._reason

    def read_range(self, path: str, start: int, length: int) -> bytes:  # noqa: ARG002
        """See `RangeReader`."""
        raise self._reason

    def write(self, path: str, content: bytes) -> None:  # noqa: ARG002
        """See `Client`."""
        raise self._reason

    def make_folder(self, path: str) -> None:  # noqa: ARG002
        """See `Client`."""
        raise self._reason

    def rename(self, old: str, new: str) -> None:  # noqa: ARG002
        """See `Client`."""
        raise self._reason

    def delete(self, path: str) -> None:  # noqa: ARG002
        """See `Client`."""
        raise self._reason

    remove_folder = delete
