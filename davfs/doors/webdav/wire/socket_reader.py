"""Both directions of a connection, in place of cheroot's own: neither waits for the client for longer than a moment."""

import re
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable

from davfs.doors.webdav.wire.tls_socket import TlsSocket
from davfs.orthanc import Buffer

Socket = socket.socket | TlsSocket
LARGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers."""
_HEAD_BLOCK = 16 * 1024
_TLS_BLOCK = 64 * 1024
_DISCARDED = 64 * 1024
_LONGEST_TARGET = 512
_DEPTH = re.compile(rb"\r\ndepth:[ \t]*(\w{1,8})", re.IGNORECASE)
_END = b"\r\n\r\n"
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket raises that would have to wait."""
_SECONDS = 0.02
_BRISK = 4096
"""Bytes that a client moves in a moment unless it is slow."""
_SLOW = 2
"""How often in a row a client may be slow."""


class BriefWait:
    """Waits up to 20 ms for a client before its connection is given back: most clients go on at once.

    Slow clients are not waited for, nor any client while threads are short.

    Args:
        connection: Does not block.
        may_wait: Tells whether there are threads enough.
    """

    def __init__(self, connection: Socket, may_wait: Callable[[], bool]) -> None:
        self._socket = connection
        self._may_wait = may_wait
        self._poll = select.poll()
        self._slow = self._moved = 0

    def wait(self, event: int, moved: int) -> bool:
        """Wait, and tell whether the client has done something.

        Args:
            event: What, as `select.poll` has it.
            moved: Bytes that it has sent, or taken, so far.
        """
        self._slow = 0 if abs(moved - self._moved) >= _BRISK else self._slow + 1
        self._moved = moved
        if self._slow > _SLOW or not self._may_wait():
            return False
        self._poll.register(self._socket, event)
        return bool(self._poll.poll(1000 * _SECONDS))

    def begin(self) -> None:
        """Take a client for one that is not slow, with a new request."""
        self._slow = 0


class SocketReader:
    """What a client sends.

    Args:
        source: The connection, which does not block.
        moment: ConnectionState a moment for more of a body.

    Attributes:
        ended: Whether nothing can come any more.
        refusal: What a read raises where nothing has arrived: set where the client has taken too long.
        ask: Is called before the client is waited for.
        received: Bytes that have arrived so far.
    """

    refusal: Exception | None = None
    ask: Callable[[], None] | None = None

    def __init__(self, source: Socket, moment: BriefWait) -> None:
        self._socket = source
        self._moment = moment
        self._secure = isinstance(source, TlsSocket)
        self._buffer = bytearray()
        self.closed = False
        self.ended = False
        self.received = 0

    def receive(self) -> bool:
        """Take what has arrived of a head, and of what follows it; return `has_data`.

        Sets ``ended`` where nothing can come any more.
        """
        while len(self._buffer) < LARGEST_HEAD and not self.ended:
            block = self._arrived(_HEAD_BLOCK)
            if block is None:
                break
            self._buffer += block
            if len(block) < _HEAD_BLOCK and not self._secure:
                break
        return self.has_data()

    @property
    def begun(self) -> bool:
        """Whether a part of a request has arrived."""
        return bool(self._buffer.strip())

    def has_data(self) -> bool:
        """Return True if the whole head of a request has arrived, or more bytes than a head may have."""
        return _END in self._buffer or len(self._buffer) >= LARGEST_HEAD

    def first_word(self) -> bytes:
        """Return the method of the next request, which may stand behind empty lines."""
        return bytes(self._buffer[:32]).lstrip(b"\r\n").partition(b" ")[0]

    def target(self) -> str:
        """Return the beginning of the next request's first line, and the depth that it asks for."""
        depth = _DEPTH.search(self._buffer)
        line = bytes(self._buffer[:_LONGEST_TARGET]).lstrip(b"\r\n").partition(b"\r")[0]
        return f"{line!r} {depth and depth[1]!r}"

    def readinto(self, buffer: memoryview) -> int:
        """Fill a buffer as far as that goes now, and return how many bytes came; none at the connection's end alone.

        Raises:
            BlockingIOError: Nothing has arrived.
        """
        count = min(len(self._buffer), len(buffer))
        if count:
            buffer[:count] = self._take(count)
        while count < len(buffer) and not self.ended:
            arrived = self._arrived_into(buffer[count:])
            if arrived is None and not self._wait():
                break
            count += arrived or 0
        if not count and len(buffer) and not self.ended:
            raise self.refusal or BlockingIOError
        return count

    def readline(self, size: int) -> bytes:
        """Return a line with its end; of a longer one, or where the connection ends, a part.

        Raises:
            BlockingIOError: It has not arrived.
        """
        while (end := self._buffer.find(b"\n", 0, size) + 1) == 0 and len(self._buffer) < size:
            block = self._more(_HEAD_BLOCK)
            if not block:
                return self._take(len(self._buffer))
            self._buffer += block
        return self._take(end or size)

    def discard(self, most: int) -> int:
        """Throw away at most so many bytes of what has arrived, and return how many; the rest is for the next time."""
        count = min(most, len(self._buffer))
        del self._buffer[:count]
        while count < most and (block := self._arrived(min(most - count, _DISCARDED))):
            count += len(block)
            is_held_by_tls = isinstance(self._socket, TlsSocket) and self._socket.pending()
            if count >= _DISCARDED and not is_held_by_tls:  # nobody is woken for what TLS holds
                break
        return count

    def close(self) -> None:
        """Take nothing any more."""
        self.closed = True
        self._buffer.clear()

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:count])
        del self._buffer[:count]
        return taken

    def _more(self, count: int) -> bytes:
        while (block := self._arrived(count)) is None:
            if not self._wait():
                raise self.refusal or BlockingIOError
        return block

    def _wait(self) -> bool:
        if self.ask is not None:
            self.ask()
        return self.refusal is None and self._moment.wait(select.POLLIN, self.received)

    def _arrived(self, count: int) -> bytes | None:
        """Return what has arrived, at most so many bytes; None for nothing, no bytes where nothing can come."""
        try:
            block = self._socket.recv(count)
        except _NOT_NOW:
            return None
        except OSError:
            block = b""
        self._note(len(block))
        return block

    def _arrived_into(self, buffer: memoryview) -> int | None:
        """Fill a buffer, as `_arrived` does."""
        try:
            count = self._socket.recv_into(buffer)
        except _NOT_NOW:
            return None
        except OSError:
            count = 0
        self._note(count)
        return count

    def _note(self, count: int) -> None:
        self.received += count
        self.ended = not count


