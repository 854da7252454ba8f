"""Damaged DICOM files, the same for the same seed."""

import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

Change: TypeAlias = Callable[[bytes, random.Random], bytes]
"""Makes another file of a file."""

LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT")
_BYTES = (0, 1, 0x7F, 0x80, 0xFF)
_LENGTHS = (
    0, 1, 3, 4, 100, 200, 1000, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x100000, 0x1000000, 0x10000000, 0x7FFFFFFF,
    0x80000000, 0xFFFFFFF0, 0xFFFFFFF4, 0xFFFFFFFF,
)  # fmt: skip


def element(tag: int, representation: bytes, value: bytes, *, order: str = "<", implicit: bool = False) -> bytes:
    """Return one data element of even length.

    Source: DICOM PS3.5 §7.1.
    """
    value += b"\0" * (len(value) % 2)
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return head + struct.pack(f"{order}I", len(value)) + value
    if representation in LONG:
        return head + representation + b"\0\0" + struct.pack(f"{order}I", len(value)) + value
    return head + representation + struct.pack(f"{order}H", len(value)) + value


def parts(content: bytes) -> tuple[bytes, bytes]:
    """Return a file in two parts: preamble and meta header, which may be empty, and the data set."""
    if content[128:136] != b"DICM\x02\x00\x00\x00" or len(content) < 144:
        return b"", content
    start = 144 + struct.unpack_from("<I", content, 140)[0]
    return content[:start], content[start:]


def cut(content: bytes, chance: random.Random) -> bytes:
    """Cut the file off at a random place."""
    return content[: chance.randrange(len(content) + 1)]


def cut_end(content: bytes, chance: random.Random) -> bytes:
    """Cut off a few bytes at the end."""
    return content[: -chance.randrange(1, min(200, len(content)) + 1)]


def _flipped(content: bytes, chance: random.Random, start: int, stop: int) -> bytes:
    changed = bytearray(content)
    stop = min(stop, len(changed))
    for _ in range(chance.randrange(1, 4)):
        if start < stop:
            changed[chance.randrange(start, stop)] = chance.choice((*_BYTES, chance.randrange(256)))
    return bytes(changed)


def flip(content: bytes, chance: random.Random) -> bytes:
    """Change bytes anywhere."""
    return _flipped(content, chance, 0, len(content))


def flip_meta(content: bytes, chance: random.Random) -> bytes:
    """Change bytes of the meta header."""
    return _flipped(content, chance, 128, 500)


def flip_head(content: bytes, chance: random.Random) -> bytes:
    """Change bytes of the beginning."""
    return _flipped(content, chance, 0, 1000)


def without_preamble(content: bytes, _: random.Random) -> bytes:
    """Keep the meta header and the data set only."""
    return content[132:] if parts(content)[0] else content


def data_set_alone(content: bytes, _: random.Random) -> bytes:
    """Keep the data set only."""
    return parts(content)[1]


def prefix_first(content: bytes, _: random.Random) -> bytes:
    """Remove the 128 bytes before ``DICM``."""
    return content[128:]


def other_preamble(content: bytes, chance: random.Random) -> bytes:
    """Put ``DICM`` where it does not belong."""
    return bytes(chance.choice((1, 64, 127, 129, 132, 256))) + content[128:]


def append(content: bytes, chance: random.Random) -> bytes:
    """Put something behind the file."""
    return content + chance.choice(
        (
            b"appended",
            b"x",
            bytes(8),
            bytes(100),
            b"\xff" * 20,
            chance.randbytes(chance.randrange(1, 300)),
            content[:500],
            b"\xfe\xff\x0d\xe0\0\0\0\0",
            element(0xFFFCFFFC, b"OB", bytes(4)),
        )
    )


def insert_first(content: bytes, chance: random.Random) -> bytes:
    """Put an element in front of the data set, of a group that may not belong there."""
    group = chance.choice((0, 0, 2, 3, 4, 4, 5, 8, 9, 0x10, 0x7FE0, 0xFFFE, 0xFFFF))
    number = chance.choice((0, 1, 0x10, 0x1130, 0x1220, 0x1510, 0xFFFF, chance.randrange(0x10000)))
    representation = chance.choice((b"UL", b"LO", b"CS", b"OB", b"UN", b"UI", b"ZZ"))
    value = chance.choice((b"", b"\4\0\0\0", b"TEXT", bytes(20)))
    order, implicit = chance.choice("<<<>"), chance.random() < 0.3
    head, data_set = parts(content)
    first = element(group << 16 | number, representation, value, order=order, implicit=implicit)
    return chance.choice((first + data_set, head + first + data_set))


def swap_first(content: bytes, chance: random.Random) -> bytes:
    """Shuffle the first elements of the data set."""
    head, data_set = parts(content)
    first: list[bytes] = []
    offset = 0
    while len(first) < 6 and offset + 12 <= len(data_set):
        stop = _stop(data_set, offset)
        if stop - offset > 10_000:
            break
        first.append(data_set[offset:stop])
        offset = stop
    chance.shuffle(first)
    shuffled = b"".join(first) + data_set[offset:]
    return chance.choice((head + shuffled, shuffled))


