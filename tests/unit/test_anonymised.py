"""Anonymised files as bytes: their size, their two parts, how they are streamed, and how long they are kept."""

import io
import struct
import threading
import tracemalloc
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
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

from davfs.confidentiality.options import Options
from davfs.derived.anonymised import AnonymisedFiles
from davfs.derived.file import DerivedFile
from davfs.derived.readers import PrefixReader
from davfs.derived.sizes import padded
from davfs.entry import InMemory
from davfs.errors import NotAnonymised, OrthancError, Unavailable, UnknownResource
from davfs.layout.text import HashKey
from davfs.orthanc import OrthancId
from tests.support import dicom
from tests.support.memory_orthanc import MemoryOrthanc

KEY = HashKey(b"a key for tests only")
FRAMES = [b"\xff\xd8one\xff\xd9\0", b"\xff\xd8second\xff\xd9"]
NAME = "Doe^Jane"
TAGS = {"PatientID": "p", "PatientName": NAME}


class Answering(MemoryOrthanc):
    """Notes which files were opened, and looked at."""

    opened = 0
    away = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.looked_at: list[OrthancId] = []
        self.problem: OrthancError | None = None

    def all_tags(self, instance: OrthancId) -> Mapping[str, Any]:
        """See `Orthanc`."""
        self.looked_at.append(instance)
        if self.problem:
            raise self.problem
        return super().all_tags(instance)

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[InMemory]:
        """See `Orthanc`."""
        self.opened += 1
        if self.away:
            raise Unavailable("away")
        return super().open_instance(instance, start)


@dataclass
class Maker:
    """Makes anonymised files of one instance, with a clock that is set by hand."""

    limits: dict[str, Any] = field(default_factory=dict)
    time: float = 0.0
    orthanc: Answering = field(default_factory=Answering)

    def __post_init__(self) -> None:
        self.maker = AnonymisedFiles(self.orthanc, KEY, idle=1000, now=lambda: self.time, **self.limits)

    def made(self, content: bytes, stored: bytes | None = None) -> DerivedFile:
        """Return the file of an instance, of which other bytes may be stored than were sent."""
        self.orthanc.transcoded = stored
        (instance,) = self.orthanc.instances([self.orthanc.store(content).id])
        return self.maker.file(instance, TAGS)


@pytest.fixture(params=[32 << 20, 0], ids=["kept", "streamed"])
def maker(request: pytest.FixtureRequest) -> Iterator[Maker]:
    """Keeps what it made, or streams it."""
    one = Maker({"largest": request.param})
    yield one
    one.maker.close()
    assert one.maker._streams._idle == []


@pytest.fixture
def keeping() -> Iterator[Maker]:
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


def read(made: DerivedFile, start: int = 0, stop: int | None = None) -> bytes:
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
    assert made.size == padded(len(content), is_image=True)
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


def test_file_without_pixels(maker: Maker) -> None:
    """A file that has none is its data set and padding."""
    data = pydicom.dcmread(io.BytesIO(written()))
    del data.PixelData
    data.Rows = 77
    file = io.BytesIO()
    data.save_as(file)
    after = pydicom.dcmread(io.BytesIO(read(maker.made(file.getvalue()))))
    assert after.Rows == 77
    assert "PixelData" not in after


def test_file_without_meta_information(maker: Maker) -> None:
    """A stored file without preamble and meta information gets both."""
    content = written(ImplicitVRLittleEndian)
    bare = content[content.index(b"\x08\0\x05\0") :]
    after = pydicom.dcmread(io.BytesIO(read(maker.made(content, bare))))
    assert after.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert after.PixelData == pydicom.dcmread(io.BytesIO(content)).PixelData


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEGBaseline8Bit])
def test_what_stands_behind_the_pixels_is_left_out(maker: Maker, syntax: UID) -> None:
    """A name behind the pixels is not served: not in a signature, nor in a private element, nor behind the end."""
    signature = Dataset()
    signature.CertifiedTimestamp = NAME.encode()
    data = pydicom.dcmread(io.BytesIO(written(syntax, DigitalSignaturesSequence=[signature])))
    data.add_new(0x7FE10010, "LO", "MAKER")
    data.add_new(0x7FE11001, "LO", NAME)
    file = io.BytesIO()
    data.save_as(file)
    content = file.getvalue() + b"\xfc\xff\xfc\xffOB\0\0\x08\0\0\0" + NAME.encode()
    made = read(maker.made(written(syntax), content))
    assert NAME.encode() not in made
    after = pydicom.dcmread(io.BytesIO(made))
    assert not {"DigitalSignaturesSequence"} & set(after.dir())


