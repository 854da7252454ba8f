"""Rules of our own: choices that the standard leaves, and values that are not what they seem."""

import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from pydicom.uid import BasicTextSRStorage, CTImageStorage, EnhancedCTImageStorage, MRImageStorage

from davfs.confidentiality import pixels, table
from davfs.confidentiality.options import Options
from davfs.confidentiality.shifting import shift_dates
from davfs.confidentiality.table import Action, AttributePlace, listed_action
from davfs.derived.deidentifier import Deidentifier, Person
from davfs.derived.dummies import dummy_sequence
from davfs.derived.identity import Identity
from davfs.derived.pseudonyms import Pseudonyms
from davfs.derived.sizes import LEAST, padded
from davfs.layout.text import HashKey
from tests.support.confidentiality import TABLE
from tests.unit.test_anonymised_identity import stored

NOBODY = Person("a pseudonym", 400, Identity([], []))
PSEUDONYMS = Pseudonyms(HashKey(b"a key for tests only"))
DATES = Options(modified_dates=True)
SR = Options(structured_content=True)
US, CT, SC, WSI = (f"1.2.840.10008.5.1.4.1.1.{one}" for one in ("6.1", "2", "7", "77.1.6"))
SEG, ECG, PDF, VOICE = (f"1.2.840.10008.5.1.4.1.1.{one}" for one in ("66.4", "9.1.1", "104.1", "9.4.1"))


def made(data: Dataset, options: Options = Options(), sop_class: str = CTImageStorage) -> Dataset:  # noqa: B008  frozen
    """Return what becomes of a data set."""
    return made_of(stored(data), options, sop_class)


def made_of(read: Dataset, options: Options = Options(), sop_class: str = CTImageStorage) -> Dataset:  # noqa: B008  frozen
    """Change a data set that was read."""
    Deidentifier(options, NOBODY, PSEUDONYMS.uid, AttributePlace(sop_class)).deidentify(read)
    return read


def of(keyword: str, sop_class: str = CTImageStorage, *, nested: bool = False) -> Action | None:
    """Return what becomes of an attribute."""
    return listed_action(Tag(keyword), Options(), AttributePlace(sop_class, nested=nested))


def test_types_decide() -> None:
    """An attribute is removed where it is optional, and replaced where it must have a value; in items always."""
    assert of("ContentDate") is Action.EMPTY
    assert of("ContentDate", EnhancedCTImageStorage) is Action.DUMMY
    assert of("DeviceSerialNumber") is Action.REMOVE
    assert of("DeviceSerialNumber", EnhancedCTImageStorage) is Action.DUMMY
    assert of("DeviceSerialNumber", nested=True) is Action.DUMMY
    assert of("InstanceCreationDate", MRImageStorage) is Action.REMOVE
    assert of("InstanceCreationDate", "1.2.3") is Action.DUMMY
    assert of("AcquisitionTime", nested=True) is Action.EMPTY
    assert of("ReferencedImageSequence") is Action.KEEP
    assert of("SeriesDescription", nested=True) is Action.REMOVE
    assert of("Rows") is None


def test_every_sequence_that_needs_one_has_a_dummy() -> None:
    """Where the table asks for a dummy of a sequence, there is an item that says nothing, and is not empty."""
    for number, row in TABLE["attributes"].items():
        tag = Tag(int(number, 16)) if "x" not in number else Tag(0)
        try:
            kind = dictionary_VR(tag)
        except KeyError:
            continue
        if kind == "SQ" and row["action"].endswith("D") and tag != Tag("ReferencedPerformedProcedureStepSequence"):
            (item,) = dummy_sequence(tag).value
            assert len(item) > 0, tag


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ("20240229", "DA", "20230125"),
        ("2024.02.29", "DA", "20230125"),
        ("20240229\\20240301 ", "DA", "20230125\\20230126"),
        ("20240229142359.123456+0100", "DT", "20230125142359.123456+0100"),
        ("2024022914", "DT", "2023012514"),
        ("142359.5", "TM", "142359.5"),
        ("", "DA", ""),
        ("2024", "DT", None),
        ("20240230", "DA", None),
        ("00010102", "DA", None),
        ("Zyxwvut", "DA", None),
        ("Zyxwvut", "TM", None),
        ("19000101", "DA", None),
        ("19700101000000", "DT", None),
    ],
)
def test_shifted_dates(value: str, kind: str, expected: str | None) -> None:
    """A date is shifted by 400 days of the calendar; a value that is no date, or stands for none, is not."""
    assert shift_dates(value, kind, 400) == expected


