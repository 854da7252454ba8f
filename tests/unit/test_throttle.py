"""Repeated wrong passwords are throttled; verified credentials are not."""

from collections.abc import Iterator

import pytest

from davfs.doors.webdav.login.throttle import UNPROVEN, Throttle
from davfs.orthanc.access import Credentials

GOOD = Credentials.of("alice", "secret")
HERE, ELSEWHERE = "10.0.0.1", "10.0.0.2"


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def time() -> Time:
    """The time."""
    return Time()


@pytest.fixture
def throttle(time: Time) -> Throttle:
    """A throttle with that clock."""
    return Throttle(clock=time)


def guesses() -> Iterator[Credentials]:
    """Yield wrong passwords, each once."""
    number = 0
    while True:
        number += 1
        yield Credentials.of("alice", f"guess{number}")


def attack(throttle: Throttle, times: int, user: str = "alice", address: str = HERE) -> int:
    """Try wrong passwords without a pause; return how many were checked."""
    tried = 0
    for _ in range(times):
        guess = Credentials.of(user, f"guess{tried}")
        if throttle.delay(user, address, guess) == 0:
            throttle.failed(user, address, guess)
            tried += 1
    return tried


def test_mistakes_are_free(throttle: Throttle) -> None:
    """Mistakes in typing cost no time."""
    assert attack(throttle, 5) == 5
    assert throttle.delay("alice", HERE, GOOD) == 0


def test_delays_double_up_to_two_seconds(throttle: Throttle, time: Time) -> None:
    """Delays are returned in whole seconds, up to two."""
    attack(throttle, 6)
    waited = []
    for guess in [next(guesses()) for _ in range(6)]:
        waited.append(throttle.delay("alice", HERE, guess))
        time.now += 0.25
        while throttle.delay("alice", HERE, guess):
            time.now += 0.25
        throttle.failed("alice", HERE, guess)
    assert waited == [1, 1, 1, 2, 2, 2]


def test_one_try_at_a_time(throttle: Throttle, time: Time) -> None:
    """Of many concurrent attempts, one is let through at the end of each delay."""
    for _ in range(20):
        throttle.failed("alice", HERE, None)
    time.now += 2
    assert [throttle.delay("alice", HERE, None) for _ in range(5)] == [0, 2, 2, 2, 2]


def test_known_credentials_are_never_throttled(throttle: Throttle) -> None:
    """Users who have logged in can do so again, at any address, however many attempts are made there."""
    throttle.succeeded(HERE, GOOD)
    attack(throttle, 100_000, address=HERE)
    assert throttle.delay("alice", HERE, GOOD) == 0
    attack(throttle, UNPROVEN - 1, address=ELSEWHERE)
    for address in ("192.0.2.7", ELSEWHERE):
        assert throttle.delay("alice", address, GOOD) == 0
    assert throttle.delay("alice", HERE, next(guesses())) > 0


def test_known_credentials_are_not_guessed_faster(throttle: Throttle, time: Time) -> None:
    """From a new address, guessing verified credentials is no faster than guessing others."""
    throttle.succeeded(HERE, GOOD)
    for guess, _ in zip(guesses(), range(UNPROVEN), strict=False):
        throttle.delay("alice", ELSEWHERE, guess)
        throttle.failed("alice", ELSEWHERE, guess)
    assert throttle.delay("alice", ELSEWHERE, GOOD) > 0
    time.now += 2
    assert throttle.delay("alice", ELSEWHERE, GOOD) == 0


def test_credentials_of_the_configuration_are_known(throttle: Throttle, time: Time) -> None:
    """Credentials of the configuration need no first login, and never expire, until Orthanc refuses them."""
    throttle.trust(GOOD)
    attack(throttle, UNPROVEN - 1)
    assert throttle.delay("alice", HERE, GOOD) == 0
    throttle.succeeded(HERE, GOOD)
    time.now += 1e9
    attack(throttle, UNPROVEN - 1)
    assert throttle.delay("alice", ELSEWHERE, GOOD) == 0
    throttle.failed("alice", ELSEWHERE, GOOD)
    assert throttle.delay("alice", ELSEWHERE, GOOD) > 0


def test_changed_credentials_are_not_known(throttle: Throttle) -> None:
    """A password that Orthanc refuses does not count as verified any more."""
    throttle.succeeded(HERE, GOOD)
    attack(throttle, 20)
    assert throttle.delay("alice", HERE, GOOD) == 0
    throttle.failed("alice", HERE, GOOD)
    assert throttle.delay("alice", HERE, GOOD) > 0


