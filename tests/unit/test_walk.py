"""The number of data elements in a file, beside what pydicom finds in it."""

import io
import time
import warnings
import zlib

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments

from davfs.elements.files import is_deflated
from davfs.elements.walk import Walk
from davfs.errors import Refused
from davfs.imports.element_budget import ElementBudget
from tests.support import dicom
from tests.support.inbox import CT, NO_PREAMBLE, TEST_FILES

ALL = 10_000_000
# A sequence of known length that calls itself UN: pydicom looks into it, Orthanc's parser does not.
UNLIKE = "rtdose_rle_1frame.dcm"
FILES = sorted(path.name for path in TEST_FILES.glob("*.dcm") if path.name != UNLIKE)


def bounds(data: Dataset) -> tuple[int, int]:
    """Return how many elements pydicom finds, and how many they are with every header that may stand around them."""
    fewest, most = 0, 0
    for element in data.iterall():
        fewest += 1
        most += 2
        if element.VR == "SQ":
            most += 2 * len(element.value)
        if element.tag == 0x7FE00010 and element.is_undefined_length:
            most += sum(1 for _ in generate_fragments(element.value))
    return fewest, most


@pytest.mark.parametrize("name", FILES)
def test_files_of_all_kinds(name: str) -> None:
    """Elements are counted as by pydicom, except for delimiters, in every transfer syntax."""
    content = (TEST_FILES / name).read_bytes()
    with warnings.catch_warnings(action="ignore"):
        try:
            fewest, most = bounds(pydicom.dcmread(io.BytesIO(content), force=True))
        except Exception:  # noqa: BLE001  a broken file: that it can be counted at all is enough
            fewest, most = 0, ALL
    assert fewest <= Walk(memoryview(content)).count(ALL) <= most + 2


@pytest.mark.parametrize("content", [CT, NO_PREAMBLE])
def test_zeros_behind_a_file_are_elements(content: bytes) -> None:
    """Orthanc's parser takes every eight of them for one."""
    plain = Walk(memoryview(content)).count(ALL)
    assert Walk(memoryview(content + bytes(80_000))).count(ALL) == pytest.approx(plain + 10_000, abs=2)


def test_counting_ends() -> None:
    """Not much more is looked at than was asked for."""
    content = memoryview(CT + bytes(64 << 20))
    before = time.perf_counter()
    assert Walk(content).count(1000) == 1000
    assert time.perf_counter() - before < 0.1


def test_a_deflated_file_is_counted_unpacked() -> None:
    """A few kilobytes can be millions of elements."""
    data = pydicom.dcmread(io.BytesIO(CT))
    assert not is_deflated(memoryview(CT))
    meta = len(CT) - len(NO_PREAMBLE) - 132
    head = bytearray(CT[: 132 + meta])
    syntax = b"1.2.840.10008.1.2.1.99"
    old = data.file_meta.TransferSyntaxUID.encode()
    start = head.index(old)
    head[start - 2 : start + len(old) + len(old) % 2] = len(syntax).to_bytes(2, "little") + syntax
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    content = bytes(head) + packer.compress(NO_PREAMBLE + bytes(8_000_000)) + packer.flush()
    assert is_deflated(memoryview(content))
    assert Walk(memoryview(content)).count(ALL) > 1_000_000


@given(st.binary(max_size=300), st.integers(0, 500))
def test_garbage_is_no_error(garbage: bytes, cut: int) -> None:
    """Garbage and truncated files can be counted without an error."""
    assert Walk(memoryview(garbage)).count(ALL) >= 0
    assert Walk(memoryview(CT[: len(CT) - cut] + garbage)).count(ALL) >= 0
    assert Walk(memoryview(CT[:cut] + garbage)).count(5) <= 5


def test_a_blank_image_is_no_surplus() -> None:
    """However well it is packed: it is one element."""
    budget = ElementBudget(spare=0)
    budget.check(memoryview(dicom.instance(pixels=32 << 20)), 40_000)


def test_many_frames_are_no_surplus() -> None:
    """An image of a thousand frames has eight elements for each, which differ, and are packed to as many bytes."""
    data = pydicom.dcmread(io.BytesIO(CT))
    data.PerFrameFunctionalGroupsSequence = [frame(number) for number in range(1000)]
    buffer = io.BytesIO()
    data.save_as(buffer)
    content = buffer.getvalue()
    packed = len(zlib.compress(content, 9))
    assert Walk(memoryview(content)).count(ALL) > 8000
    ElementBudget(spare=0).check(memoryview(content), packed)


def frame(number: int) -> Dataset:
    """Return what is particular to a frame."""
    position, content, group = Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [-125.5, -120.0, number * 1.25]
    content.DimensionIndexValues = [1, number + 1]
    content.FrameAcquisitionNumber = number
    group.PlanePositionSequence = [position]
    group.FrameContentSequence = [content]
    return group


def test_members_share_what_is_to_spare() -> None:
    """Small surpluses add up; after the first refusal there is nothing to spare."""
    content = memoryview(CT + bytes(80_000))  # 10,000 elements, as a dozen bytes
    budget = ElementBudget(each=1, spare=25_000)
    budget.check(content, 1000)
    budget.check(content, 1000)
    with pytest.raises(Refused, match="data elements"):
        budget.check(content, 1000)
    with pytest.raises(Refused):
        budget.check(memoryview(CT + bytes(16_000)), 1000)
    budget.check(memoryview(CT), 20_000)
