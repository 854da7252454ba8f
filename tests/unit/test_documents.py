"""Descriptions, pictures and reports, from an Orthanc in memory."""

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from pydicom.uid import CTImageStorage, EncapsulatedPDFStorage

from davfs.derived.documents import Documents
from davfs.derived.file import DerivedFile
from davfs.derived.rendition_cache import RenditionCache
from davfs.errors import BadFile, OrthancError, Unavailable, UnknownResource
from davfs.orthanc import Instance, Level, OrthancId
from tests.support import dicom, documents
from tests.support.memory_orthanc import MemoryOrthanc

PDF = b"%PDF-1.4\n%%EOF\n"


@dataclass
class Renderer(MemoryOrthanc):
    """Renders what it was told to, and counts what it was asked for."""

    rendered: dict[OrthancId, bytes] = field(default_factory=dict)
    errors: dict[OrthancId, OrthancError] = field(default_factory=dict)
    asked: Counter[OrthancId] = field(default_factory=Counter)

    def picture(self, instance: OrthancId) -> bytes | None:
        """See `Orthanc`."""
        self.asked[instance] += 1
        if instance in self.errors:
            raise self.errors[instance]
        return self.rendered.get(instance)

    report = picture


@pytest.fixture
def orthanc() -> Renderer:
    """An Orthanc that renders nothing."""
    return Renderer()


@pytest.fixture
def made(orthanc: Renderer) -> Documents:
    """Return the maker of documents."""
    return Documents(orthanc)


def series(numbers: Mapping[str, str | None], sop_class: str = CTImageStorage) -> dict[OrthancId, Instance]:
    """Return the instances of a series: InstanceNumber by id."""
    tags = {OrthancId(one): {} if number is None else {"InstanceNumber": number} for one, number in numbers.items()}
    return {one: Instance(one, OrthancId("s"), each, 1, None, f"uuid-{one}", sop_class) for one, each in tags.items()}


def render(orthanc: Renderer, content: bytes, *instances: str) -> None:
    """Give instances a picture, or a report."""
    orthanc.rendered.update(dict.fromkeys(map(OrthancId, instances), content))


def read(file: DerivedFile | None) -> bytes:
    """Return the content of a file, which must exist and have the listed size."""
    assert file
    with file.open() as opened:
        content = b"".join(opened.buffers())
        assert opened.size == file.size == len(content)
        assert b"".join(opened.buffers(1, 3)) == content[1:3]
    return content


def test_description(orthanc: Renderer, made: Documents) -> None:
    """A study is described by Orthanc's present response, and the opened file is the listed one."""
    study = OrthancId(dicom.ids(dicom.instance()).study)
    orthanc.store(dicom.instance(number=1))
    before = made.description(Level.STUDY, study)
    told = orthanc.description(Level.STUDY, study)
    orthanc.retag(study, {"StudyDescription": "Müller, corrected"})
    after = made.description(Level.STUDY, study)
    assert read(before) == told
    assert read(after) == orthanc.description(Level.STUDY, study) != told
    assert before.media_type == after.media_type == "application/json"
    assert before.etag != after.etag == made.description(Level.STUDY, study).etag


def test_description_of_what_is_gone(made: Documents) -> None:
    """A missing resource has no description."""
    with pytest.raises(UnknownResource):
        made.description(Level.STUDY, OrthancId("gone"))


@pytest.mark.parametrize(
    ("numbers", "middle"),
    [
        ({"a": "1"}, "a"),
        ({"a": "2", "b": "1"}, "a"),
        ({"a": "10", "b": "9", "c": "2"}, "b"),
        ({"a": "3", "b": "1", "c": " +2 ", "d": "4"}, "a"),
        ({"a": None, "b": "x", "c": "-7"}, "a"),
        ({"c": "1", "b": "1", "a": "1"}, "b"),
        ({"b": "9" * 5000, "a": "1", "c": ""}, "b"),
    ],
)
def test_middle(orthanc: Renderer, made: Documents, numbers: dict[str, str | None], middle: str) -> None:
    """A picture is of the image in the middle of a series, by its number and then its id; no other one is tried."""
    render(orthanc, b"PNG", *numbers)
    assert read(made.picture([series(numbers)])) == b"PNG"
    assert orthanc.asked == {middle: 1}


def test_first_series_that_can_be_rendered(orthanc: Renderer, made: Documents) -> None:
    """In the order that is given, of three series at most, where empty ones do not count."""
    all_series = [
        series({}),
        series({"r": "1"}),
        series({}),
        series({"p": "1"}),
        series({"i": "1"}),
        series({"j": "1"}),
    ]
    render(orthanc, b"PNG of i", "i")
    render(orthanc, b"PNG of j", "j")
    picture = made.picture(all_series)
    assert read(picture) == b"PNG of i"
    assert picture
    assert (picture.media_type, picture.etag) == ("image/png", "uuid-i-picture")
    assert made.picture([series({"q": "1"}), *all_series]) is None
    assert orthanc.asked == {"r": 1, "p": 1, "i": 1, "q": 1}
    assert made.picture([]) is None


def test_report(orthanc: Renderer, made: Documents) -> None:
    """The first encapsulated PDF of all series is the report; other instances are not even asked for."""
    render(orthanc, b"no report", "i")
    render(orthanc, b"PDF of b", "b")
    render(orthanc, b"PDF of c", "c")
    reports = series({"c": "11", "b": "10", "empty": "9"}, EncapsulatedPDFStorage)
    report = made.report([series({"i": "1"}), reports | series({"j": "1"})])
    assert read(report) == b"PDF of b"
    assert report
    assert (report.media_type, report.etag) == ("application/pdf", "uuid-b-report")
    assert orthanc.asked == {"empty": 1, "b": 1}
    assert made.report([series({"i": "1"}), {}]) is None