def _stop(content: bytes, offset: int) -> int:
    representation, short, long = struct.unpack_from("<2sHI", content, offset + 4)
    if not (representation.isalpha() and representation.isupper()):
        return offset + 8 + int(struct.unpack_from("<I", content, offset + 4)[0])
    return offset + (12 + int(long) if representation in LONG else 8 + int(short))


def zero(content: bytes, chance: random.Random) -> bytes:
    """Put zeros over some bytes, as a bad disk does."""
    start = chance.randrange(len(content))
    size = len(content[start : start + chance.randrange(1, 400)])
    return content[:start] + bytes(size) + content[start + size :]


def drop(content: bytes, chance: random.Random) -> bytes:
    """Take some bytes out."""
    start = chance.randrange(len(content))
    return content[:start] + content[start + chance.randrange(1, 40) :]


def repeat(content: bytes, chance: random.Random) -> bytes:
    """Write some bytes twice."""
    start = chance.randrange(len(content))
    return content[:start] + content[start : start + chance.randrange(1, 40)] + content[start:]


def group_length(content: bytes, chance: random.Random) -> bytes:
    """Give the meta header another length."""
    if not parts(content)[0]:
        return flip(content, chance)
    size = len(content)
    length = chance.choice((*_LENGTHS, 2, 8, chance.randrange(400), size, size - 144, 2 * size))
    return content[:140] + struct.pack("<I", length) + content[144:]


def _of_meta(content: bytes) -> list[int]:
    """Return where the elements of a meta header begin."""
    found, offset = [], 132
    while content[128:132] == b"DICM" and offset + 12 <= len(content) and content[offset : offset + 2] == b"\x02\x00":
        found.append(offset)
        offset = _stop(content, offset)
    return found


def length_of_meta(content: bytes, chance: random.Random) -> bytes:
    """Give an element of the meta header another length."""
    places = _of_meta(content)
    if not places:
        return flip(content, chance)
    longs = [place for place in places if content[place + 4 : place + 6] in LONG]
    place = chance.choice(places + longs * 3)
    length = chance.choice((*_LENGTHS, chance.randrange(3000), len(content)))
    if place in longs:
        return content[: place + 8] + struct.pack("<I", length) + content[place + 12 :]
    return content[: place + 6] + struct.pack("<H", length & 0xFFFF) + content[place + 8 :]


def kind_of_meta(content: bytes, chance: random.Random) -> bytes:
    """Give an element of the meta header another value representation."""
    places = _of_meta(content)
    if not places:
        return flip(content, chance)
    place = chance.choice(places)
    representation = chance.choice((b"OB", b"UN", b"UT", b"SQ", b"ZZ", b"\0\0", b"OF", b"UI", b"OV"))
    return content[: place + 4] + representation + content[place + 6 :]


def length(content: bytes, chance: random.Random) -> bytes:
    """Write a large length anywhere."""
    if len(content) < 8:
        return content
    place = chance.randrange(len(content) - 4)
    value = chance.choice((b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x10", bytes(4), b"\xff\xff\0\0"))
    return content[:place] + value + content[place + 4 :]


OF_META: tuple[Change, ...] = (group_length, length_of_meta, kind_of_meta, flip_meta)
"""What happens to meta headers."""

CHANGES: tuple[Change, ...] = (
    *OF_META, cut, cut_end, flip, flip_head, without_preamble, data_set_alone, prefix_first, other_preamble, append,
    insert_first, swap_first, zero, drop, repeat, length,
)  # fmt: skip
"""All that can happen to a file."""


def mutant(files: Sequence[bytes], seed: int, changes: Sequence[Change] = CHANGES) -> bytes:
    """Return one of the files with one or two changes; a third of them have lost their preamble before.

    Args:
        files: What to choose from.
        seed: The same seed makes the same file.
        changes: What may happen to it.
    """
    chance = random.Random(seed)  # noqa: S311  reproducible, no secret
    content = chance.choice(files)
    if chance.random() < 0.35 and changes is CHANGES:
        content = chance.choice((without_preamble, data_set_alone))(content, chance)
    for _ in range(1 + (chance.random() < 0.2)):
        if content:
            content = chance.choice(changes)(content, chance)
    return content


def deflated(image: bytes, behind: bytes, *syntaxes: bytes) -> bytes:
    """Return an image whose data set is packed.

    Args:
        image: A file with explicit representations.
        behind: Elements that are put behind its data set.
        syntaxes: What its meta header has as TransferSyntaxUID.
    """
    data_set = 144 + int.from_bytes(image[140:144], "little")
    start = image.index(b"\x02\x00\x10\x00UI")
    end = start + 8 + int.from_bytes(image[start + 6 : start + 8], "little")
    named = b"".join(element(0x00020010, b"UI", syntax + b"\0" * (len(syntax) % 2)) for syntax in syntaxes)
    head = image[144:start] + named + image[end:data_set]
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(image[data_set:] + behind) + packer.flush()
    return image[:140] + len(head).to_bytes(4, "little") + head + packed
