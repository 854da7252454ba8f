"""A nonce is valid for a while, and once for each count."""

from davfs.doors.webdav.login.nonces import LIFETIME, Nonces
from tests.support import clocks
from tests.support.clocks import Clock

# pytest finds fixtures by the names in a module.
clock = clocks.clock


def test_each_count_once(clock: Clock) -> None:
    """Counts may come a little out of order, and none is accepted twice."""
    nonces = Nonces(clock=clock)
    nonce = nonces.create()
    for count in (1, 3, 2, 70, 69, 7, 1_000_000, 999_937):
        assert nonces.use(nonce, count), count
        assert not nonces.use(nonce, count), count
    for count in (3, 71, 999_936):
        assert not nonces.use(nonce, count), count


def test_lifetime(clock: Clock) -> None:
    """A nonce expires some minutes after it was made or used last."""
    nonces = Nonces(clock=clock)
    used, unused = nonces.create(), nonces.create()
    for count in range(1, 4):
        clock.now += LIFETIME - 1
        assert nonces.use(used, count)
    assert not nonces.use(unused, 1)
    clock.now += LIFETIME
    assert not nonces.use(used, 10)


def test_only_our_own(clock: Clock) -> None:
    """Nonces of another process are not accepted."""
    nonces = Nonces(clock=clock)
    nonce = nonces.create()
    assert nonce != nonces.create()
    wrong = ["", "=", "é", "a" * 44, nonce[:-1], nonce[:-4], "B" * 4 + nonce[4:], nonce + "AAAA", Nonces().create()]
    assert not any(nonces.use(each, 1) for each in wrong)
    assert nonces.use(nonce, 1)


def test_what_was_forgotten_has_expired(clock: Clock) -> None:
    """A nonce that was evicted is never accepted again, used or not."""
    nonces = Nonces(clock=clock, capacity=10)
    old = [nonces.create() for _ in range(2)]
    assert nonces.use(old[0], 1)
    clock.now += 1
    for _ in range(50):
        assert nonces.use(nonces.create(), 1)
        clock.now += 1
    assert len(nonces._uses._entries) == 10
    for nonce in old:
        assert not nonces.use(nonce, 1)
        assert not nonces.use(nonce, 2)