def test_other_elements_among_the_pixels_are_left_out(maker: Maker) -> None:
    """Elements of group 7FE0 other than pixels and their offsets are removed."""
    content = written()
    at = content.index(b"\xe0\x7f\x10\0OW")
    text = b"\xe0\x7f\x10\x20LO\x08\0" + NAME.encode()
    after = read(maker.made(content, content + text))
    assert NAME.encode() not in after
    assert content[at:] in after


@pytest.mark.parametrize("position", [12, 0])
def test_graphics_in_unused_bits_of_pixels_are_refused(maker: Maker, position: int) -> None:
    """An overlay that lies in the pixels themselves (retired in 2004) may be a name; one of its own is removed."""
    data = pydicom.dcmread(io.BytesIO(written()))
    data.add_new(0x60000102, "US", position)
    file = io.BytesIO()
    data.save_as(file)
    made = maker.made(file.getvalue())
    if position:
        with pytest.raises(NotAnonymised, match="unused bits"):
            read(made)
    else:
        assert 0x60000102 not in pydicom.dcmread(io.BytesIO(read(made)))


def test_every_range_of_several_buffers(keeping: Maker) -> None:
    """A range is the same bytes whether the file is kept, in one buffer, or made while it is read."""
    streaming = Maker({"largest": 0})
    content = written()
    made, streamed = keeping.made(content), streaming.made(content)
    whole = read(streamed)
    assert read(made) == whole
    for start in range(0, made.size, 997):
        for stop in (start, start + 1, start + 1500, made.size, None):
            assert read(made, start, stop) == read(streamed, start, stop) == whole[start:stop]
    streaming.maker.close()


def test_consecutive_ranges_are_one_stream() -> None:
    """A file that is not kept is made once for ranges that follow each other."""
    one = Maker({"largest": 0})
    made = one.made(written())
    parts = [read(made, start, start + 512) for start in range(0, made.size, 512)]
    assert len(b"".join(parts)) == made.size
    assert one.orthanc.opened == 1
    one.maker.close()


def test_a_large_file_takes_little_memory() -> None:
    """Of 64 MB of pixels, no more than some blocks are in memory at once."""
    one = Maker({"largest": 0})
    made = one.made(_large(64 << 20))
    tracemalloc.start()
    with made.open() as file:
        size = sum(len(block) for block in file.buffers())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == made.size
    assert peak < 12 << 20
    one.maker.close()


def _large(size: int) -> bytes:
    data = pydicom.dcmread(io.BytesIO(written()))
    data.PixelData = bytes(size)
    file = io.BytesIO()
    data.save_as(file)
    return file.getvalue()


def test_a_data_set_too_large_is_refused() -> None:
    """The data set before the pixels is held in memory, and has a size limit."""
    prefix = PrefixReader(iter([memoryview(bytes(100))] * 10), 1000, largest=500)
    assert prefix.read(500) == bytes(500)
    with pytest.raises(NotAnonymised, match="too large"):
        prefix.read(1)


def test_meta_and_preamble_are_new(maker: Maker) -> None:
    """The preamble is not copied; of the meta information, only the elements that are needed to read the file."""
    data = pydicom.dcmread(io.BytesIO(written()))
    data.preamble = NAME.encode().ljust(128)
    data.file_meta.SourceApplicationEntityTitle = "JANE"
    data.file_meta.ImplementationVersionName = "JANE"
    data.file_meta.PrivateInformationCreatorUID = UID("1.2.3")
    data.file_meta.PrivateInformation = NAME.encode()
    file = io.BytesIO()
    data.save_as(file)
    content = read(maker.made(written(), file.getvalue()))
    after = pydicom.dcmread(io.BytesIO(content))
    assert after.preamble == bytes(128)
    assert {each.keyword for each in after.file_meta} == {
        "FileMetaInformationGroupLength", "FileMetaInformationVersion", "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID", "TransferSyntaxUID", "ImplementationClassUID", "ImplementationVersionName",
    }  # fmt: skip
    assert str(after.file_meta.ImplementationVersionName).startswith("DAVFS")
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    length = struct.unpack_from("<I", content, 140)[0]
    assert content[144 + length : 148 + length] == b"\x08\0\x05\0"


