"""The sending side of a connection, in place of cheroot's: what the socket does not take now is kept."""

import select
import socket
from collections import deque

from davfs.doors.webdav.file_range import FileRange
from davfs.doors.webdav.wire.brief_wait import BriefWait
from davfs.doors.webdav.wire.tls_socket import WOULD_BLOCK, Socket, TlsSocket
from davfs.orthanc import Buffer

_TLS_BLOCK = 64 * 1024
_MORE: int = getattr(socket, "MSG_MORE", 0)
"""Keeps a head back until what follows it; on systems that can do so."""


class SocketWriter:
    """Sends blocks of any buffer type without a copy, and keeps what the socket does not take.

    Args:
        target: A socket that does not block.
        brief_wait: Waits briefly until the client takes more.

    Attributes:
        broken: Whether the client takes nothing any more.
        sent: Bytes that were sent so far.
    """

    def __init__(self, target: Socket, brief_wait: BriefWait) -> None:
        self._socket = target
        self._brief_wait = brief_wait
        self._is_tls = isinstance(target, TlsSocket)
        self._kept: deque[memoryview | FileRange] = deque()
        self._was_full = False
        self.broken = False
        self.sent = 0

    @property
    def full(self) -> bool:
        """True while blocks are kept that the socket does not take now."""
        return bool(self._kept)

    @property
    def memory(self) -> int:
        """Bytes of the blocks that are kept, a part of which may have been sent already."""
        return sum(memoryview(view.obj).nbytes for view in self._kept if isinstance(view, memoryview))

    def write(self, *blocks: Buffer | FileRange) -> None:
        """Send blocks in as few packets as possible, as far as that goes now, and keep the rest."""
        for block in blocks:
            view = block if isinstance(block, FileRange) else memoryview(block)
            if self._is_tls and self._kept and isinstance(view, memoryview):
                view = self._joined(view)  # a head, which goes into one record with what follows
            if len(view) and not self.broken:
                self._kept.append(view)
        self.send()

    def flush(self) -> None:
        """Send what is kept, as far as that goes now, at the end of a response."""
        self._was_full = False
        self.send()

    def send(self) -> None:
        """Send as much of what is kept as goes now; if the socket was full before, wait briefly first."""
        try:
            while self._kept:
                if self._was_full:
                    self._brief_wait.wait(select.POLLOUT, self.sent)
                if not self._send_some():
                    break
        except OSError:
            self.drop()

    def drop(self) -> None:
        """Discard what is kept, and send nothing any more."""
        self.broken = True
        self._kept.clear()

    def _send_some(self) -> bool:
        """Send a part of what is kept; return False if nothing goes now."""
        try:
            target = self._socket
            count = self._send_tls(target) if isinstance(target, TlsSocket) else self._send_plain(target)
        except WOULD_BLOCK:
            self._was_full = True
            return False
        self.sent += count
        kept = self._kept
        while kept and count >= len(kept[0]):
            count -= len(kept.popleft())
        if kept:
            first = kept[0]
            kept[0] = first.without(count) if isinstance(first, FileRange) else first[count:]
            self._was_full |= count > 0 and not self._is_tls
        return True

    def _send_plain(self, target: socket.socket) -> int:
        first = self._kept[0]
        if isinstance(first, FileRange):
            return first.send(target.fileno())
        if len(self._kept) == 1:
            return target.send(first)
        views = [view for view in self._kept if isinstance(view, memoryview)]
        return target.sendmsg(views, (), _MORE if len(views) < len(self._kept) else 0)

    def _send_tls(self, target: TlsSocket) -> int:
        first = self._kept[0]
        return target.send(memoryview(first.read(_TLS_BLOCK)) if isinstance(first, FileRange) else first[:_TLS_BLOCK])

    def _joined(self, view: memoryview) -> memoryview:
        """Append the beginning of a block to what is kept, and return the rest of the block."""
        last = self._kept.pop()
        if isinstance(last, FileRange):
            self._kept.append(last)
            return view
        self._kept.append(memoryview(bytes(last) + bytes(view[:_TLS_BLOCK])))
        return view[_TLS_BLOCK:]
