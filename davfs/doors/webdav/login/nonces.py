"""Nonces for Digest, each of whose counts is accepted once: a login that was overheard cannot be replayed."""

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from davfs.cache import LruCache

LIFETIME = 300.0
"""Seconds until a nonce expires, after it was created and after each use."""

_CAPACITY = 4096
_WINDOW = 64  # requests that may overtake each other: clients open several connections
_ISSUED = struct.Struct(">d")
_RANDOM = 9  # makes a nonce 33 bytes, so that Base64 has one spelling of it
_MAC = 16


@dataclass(slots=True)
class _NonceUses:
    """A sliding window over nonce counts, like that of IPsec over sequence numbers (RFC 4303 §3.4.3)."""

    issued: float
    last: float
    highest: int = 0
    seen: int = 0  # bit n: the count `highest - n` was used

    def take(self, count: int) -> bool:
        """Store a nonce count; return False if it was used before, or is too old to know."""
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
    """Creates nonces, which take no memory until a login with one has succeeded.

    A nonce contains the time of its creation, signed with a key of this process. When the memory of used nonces is
    full, the oldest is dropped, and all nonces of its age expire, since they could be used again otherwise.

    Args:
        clock: Monotonic time in seconds.
        capacity: Number of nonces in use.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, capacity: int = _CAPACITY) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._uses: LruCache[str, _NonceUses] = LruCache(capacity, evicted=self._drop)
        self._dropped = -1.0

    def create(self) -> str:
        """Return a new nonce."""
        content = _ISSUED.pack(self._clock()) + secrets.token_bytes(_RANDOM)
        return base64.urlsafe_b64encode(content + self._mac(content)).decode("ascii")

    def use(self, nonce: str, count: int) -> bool:
        """Record the use of a nonce by a client that knows the password.

        Returns:
            False if it is not a nonce of this process, has expired, or was used with that count before.
        """
        issued, now = self._issued(nonce), self._clock()
        if issued is None:
            return False
        with self._lock:
            known = self._uses.get(nonce)
            uses = known or _NonceUses(issued, issued)
            if now - uses.last >= LIFETIME or (known is None and issued <= self._dropped) or not uses.take(count):
                return False
            uses.last = now
            self._uses.put(nonce, uses)
            return True

    def _drop(self, uses: _NonceUses) -> None:
        self._dropped = max(self._dropped, uses.issued)

    def _issued(self, nonce: str) -> float | None:
        """Return the time at which a nonce was created; None if this process did not create it."""
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
