"""Answers of Orthanc that are read once."""

import json

from davfs.orthanc.repeated import RepeatedAnswers


def test_same_answer() -> None:
    """Ids are the same object for as long as Orthanc answers the same, and what it answers as soon as it does not."""
    repeated = RepeatedAnswers()
    first = repeated.read("/studies", b'["a", "b"]', json.loads)
    assert first == ["a", "b"]
    assert repeated.read("/patients", b'["a", "b"]', json.loads) is not first
    assert repeated.read("/studies", bytes(bytearray(b'["a", "b"]')), json.loads) is first
    assert repeated.read("/studies", b'["b", "a"]', json.loads) == ["b", "a"]
    assert repeated.read("/studies", b'["a", "b"]', json.loads) == ["a", "b"]
    assert first == ["a", "b"]


def test_large_answer() -> None:
    """An answer that would take all the room is read each time."""
    repeated, body = RepeatedAnswers(), json.dumps(["a" * 44] * 200_000).encode()
    assert repeated.read("/studies", body, json.loads) is not repeated.read("/studies", body, json.loads)
