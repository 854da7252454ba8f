"""Names in texts are found in every character set and spelling; harmless texts stay."""

import io

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from davfs.confidentiality.options import Options
from davfs.confidentiality.table import AttributePlace
from davfs.derived.deidentifier import Deidentifier, Person
from davfs.derived.identity import Identity, encodings_of
from davfs.derived.pseudonyms import Pseudonyms
from davfs.layout.text import HashKey

KEY = HashKey(b"a key for tests only")
GREEK = ("Διονυσιος", "ISO_IR 126")
JAPANESE = ("Yamada^Tarou=山田^太郎=やまだ^たろう", ["", "ISO 2022 IR 87"])
KATAKANA = ("ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", ["ISO 2022 IR 13", "ISO 2022 IR 87"])
KOREAN = ("Hong^Gildong=洪^吉洞=홍^길동", ["", "ISO 2022 IR 149"])
CHINESE = ("Wang^XiaoDong=王^小东", "GB18030")
RUSSIAN = ("Дюпон^Жюль", "ISO_IR 144")
LATIN = ("Buc^Jérôme", "ISO_IR 100")


def stored(dataset: Dataset, *, implicit: bool = False) -> Dataset:
    """Return a data set as it is read from a file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file)
    return pydicom.dcmread(io.BytesIO(file.getvalue()), force=True)


def deidentified(dataset: Dataset, identity: Identity) -> Dataset:
    """Return what becomes of a data set."""
    person = Person("a pseudonym", 0, identity)
    Deidentifier(Options(), person, Pseudonyms(KEY).uid, AttributePlace("")).deidentify(dataset)
    return dataset


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(("name", "charset"), [GREEK, JAPANESE, KATAKANA, KOREAN, CHINESE, RUSSIAN, LATIN])
def test_character_sets(name: str, charset: str | list[str], *, implicit: bool) -> None:
    """Each writing of a name is found in texts that stay, of the data set's character set or that above an item."""
    item, data = Dataset(), Dataset()
    data.SpecificCharacterSet = charset
    data.PatientName = name
    item.CodeValue = "1"
    item.CodingSchemeDesignator = "DCM"
    for writing in name.split("="):
        item.CodeMeaning = f"of {writing.replace('^', ' ')}"
        data.SoftwareVersions = f"{writing.replace('^', ' ')} was here"
        data.Manufacturer = "was here"
        data.AnatomicRegionSequence = [item]
        read = stored(data, implicit=implicit)
        deidentified(read, Identity.of(read, {}))
        assert read.SoftwareVersions == "ANONYMIZED"
        assert (read.Manufacturer, read.PatientName) == ("was here", "a pseudonym")
        assert read.AnatomicRegionSequence[0].CodeMeaning == "ANONYMIZED"
        assert read.SpecificCharacterSet == data.SpecificCharacterSet


@pytest.mark.parametrize(
    "text",
    ["DOE^JOHN", "doe john", "John Doe", "Doe, John", "DOE_JOHN_1", "xDoeJohnx", "Dóe  Jöhn", "P-17-42", "of p1742"],
)
def test_spellings(text: str) -> None:
    """Case, accents, order and separators of the parts of a name make no difference."""
    assert is_found(text, "Doe^John^Q^Dr^Jr")


@pytest.mark.parametrize("text", ["Doe", "John", "Head", "P-17", ""])
def test_what_tells_nothing_stays(text: str) -> None:
    """Half of a short name is no name, and half of a number no number."""
    assert not is_found(text, "Doe^John^Q^Dr^Jr")


@pytest.mark.parametrize(("text", "found"), [("Mr Zyxwvut", True), ("ZYXWVUT-1", True), ("Zyxwvuts", False)])
def test_family_name_alone(text: str, found: bool) -> None:  # noqa: FBT001  a parameter of the test
    """A family name of four letters or more is found as a word."""
    assert is_found(text, "Zyxwvut^John") == found


@pytest.mark.parametrize(
    ("name", "found"), [("A^B", False), ("Li", False), ("李^明", True), ("Doe", True), ("^^^", False)]
)
def test_shortest_names(name: str, found: bool) -> None:  # noqa: FBT001  a parameter of the test
    """Two letters are in too many words, but two ideographs can be a whole name."""
    assert is_found(f"a b {name.replace('^', ' ')}", name) == found


def is_found(text: str, name: str) -> bool:
    """Return True if a text identifies a patient."""
    return Identity([name, ""], ["P-17-42", ""]).is_in(text.encode(), ("utf-8", "latin-1"))


@pytest.mark.parametrize("charset", [None, "ISO_IR 100", "ISO_IR 144"])
def test_wrong_character_set(charset: str | None) -> None:
    """A name is found where a file names no character set, or a wrong one."""
    data = Dataset()
    if charset:
        data.SpecificCharacterSet = charset
    encodings = encodings_of(stored(data), ("utf-8", "latin-1"))
    assert Identity(["Müller^Jörg"], []).is_in("of Müller Jörg".encode(), encodings)


def test_others_are_named_too() -> None:
    """The name of a device is removed if it is that of a person in the same file, or in an item."""
    item, data = Dataset(), Dataset()
    item.PersonName = "House^Gregory"
    data.ReferringPhysicianName = "Wilson^James"
    data.ReferencedRequestSequence = [item]
    data.Manufacturer, data.ManufacturerModelName, data.SoftwareVersions = "of Wilson", "Gregory House", "of Cuddy"
    read = stored(data)
    after = deidentified(read, Identity.of(read, {}))
    assert (after.Manufacturer, after.ManufacturerModelName) == ("ANONYMIZED", "ANONYMIZED")
    assert after.SoftwareVersions == "of Cuddy"


def test_codes_of_the_image_stay() -> None:
    """A patient's name that is also a term of the standard does not make an image unreadable."""
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BodyPartExamined = "MONOCHROME"
    after = deidentified(stored(data), Identity(["Mono^Chrome", "ISO^IR", "Original"], []))
    assert (list(after.ImageType), after.PhotometricInterpretation) == (["ORIGINAL", "PRIMARY"], "MONOCHROME2")
    assert after.BodyPartExamined == "ANONYMIZED"
    assert after.SpecificCharacterSet == "ISO_IR 192"


def test_uids_are_what_the_standard_allows() -> None:
    """A UID that stands for another is a decimal number of 128 bits behind 2.25, without zeros before it."""
    pseudonyms = Pseudonyms(KEY)
    made = [pseudonyms.uid(str(number)) for number in range(5000)]
    assert len(set(made)) == len(made)
    for uid in made:
        root, arc, number = uid.split(".")
        assert (root, arc, str(int(number))) == ("2", "25", number)
        assert int(number) < 1 << 128
        assert len(uid) <= 44


def test_uids_of_the_standard_are_nobodys() -> None:
    """A well-known frame of reference stays; a UID that only resembles one of the standard does not."""
    pseudonyms = Pseudonyms(KEY)
    assert pseudonyms.uid("1.2.840.10008.1.4.1.1") == "1.2.840.10008.1.4.1.1"
    assert pseudonyms.uid("1.2.840.10008.5.1.4.1.1.2.4711").startswith("2.25.")
