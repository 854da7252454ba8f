"""The Basic Application Level Confidentiality Profile holds for every attribute that there is, and its options too."""

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pydicom
import pytest
from pydicom import DataElement, Dataset
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from davfs.confidentiality.options import Options
from davfs.confidentiality.table import EDITION
from davfs.derived.anonymised import AnonymisedFiles
from davfs.entry import InMemory
from davfs.errors import NotAnonymised, OrthancError
from davfs.layout.text import HashKey
from davfs.orthanc import Instance, OrthancId
from tests.support.confidentiality import TABLE, Checker
from tests.support.filled import MARK, file_of, filled
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.mutants import mutant

pytestmark = pytest.mark.filterwarnings(
    "ignore:Invalid value", "ignore:.*exceeds the maximum length", "ignore:Expected"
)
KEY = HashKey(b"a key for tests only")
EVERYTHING = Options(modified_dates=True, patient_characteristics=True, structured_content=True)
CHOICES = {Options(): (), EVERYTHING: ("dates", "patient", "structured"), Options(modified_dates=True): ("dates",)}
SAMPLES = {"BadPixelImage", "ChannelMaximumValue", "ChannelMinimumValue", "CoordinateSystemAxisValues", "FillPattern"}
SAMPLES |= {"ICCProfile", "InteroperabilityVersion", "WaveformData", "WaveformPaddingValue"}
"""Bytes that are no text."""
WHO = {"Subject": "19700101/doe john/P-17"}


def anonymised(content: bytes, options: Options = Options(pixels_as_they_are=True)) -> bytes:  # noqa: B008  frozen
    """Return what is made of a file."""
    orthanc = MemoryOrthanc()
    (instance,) = orthanc.instances([orthanc.store(content).id])
    maker = AnonymisedFiles(orthanc, KEY, options)
    try:
        with maker.file(instance, WHO).open() as file:
            return b"".join(file.buffers())
    finally:
        maker.close()


def read(content: bytes) -> Dataset:
    """Return a data set with all its values."""
    return pydicom.dcmread(io.BytesIO(content))


def test_table_is_that_of_the_standard() -> None:
    """The table names its edition, is complete, and agrees with the standard on a sample of attributes."""
    assert EDITION == "PS3.15 2026c"
    assert (len(TABLE["attributes"]), len(TABLE["concepts"])) == (655, 214)  # and private attributes
    some = {
        tag: TABLE["attributes"][tag]["action"] for tag in ("00080012", "00080050", "00080080", "00081140", "0020000d")
    }
    assert list(some.values()) == ["X/D", "Z", "X/Z/D", "X/Z/U*", "U"]
    codes = Counter(one["action"] for one in TABLE["attributes"].values())
    assert codes == {
        "X": 415, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2,
    }  # fmt: skip
    assert set(TABLE["attributes"]["00080023"]["required"]) == {"1", "2"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "syntax"),
    list(zip(CHOICES, [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRLittleEndian], strict=True)),
)
def test_every_attribute(options: Options, syntax: UID) -> None:
    """Of all attributes, at the top and in items, each has the action that the standard's table gives it."""
    content = file_of(filled(with_names=True), syntax)
    made = anonymised(content, options)
    checker = Checker(*CHOICES[options], days=KEY.days(WHO["Subject"]))
    assert checker.check(read(content), read(made)) == []
    assert sum(checker.seen.values()) > 1000
    assert {"X", "Z", "D", "U"} <= checker.seen.keys()
    assert named(read(made)) <= SAMPLES


@pytest.mark.slow
def test_what_may_hold_a_name_nobody_knows() -> None:
    """If a file does not name its people, a text stays only if equipment writes it."""
    left = named(read(anonymised(file_of(filled(with_names=False))))) - SAMPLES
    kept = {"Manufacturer", "SoftwareVersions", "SequenceName", "CodeValue", "RescaleType"}
    assert kept <= left
    typed = {"SegmentLabel", "CodeMeaning", "InstitutionName", "ContentDescription", "TextValue", "BodyPartExamined"}
    assert not typed & left
    assert len(left) < 90  # of 1,400


