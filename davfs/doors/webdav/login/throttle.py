"""Throttles repeated wrong passwords: for each name, for each address, and all together (docs/adr/0018)."""

import hashlib
import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from davfs.cache import LruCache
from davfs.doors.webdav.login.client_address import SITE, network
from davfs.orthanc.access import Credentials

_MEMORY = 600.0
"""Seconds after the last attempt until a name or an address is forgotten."""
_RECENT = 7 * 24 * 3600.0
"""Seconds after the last use until verified credentials are forgotten."""
_CAPACITY = 4096
_FIRST = 0.25
_NETWORK = 64
"""Bits of an IPv6 address that stay the same while a client changes the others for privacy (RFC 8981)."""

UNPROVEN = 300
"""Attempts from an address within `_MEMORY` for which credentials that were verified elsewhere are not throttled.

As many as the longest delay of a name lets through in that time: so guessing credentials that are in use is no faster
than guessing others.
"""


@dataclass(frozen=True, slots=True)
class _DelayRule:
    """Delays of attempts of one kind.

    Attributes:
        free: Wrong passwords without a delay.
        longest: Maximum delay in seconds; the delay doubles with each wrong password until then.
    """

    free: int
    longest: float

    def delay(self, failures: int) -> float:
        """Return the seconds between two attempts."""
        return 0 if failures <= self.free else min(_FIRST * 2 ** min(failures - self.free - 1, 10), self.longest)


_NAME: Final = _DelayRule(free=5, longest=2.0)
_ADDRESS: Final = _DelayRule(free=20, longest=0.5)
_ALL: Final = _DelayRule(free=100, longest=0.25)


@dataclass(slots=True)
class _Attempts:
    """Attempts for a name, from an address, or of all.

    Attributes:
        rule: Their delays.
        failures: Wrong passwords.
        unknown: Attempts with credentials that were not verified before, since ``counted_from``.
        counted_from: Time at which the count of these began.
        next_attempt: Time from which another one is let through.
        expires: Time at which all of this is forgotten.
    """

    rule: _DelayRule
    failures: int = 0
    unknown: int = 0
    counted_from: float = 0.0
    next_attempt: float = 0.0
    expires: float = field(default=math.inf)


class Throttle:
    """Returns how long a client has to wait after wrong passwords; never waits itself.

    - Credentials that were verified before are never throttled at an address where they were used before, nor elsewhere
      unless that address has made too many attempts with unknown credentials (`UNPROVEN`).
    - Others wait for the longest of three delays: of their name, of their address, and of all attempts from addresses
      with any wrong password. At the end of a delay one attempt is let through, however many arrive at once.

    The memory is bounded, and not stored; passwords are kept as a digest under a key of this process.

    Args:
        clock: Monotonic time in seconds.
        capacity: Number of names, of addresses and of credentials; the least recently used are evicted.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, capacity: int = _CAPACITY) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(hashlib.blake2b.MAX_KEY_SIZE)
        self._lock = threading.Lock()
        self._all = _Attempts(_ALL)
        self._names, self._addresses = (LruCache[bytes, _Attempts](capacity) for _ in range(2))
        self._verified: LruCache[bytes, float] = LruCache(capacity)

    def trust(self, credentials: Credentials) -> None:
        """Treat credentials of Orthanc's configuration as verified, until Orthanc refuses them."""
        with self._lock:
            self._verified.put(self._digest(credentials), math.inf)

    def delay(self, user: str, address: str, credentials: Credentials | None) -> int:
        """Return the delay until credentials are checked, in whole seconds; 0 to check them now.

        Args:
            user: The name.
            address: The client's IP address.
            credentials: The credentials; None if they are certainly wrong.
        """
        with self._lock:
            now, here = self._clock(), self._attempts(self._addresses, network(address, SITE), _ADDRESS)
            if credentials and self._is_verified(credentials, address, here):
                return 0
            here.unknown += 1
            delays = [self._attempts(self._names, user, _NAME, add=False), here]
            delays += [self._refreshed(self._all)] if here.failures else []
            left = max(each.next_attempt - now for each in delays)
            if left > 0:
                return math.ceil(left)
            for each in delays:
                each.next_attempt = now + each.rule.delay(each.failures)
            return 0

    def failed(self, user: str, address: str, credentials: Credentials | None) -> None:
        """Count wrong credentials."""
        with self._lock:
            if credentials:
                self._verified.remove(self._digest(credentials))
                self._verified.remove(self._digest(credentials, address))
            here = self._attempts(self._addresses, network(address, SITE), _ADDRESS)
            for each in (self._attempts(self._names, user, _NAME), here, self._refreshed(self._all)):
                each.failures += 1
                each.next_attempt = self._clock() + each.rule.delay(each.failures)

    def succeeded(self, address: str, credentials: Credentials) -> None:
        """Remember right credentials; no counter is reset, since an attacker may have an account."""
        with self._lock:
            until = self._clock() + _RECENT
            for digest in (self._digest(credentials), self._digest(credentials, address)):
                self._verified.put(digest, max(until, self._verified.get(digest) or until))

    def _is_verified(self, credentials: Credentials, address: str, here: _Attempts) -> bool:
        digests = [self._digest(credentials, address)]
        if here.unknown < UNPROVEN:
            digests.append(self._digest(credentials))
        return any(self._clock() < (self._verified.get(digest) or -math.inf) for digest in digests)

    def _digest(self, credentials: Credentials, address: str | None = None) -> bytes:
        """Return a digest of credentials, or of their use at an address."""
        salted = hashlib.blake2b(credentials.secret, digest_size=32, key=self._secret)
        return salted.digest() if address is None else salted.digest() + _short(network(address, _NETWORK))

    def _attempts(
        self, kept: LruCache[bytes, _Attempts], text: str, rule: _DelayRule, *, add: bool = True
    ) -> _Attempts:
        """Return the attempts for a name or an address, which expire later from now on.

        Refused attempts add no name, or many of them would evict all others.
        """
        found = kept.get(short := _short(text))
        if found is None:
            found = _Attempts(rule)
            if add:
                kept.put(short, found)
        return self._refreshed(found)

    def _refreshed(self, found: _Attempts) -> _Attempts:
        now = self._clock()
        if now >= found.expires:
            found.failures, found.next_attempt = 0, 0.0
        if now >= found.counted_from + _MEMORY:
            found.unknown, found.counted_from = 0, now
        found.expires = now + _MEMORY
        return found


def _short(text: str) -> bytes:
    """Return a digest of a text, of fixed size however long a name is."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