class SocketWriter:
    """What a client is sent. Blocks of any kind go to the socket as they are; what it does not take is kept.

    Args:
        target: The connection, which does not block.
        moment: ConnectionState a moment until the client takes more.

    Attributes:
        holding: Whether blocks are kept, to go out in one packet with the next one.
        broken: Whether the client takes nothing any more.
        sent: Bytes that were sent so far.
    """

    def __init__(self, target: Socket, moment: BriefWait) -> None:
        self._socket = target
        self._moment = moment
        self._secure = isinstance(target, TlsSocket)
        self._kept: deque[memoryview] = deque()
        self._was_full = False
        self.holding = False
        self.broken = False
        self.sent = 0

    @property
    def full(self) -> bool:
        """Whether something is kept that the client does not take now."""
        return bool(self._kept) and not self.holding

    @property
    def memory(self) -> int:
        """Bytes of the blocks that are kept, a part of which may have been sent already."""
        return sum(memoryview(view.obj).nbytes for view in self._kept)

    def write(self, block: Buffer) -> None:
        """Send a block, as far as that goes now, and keep the rest."""
        view = memoryview(block)
        if self._kept and self._secure:  # a head, which goes into one record with what follows
            view = self._joined(view)
        if len(view) and not self.broken:
            self._kept.append(view)
        if not self.holding:
            self.send()

    def flush(self) -> None:
        """Send what was held, as far as that goes now, at the end of an answer."""
        self._was_full = False
        self.send()

    def send(self) -> None:
        """Send of what is kept as much as goes now; more at once where it is waited for room first."""
        try:
            while self._kept:
                if self._was_full:
                    self._moment.wait(select.POLLOUT, self.sent)
                if not self._send_some():
                    break
        except OSError:
            self.drop()

    def drop(self) -> None:
        """Send nothing any more."""
        self.broken = True
        self._kept.clear()

    def _send_some(self) -> bool:
        """Send a part of what is kept; return False where nothing goes now."""
        kept = self._kept
        try:
            if isinstance(self._socket, TlsSocket):
                count = self._socket.send(kept[0][:_TLS_BLOCK])
            else:
                count = self._socket.sendmsg(kept) if len(kept) > 1 else self._socket.send(kept[0])
        except _NOT_NOW:
            self._was_full = True
            return False
        self.sent += count
        while kept and count >= len(kept[0]):
            count -= len(kept.popleft())
        if kept:
            kept[0] = kept[0][count:]
            self._was_full |= not self._secure
        return True

    def _joined(self, view: memoryview) -> memoryview:
        """Join the beginning of a block with what is kept, and return the rest of it."""
        self._kept.append(memoryview(bytes(self._kept.pop()) + bytes(view[:_TLS_BLOCK])))
        return view[_TLS_BLOCK:]
