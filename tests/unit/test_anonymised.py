"""Anonymised files of whatever Orthanc may answer: their size, their halves, and how long they are kept."""

import io
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
)

from davfs.errors import OrthancError, Unavailable
from davfs.generated.anonymised import MARGIN, Anonymised
from davfs.generated.made import Made
from davfs.layout.subject import subject
from davfs.layout.text import HashKey
from davfs.orthanc import OrthancId
from tests.support import dicom
from tests.support.memory_orthanc import MemoryOrthanc

KEY = HashKey(b"a key for tests only")
FRAMES = [b"\xff\xd8one\xff\xd9\0", b"\xff\xd8second\xff\xd9"]
NAME = "Doe^Jane"


class Answering(MemoryOrthanc):
    """Answers with a file of a test's own, and counts how often it was asked."""

    own: bytes | None = None
    asked = 0
    away = False

    def anonymised(self, instance: OrthancId, request: Mapping[str, Any]) -> bytes:
        """See `Orthanc`."""
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        return super().anonymised(instance, request) if self.own is None else self.own


@dataclass
class Maker:
    """Makes anonymised files of one instance, with a clock that is set by hand."""

    limits: dict[str, int] = field(default_factory=dict)
    time: float = 0.0
    orthanc: Answering = field(default_factory=Answering)

    def __post_init__(self) -> None:
        self.maker = Anonymised(self.orthanc, KEY, idle=1000, now=lambda: self.time, **self.limits)

    def made(self, content: bytes, answer: bytes | None = None) -> Made:
        """Return the file of an instance for which Orthanc gives an answer."""
        self.orthanc.own = answer
        (instance,) = self.orthanc.instances([self.orthanc.store(content).id])
        return self.maker.made(instance, {"PatientID": "p", "PatientName": NAME})


@pytest.fixture
def maker() -> Iterator[Maker]:
    """Keeps what it made."""
    one = Maker()
    yield one
    one.maker.close()


def written(syntax: UID = ExplicitVRLittleEndian, **tags: Any) -> bytes:
    """Return a small image in a transfer syntax."""
    data = pydicom.dcmread(io.BytesIO(dicom.instance("p", pixels=dicom.ROW, tags={"PatientName": NAME})))
    for keyword, value in tags.items():
        setattr(data, keyword, value)
    if syntax.is_compressed and not syntax.is_deflated:
        data.PixelData = encapsulate(FRAMES)
    data["PixelData"].VR = "OB" if syntax.is_compressed else "OW"
    data.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    pydicom.dcmwrite(file, data)
    return file.getvalue()


def answered(syntax: UID = ExplicitVRLittleEndian, **tags: Any) -> bytes:
    """Return what Orthanc could make of such an image."""
    uids = {
        name: UID(f"2.25.{int(KEY.digest(f'uid:{dicom.uid(*of)}')[:32], 16)}")
        for name, of in (
            ("StudyInstanceUID", ("p", 1)),
            ("SeriesInstanceUID", ("p", 1, 1)),
            ("SOPInstanceUID", ("p", 1, 1, 1)),
        )
    }
    pseudonym = KEY.digest(subject({"PatientID": "p", "PatientName": NAME}))[:16]
    return written(syntax, **{**uids, "PatientID": pseudonym, "PatientName": pseudonym, **tags})


def read(made: Made, start: int = 0, stop: int | None = None) -> bytes:
    """Open a file and read some of it, as one request does."""
    with made.open() as file:
        assert file.size == made.size
        return b"".join(file.buffers(start, stop))


@pytest.mark.parametrize(
    "syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit]
)
def test_transfer_syntax_stays(maker: Maker, syntax: UID) -> None:
    """The file has its size and its pixels in every transfer syntax, and ends with padding in that one."""
    content = written(syntax)
    made = maker.made(content)
    after = pydicom.dcmread(io.BytesIO(read(made)))
    before = pydicom.dcmread(io.BytesIO(content))
    assert made.size == len(content) + MARGIN
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.PixelData == before.PixelData
    assert not any(after.DataSetTrailingPadding or b"")
    assert NAME not in str(after)
    assert len(after.PatientID) == 16


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_other_pixels_stay(maker: Maker, keyword: str) -> None:
    """Pixels of floating point numbers are taken over as they are."""
    data = pydicom.dcmread(io.BytesIO(written()))
    del data.PixelData
    setattr(data, keyword, bytes(range(64)))
    file = io.BytesIO()
    data.save_as(file)
    after = pydicom.dcmread(io.BytesIO(read(maker.made(file.getvalue()))))
    assert after[keyword].value == bytes(range(64))


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGBaseline8Bit])
def test_what_stands_behind_the_pixels_is_left_out(maker: Maker, syntax: UID) -> None:
    """A name behind the pixels is not served, nor a signature, which would not hold any more."""
    signature = Dataset()
    signature.CertifiedTimestamp = NAME.encode()
    answer = answered(syntax, DigitalSignaturesSequence=[signature])
    assert NAME.encode() in answer[-100:]
    content = read(maker.made(written(syntax), answer))
    assert NAME.encode() not in content[answer.index(b"\xe0\x7f") :]
    assert "DigitalSignaturesSequence" not in pydicom.dcmread(io.BytesIO(content))


