"""Tests of the least-recently-used cache."""

from davfs.cache import LruCache, LruSet


def kept(values: LruCache[str, int], *keys: str) -> str:
    """Return the keys that are cached."""
    return "".join(key for key in keys if values.get(key) is not None)


def test_number() -> None:
    """One value too many evicts the least recently used one."""
    values = LruCache[str, int](2)
    values.put("a", 1)
    values.put("b", 2)
    assert values.get("a") == 1
    values.put("c", 3)
    assert kept(values, *"abc") == "ac"


def test_bytes() -> None:
    """Values are evicted until the new one fits; a replaced value no longer counts."""
    values = LruCache[str, int](10, max_bytes=10)
    for key in "abc":
        values.put(key, 0, 3)
    values.put("c", 1, 4)
    assert kept(values, *"abc") == "abc"
    values.put("d", 0, 4)
    assert kept(values, *"abcd") == "cd"
    values.put("d", 0, 7)
    assert kept(values, *"abcd") == "d"


def test_too_large() -> None:
    """A value larger than the cache is not kept, nor the one it replaces; all others stay."""
    values = LruCache[str, int](10, max_bytes=10)
    values.put("a", 1, 5)
    values.put("b", 1, 5)
    values.put("b", 2, 11)
    assert kept(values, "a", "b") == "a"
    values.put("b", 3, 5)
    assert kept(values, "a", "b") == "ab"


def test_lifetime() -> None:
    """A value expires after its time, counted from when it was put last."""
    time = [0.0]
    values = LruCache[str, int](10, lifetime=5, now=lambda: time[0])
    values.put("a", 1)
    values.put("b", 1)
    time[0] = 3
    values.put("b", 2)
    assert kept(values, "a", "b") == "ab"
    time[0] = 5
    assert kept(values, "a", "b") == "b"
    time[0] = 8
    assert kept(values, "a", "b") == ""


def test_remove() -> None:
    """A removed value takes no room, and one that is not there can be removed."""
    values = LruCache[str, int](10, max_bytes=10)
    values.put("a", 1, 6)
    values.put("b", 1, 4)
    values.remove("a")
    values.remove("a")
    values.put("c", 1, 6)
    assert kept(values, "a", "b", "c") == "bc"


def test_evicted() -> None:
    """The owner of a cache learns which values were evicted, and not which were replaced or removed."""
    evicted: list[int] = []
    values = LruCache[str, int](2, evicted=evicted.append)
    for number, key in enumerate("aabcd"):
        values.put(key, number)
    values.remove("c")
    assert evicted == [1, 2]


def test_set() -> None:
    """A set has the keys that were added last."""
    keys = LruSet[str](2)
    for key in "abc":
        keys.add(key)
    assert [key in keys for key in "abc"] == [False, True, True]
