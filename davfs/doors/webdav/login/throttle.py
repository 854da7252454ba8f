"""Slows down who guesses passwords, and nobody else: counted for each user at each address."""

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_FREE = 3
_FIRST = 0.25
_LONGEST = 2.0
_PATIENCE = 0.5
_SLEEPERS = 2
_MEMORY = 600.0
_CAPACITY = 4096


@dataclass(slots=True)
class _Failures:
    count: int
    next_try: float
    forgotten: float


class Throttle:
    """Delays logins after repeated failures, twice as long after each, up to two seconds.

    A short delay is slept through, by two threads at a time at most: the server has few. Beyond that the caller is told
    when to come back. One try is let through at the end of each delay, however many arrive at once. The right
    password ends it. Whoever comes from another address is not concerned, so nobody can lock a user out.

    Args:
        clock: Monotonic time in seconds.
        sleep: Waits for so many seconds.
        capacity: How many pairs of user and address are remembered; the one that has not failed for longest goes first.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        capacity: int = _CAPACITY,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._capacity = capacity
        self._sleepers = threading.BoundedSemaphore(_SLEEPERS)
        self._lock = threading.Lock()
        self._failures: OrderedDict[bytes, _Failures] = OrderedDict()

    def admit(self, user: str, address: str) -> int:
        """Wait a little where that is enough, and return the whole seconds after which to come back: 0 for come in.

        Args:
            user: The name that was given.
            address: The client's IP address.
        """
        key = _key(user, address)
        left = self._left(key)
        if 0 < left <= _PATIENCE and self._sleepers.acquire(blocking=False):
            try:
                self._sleep(left)
            finally:
                self._sleepers.release()
            left = self._left(key)
        return math.ceil(left)

    def failed(self, user: str, address: str) -> None:
        """Note a wrong password."""
        key, now = _key(user, address), self._clock()
        with self._lock:
            known = self._failures.pop(key, None)
            count = known.count + 1 if known and now < known.forgotten else 1
            self._failures[key] = _Failures(count, now + _delay(count), now + _MEMORY)
            if len(self._failures) > self._capacity:
                self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """Note the right password."""
        with self._lock:
            self._failures.pop(_key(user, address), None)

    def _left(self, key: bytes) -> float:
        """Return the seconds until the next try, 0 for now; then those who come at the same time wait for another."""
        now = self._clock()
        with self._lock:
            known = self._failures.get(key)
            if known is None or now >= known.forgotten:
                return 0
            if now < known.next_try:
                return known.next_try - now
            known.next_try = now + _delay(known.count)
            return 0


def _delay(failures: int) -> float:
    return 0 if failures <= _FREE else min(_FIRST * 2 ** min(failures - _FREE - 1, 10), _LONGEST)


def _key(user: str, address: str) -> bytes:
    """Return what stands for a user at an address: of one size, however long a name was sent."""
    return hashlib.blake2b(f"{address}\0{user}".encode(errors="surrogatepass"), digest_size=16).digest()
