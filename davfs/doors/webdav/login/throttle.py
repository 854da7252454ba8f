"""Repeated wrong passwords are throttled: for each name, for each address, and all together (docs/adr/0018)."""

import hashlib
import math
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from davfs.doors.webdav.login.address import SITE, network
from davfs.orthanc.access import Credentials

_MEMORY = 600.0
"""Seconds after its last try that a name or an address is forgotten."""
_RECENT = 7 * 24 * 3600.0
"""Seconds after their last use that verified credentials are forgotten."""
_CAPACITY = 4096
_FIRST = 0.25
_NETWORK = 64
"""Bits of an IPv6 address that stay the same while a client changes the others for its privacy (RFC 8981)."""

UNPROVEN = 300
"""Tries from an address within `_MEMORY` in which verified credentials of elsewhere are looked for.

As many as the longest delay of a name lets through in that time: so to guess credentials that are in use is no faster
than to guess others.
"""


@dataclass(frozen=True, slots=True)
class _Limit:
    """How tries of one kind are delayed.

    Attributes:
        free: Wrong passwords that cost nothing.
        longest: Seconds that a delay is at most; it doubles with each wrong password until then.
    """

    free: int
    longest: float

    def delay(self, failures: int) -> float:
        """Return the seconds between two tries."""
        return 0 if failures <= self.free else min(_FIRST * 2 ** min(failures - self.free - 1, 10), self.longest)


_NAME: Final = _Limit(free=5, longest=2.0)
_ADDRESS: Final = _Limit(free=20, longest=0.5)
_ALL: Final = _Limit(free=100, longest=0.25)


@dataclass(slots=True)
class _Tries:
    """What is known of a name, of an address, or of all.

    Attributes:
        limit: How they are delayed.
        failures: Wrong passwords.
        tries: Tries with credentials that were not known, whatever came of them, since ``counted_from``.
        counted_from: When tries were counted from 0 last.
        next_try: When another one is let through.
        forgotten: When all of this is forgotten.
    """

    limit: _Limit
    failures: int = 0
    tries: int = 0
    counted_from: float = 0.0
    next_try: float = 0.0
    forgotten: float = field(default=math.inf)


class Throttle:
    """Tells who has to wait after wrong passwords; nobody is kept waiting here.

    - Credentials that were verified before are never throttled: not where they were used before, and elsewhere not
      unless that address has tried too much that was not known (`UNPROVEN`).
    - Others wait for the longest of three delays: of their name, of their address, and of all tries from addresses that
      have given any wrong password. At the end of a delay one try is let through, however many arrive at once.

    What is kept is of bounded size, in memory alone; passwords are kept as a digest under a key of this process.

    Args:
        clock: Monotonic time in seconds.
        capacity: How many names, addresses and credentials are remembered; those not seen for longest go first.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, capacity: int = _CAPACITY) -> None:
        self._clock = clock
        self._capacity = capacity
        self._secret = secrets.token_bytes(hashlib.blake2b.MAX_KEY_SIZE)
        self._lock = threading.Lock()
        self._all = _Tries(_ALL)
        self._names: OrderedDict[bytes, _Tries] = OrderedDict()
        self._addresses: OrderedDict[bytes, _Tries] = OrderedDict()
        self._verified: OrderedDict[bytes, float] = OrderedDict()

    def expect(self, credentials: Credentials) -> None:
        """Take credentials for verified, which Orthanc's configuration has: until it refuses them."""
        with self._lock:
            self._verified[self._digest(credentials)] = math.inf

    def admit(self, user: str, address: str, credentials: Credentials | None) -> int:
        """Return the whole seconds after which to come back; 0 to look at the credentials now.

        Args:
            user: The name that was given.
            address: The client's IP address.
            credentials: What was given; None where it is wrong for certain.
        """
        with self._lock:
            now, here = self._clock(), self._tries(self._addresses, network(address, SITE), _ADDRESS)
            if credentials and self._is_verified(credentials, address, here):
                return 0
            here.tries += 1
            delays = [self._tries(self._names, user, _NAME, add=False), here]
            delays += [self._living(self._all)] if here.failures else []
            left = max(each.next_try - now for each in delays)
            if left > 0:
                return math.ceil(left)
            for each in delays:
                each.next_try = now + each.limit.delay(each.failures)
            return 0

    def failed(self, user: str, address: str, credentials: Credentials | None) -> None:
        """Note wrong credentials."""
        with self._lock:
            if credentials:
                self._verified.pop(self._digest(credentials), None)
                self._verified.pop(self._digest(credentials, address), None)
            here = self._tries(self._addresses, network(address, SITE), _ADDRESS)
            for each in (self._tries(self._names, user, _NAME), here, self._living(self._all)):
                each.failures += 1
                each.next_try = self._clock() + each.limit.delay(each.failures)

    def succeeded(self, address: str, credentials: Credentials) -> None:
        """Note right credentials. No counter ends: whoever guesses may have an account of their own."""
        with self._lock:
            until = self._clock() + _RECENT
            for digest in (self._digest(credentials), self._digest(credentials, address)):
                self._verified[digest] = max(until, self._verified.get(digest, until))
                self._verified.move_to_end(digest)
            while len(self._verified) > self._capacity:
                self._verified.popitem(last=False)

    def _is_verified(self, credentials: Credentials, address: str, here: _Tries) -> bool:
        digests = [self._digest(credentials, address), *([self._digest(credentials)] if here.tries < UNPROVEN else [])]
        return any(self._clock() < self._verified.get(digest, -math.inf) for digest in digests)

    def _digest(self, credentials: Credentials, address: str | None = None) -> bytes:
        """Return what stands for credentials, or for their use at an address."""
        salted = hashlib.blake2b(credentials.secret, digest_size=32, key=self._secret)
        return salted.digest() if address is None else salted.digest() + _short(network(address, _NETWORK))

    def _tries(self, kept: OrderedDict[bytes, _Tries], text: str, limit: _Limit, *, add: bool = True) -> _Tries:
        """Return what is known of a name or an address, which lives on from now.

        Whoever is refused adds no name: as many as there is room for would have all others forgotten.
        """
        short = _short(text)
        found = kept.get(short) or _Tries(limit)
        if add or short in kept:
            kept[short] = found
            kept.move_to_end(short)
        if len(kept) > self._capacity:
            kept.popitem(last=False)
        return self._living(found)

    def _living(self, found: _Tries) -> _Tries:
        now = self._clock()
        if now >= found.forgotten:
            found.failures, found.next_try = 0, 0.0
        if now >= found.counted_from + _MEMORY:
            found.tries, found.counted_from = 0, now
        found.forgotten = now + _MEMORY
        return found


def _short(text: str) -> bytes:
    """Return what stands for a text: of one size, however long a name was sent."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