@pytest.mark.parametrize(
    "stored",
    [
        NAME.encode(),
        written()[:-500],
        written(Manufacturer="a" * 40).partition(b"a" * 40)[0] + b"a" * 20,
        written(JPEGBaseline8Bit)[:-12],
        written(JPEGBaseline8Bit).replace(b"\xfe\xff\xdd\xe0", b"\xfe\xff\xdd\xe1"),
        written().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"),
    ],
)
def test_damaged_files_are_refused(maker: Maker, stored: bytes) -> None:
    """A file that cannot be read is refused with an error that has no part of its content."""
    with pytest.raises(OrthancError, match=r"^an anonymised file cannot be read$") as refused:
        read(maker.made(written(), stored))
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_what_has_no_room_is_refused(maker: Maker) -> None:
    """A file that would be longer than its size is refused: so many references, with so short UIDs."""
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2"
    with pytest.raises(OrthancError, match=r"no room|another length"):
        read(maker.made(written(ReferencedInstanceSequence=[item] * 2000)))


def test_deflated_files_are_refused(maker: Maker) -> None:
    """Deflated files are refused, without inflating them."""
    with pytest.raises(NotAnonymised, match="deflated"):
        read(maker.made(written(), written(DeflatedExplicitVRLittleEndian)))


def test_etag_follows_the_stored_file_and_needs_the_key() -> None:
    """The etag is the same for the same stored file, and differs for another, another key and other options."""
    one = Maker()
    (instance,) = one.orthanc.instances([one.orthanc.store(written()).id])
    (other,) = one.orthanc.instances([one.orthanc.store(dicom.instance("other")).id])
    first, again, second = (one.maker.file(each, {}).etag for each in (instance, instance, other))
    assert first == again
    others = (
        AnonymisedFiles(one.orthanc, HashKey(b"another")),
        AnonymisedFiles(one.orthanc, KEY, Options(modified_dates=True)),
    )
    assert len({first, second, *(each.file(instance, {}).etag for each in others)}) == 4


def test_kept_files_are_made_once(keeping: Maker) -> None:
    """Many ranges of a file need one anonymisation, until the file was idle for a while."""
    made = keeping.made(written())
    parts = [read(made, start, start + 512) for start in range(0, made.size, 512)]
    assert keeping.orthanc.opened == 1
    keeping.time = 999
    read(made)
    keeping.time = 1500
    keeping.maker._files._timer.evict_idle()
    assert keeping.maker._files._timer.is_running  # until the file that is still kept is dropped
    assert b"".join(parts) == read(made)
    assert keeping.orthanc.opened == 1
    keeping.time = 2500
    keeping.maker._files._timer.evict_idle()
    read(made)
    assert keeping.orthanc.opened == 2


def test_failure_is_not_kept(maker: Maker) -> None:
    """Where Orthanc could not answer, it is asked again."""
    made = maker.made(written())
    maker.orthanc.away = True
    with pytest.raises(Unavailable):
        read(made)
    maker.orthanc.away = False
    assert len(read(made)) == made.size


def test_replaced_and_deleted_files_are_not_served(maker: Maker) -> None:
    """A cached or streamed file is served only as long as Orthanc has this very file."""
    made = maker.made(written())
    read(made, 0, 100)
    (instance,) = maker.orthanc.files
    maker.orthanc.files[instance] += bytes(8)
    maker.orthanc._instances[instance] = maker.orthanc._instances[instance].__class__(
        instance, maker.orthanc._instances[instance].series, {}, 0, None, "another"
    )
    with pytest.raises(UnknownResource):
        read(made, 100, 200)
    del maker.orthanc.files[instance]
    with pytest.raises(UnknownResource):
        read(made, 200, 300)


def test_timer_ends() -> None:
    """A timer evicts cached files, and runs only while there are any."""
    one = Answering()
    before = threading.enumerate()
    maker = AnonymisedFiles(one, KEY, idle=0.05)
    (instance,) = one.instances([one.store(written()).id])
    read(maker.file(instance, {}))
    timers = [each for each in threading.enumerate() if each.name == "davfs-anonymised" and each not in before]
    assert timers
    for timer in timers:
        timer.join(10)
        assert not timer.is_alive()
    read(maker.file(instance, {}))
    maker.close()
    assert one.opened == 2