def test_days_are_a_persons_own() -> None:
    """From one year to ten, the same for a person, and another for others."""
    key, other = HashKey(b"a"), HashKey(b"b")
    days = [key.days(f"person {number}") for number in range(1000)]
    assert min(days) >= 365
    assert max(days) < 3653
    assert len(set(days)) > 800
    assert key.days("x") == key.days("x") != other.days("x")


def test_date_that_cannot_be_shifted_goes() -> None:
    """Values in place of a date, and dates of birth and death, get the profile's own action."""
    data = Dataset()
    data.add_new("StudyDate", "DA", "")
    for keyword, value in (("StudyDate", "Zyxwvut"), ("PatientBirthDate", "19700203"), ("SeriesDate", "19000101")):
        data[keyword] = pydicom.DataElement(Tag(keyword), "LO", value)
        data[keyword].VR = "DA"
    data.AcquisitionDate, data.AcquisitionTime = "20240229", "142359"
    after = made(data, DATES)
    assert not after.StudyDate
    assert not after.PatientBirthDate
    assert (after.AcquisitionDate, after.AcquisitionTime) == ("20230125", "142359")
    assert "SeriesDate" not in after


def test_what_is_stored_as_another_kind_is_removed() -> None:
    """A text that is stored as a number, or as bytes, is removed, since programs could read it."""
    data = Dataset()
    data.SliceThickness = "1.5"
    data.KVP = "120"
    data.add_new(0x00180081, "LT", "Mr Zyxwvut")  # EchoTime, a number in text
    data.add_new(0x00280010, "LO", "Mr Zyxwvut")  # Rows, a number
    data.add_new(0x00081140, "OB", b"Zyxwvut!")  # ReferencedImageSequence
    data.add_new(0x00189999, "LO", "Mr Zyxwvut")  # nothing that the dictionary knows
    data.add_new(0x00080070, "SH", "Siemens")  # Manufacturer, a longer text
    after = made(data)
    assert "Zyxwvut" not in str(after)
    assert (after.SliceThickness, after.KVP, after.Manufacturer) == (1.5, 120, "Siemens")


def test_meanings_of_local_codes_are_replaced() -> None:
    """The meaning of a local code is replaced; that of a code from a standard scheme stays."""
    local, known, data = Dataset(), Dataset(), Dataset()
    local.CodeValue, local.CodingSchemeDesignator, local.CodeMeaning = "17", "99HOSPITAL", "For Mr Zyxwvut"
    known.CodeValue, known.CodingSchemeDesignator, known.CodeMeaning = "69536005", "SCT", "Head"
    data.AnatomicRegionSequence = [local, known]
    after = made(data).AnatomicRegionSequence
    assert [item.CodeMeaning for item in after] == ["ANONYMIZED", "Head"]
    assert [item.CodeValue for item in after] == ["17", "69536005"]


@pytest.mark.parametrize(("age", "expected"), [("042Y", "042Y"), ("born 1970", "000Y"), ("", "")])
def test_ages_are_ages(age: str, expected: str) -> None:
    """A retained characteristic of a patient is valid in its representation."""
    data = Dataset()
    data[Tag("PatientAge")] = RawDataElement(Tag("PatientAge"), "AS", len(age), age.encode(), 0, False, True)  # noqa: FBT003
    after = made_of(data, Options(patient_characteristics=True))
    value = after.get_item("PatientAge").value
    assert (value if isinstance(value, str) else value.decode()) == expected


