"""The sending side of a connection, in place of cheroot's: what the socket does not take now is kept."""

import select
from collections import deque

from davfs.doors.webdav.wire.brief_wait import BriefWait
from davfs.doors.webdav.wire.tls_socket import WOULD_BLOCK, Socket, TlsSocket
from davfs.orthanc import Buffer

_TLS_BLOCK = 64 * 1024


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
        self._kept: deque[memoryview] = deque()
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
        return sum(memoryview(view.obj).nbytes for view in self._kept)

    def write(self, *blocks: Buffer) -> None:
        """Send blocks in as few packets as possible, as far as that goes now, and keep the rest."""
        for block in blocks:
            view = memoryview(block)
            if self._kept and self._is_tls:  # a head, which goes into one record with what follows
                view = self._joined(view)
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
        kept = self._kept
        try:
            if isinstance(self._socket, TlsSocket):
                count = self._socket.send(kept[0][:_TLS_BLOCK])
            else:
                count = self._socket.sendmsg(kept) if len(kept) > 1 else self._socket.send(kept[0])
        except WOULD_BLOCK:
            self._was_full = True
            return False
        self.sent += count
        while kept and count >= len(kept[0]):
            count -= len(kept.popleft())
        if kept:
            kept[0] = kept[0][count:]
            self._was_full |= not self._is_tls
        return True

    def _joined(self, view: memoryview) -> memoryview:
        """Append the beginning of a block to what is kept, and return the rest of the block."""
        self._kept.append(memoryview(bytes(self._kept.pop()) + bytes(view[:_TLS_BLOCK])))
        return view[_TLS_BLOCK:]