def test_every_range_of_several_buffers(maker: Maker) -> None:
    """A range is the same bytes whether the file is kept, in one buffer, or not, in several."""
    large = Maker({"largest": 0})
    content = written()
    made, unkept = maker.made(content), large.made(content)
    whole = read(made)
    assert read(unkept) == whole
    for start in range(0, made.size, 97):
        for stop in (start, start + 1, start + 1500, made.size, None):
            assert read(made, start, stop) == read(unkept, start, stop) == whole[start:stop]
    large.maker.close()


def test_meta_and_preamble_are_new(maker: Maker) -> None:
    """Nothing of the preamble is taken over, and of the meta information what is needed to read the file."""
    data = pydicom.dcmread(io.BytesIO(answered()))
    data.preamble = NAME.encode().ljust(128)
    data.file_meta.SourceApplicationEntityTitle = "JANE"
    data.file_meta.PrivateInformationCreatorUID = UID("1.2.3")
    data.file_meta.PrivateInformation = NAME.encode()
    file = io.BytesIO()
    data.save_as(file)
    content = read(maker.made(written(), file.getvalue()))
    after = pydicom.dcmread(io.BytesIO(content))
    assert after.preamble == bytes(128)
    assert not {"SourceApplicationEntityTitle", "PrivateInformation"} & {each.keyword for each in after.file_meta}
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    length = struct.unpack_from("<I", content, 140)[0]
    assert content[144 + length : 148 + length] == b"\x08\0\x05\0"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        NAME.encode(),
        answered()[:-500],
        answered(ImageComments="a" * 40).partition(b"a" * 40)[0] + b"a" * 20,
        answered(JPEGBaseline8Bit)[:-12],
        answered(JPEGBaseline8Bit).replace(b"\xfe\xff\xdd\xe0", b"\xfe\xff\xdd\xe1"),
        answered().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"),
        written(),
        answered(PatientName=NAME),
    ],
)
def test_damaged_files_are_refused(maker: Maker, answer: bytes) -> None:
    """An answer that cannot be read is never served, and the error tells nothing of it."""
    with (
        pytest.raises(OrthancError, match=r"^an anonymised file cannot be read$") as refused,
        maker.made(written(), answer).open(),
    ):
        pass
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_what_has_no_room_is_refused(maker: Maker) -> None:
    """A file that would be longer than its size is refused, and one that fits to the byte is not."""
    room = padding(read(maker.made(written(), answered()))) - 12
    maker.maker.close()
    assert padding(read(maker.made(written(), answered(TextValue="x" * room)))) == 0
    maker.maker.close()
    with pytest.raises(OrthancError, match="cannot be padded"):
        read(maker.made(written(), answered(TextValue="x" * (room + 2))))


def padding(content: bytes) -> int:
    """Return how many bytes of padding a file has."""
    return len(pydicom.dcmread(io.BytesIO(content)).DataSetTrailingPadding or b"")


def test_deflated_files_are_refused(maker: Maker) -> None:
    """Nothing can be appended to a data set that is compressed as a whole."""
    made = maker.made(written(), answered(DeflatedExplicitVRLittleEndian))
    with pytest.raises(OrthancError, match="deflated"), made.open():
        pass


def test_etag_follows_the_stored_file() -> None:
    """The etag is the same for the same stored file, and differs for another."""
    one = Maker()
    (instance,) = one.orthanc.instances([one.orthanc.store(written()).id])
    (other,) = one.orthanc.instances([one.orthanc.store(dicom.instance("other")).id])
    first, again, second = (one.maker.made(each, {}).etag for each in (instance, instance, other))
    assert first == again
    assert first != second


def test_kept_files_are_made_once(maker: Maker) -> None:
    """Many ranges of a file cost one anonymisation, until nobody asked for a while."""
    made = maker.made(written())
    parts = [read(made, start, start + 512) for start in range(0, made.size, 512)]
    assert maker.orthanc.asked == 1
    maker.time = 999
    read(made)
    maker.time = 1500
    maker.maker.drop_idle()
    assert maker.maker._timer  # until the file that is still kept is dropped
    assert b"".join(parts) == read(made)
    assert maker.orthanc.asked == 1
    maker.time = 2500
    maker.maker.drop_idle()
    read(made)
    assert maker.orthanc.asked == 2


def test_large_files_are_not_kept() -> None:
    """A file beyond the limit is made for each request."""
    one = Maker({"largest": 1000})
    made = one.made(written())
    assert read(made) == read(made)
    assert one.orthanc.asked == 2
    one.maker.close()


def test_failure_is_not_kept(maker: Maker) -> None:
    """Where Orthanc could not answer, it is asked again."""
    made = maker.made(written())
    maker.orthanc.away = True
    with pytest.raises(Unavailable), made.open():
        pass
    maker.orthanc.away = False
    assert len(read(made)) == made.size


def test_timer_ends() -> None:
    """A timer drops what is kept, and runs no longer than anything is."""
    one = Answering()
    before = threading.enumerate()
    maker = Anonymised(one, KEY, idle=0.05)
    (instance,) = one.instances([one.store(written()).id])
    read(maker.made(instance, {}))
    timers = [each for each in threading.enumerate() if each.name == "davfs-anonymised" and each not in before]
    assert timers
    for timer in timers:
        timer.join(10)
        assert not timer.is_alive()
    read(maker.made(instance, {}))
    maker.close()
    assert one.asked == 2