def test_pixels_in_items_are_removed() -> None:
    """An icon of the image is removed wherever it is, since it may show burned in text."""
    nested, data = Dataset(), Dataset()
    nested.add_new(0x7FE00010, "OW", b"1234")
    nested.Rows = 1
    data.ReferencedImageSequence = [nested]
    data.add_new(0x7F020010, "OW", b"1234")  # Variable Pixel Data, retired
    after = made(data)
    assert after.ReferencedImageSequence[0].dir() == ["Rows"]
    assert 0x7F020010 not in after


def test_character_set_is_one(recwarn: pytest.WarningsRecorder) -> None:
    """A character set stays, since texts are decoded by it; another value in its place is removed."""
    for value, expected in (
        (["", "ISO 2022 IR 87"], ["", "ISO 2022 IR 87"]),
        ("Mr Zyxwvut", None),
        ("GB18030", "GB18030"),
    ):
        data = Dataset()
        data.add_new(0x00080005, "CS", value)
        read = stored(data)
        after = made_of(read)
        assert after.get("SpecificCharacterSet") == expected
    recwarn.clear()  # pydicom's own, of the character set that there is not


def item(kind: str, code: str, scheme: str = "DCM", **values: object) -> Dataset:
    """Return a content item."""
    concept, made_of = Dataset(), Dataset()
    concept.CodeValue, concept.CodingSchemeDesignator, concept.CodeMeaning = code, scheme, "a concept"
    made_of.RelationshipType, made_of.ValueType, made_of.ConceptNameCodeSequence = "CONTAINS", kind, [concept]
    for keyword, value in values.items():
        setattr(made_of, keyword, value)
    return made_of


def report() -> Dataset:
    """Return a report with an item of each kind."""
    measured, female, image, data = Dataset(), Dataset(), Dataset(), Dataset()
    measured.NumericValue = "42"
    female.CodeValue, female.CodingSchemeDesignator, female.CodeMeaning = "248152002", "SCT", "Female"
    image.ReferencedSOPInstanceUID = "1.2.3"
    data.ContentSequence = [
        item("TEXT", "121071", TextValue="Mr Zyxwvut coughs"),
        item("PNAME", "121008", PersonName="Zyxwvut^Dr"),
        item("DATE", "111060", Date="20240229"),
        item("DATE", "121031", Date="19700203"),  # Subject Birth Date
        item("UIDREF", "112002", UID="1.2.4"),
        item("CODE", "121032", ConceptCodeSequence=[female]),  # Subject Sex
        item("CODE", "363698007", "SCT", ConceptCodeSequence=[female]),
        item("NUM", "121033", MeasuredValueSequence=[measured]),  # Subject Age
        item("NUM", "29463-7", "LN", MeasuredValueSequence=[measured]),  # weight
        item("NUM", "121206", MeasuredValueSequence=[measured]),
        item("IMAGE", "121112", ReferencedSOPSequence=[image]),
        item("CONTAINER", "121070", ContentSequence=[item("TEXT", "121071", TextValue="Zyxwvut")]),
    ]
    return data


def test_report_is_one_item_that_says_nothing() -> None:
    """Without the option, nothing of a report is left but a text that it is anonymised."""
    after = made(report(), sop_class=BasicTextSRStorage)
    (only,) = after.ContentSequence
    assert (only.ValueType, only.TextValue) == ("TEXT", "ANONYMIZED")


def test_structured_content_is_cleaned() -> None:
    """Every item keeps its place; codes and numbers stay, unless they are the patient's, and all texts go."""
    after = made(report(), SR, BasicTextSRStorage)
    items = after.ContentSequence
    assert [one.ValueType for one in items] == [one.ValueType for one in report().ContentSequence]
    assert "Zyxwvut" not in str(after)
    assert (items[0].TextValue, items[1].PersonName, items[2].Date) == ("ANONYMIZED", "ANONYMIZED", "19000101")
    assert PSEUDONYMS.uid("1.2.4") == items[4].UID
    assert (items[5].ConceptCodeSequence[0].CodeMeaning, items[6].ConceptCodeSequence[0].CodeMeaning) == (
        "Unknown",
        "Female",
    )
    assert [len(items[at].MeasuredValueSequence) for at in (7, 8, 9)] == [0, 0, 1]
    assert items[10].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == PSEUDONYMS.uid("1.2.3")
    assert items[11].ContentSequence[0].TextValue == "ANONYMIZED"


