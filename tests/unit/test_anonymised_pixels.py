"""Images with a patient's data in their pixels are neither listed nor opened."""

import io
from typing import Any

import pydicom
import pytest
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from davfs.confidentiality.options import Options
from davfs.derived import part10
from davfs.derived.readers import PrefixReader
from davfs.errors import NotAnonymised, OrthancError, Unavailable
from tests.support import dicom
from tests.support.filled import file_of
from tests.unit import test_anonymised
from tests.unit.test_anonymised import Maker, read, written

# pytest finds fixtures by the names in a module.
maker = test_anonymised.maker


@pytest.mark.parametrize(
    "tags",
    [
        {"EncapsulatedDocument": b"%PDF Doe"},
        {"BurnedInAnnotation": "YES"},
        {"ConversionType": "WSD"},
        {"Modality": "US"},
    ],
)
def test_what_may_show_a_name_is_refused(maker: Maker, tags: dict[str, Any]) -> None:
    """An instance that may show a name is refused, both on a check and on opening."""
    made = maker.made(written(**tags))
    for ask in (made.check, lambda: read(made)):
        with pytest.raises(NotAnonymised):
            ask()


def test_pixels_as_they_are() -> None:
    """A layout can have it that they are served, whatever is written in them; documents are not."""
    one = Maker({"options": Options(pixels_as_they_are=True)})
    made = one.made(written(Modality="US", BurnedInAnnotation="YES"))
    made.check()
    assert pydicom.dcmread(io.BytesIO(read(made))).BurnedInAnnotation == "YES"
    one.maker.close()


def test_what_is_there() -> None:
    """Images of kinds that usually contain text are shown only if their tags deny it, which is requested once."""
    one = Maker()
    with_writing, without, slice_ = (
        one.orthanc.store(written(SOPInstanceUID=f"1.2.{at}", Modality=modality, BurnedInAnnotation=said)).id
        for at, (modality, said) in enumerate((("US", None), ("US", "NO"), ("CT", None)))
    )
    for _ in range(2):
        found = one.orthanc.instances([with_writing, without, slice_])
        modalities = ("US", "US", "CT")
        assert [one.maker.can_anonymise(*each) for each in zip(found, modalities, strict=True)] == [False, True, True]
    assert one.orthanc.looked_at == [with_writing, without]
    one.maker.close()


def test_what_cannot_be_looked_at_is_not_there() -> None:
    """An instance that Orthanc cannot read counts as not anonymisable; an unavailable Orthanc is an error."""
    one = Maker()
    (instance,) = one.orthanc.instances([one.orthanc.store(written(Modality="US")).id])
    one.orthanc.problem = OrthancError("the file is damaged", 500)
    assert not one.maker.can_anonymise(instance, "US")
    one.orthanc.problem = Unavailable("away")
    with pytest.raises(Unavailable):
        one.maker.can_anonymise(instance, "US")
    one.maker.close()


@pytest.mark.parametrize("frames", [None, 1, 3])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_what_stands_behind_the_last_frame(syntax: UID, frames: int | None) -> None:
    """Bytes behind the last frame become zeros, and the frames stay the same."""
    shown = (bytes(range(1, 256)) * 5)[:1024] * (frames or 1)
    data = pydicom.dcmread(io.BytesIO(dicom.instance(pixels=1024)))
    data.Rows, data.Columns = 1, 512
    if frames:
        data.NumberOfFrames = frames
    data.PixelData = shown + b"Doe^John"
    data["PixelData"].VR = "OW"
    content = file_of(data, syntax)
    prefix = PrefixReader(iter([memoryview(content)]), len(content))
    head = part10.read_head(prefix)
    head.written()
    found = b"".join(part10.pixels(prefix.rest(), head))
    assert found.endswith(shown + bytes(8))
