"""What tells who a patient is is found in every character set and spelling; what does not is left alone."""

import io

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from davfs.generated.identity import Identity
from davfs.generated.pseudonyms import Pseudonyms
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


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(("name", "charset"), [GREEK, JAPANESE, KATAKANA, KOREAN, CHINESE, RUSSIAN, LATIN])
def test_character_sets(name: str, charset: str | list[str], *, implicit: bool) -> None:
    """Each writing of a name is found in texts of the data set's character set, and of the one above an item."""
    item, data = Dataset(), Dataset()
    data.SpecificCharacterSet = charset
    data.PatientName = "a pseudonym"
    for writing in name.split("="):
        item.CodeMeaning = f"of {writing.replace('^', ' ')}"
        data.ImageComments = f"{writing.replace('^', ' ')} was here"
        data.SeriesDescription = "was here"
        data.AnatomicRegionSequence = [item]
        read = stored(data, implicit=implicit)
        Identity([name], []).remove_from(read)
        assert "ImageComments" not in read
        assert (read.SeriesDescription, read.PatientName) == ("was here", "a pseudonym")
        assert not any(read.AnatomicRegionSequence[0])
        assert read.SpecificCharacterSet == data.SpecificCharacterSet


@pytest.mark.parametrize(
    "text",
    ["DOE^JOHN", "doe john", "John Doe", "Doe, John", "DOE_JOHN_1", "xDoeJohnx", "Dóe  Jöhn", "P-17-42", "of p1742"],
)
def test_spellings(text: str) -> None:
    """Case, accents, order and what stands between the parts of a name make no difference."""
    assert left(text) is None


@pytest.mark.parametrize("text", ["Doe", "John", "Head", "P-17", ""])
def test_what_tells_nothing_stays(text: str) -> None:
    """Half of a name is no name, and half of a number no number."""
    assert left(text) == text


@pytest.mark.parametrize(
    ("name", "stays"), [("A^B", True), ("Li", True), ("李^明", False), ("Doe", False), ("^^^", True)]
)
def test_shortest_names(name: str, *, stays: bool) -> None:
    """Two letters are in too many words, but two ideographs can be a whole name."""
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageComments = f"a b {name.replace('^', ' ')}"
    read = stored(data)
    Identity([name], [""]).remove_from(read)
    assert ("ImageComments" in read) == stays


def left(text: str) -> str | None:
    """Return what is left of a text, of a patient whose name is of five parts."""
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageComments = text
    read = stored(data)
    Identity(["Doe^John^Q^Dr^Jr", ""], ["P-17-42"]).remove_from(read)
    return str(read.ImageComments) if "ImageComments" in read else None


def test_wrong_character_set() -> None:
    """A name is found where a file names no character set, or a wrong one."""
    for charset in (None, "ISO_IR 100", "ISO_IR 144"):
        data = Dataset()
        if charset:
            data.SpecificCharacterSet = charset
        data.add_new("ImageComments", "LT", "of Müller Jörg".encode())
        read = stored(data)
        Identity(["Müller^Jörg"], []).remove_from(read)
        assert "ImageComments" not in read


def test_coded_strings_of_the_image_stay() -> None:
    """A patient who is called like a term of the standard does not make an image unreadable."""
    data = Dataset()
    data.SpecificCharacterSet = "ISO_IR 192"
    data.ImageType = ["ORIGINAL", "PRIMARY"]
    data.PhotometricInterpretation = "MONOCHROME2"
    data.BodyPartExamined = "MONOCHROME"
    read = stored(data)
    Identity(["Mono^Chrome", "ISO^IR", "Original"], []).remove_from(read)
    assert read.dir() == ["ImageType", "PhotometricInterpretation", "SpecificCharacterSet"]


def test_curves_overlays_and_private_elements_are_removed() -> None:
    """What may show a name, and what nobody else can read, is removed without being looked at."""
    data = Dataset()
    data.Rows = 1
    data.add_new(0x00090010, "LO", "MAKER")
    data.add_new(0x00091001, "OB", b"12")
    data.add_new(0x50003000, "OW", b"12")
    data.add_new(0x60023000, "OW", b"12")
    read = stored(data)
    Identity([], []).remove_from(read)
    assert list(read.keys()) == [pydicom.tag.Tag("Rows")]


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


def test_uids_of_a_data_set() -> None:
    """UIDs follow the ones at the same place before; where none was, they follow the instance and the place."""
    pseudonyms = Pseudonyms(KEY)
    item, data = Dataset(), Dataset()
    item.ReferencedSOPInstanceUID = "1.9.9.1"
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    data.FrameOfReferenceUID = "1.9.9.2"
    data.SynchronizationFrameOfReferenceUID = "1.9.9.3"
    data.RelatedGeneralSOPClassUID = ["1.9.9.4", "1.9.5"]
    data.InstanceCreatorUID = "1.9.9.6"
    data.ReferencedImageSequence = [item, item]
    before = {
        "0020,0052": "1.2.3",
        "0020,0200": "1.2.840.10008.1.4.1.1",
        "0008,001a": "1.2.4\\1.9.5",
        "0008,1140": [{"0008,1155": "1.2.5", "0008,1150": "1.2.840.10008.5.1.4.1.1.2"}],
    }
    first, other = stored(data), stored(data)
    pseudonyms.replace_uids(first, before, "1.2.6")
    pseudonyms.replace_uids(other, before, "1.2.7")
    assert first.FrameOfReferenceUID == pseudonyms.uid("1.2.3")
    assert first.SynchronizationFrameOfReferenceUID == "1.2.840.10008.1.4.1.1"
    assert list(first.RelatedGeneralSOPClassUID) == [pseudonyms.uid("1.2.4"), "1.9.5"]
    assert first.ReferencedImageSequence[0].ReferencedSOPInstanceUID == pseudonyms.uid("1.2.5")
    assert first.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert first.InstanceCreatorUID == pseudonyms.uid("1.2.6/0008,0014/0")
    added = first.ReferencedImageSequence[1].ReferencedSOPInstanceUID
    assert added == pseudonyms.uid("1.2.6/0008,1140/1/0008,1155/0")
    assert other.InstanceCreatorUID != first.InstanceCreatorUID