def test_structured_content_with_dates_and_patient() -> None:
    """Dates are shifted, but for that of birth; sex, age and weight stay."""
    options = Options(structured_content=True, modified_dates=True, patient_characteristics=True)
    items = made(report(), options, BasicTextSRStorage).ContentSequence
    assert (items[2].Date, items[3].Date) == ("20230125", "19000101")
    assert items[5].ConceptCodeSequence[0].CodeMeaning == "Female"
    assert [len(items[at].MeasuredValueSequence) for at in (7, 8, 9)] == [1, 1, 1]


@pytest.mark.parametrize(
    ("sop_class", "modality", "suspect"),
    [
        (US, "US", True), (CT, "CT", False), (SC, "CT", True), (CT, "OT", True), (WSI, "SM", True),
        (SEG, "SEG", False), (ECG, "ECG", False), ("", "US", True), ("", "", True), ("", "MR", False), (CT, "", True),
    ],
)  # fmt: skip
def test_kinds_that_may_show_a_name(sop_class: str, modality: str, suspect: bool) -> None:  # noqa: FBT001
    """Ultrasound, screenshots and photographs are suspect, whatever they call themselves."""
    assert pixels.may_show_text(sop_class, modality) == suspect


@pytest.mark.parametrize(
    ("seen", "refused"),
    [
        ({"SOPClassUID": US, "Modality": "US"}, True),
        ({"SOPClassUID": US, "Modality": "US", "BurnedInAnnotation": "NO "}, False),
        ({"SOPClassUID": US, "Modality": "US", "BurnedInAnnotation": "UNKNOWN"}, True),
        ({"SOPClassUID": CT, "Modality": "CT"}, False),
        ({"SOPClassUID": CT, "Modality": "CT", "BurnedInAnnotation": "YES"}, True),
        ({"SOPClassUID": CT, "Modality": "CT", "ImageType": "DERIVED\\SECONDARY\\SCREEN SAVE"}, True),
        ({"SOPClassUID": CT, "Modality": "CT", "ConversionType": "DF"}, True),
        ({"SOPClassUID": CT, "Modality": "CT", "ImageType": "ORIGINAL\\PRIMARY"}, False),
    ],
)
def test_what_is_refused_for_its_pixels(seen: dict[str, str], refused: bool) -> None:  # noqa: FBT001
    """An image that may show a name is not served, unless its tags deny it or the layout shows pixels as they are."""
    assert bool(pixels.refusal_reason(seen, as_they_are=False)) == refused
    assert not pixels.refusal_reason(seen, as_they_are=True)


@pytest.mark.parametrize("sop_class", [PDF, VOICE, "1.3.12.2.1107.5.9.1"])
def test_what_is_never_served(sop_class: str) -> None:
    """Documents, voices and private SOP classes cannot be anonymised."""
    assert pixels.unsupported_reason(sop_class)
    assert pixels.refusal_reason({"SOPClassUID": sop_class}, as_they_are=True)


def test_sizes_are_steps() -> None:
    """A padded size has room for added elements, is even, not much larger, and the same for many files."""
    for size in (0, 1, 999, 5_000, 526_000, 20_000_001, 3_000_000_000):
        for is_image in (True, False):
            found = padded(size, is_image=is_image)
            least = size + size // (64 if is_image else 4) + LEAST
            assert least <= found <= least * 1.125 + 2
            assert found % 2 == 0
    assert len({padded(size, is_image=True) for size in range(500_000, 600_000, 7)}) < 10


def test_concepts_are_those_of_the_standard() -> None:
    """Of listed concepts the table decides, of others nothing is known."""
    assert table.hides_value("121032", "DCM", "CODE", Options()) is True
    assert table.hides_value("121032", "DCM", "CODE", Options(patient_characteristics=True)) is False
    assert table.hides_value("1", "DCM", "CODE", Options()) is None
