"""Checksums of files: the algorithms, and their names in the headers and properties of clients.

They show that a copy is complete. They protect against nothing that was made on purpose: Orthanc keeps MD5.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import Protocol, TypeAlias


class RunningChecksum(Protocol):
    """A checksum that is being computed."""

    def update(self, block: bytes | bytearray | memoryview, /) -> object:
        """Add bytes."""

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far."""


class Algorithm(Enum):
    """An algorithm, by its name in ownCloud's ``oc:checksums`` and ``OC-Checksum``."""

    MD5 = "MD5"
    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA512 = "SHA512"
    ADLER32 = "ADLER32"

    def start(self) -> RunningChecksum:
        """Begin to compute a checksum."""
        return _STARTED[self]()


class Adler32:
    """A `RunningChecksum` of the standard library's zlib (RFC 1950)."""

    def __init__(self) -> None:
        self._value = zlib.adler32(b"")

    def update(self, block: bytes | bytearray | memoryview, /) -> None:
        """See `RunningChecksum`."""
        self._value = zlib.adler32(block, self._value)

    def digest(self) -> bytes:
        """See `RunningChecksum`."""
        return self._value.to_bytes(4)


_MD5_SIZE = 16  # bytes
_STARTED: Mapping[Algorithm, Callable[[], RunningChecksum]] = {
    Algorithm.MD5: partial(hashlib.md5, usedforsecurity=False),
    Algorithm.SHA1: partial(hashlib.sha1, usedforsecurity=False),
    Algorithm.SHA256: hashlib.sha256,
    Algorithm.SHA512: hashlib.sha512,
    Algorithm.ADLER32: Adler32,
}

DIGEST_NAMES = {
    "md5": Algorithm.MD5,
    "sha": Algorithm.SHA1,
    "sha-256": Algorithm.SHA256,
    "sha-512": Algorithm.SHA512,
}
"""Algorithms of the digests of HTTP by name, in lower case (RFC 9530 §7.2, RFC 3230 §4.1.1)."""

Checksums: TypeAlias = Mapping[Algorithm, bytes]
"""The known checksums of a file; empty if there is none."""


class RunningChecksums:
    """Computes several checksums at once.

    Args:
        algorithms: Which.
    """

    def __init__(self, algorithms: Iterable[Algorithm]) -> None:
        self._running = {algorithm: algorithm.start() for algorithm in algorithms}

    def update(self, block: bytes | bytearray | memoryview) -> None:
        """Add bytes."""
        for running in self._running.values():
            running.update(block)

    def digests(self) -> dict[Algorithm, bytes]:
        """Return the checksums of all bytes so far."""
        return {algorithm: running.digest() for algorithm, running in self._running.items()}


def md5_of(text: str) -> Checksums:
    """Return an MD5 in hexadecimal as checksums; none if it is no MD5."""
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        return {}
    return {Algorithm.MD5: digest} if len(digest) == _MD5_SIZE else {}


def written(checksums: Checksums) -> str:
    """Return checksums in ownCloud's form: ``SHA1:… MD5:…``, in hexadecimal."""
    return " ".join(f"{algorithm.value}:{digest.hex()}" for algorithm, digest in checksums.items())


def parse(text: str) -> dict[Algorithm, bytes]:
    """Parse checksums in ownCloud's form, without those of unknown algorithms.

    Raises:
        ValueError: One is not written in hexadecimal.
    """
    names = {algorithm.value: algorithm for algorithm in Algorithm}
    parts = (word.partition(":") for word in text.split())
    return {names[name.upper()]: bytes.fromhex(value) for name, _, value in parts if name.upper() in names}
