"""Digests of files in the headers of GET and HEAD, where a client asks for them.

``Want-Repr-Digest`` is answered by ``Repr-Digest`` (RFC 9530), and the older ``Want-Digest`` by ``Digest`` (RFC 3230).
Both are about the whole file, also in the response to a range.
"""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any

from davfs.checksums import DIGEST_NAMES, Checksums

_WANTED = "HTTP_WANT_REPR_DIGEST"
_FORMERLY_WANTED = "HTTP_WANT_DIGEST"
_PREFERENCE = re.compile(r"\s*([*a-zA-Z][\w.*-]*)\s*=\s*(\d{1,2})\s*(?:;[^,]*)?")
"""A member of a dictionary of integers (RFC 8941 §3.2), with parameters, which are ignored."""
_FORMER_PREFERENCE = re.compile(r"\s*([\w-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


def are_wanted(headers: Mapping[str, Any]) -> bool:
    """Return True if a request, in the form of WSGI, asks for a digest that can be known."""
    return bool(_named(headers, _WANTED, _PREFERENCE) or _named(headers, _FORMERLY_WANTED, _FORMER_PREFERENCE))


def digest_headers(headers: Mapping[str, Any], checksums: Checksums) -> Iterator[tuple[str, str]]:
    """Yield the headers of a response to a request, with the wanted digests that are known."""
    wanted = _named(headers, _WANTED, _PREFERENCE)
    if found := [f"{name}=:{text}:" for name, text in _encoded(checksums).items() if name in wanted]:
        yield "Repr-Digest", ", ".join(found)
    wanted = _named(headers, _FORMERLY_WANTED, _FORMER_PREFERENCE)
    if found := [f"{name.upper()}={text}" for name, text in _encoded(checksums).items() if name in wanted]:
        yield "Digest", ",".join(found)


def _encoded(checksums: Checksums) -> dict[str, str]:
    return {name: b64encode(checksums[one]).decode() for name, one in DIGEST_NAMES.items() if one in checksums}


def _named(headers: Mapping[str, Any], header: str, form: re.Pattern[str]) -> frozenset[str]:
    """Return the algorithms that a header wants, in lower case; none that it refuses, or that are unknown."""
    found = (form.fullmatch(part) for part in headers.get(header, "").split(","))
    wanted = frozenset(each[1].lower() for each in found if each and float(each[2] or 1) > 0)
    return wanted & DIGEST_NAMES.keys()
