"""Responses of Orthanc that are parsed once."""

import json

from davfs.orthanc.response_cache import ResponseCache


def test_same_response() -> None:
    """Equal responses give the same object, another response gives another one."""
    cache = ResponseCache()
    first = cache.read("/studies", b'["a", "b"]', json.loads)
    assert first == ["a", "b"]
    assert cache.read("/patients", b'["a", "b"]', json.loads) is not first
    assert cache.read("/studies", bytes(bytearray(b'["a", "b"]')), json.loads) is first
    assert cache.read("/studies", b'["b", "a"]', json.loads) == ["b", "a"]
    assert cache.read("/studies", b'["a", "b"]', json.loads) == ["a", "b"]
    assert first == ["a", "b"]


def test_large_response() -> None:
    """A response that is larger than the cache is parsed each time."""
    cache, body = ResponseCache(), json.dumps(["a" * 44] * 200_000).encode()
    assert cache.read("/studies", body, json.loads) is not cache.read("/studies", body, json.loads)