@pytest.mark.slow
def test_attributes_of_unknown_representation() -> None:
    """An element that was stored as UN has the representation of the dictionary; so have sequences."""
    data = filled(with_names=True)
    kept = {"SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SpecificCharacterSet"}
    for element in list(data):
        if element.keyword not in {*kept, "PixelData", "BurnedInAnnotation"} and " or " not in _dictionary(element):
            value = implicit(element)
            data[element.tag] = RawDataElement(element.tag, "UN", len(value), value, 0, False, True)  # noqa: FBT003
    assert not named(read(anonymised(file_of(data)))) - SAMPLES


def _dictionary(element: DataElement) -> str:
    return dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else ""


def implicit(element: DataElement) -> bytes:
    """Return the value of an element in implicit representation."""
    alone = Dataset()
    alone.add(element)
    written = io.BytesIO()
    pydicom.dcmwrite(written, alone, implicit_vr=True, little_endian=True)
    return written.getvalue()[8:]


def test_damaged_files_end_in_an_error() -> None:
    """Damaged files are either served or refused with an error, and warnings contain no values from them."""
    sources = [Path(str(get_testdata_file(name))).read_bytes() for name in files()]
    orthanc = OneFile()
    maker = AnonymisedFiles(
        orthanc, KEY, Options(modified_dates=True, structured_content=True, pixels_as_they_are=True)
    )
    outcomes = Counter[bool]()
    for seed in range(400):
        orthanc.content = mutant(sources, seed)
        instance = Instance(OrthancId("i"), OrthancId("s"), {}, len(orthanc.content), None, str(seed), CTImageStorage)
        orthanc.stored = instance
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                with maker.file(instance, WHO).open() as file:
                    outcomes[sum(map(len, file.buffers())) == file.size] += 1
            except OrthancError:
                outcomes[False] += 1
        told = [str(each.message) for each in warned]
        assert all(one.startswith(("Expected", "End of file", "Unknown encoding", "VR lookup")) for one in told), told
    maker.close()
    assert min(outcomes[True], outcomes[False]) > 50


class OneFile(MemoryOrthanc):
    """Has one file, of whatever bytes."""

    content = b""
    stored: Instance

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[InMemory]:  # noqa: ARG002
        """See `Orthanc`."""
        return InMemory(nullcontext(memoryview(self.content)))

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:  # noqa: ARG002  as `Orthanc` has it
        """See `Orthanc`."""
        return [self.stored]


def named(data: Dataset) -> set[str]:
    """Return the keywords of attributes that hold the name."""
    return {element.keyword for element in data.iterall() if element.VR != "SQ" and MARK in str(element.value)}


def files() -> Iterator[str]:
    """Yield pydicom's files that are whole."""
    folder = Path(str(get_testdata_file("CT_small.dcm"))).parent
    yield from (path.name for path in sorted(folder.glob("*.dcm")) if path.stat().st_size < 1 << 20)


@pytest.mark.slow
@pytest.mark.parametrize("options", CHOICES)
def test_samples(options: Options) -> None:
    """An independent checker finds no mistake in any anonymised file of pydicom's."""
    made, refused = 0, []
    for name in files():
        content = Path(str(get_testdata_file(name))).read_bytes()
        try:
            before = read(content)
            MemoryOrthanc().store(content)
        except Exception:  # noqa: BLE001, S112  no instance
            continue
        try:
            after = read(anonymised(content, Options(**{**_fields(options), "pixels_as_they_are": True})))
        except NotAnonymised:
            refused.append(name)
            continue
        made += 1
        assert Checker(*CHOICES[options], days=KEY.days(WHO["Subject"])).check(before, after) == [], name
    assert made > 50
    assert set(refused) <= {
        "MR_truncated.dcm",
        "SC_rgb_jpeg.dcm",
        "SC_rgb_jpeg_dcmd.dcm",
        "image_dfl.dcm",
        "rtplan_truncated.dcm",
    }


def _fields(options: Options) -> dict[str, bool]:
    return {name: getattr(options, name) for name in Options.__slots__}