def test_real_report() -> None:
    """The SOP class of an instance, and the PDF in it, come from Orthanc."""
    orthanc = MemoryOrthanc()
    ids = [orthanc.store(each).id for each in (dicom.instance(), documents.encapsulated(PDF))]
    instances = {one.id: one for one in orthanc.instances(ids)}
    assert read(Documents(orthanc).report([instances])) == PDF


def test_kept(orthanc: Renderer, made: Documents) -> None:
    """Orthanc renders a stored file once, and is not asked again where it could not; a new file is another matter."""
    render(orthanc, b"PNG", "b")
    first, other = series({"a": "1"}), series({"b": "1"})
    for _ in range(3):
        assert read(made.picture([first, other])) == b"PNG"
    assert orthanc.asked == {"a": 1, "b": 1}
    render(orthanc, b"new PNG", "a")
    new = Instance(OrthancId("a"), OrthancId("s"), {}, 1, None, "new uuid")
    assert read(made.picture([{new.id: new}])) == b"new PNG"


def test_picture_and_report_of_one_instance(orthanc: Renderer, made: Documents) -> None:
    """A picture is never served for a report."""
    render(orthanc, b"content", "a")
    instances = [series({"a": "1"}, EncapsulatedPDFStorage)]
    picture, report = made.picture(instances), made.report(instances)
    assert picture
    assert report
    assert picture.etag != report.etag
    assert orthanc.asked == {"a": 2}


@pytest.mark.parametrize("error", [UnknownResource("gone"), BadFile("damaged"), OrthancError("disk", 500)])
def test_what_cannot_be_read(orthanc: Renderer, made: Documents, error: OrthancError) -> None:
    """An image that has just gone, or cannot be read, leaves the others; it is tried again the next time."""
    orthanc.errors[OrthancId("a")] = error
    render(orthanc, b"PNG of a", "a")
    render(orthanc, b"PNG of b", "b")
    instances = [series({"a": "1"}), series({"b": "1"})]
    assert read(made.picture(instances)) == b"PNG of b"
    orthanc.errors.clear()
    assert read(made.picture(instances)) == b"PNG of a"


def test_unavailable(orthanc: Renderer, made: Documents) -> None:
    """If Orthanc does not answer, that does not count as a missing picture."""
    orthanc.errors[OrthancId("a")] = Unavailable("does not answer")
    with pytest.raises(Unavailable):
        made.picture([series({"a": "1"})])


def test_room(orthanc: Renderer) -> None:
    """If the cache is full, the contents that were used last stay, and others are rendered again."""
    made = Documents(orthanc, RenditionCache(capacity=100))
    render(orthanc, bytes(40), "a", "b", "c")
    one_by_one = {name: [series({name: "1"})] for name in "abc"}
    for name in "abac":
        assert read(made.picture(one_by_one[name])) == bytes(40)
    assert orthanc.asked == {"a": 1, "b": 1, "c": 1}
    assert read(made.picture(one_by_one["a"])) == bytes(40)
    assert orthanc.asked[OrthancId("a")] == 1
    made.picture(one_by_one["b"])
    assert orthanc.asked[OrthancId("b")] == 2


def test_most(orthanc: Renderer) -> None:
    """Only so many answers are kept, among them that there is nothing."""
    made = Documents(orthanc, RenditionCache(most=2))
    for name in "abcacb":
        assert made.picture([series({name: "1"})]) is None
    assert orthanc.asked == {"a": 2, "b": 2, "c": 1}


def test_large(orthanc: Renderer) -> None:
    """A large report is asked for again each time that it is opened, but not for its size."""
    made = Documents(orthanc, RenditionCache(capacity=100, largest=10))
    render(orthanc, bytes(11), "a")
    render(orthanc, bytes(10), "b")
    for name in "ab":
        instances = [series({name: "1"}, EncapsulatedPDFStorage)]
        report = made.report(instances)
        made.report(instances)
        assert orthanc.asked[OrthancId(name)] == 1
        for _ in range(2):
            read(report)
    assert orthanc.asked == {"a": 3, "b": 1}


def test_replaced_before_it_is_opened(orthanc: Renderer) -> None:
    """Another content is not served under the size and tag of the one before; one that is gone is gone."""
    made = Documents(orthanc, RenditionCache(largest=0))
    render(orthanc, bytes(10), "a")
    picture = made.picture([series({"a": "1"})])
    assert picture
    render(orthanc, bytes(11), "a")
    with pytest.raises(OrthancError):
        picture.open().__enter__()
    orthanc.errors[OrthancId("a")] = UnknownResource("gone")
    with pytest.raises(UnknownResource):
        picture.open().__enter__()


def test_threads(orthanc: Renderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads can ask for the same at once, and neither waits for the other's answer from Orthanc."""
    both = threading.Barrier(2)
    answers = RenditionCache(capacity=100)
    made = Documents(orthanc, answers)

    def slow(instance: OrthancId) -> bytes:
        both.wait(10)
        return hashlib.sha1(instance.encode(), usedforsecurity=False).digest()

    monkeypatch.setattr(made, "_picture", made._picture.__class__("picture", "image/png", slow))
    with ThreadPoolExecutor(2) as pool:
        for name in "abcdefgh":
            expected = hashlib.sha1(name.encode(), usedforsecurity=False).digest()
            asked = [pool.submit(made.picture, [series({name: "1"})]) for _ in range(2)]
            assert [read(each.result(10)) for each in asked] == [expected, expected]
    cache = answers._cached
    assert cache._bytes == sum(len(one.content or b"") for one, *_ in cache._entries.values()) == 100
