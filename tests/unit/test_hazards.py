"""Tests that files which would crash or hang Orthanc are refused, and that readable ones are not."""

import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.elements.walk import DEEPEST, INFLATED, Walk
from davfs.errors import Refused
from davfs.imports.hazards import check_hazards
from tests.support import dicom
from tests.support.inbox import CT, TEST_FILES
from tests.support.mutants import deflated, element

START = CT.index(b"\x02\x00\x01\x00OB")
GROUP_LENGTH = struct.unpack_from("<I", CT, 140)[0]
PIXEL_DATA = 0x7FE00010
UNKNOWN = b"\xff\xff\xff\xff"
DATA_SET = 144 + GROUP_LENGTH


def with_length(length: int) -> bytes:
    """Return an image with another FileMetaInformationVersion: the first element of its meta header."""
    return CT[: START + 8] + struct.pack("<I", length) + CT[START + 12 :]


def with_group_length(length: int) -> bytes:
    """Return an image whose meta header says to be of another length."""
    return CT[:140] + struct.pack("<I", length) + CT[144:]


def nested(levels: int, *, known: bool = False, implicit: bool = False) -> bytes:
    """Return a sequence in a sequence in a sequence …, with or without their lengths."""
    value = element(0x00081150, b"UI", b"1.2.3\0", implicit=implicit)
    for _ in range(levels):
        if known:
            value = element(0xFFFEE000, b"", value, implicit=True)
            value = element(0x00081140, b"SQ", value, implicit=implicit)
        else:
            start = (
                b"\x08\x00\x40\x11"
                + (b"" if implicit else b"SQ\0\0")
                + b"\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
            )
            value = start + value + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    return value


@pytest.mark.parametrize("path", sorted(TEST_FILES.rglob("*.dcm")), ids=lambda path: path.name)
def test_ordinary_files_pass(path: object) -> None:
    """All of pydicom's own files pass, in all transfer syntaxes, damaged ones included."""
    check_hazards(memoryview(path.read_bytes()))  # type: ignore[attr-defined]


@pytest.mark.parametrize("length", [40_000, 1 << 20, 1 << 24, 1 << 28, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF4, 0xFFFFFFFF])
def test_an_element_that_is_longer_than_the_file(length: int) -> None:
    """A length of (0002,0001) beyond the end of the file is refused: Orthanc would copy that many bytes."""
    with pytest.raises(Refused, match="meta header is longer"):
        check_hazards(memoryview(with_length(length)))