def test_one_name_from_many_addresses(throttle: Throttle) -> None:
    """A name is throttled for all addresses; other names are not."""
    assert sum(attack(throttle, 1, address=f"10.0.1.{number}") for number in range(100)) <= 6
    assert throttle.delay("bob", "10.0.2.1", Credentials.of("bob", "x")) == 0


def test_many_names_from_one_address(throttle: Throttle) -> None:
    """An address is throttled for all names; other addresses are not."""
    assert sum(attack(throttle, 1, user=f"user{number}") for number in range(1000)) <= 21
    assert throttle.delay("bob", ELSEWHERE, Credentials.of("bob", "x")) == 0


def test_many_names_from_many_addresses(throttle: Throttle) -> None:
    """All attempts together are throttled, except from addresses without a wrong password."""
    tried = sum(attack(throttle, 3, user=f"user{n}", address=f"10.1.{n % 250}.1") for n in range(1000))
    assert tried < 500
    assert throttle.delay("bob", "10.2.0.1", Credentials.of("bob", "x")) == 0


def test_an_account_of_ones_own_is_no_pass(throttle: Throttle) -> None:
    """A user with an account is throttled when trying the passwords of others."""
    own = Credentials.of("mallory", "own")
    tried = 0
    for guess, _ in zip(guesses(), range(300), strict=False):
        assert throttle.delay("mallory", HERE, own) == 0 or tried == 0
        throttle.succeeded(HERE, own)
        if throttle.delay("alice", HERE, guess) == 0:
            throttle.failed("alice", HERE, guess)
            tried += 1
    assert tried <= 6


@pytest.mark.parametrize("address", ["2001:db8:0:1::{}", "2001:db8:0:{}::1", "::ffff:10.0.0.1", "10.0.0.1"])
def test_one_customer_is_one_address(throttle: Throttle, address: str) -> None:
    """All addresses of one IPv6 network count as one; IPv4 is the same in both of its spellings."""
    tried = sum(attack(throttle, 1, user=f"user{n}", address=address.format(f"{n:x}")) for n in range(500))
    assert tried <= 21


def test_a_client_that_changes_its_address(throttle: Throttle) -> None:
    """Verified credentials may be used from another IPv6 address of the same network, and not of another network."""
    throttle.succeeded("2001:db8:0:1::5", GOOD)
    attack(throttle, UNPROVEN, address="2001:db8:0:1::6")
    assert throttle.delay("alice", "2001:db8:0:1:abcd::7", GOOD) == 0
    assert throttle.delay("alice", "2001:db8:0:2::5", GOOD) > 0


def test_failures_are_forgotten(throttle: Throttle, time: Time) -> None:
    """Wrong passwords are forgotten after ten minutes."""
    attack(throttle, 20)
    time.now += 600
    assert attack(throttle, 20) == 6


def test_memory_is_bounded(time: Time) -> None:
    """The number of names and addresses is limited; the most recent ones stay."""
    throttle = Throttle(clock=time, capacity=100)
    for number in range(1000):
        throttle.failed(f"user{number}" * 100, f"10.0.{number % 256}.{number // 256}", None)
        throttle.succeeded(HERE, Credentials.of(f"user{number}", "right"))
        throttle.failed("mallory", ELSEWHERE, None)
    for kept in (throttle._names, throttle._addresses, throttle._verified):
        assert len(kept._entries) == 100
        assert max(map(len, kept._entries)) <= 48
    assert throttle.delay("mallory", "10.3.0.1", None) == 2


def test_refused_names_displace_no_others(time: Time) -> None:
    """A name stays throttled while many other names are tried."""
    throttle = Throttle(clock=time, capacity=100)
    attack(throttle, 20)
    for number in range(1000):
        attack(throttle, 1, user=f"user{number}")
    assert attack(throttle, 1, address=ELSEWHERE) == 0


def test_passwords_are_not_kept(throttle: Throttle) -> None:
    """Credentials are stored as digests under a key that differs in each process."""
    throttle.succeeded(HERE, GOOD)
    other = Throttle()
    other.succeeded(HERE, GOOD)
    assert not set(throttle._verified._entries) & set(other._verified._entries)
