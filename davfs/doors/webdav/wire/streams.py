"""Both directions of a connection, in place of cheroot's own, which copy each block several times in Python."""

import select
import socket
import ssl
import time
from collections.abc import Callable

from davfs.orthanc import Buffer

LARGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers."""
IDLE_SECONDS = 30.0
"""How long a client may take to send, or to accept, anything at all in the middle of a request or an answer."""
_GRACE = 60.0
_SLOWEST = 1024
_HURRIED_IDLE = 5.0
_HURRIED_GRACE = 10.0
_HURRIED_SLOWEST = 256 * 1024
_BLOCK = 1024 * 1024
_HEAD_BLOCK = 16 * 1024
_TLS_BLOCK = 64 * 1024
_END = b"\r\n\r\n"

Clock = Callable[[], float]


class Pace:
    """Ends transfers that are too slow: each of them keeps a thread busy.

    Args:
        grace: Seconds in which nothing is asked for.
        slowest: Bytes per second after that, on average.
        clock: Seconds that never go back.
    """

    def __init__(self, grace: float = _GRACE, slowest: int = _SLOWEST, clock: Clock = time.monotonic) -> None:
        self._slowest = slowest
        self._clock = clock
        self._deadline = clock() + grace

    def moved(self, count: int) -> None:
        """Take note of bytes that were moved.

        Raises:
            TimeoutError: It was too few so far; cheroot knows it by its text.
        """
        self._deadline += count / self._slowest
        if self._clock() > self._deadline:
            raise TimeoutError("timed out")


class Reader:
    """What a client sends.

    Args:
        source: The connection.
    """

    def __init__(self, source: socket.socket) -> None:
        self._socket = source
        self._buffer = bytearray()
        self._pace = Pace()
        self.closed = False
        self.ended = False

    def receive(self) -> None:
        """Take what has arrived, without waiting for more; sets ``ended`` where nothing can come any more."""
        self._socket.settimeout(0)
        try:
            while len(self._buffer) < LARGEST_HEAD and not self.ended:
                block = self._socket.recv(_HEAD_BLOCK)
                self._buffer += block
                self.ended = not block
                if len(block) < _HEAD_BLOCK and not isinstance(self._socket, ssl.SSLSocket):
                    break
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError:
            self.ended = True
        self._socket.settimeout(IDLE_SECONDS)

    def wait(self, seconds: float) -> bool:
        """Wait for the next request, and tell whether its head is there."""
        if not self.has_data():
            poll = select.poll()
            poll.register(self._socket, select.POLLIN)
            if poll.poll(seconds * 1000):
                self.receive()
        return self.has_data()

    @property
    def begun(self) -> bool:
        """Whether a part of a request has arrived."""
        return bool(self._buffer.strip())

    def has_data(self) -> bool:
        """Tell whether the whole head of a request has arrived, or more than any may have."""
        found = _END in self._buffer or len(self._buffer) >= LARGEST_HEAD
        if found:
            self._pace = Pace()
        return found

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end of the connection alone."""
        if len(self._buffer) >= size:
            return self._take(size)
        blocks = [self._take(len(self._buffer))]
        missing = size - len(blocks[0])
        while missing and (block := self._more(min(missing, _BLOCK))):
            blocks.append(block)
            missing -= len(block)
        return b"".join(blocks) if len(blocks) > 2 or blocks[0] else blocks[-1]  # noqa: PLR2004  one block: no copy

    def readline(self, size: int) -> bytes:
        """Return a line with its end; of a longer one, or where the connection ends, a part."""
        while (end := self._buffer.find(b"\n", 0, size) + 1) == 0 and len(self._buffer) < size:
            block = self._more(_HEAD_BLOCK)
            if not block:
                return self._take(len(self._buffer))
            self._buffer += block
        return self._take(end or size)

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            taken = bytes(view[:count])
        del self._buffer[:count]
        return taken

    def _more(self, count: int) -> bytes:
        block = self._socket.recv(count)
        self._pace.moved(len(block))
        return block

    def hurry(self) -> None:
        """Give the client less time for the rest of this request, which nobody needs."""
        self._pace = Pace(_HURRIED_GRACE, _HURRIED_SLOWEST)
        self._socket.settimeout(_HURRIED_IDLE)

    def discard(self) -> None:
        """Throw away what has arrived; sets ``ended`` where nothing can come any more."""
        self._buffer.clear()
        self.receive()
        self._buffer.clear()

    def close(self) -> None:
        """Take nothing any more."""
        self.closed = True
        self._buffer.clear()


class Writer:
    """What a client is sent. Blocks of any kind go to the socket as they are.

    Args:
        target: The connection.
    """

    def __init__(self, target: socket.socket) -> None:
        self._socket = target
        self._secure = isinstance(target, ssl.SSLSocket)
        self._held = b""
        self._pace = Pace()
        self.holding = False

    def write(self, block: Buffer) -> None:
        """Send a block; while ``holding``, keep it for the next one instead, to go out in one packet with it."""
        if self.holding:
            self._pace = Pace()
            self._held += block
            return
        held, self._held = self._held, b""
        if not held:
            self._send(memoryview(block))
        elif self._secure:
            self._send(memoryview(held + bytes(block[:_TLS_BLOCK])))
            self._send(memoryview(block)[_TLS_BLOCK:])
        else:
            sent = self._socket.sendmsg([held, block])
            self._send(memoryview(held)[sent:])
            self._send(memoryview(block)[max(0, sent - len(held)) :])

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held = self._held, b""
            self._send(memoryview(held))

    def _send(self, view: memoryview) -> None:
        """Send all of a block: unlike with ``sendall``, the time limit is that of each part."""
        while view:
            sent = self._socket.send(view[:_TLS_BLOCK] if self._secure else view)
            self._pace.moved(sent)
            view = view[sent:]
