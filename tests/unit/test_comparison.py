"""When two DICOM files are the same image."""

import io
import warnings
from collections.abc import Callable
from contextlib import suppress

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from davfs.comparison.decoders import decoded_by_pydicom
from davfs.comparison.images import difference
from davfs.comparison.parsing import ParsedElement, ParsedFile, Unreadable, parse_file
from davfs.comparison.pixels import NotDecodedError, are_compressed
from davfs.comparison.values import equal
from tests.support.inbox import CT, TEST_FILES

RTPLAN = (TEST_FILES / "rtplan.dcm").read_bytes()
COLOUR = (TEST_FILES / "SC_rgb_small_odd.dcm").read_bytes()
JPEG = (TEST_FILES / "SC_rgb_jpeg_dcmtk.dcm").read_bytes()


def read(content: bytes) -> FileDataset:
    """Return a file's data set, to be changed."""
    return pydicom.dcmread(io.BytesIO(content))


def written(dataset: FileDataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return a data set as a file."""
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    target = io.BytesIO()
    with warnings.catch_warnings(action="ignore"):
        dataset.save_as(target, enforce_file_format=True)
    return target.getvalue()


def changed(content: bytes, change: Callable[[FileDataset], object], syntax: str = ExplicitVRLittleEndian) -> bytes:
    """Return a file after a change of its data set."""
    dataset = read(content)
    change(dataset)
    return written(dataset, syntax)


def why(one: bytes, other: bytes) -> str:
    """Return why two files differ; both ways round it is the same."""
    decode = decoded_by_pydicom
    found = difference(memoryview(one), memoryview(other), decode, decode)
    assert (difference(memoryview(other), memoryview(one), decode, decode) == "") == (found == "")
    return found


def group_length(content: bytes) -> bytes:
    """Write the length of the first group, as programs of old do."""
    tail = without_meta(content)
    return content.removesuffix(tail) + b"\x08\0\0\0UL\4\0\x01\2\3\4" + tail


def another_meta(dataset: FileDataset) -> None:
    """Write another program's meta header."""
    dataset.file_meta.ImplementationVersionName = "OTHER"
    dataset.file_meta.SourceApplicationEntityTitle = "CDBURNER"


def undefined_lengths(dataset: Dataset) -> None:
    """Write sequences and their items without their lengths."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = not element.is_undefined_length
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                undefined_lengths(item)


def by_plane(dataset: Dataset) -> None:
    """Write all red samples of a frame, then all green ones, then all blue ones."""
    pixels = dataset.PixelData[: dataset.Rows * dataset.Columns * 3]
    dataset.PixelData = b"".join(pixels[sample::3] for sample in range(3))
    dataset.PixelData += b"\0" * (len(dataset.PixelData) % 2)
    dataset.PlanarConfiguration = 1


def transport(dataset: Dataset) -> None:
    """Leave in an image what an archive answers to queries."""
    dataset.RetrieveAETitle = "PACS"
    dataset.InstanceAvailability = "ONLINE"
    dataset.StorageMediaFileSetID = "CD1"
    dataset.NumberOfStudyRelatedInstances = "12"


SAME: dict[str, Callable[[bytes], bytes]] = {
    "another preamble": lambda content: b"MM\0*" + content[4:],
    "no preamble": lambda content: content[128:].removeprefix(b"DICM"),
    "another meta header": lambda content: changed(content, another_meta),
    "implicit": lambda content: changed(content, id, ImplicitVRLittleEndian),
    "deflated": lambda content: changed(content, id, DeflatedExplicitVRLittleEndian),
    "group length": group_length,
    "padding": lambda content: changed(content, lambda dataset: dataset.add_new(0xFFFCFFFC, "OB", bytes(64))),
    "other lengths of sequences": lambda content: changed(content, undefined_lengths),
    "an attribute without a value": lambda content: changed(content, lambda data: setattr(data, "PatientComments", "")),
    "a sequence without items": lambda content: changed(
        content, lambda data: setattr(data, "RequestAttributesSequence", [])
    ),
    "attributes of transport": lambda content: changed(content, transport),
}


PAIRS = [
    ("MR_small.dcm", "MR_small_bigendian.dcm"),
    ("MR_small.dcm", "MR_small_expb.dcm"),
    ("MR_small.dcm", "MR_small_implicit.dcm"),
    ("MR_small.dcm", "MR_small_RLE.dcm"),
    ("SC_rgb_small_odd.dcm", "SC_rgb_small_odd_big_endian.dcm"),
    ("ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm"),
    ("liver_1frame.dcm", "liver_expb_1frame.dcm"),
]
"""Files that are the same image, as pydicom has them."""


def without_meta(content: bytes) -> bytes:
    """Return the data set alone."""
    return content[144 + int.from_bytes(content[140:144], "little") :]


@pytest.mark.parametrize("form", SAME)
@pytest.mark.parametrize("content", [CT, RTPLAN, COLOUR], ids=["CT", "RTPLAN", "colour"])
def test_the_same_in_another_form(content: bytes, form: str) -> None:
    """How a file is written does not matter."""
    plain = changed(content, id)
    other = SAME[form](plain)
    assert other != plain
    assert why(plain, other) == ""


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_same_in_other_transfer_syntaxes(one: str, other: str) -> None:
    """Byte order, value representations and lossless compression do not matter."""
    assert why((TEST_FILES / one).read_bytes(), (TEST_FILES / other).read_bytes()) == ""


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_the_data_set_alone(syntax: str) -> None:
    """Without meta information the encoding is seen from the first bytes."""
    plain = changed(RTPLAN, id, syntax)
    assert why(plain, without_meta(plain)) == ""


def test_colours_by_pixel_and_by_plane() -> None:
    """Samples that are stored in another order show the same image."""
    assert why(COLOUR, changed(COLOUR, by_plane)) == ""
    other = changed(
        changed(COLOUR, by_plane), lambda data: setattr(data, "PixelData", bytes(data.PixelData[:-2]) + b"?!")
    )
    assert why(COLOUR, other) == "They differ in PixelData."


@pytest.mark.parametrize(
    ("change", "attribute"),
    [
        (lambda data: setattr(data, "PatientName", "Roe^Secret"), "PatientName"),
        (lambda data: delattr(data, "StudyDate"), "StudyDate"),
        (lambda data: setattr(data, "StudyDescription", "new"), "StudyDescription"),
        (lambda data: data.add_new(0x00091001, "LO", "secret"), "(0009,1001)"),
        (
            lambda data: setattr(data.FractionGroupSequence[0], "NumberOfBeams", 7),
            "FractionGroupSequence > NumberOfBeams",
        ),
        (lambda data: data.FractionGroupSequence.append(Dataset()), "FractionGroupSequence"),
    ],
    ids=["changed", "missing", "added", "private", "in a sequence", "item"],
)
def test_the_first_difference(change: Callable[[FileDataset], object], attribute: str) -> None:
    """The attribute is named, and no value."""
    assert why(changed(RTPLAN, id), changed(RTPLAN, change)) == f"They differ in {attribute}."


def test_other_pixels() -> None:
    """Images that differ in one bit of one pixel are different, compressed or not."""
    plain = (TEST_FILES / "MR_small.dcm").read_bytes()
    other = bytearray(plain)
    other[-2000] ^= 1
    assert why(plain, bytes(other)) == "They differ in PixelData."
    assert why(bytes(other), (TEST_FILES / "MR_small_RLE.dcm").read_bytes()) == "They differ in PixelData."


def named(name: str, character_set: str | None) -> Callable[[Dataset], None]:
    """Return a change that encodes a patient's name."""

    def change(dataset: Dataset) -> None:
        if character_set is None:
            del dataset.SpecificCharacterSet
        else:
            dataset.SpecificCharacterSet = character_set
        dataset.PatientName = name

    return change


def test_character_sets() -> None:
    """A name is the same in Latin and in UTF-8; the same bytes in another character set are another name."""
    latin, utf8 = (changed(CT, named("Müller^Jürgen", one)) for one in ("ISO_IR 100", "ISO_IR 192"))
    assert latin != utf8
    assert why(latin, utf8) == ""
    assert why(latin, changed(CT, named("Müller^Jurgen", "ISO_IR 192"))) == "They differ in PatientName."
    assert why(changed(CT, named("Doe", None)), changed(CT, named("Doe", "ISO_IR 192"))) == ""
    cyrillic = latin.replace(b"ISO_IR 100", b"ISO_IR 144")
    assert cyrillic != latin
    assert why(latin, cyrillic) == "They differ in PatientName."


@pytest.mark.parametrize("padded", [b"CT  ", b"CT\0\0"])
def test_padding_of_texts(padded: bytes) -> None:
    """Spaces and zero bytes behind a text mean nothing."""
    plain = changed(CT, lambda data: setattr(data, "StationName", "CT"))
    element = b"\x08\x00\x10\x10SH"
    assert element + b"\2\0CT" in plain
    assert why(plain, plain.replace(element + b"\2\0CT", element + b"\4\0" + padded)) == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b"1.500\\2", b"15e-1\\+2.0", True),
        (b"1.5\\2", b"1.5", False),
        (b"1.5", b"1.6", False),
        (b"1.5", b"one", False),
        (b"", b"0", False),
        (b"nan", b"NAN", False),
    ],
)
def test_numbers(one: bytes, other: bytes, *, same: bool) -> None:
    """Numbers in decimal text are the same in another notation."""
    first, second = (ParsedElement("DS", memoryview(text)) for text in (one, other))
    assert equal(first, second, (("",), ("",))) is same