@pytest.mark.parametrize("length", [40_000, 1 << 28, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_meta_header_that_is_longer_than_the_file(length: int) -> None:
    """A meta header longer than the file is refused: Orthanc would allocate up to 4 GB for it."""
    with pytest.raises(Refused, match="meta header is longer"):
        check_hazards(memoryview(with_group_length(length)))


@pytest.mark.parametrize("length", [8, 9, 10, 11])
def test_a_meta_header_that_ends_in_a_header(length: int) -> None:
    """A meta header that ends within an element's header is refused: Orthanc would wait for ever for the rest."""
    with pytest.raises(Refused, match="in the middle of an element"):
        check_hazards(memoryview(with_group_length(length)))


def test_an_element_on_which_the_parser_stays() -> None:
    """In 32 bits this length and that of the header are nothing."""
    stays = b"\x03\x00\x10\x00UN\0\0\xf4\xff\xff\xff"
    content = CT[:140] + struct.pack("<I", GROUP_LENGTH + len(stays)) + stays + CT[144:]
    with pytest.raises(Refused, match="impossible"):
        check_hazards(memoryview(content))


@pytest.mark.parametrize("length", [0, 1, 4, 7, 12, GROUP_LENGTH - 20, GROUP_LENGTH - 1, GROUP_LENGTH + 8, 1000])
def test_a_meta_header_of_a_wrong_length(length: int) -> None:
    """Orthanc reads such files, and so does the drive."""
    check_hazards(memoryview(with_group_length(length)))


@pytest.mark.parametrize("length", [0x10000000, 0x7FFFFFFF, 0xFFFFFFFE])
def test_an_element_that_asks_for_memory(length: int) -> None:
    """Orthanc makes room for an element before it finds that the file ends; behind a few bytes that is no harm."""
    cut = b"\x09\x00\x10\x10UN\0\0"
    with pytest.raises(Refused, match="in the middle of an element"):
        check_hazards(memoryview(CT[:DATA_SET] + cut + struct.pack("<I", length) + CT[DATA_SET:]))
    check_hazards(memoryview(CT[:DATA_SET] + cut + struct.pack("<I", 100_000) + CT[DATA_SET:]))


def test_value_representations_that_nobody_knows() -> None:
    """The length behind them has two bytes or four: a file that is whole by the first reading passes."""
    strange = CT[:DATA_SET] + b"\x07\x00\x10\x00ZZ\x00\x00\x08\x00\x01\x7f" + b"LO\0\0" + CT[DATA_SET:]
    check_hazards(memoryview(strange))
    with pytest.raises(Refused, match="in the middle of an element"):
        check_hazards(memoryview(strange[:-100]))


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("preamble", [True, False])
def test_deep_sequences(*, known: bool, implicit: bool, preamble: bool) -> None:
    """Sequences may be nested up to a limit, in each encoding; deeper ones are refused."""
    whole = (TEST_FILES / "MR_small_implicit.dcm").read_bytes() if implicit else CT
    start = 144 + struct.unpack_from("<I", whole, 140)[0]
    head = whole[:start] if preamble else b""
    check_hazards(memoryview(head + nested(DEEPEST, known=known, implicit=implicit) + whole[start:]))
    for levels in (DEEPEST + 1, 48, 5000 if not known else 500):
        with pytest.raises(Refused, match="nested"):
            check_hazards(memoryview(head + nested(levels, known=known, implicit=implicit) + whole[start:]))


@pytest.mark.parametrize("tag", [0x7FE00008, 0x7FE00010])
@pytest.mark.parametrize("kind", [b"SQ", b"UN"])
def test_deep_sequences_in_place_of_pixels(tag: int, kind: bytes) -> None:
    """An element that claims to be a sequence is not parsed as fragments of an image."""
    fragments = {vr: struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, 0xFFFFFFFF) for vr in (kind, b"OB")}
    item = element(0xFFFEE000, b"", nested(DEEPEST + 1, implicit=kind == b"UN"), implicit=True)
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert "nested" in verdict(CT[:DATA_SET] + fragments[kind] + item + end + CT[DATA_SET:])
    if tag == PIXEL_DATA:
        assert not verdict(CT[:DATA_SET] + fragments[b"OB"] + item + end + CT[DATA_SET:])


def test_deep_sequences_in_what_is_deflated() -> None:
    """Sequences nested too deeply are found in deflated data sets, too."""
    whole = (TEST_FILES / "image_dfl.dcm").read_bytes()
    start = 144 + struct.unpack_from("<I", whole, 140)[0]
    inner = zlib.decompress(whole[start:], -zlib.MAX_WBITS)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    content = whole[:start] + packer.compress(nested(100) + inner) + packer.flush()
    with pytest.raises(Refused, match="nested"):
        check_hazards(memoryview(content))


@pytest.mark.parametrize("counted", [1, 10, 1000])
def test_deep_sequences_of_which_elements_were_counted(counted: int) -> None:
    """A walk that was begun for another reason finds them as well."""
    for known in (True, False):
        assert "nested" in verdict(CT[:DATA_SET] + nested(DEEPEST + 1, known=known) + CT[DATA_SET:], counted)
        assert not verdict(CT[:DATA_SET] + nested(DEEPEST, known=known) + CT[DATA_SET:], counted)


def test_many_sequences_side_by_side() -> None:
    """The number of sequences is not limited, only their depth."""
    check_hazards(memoryview(CT[:DATA_SET] + nested(3) * 1000 + nested(3, known=True) * 1000 + CT[DATA_SET:]))
    check_hazards(memoryview(dicom.instance("p1")))


def verdict(content: bytes, counted: int = 0) -> str:
    """Return the reason of a refusal, empty if the file passes; some of its elements were counted before."""
    walk = Walk(memoryview(content))
    walk.count(counted)
    try:
        check_hazards(memoryview(content), walk if counted else None)
    except Refused as error:
        return error.reason
    return ""


@given(st.integers(0, 2**32), st.integers(1, 8), st.integers(0, 1000), st.integers(1, 300))
def test_garbage(seed: int, changes: int, cut: int, counted: int) -> None:
    """Arbitrary bytes raise no other error, and the verdict is the same if elements were counted before."""
    chance = random.Random(seed)  # noqa: S311  reproducible damage, no secret
    content = bytearray(CT[:DATA_SET] + nested(3) + nested(3, known=True) + CT[DATA_SET : 1500 - cut])
    for _ in range(changes):
        if content:
            content[chance.randrange(len(content))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
    assert verdict(bytes(content)) == verdict(bytes(content), counted)


DEFLATED = b"1.2.840.10008.1.2.1.99"
"""The usual one of deflated transfer syntaxes."""
PLAIN = b"1.2.840.10008.1.2.1"


@pytest.mark.parametrize("syntax", [DEFLATED, b"1.2.840.10008.1.2.4.95", b"1.2.840.10008.1.2.4.205"])
def test_deep_sequences_in_each_deflated_syntax(syntax: bytes) -> None:
    """JPIP has two of its own, which Orthanc's parser unpacks as well."""
    with pytest.raises(Refused, match="nested"):
        check_hazards(memoryview(deflated(CT, nested(DEEPEST + 1), syntax)))
    check_hazards(memoryview(deflated(CT, nested(3), syntax)))


def test_what_unpacks_to_more_than_is_looked_at() -> None:
    """A deflated data set of more than 128 MB is refused: deep sequences could follow what was checked."""
    padding = element(0xFFFCFFFC, b"OB", bytes(INFLATED))
    with pytest.raises(Refused, match="unpacks to more than 128 MB"):
        check_hazards(memoryview(deflated(CT, padding + nested(400), DEFLATED)))
    check_hazards(memoryview(deflated(CT, padding[: -len(CT)], DEFLATED)[:-1]))


@pytest.mark.parametrize("syntaxes", [(DEFLATED, PLAIN), (b" " + DEFLATED,), (DEFLATED + b"\\" + PLAIN,)])
def test_several_transfer_syntaxes(syntaxes: tuple[bytes, ...]) -> None:
    """A data set that only some programs take for deflated cannot be checked."""
    with pytest.raises(Refused, match="transfer syntaxes"):
        check_hazards(memoryview(deflated(CT, nested(400), *syntaxes)))


@pytest.mark.parametrize("implicit", [False, True])
def test_very_long_sequences(*, implicit: bool) -> None:
    """Orthanc looks for each item from the first one on: 80,000 take it three seconds, a million ten minutes."""
    item = element(0xFFFEE000, b"", b"", implicit=True)

    def crowded(items: int, sequences: int) -> memoryview:
        start = CT[:DATA_SET].replace(PLAIN + b"\0", b"1.2.840.10008.1.2\0\0\0") if implicit else CT
        tags = [0x0040A730, 0x52009230, 0x30060039][:sequences]
        return memoryview(start + b"".join(element(tag, b"SQ", item * items, implicit=implicit) for tag in tags))

    check_hazards(crowded(90_000, 1))
    for items, sequences in ((110_000, 1), (60_000, 3)):
        with pytest.raises(Refused, match="too many items"):
            check_hazards(crowded(items, sequences))


def test_very_many_elements_of_one_item() -> None:
    """Very many elements in one item are refused, since Orthanc's parser needs quadratic time for them."""

    def crowded(count: int) -> memoryview:
        tags = ((0x0041 + 2 * (number >> 15)) << 16 | number & 0x7FFF for number in range(count))
        return memoryview(CT + b"".join(element(tag, b"LO", b"") for tag in tags))

    check_hazards(crowded(30_000))
    check_hazards(memoryview(CT + bytes(1_000_000)))
    with pytest.raises(Refused, match="too many items"):
        check_hazards(crowded(40_000))
