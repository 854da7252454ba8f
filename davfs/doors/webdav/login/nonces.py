"""Nonces for Digest, and the memory of how often each was used: an answer that was overheard is good for nothing."""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

LIFETIME = 300.0
"""Seconds for which a nonce holds after it was made, and after each use."""

_CAPACITY = 4096
_WINDOW = 64  # requests that may overtake each other: clients open several connections
_ISSUED = struct.Struct(">d")
_RANDOM = 9  # makes a nonce 33 bytes, so that Base64 has one spelling of it
_MAC = 16


@dataclass(slots=True)
class _Uses:
    """A sliding window over nonce counts, as IPsec keeps one over sequence numbers (RFC 4303 §3.4.3)."""

    issued: float
    last: float
    highest: int = 0
    seen: int = 0  # bit n: the count `highest - n` was used

    def take(self, count: int) -> bool:
        """Note a nonce count; return False where it was used before, or is too old to tell."""
        if count > self.highest:
            self.seen = (self.seen << min(count - self.highest, _WINDOW) | 1) & ((1 << _WINDOW) - 1)
            self.highest = count
            return True
        if self.highest - count >= _WINDOW:
            return False
        bit = 1 << (self.highest - count)
        fresh = not self.seen & bit
        self.seen |= bit
        return fresh


class Nonces:
    """Makes nonces that need no memory until somebody proves with one that they know a password.

    A nonce carries its time under a key of this process. Where the memory of used ones is full the oldest is
    forgotten, and with it all that are as old: they have expired, rather than be good once more.

    Args:
        clock: Monotonic time in seconds.
        capacity: How many nonces in use are remembered.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, capacity: int = _CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._uses: OrderedDict[str, _Uses] = OrderedDict()
        self._forgotten = -1.0

    def fresh(self) -> str:
        """Return a new nonce."""
        content = _ISSUED.pack(self._clock()) + secrets.token_bytes(_RANDOM)
        return base64.urlsafe_b64encode(content + self._mac(content)).decode("ascii")

    def use(self, nonce: str, count: int) -> bool:
        """Note that a nonce was used by somebody who knows the password.

        Args:
            nonce: As the client sent it.
            count: Its nonce count.

        Returns:
            False where it is not one of ours, has expired, or was used with that count before.
        """
        issued, now = self._issued(nonce), self._clock()
        if issued is None:
            return False
        with self._lock:
            uses = self._uses.get(nonce) or _Uses(issued, issued)
            if now - uses.last >= LIFETIME or (nonce not in self._uses and issued <= self._forgotten):
                return False
            if not uses.take(count):
                return False
            uses.last = now
            self._uses[nonce] = uses
            self._uses.move_to_end(nonce)
            self._forget()
            return True

    def _forget(self) -> None:
        while len(self._uses) > self._capacity:
            _, uses = self._uses.popitem(last=False)
            self._forgotten = max(self._forgotten, uses.issued)

    def _issued(self, nonce: str) -> float | None:
        """Return when a nonce was made, None for one that this process did not make."""
        try:
            content = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        content, mac = content[:-_MAC], content[-_MAC:]
        if len(content) != _ISSUED.size + _RANDOM or not hmac.compare_digest(mac, self._mac(content)):
            return None
        return float(_ISSUED.unpack_from(content)[0])

    def _mac(self, content: bytes) -> bytes:
        return hmac.digest(self._secret, content, hashlib.sha256)[:_MAC]