def test_unknown_value_representations() -> None:
    """Elements that a program stored as UN are equal: the same bytes, and sequences in implicit encoding."""
    plain = changed(CT, lambda data: setattr(data, "StationName", "CT01"))
    known = b"\x08\x00\x10\x10SH\4\0CT01"
    assert known in plain
    assert why(plain, plain.replace(known, b"\x08\x00\x10\x10UN\0\0\4\0\0\0CT01")) == ""


def test_loss() -> None:
    """A lossy compressed image differs from its original, and the reason says so."""
    plain = JPEG
    blank = read(plain)
    blank.PixelData = bytes(blank.Rows * blank.Columns * 3)
    blank["PixelData"].VR = "OB"
    blank["PixelData"].is_undefined_length = False
    blank.ImageType = ["ORIGINAL", "PRIMARY"]
    blank.PhotometricInterpretation = "RGB"
    assert why(plain, written(blank)) == "What was sent is compressed with loss."
    decode = decoded_by_pydicom
    held = difference(memoryview(written(blank)), memoryview(plain), decode, decode)
    assert held == "What Orthanc holds is compressed with loss."


def test_what_cannot_be_decoded() -> None:
    """Without a decoder, the comparison reports that it is undecided."""

    def decode(content: memoryview, file: ParsedFile) -> ParsedFile:
        if are_compressed(file):
            raise NotDecodedError(content)
        return file

    plain, packed = ((TEST_FILES / name).read_bytes() for name in ("MR_small.dcm", "MR_small_RLE.dcm"))
    found = difference(memoryview(plain), memoryview(packed), decode, decode)
    assert "cannot be compared here" in found


@pytest.mark.parametrize("content", [b"", b"DICM", CT[:1000], CT[:-50000], RTPLAN[:-10], bytes(1000)])
def test_damage(content: bytes) -> None:
    """A file that cannot be read is a different image."""
    assert why(CT, content)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([CT[:4000], RTPLAN, JPEG[:3000]]), st.data())
def test_anything_can_come(content: bytes, data: st.DataObject) -> None:
    """Damaged files are refused without any other error."""
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(128, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Unreadable):
        parse_file(memoryview(damaged))
    assert isinstance(difference(memoryview(content), memoryview(damaged), decoded_by_pydicom, decoded_by_pydicom), str)
