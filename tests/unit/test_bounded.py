"""Values that are kept as far as there is room."""

from davfs.cache import Bounded


def kept(values: Bounded[str, int], *keys: str) -> str:
    """Return those of the keys that have a value."""
    return "".join(key for key in keys if values.get(key) is not None)


def test_number() -> None:
    """Of too many, the one that was not used for the longest goes."""
    values = Bounded[str, int](2)
    values.put("a", 1)
    values.put("b", 2)
    assert values.get("a") == 1
    values.put("c", 3)
    assert kept(values, *"abc") == "ac"


def test_room() -> None:
    """As many go as make room; another value in the place of one takes that one's room."""
    values = Bounded[str, int](10, room=10)
    for key in "abc":
        values.put(key, 0, 3)
    values.put("c", 1, 4)
    assert kept(values, *"abc") == "abc"
    values.put("d", 0, 4)
    assert kept(values, *"abcd") == "cd"
    values.put("d", 0, 7)
    assert kept(values, *"abcd") == "d"


def test_too_large() -> None:
    """What is larger than all the room is not kept, nor what it takes the place of; all others stay."""
    values = Bounded[str, int](10, room=10)
    values.put("a", 1, 5)
    values.put("b", 1, 5)
    values.put("b", 2, 11)
    assert kept(values, "a", "b") == "a"
    values.put("b", 3, 5)
    assert kept(values, "a", "b") == "ab"
