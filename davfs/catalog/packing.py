"""Packs ids and nodes into bytes, as the index's file has them: half as long as their text, and in several indexes."""

import re
import zlib
from functools import lru_cache

from davfs import names

_RESOURCE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{8}){4}")
_GROUP = re.compile(r"[0-9a-f]{40}")
_PATIENT = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{8}){4})(?:\.([0-9a-f]{40}))?/([0-9a-f]{30})")
_TEXT, _GROUP_TEXT = 44, 40
_ID, _GROUP_LENGTH, _PATIENT_LENGTH = 20, 21, 35
_GROUP_MARK = b"g"
_CACHED = 20_000
"""Ids that are cached: while resources are saved, each one is needed several times."""
_CACHED_NAMES = 1000
"""Names whose number is cached: several layouts show a study under the same one."""


@lru_cache(maxsize=_CACHED)
def pack(node: str) -> bytes | str:
    """Return an Orthanc id or a node (`davfs.catalog.plan`) as bytes; a text that is neither is returned as it is."""
    if len(node) == _TEXT and _RESOURCE.fullmatch(node):
        return bytes.fromhex(node.replace("-", ""))
    if len(node) == _GROUP_TEXT and _GROUP.fullmatch(node):
        return _GROUP_MARK + bytes.fromhex(node)
    if match := _PATIENT.fullmatch(node):
        return bytes.fromhex(match[1].replace("-", "") + (match[2] or "") + match[3])
    return node


def unpack(packed: bytes | str) -> str:
    """Return the id or node that was packed.

    Raises:
        ValueError: It was none, so the file is damaged.
    """
    if isinstance(packed, str):
        return packed
    if len(packed) == _ID:
        return packed.hex("-", 4)
    if len(packed) == _GROUP_LENGTH:
        return packed[1:].hex()
    owner, person, rest = packed[:_ID], packed[_ID:-15], packed[-15:]
    if len(packed) not in {_PATIENT_LENGTH, _PATIENT_LENGTH + _ID}:
        raise ValueError("bytes that are no id")
    return f"{owner.hex('-', 4)}{'.' if person else ''}{person.hex()}/{rest.hex()}"


def owner_of(packed: bytes | str) -> str:
    """Return the Orthanc id of the resource that a packed node belongs to: that of a patient, study or series."""
    return packed[:_TEXT] if isinstance(packed, str) else packed[:_ID].hex("-", 4)


@lru_cache(_CACHED_NAMES)
def key_of(name: str) -> int:
    """Return the number by which a name is found without case; several names may have the same one."""
    return hash_of(names.folded(name))


def hash_of(key: str) -> int:
    """Return the number for a name as it is compared (`davfs.names.folded`)."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass"))
