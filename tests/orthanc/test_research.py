"""The anonymised layouts leak nothing of who the patients are, through any door."""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import httpx
import pydicom
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.samples import import_samples
from davfs.layout import HashKey
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom, documents
from tests.support.doors import COLLECTION, DOORS, SERVER, STANDALONE
from tests.support.drive import import_by_rest, rest_client
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

KEY = "a key that only this test knows"
DATES = {"1980-01-01T00:00:00Z", "19800101T000000Z", "Tue, 01 Jan 1980 00:00:00 GMT"}
"""The date of all that tells none, as each door writes it."""
GERDA = {
    "PatientID": "P-4711",
    "PatientName": "Gruenling^Gerda",
    "PatientBirthDate": "19370214",
    "OtherPatientIDs": "P-4712",
    "StudyDescription": "Thorax of GRUENLING",
    "SeriesDescription": "ask Gerda Gruenling",
    "PatientComments": "Mrs Gruenling^Gerda, born 14.02.1937",
    "AccessionNumber": "A-0815",
    "StudyDate": "20240229",
    "FrameOfReferenceUID": "2.25.4711",
}
SECRETS = re.compile(rb"gruenling|gerda|19370214|1937-02-14|P-4711|P-4712|A-0815|2\.25\.4711\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Archive:
    """Drives without names, by door, and what is behind them.

    Attributes:
        drives: Clients, by the door's name.
        rest: A client of the REST API.
        names: PatientName and PatientBirthDate of all patients, as they may stand in bytes.
    """

    drives: dict[str, WebDav]
    rest: httpx.Client
    names: frozenset[bytes]


@pytest.fixture(scope="module")
def archive(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """The samples and one more patient, behind all doors, with both anonymised layouts and nothing else."""
    (port,) = free_ports(1)
    layouts = ["research", "research-images"]
    davfs = {"Layouts": layouts, "HashKey": KEY, "AllowUpload": False, "Server": {"Enabled": True, "Port": port}}
    with run_orthanc(davfs=davfs) as process, rest_client(process) as rest:
        import_samples(process.url, lambda *_: None)
        images = ((1, 1), (1, 2), (2, 1))
        import_by_rest(rest, *(dicom.instance("g", 1, *each, tags=GERDA, pixels=dicom.CT_IMAGE) for each in images))
        options = [text for layout in layouts for text in ("--layout", layout)]
        served = ServeProcess(
            tmp_path_factory.mktemp("serve"), process.url, *options, environment={"DAVFS_HASH_KEY": KEY}
        )
        with served, served.ready().drive() as beside, WebDav(process.drive_url) as own:
            with WebDav(process.server_url) as server:
                drives = {COLLECTION: own, SERVER: server, STANDALONE: beside}
                yield Archive(drives, rest, frozenset(_names(rest)))
            assert served.stop() == 0, served.text
        assert not SECRETS.search(served.text.encode())
        assert not SECRETS.search(process.log.read_bytes())


def _names(rest: httpx.Client) -> Iterator[bytes]:
    """Yield the names and birth dates that the index has, where they are too long to stand anywhere by chance."""
    for patient in rest.get("/patients?expand").json():
        for keyword in ("PatientName", "PatientBirthDate"):
            text = patient["MainDicomTags"].get(keyword, "")
            texts = {text, text.replace("^", " "), *text.split("^")} if keyword == "PatientName" else {text}
            yield from (one.lower().encode() for one in texts if len(one) > 4 and not one.isspace())


@pytest.fixture(scope="module", params=DOORS)
def drive(request: pytest.FixtureRequest, archive: Archive) -> WebDav:
    """Each door in turn."""
    return archive.drives[request.param]


def walk(drive: WebDav, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the path and content of every file below a folder, and all bytes of each listing."""
    answer = drive.request("PROPFIND", folder, headers={"Depth": "1"})
    yield folder, unquote(answer.content.decode()).encode() + str(answer.headers).encode()
    for name, each in drive.listing(folder).items():
        path = f"{folder}/{name}"
        if each.is_folder:
            yield from walk(drive, path)
        else:
            content = drive.get(path)
            assert content.status_code == httpx.codes.OK, content.text
            assert len(content.content) == each.size, path
            yield path, content.content
            assert drive.get(path).content == content.content, path


def inside(path: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files in an archive; any other file as it is."""
    if not path.endswith(".zip"):
        yield path, content
        return
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        yield from ((f"{path}/{name}", opened.read(name)) for name in opened.namelist())


def test_nothing_leaks(drive: WebDav, archive: Archive) -> None:
    """No name, birth date or ID stands in any listing, name, archive or image, however often it is read."""
    assert drive.listing().keys() == {"README.txt", "inbox", "research", "research-images"}
    files = [
        each for layout in ("research", "research-images") for found in walk(drive, layout) for each in inside(*found)
    ]
    images = [path for path, _ in files if path.endswith(".dcm")]
    ids = archive.rest.get("/instances").json()
    shown = [one for one in ids if not is_suspect(archive.rest.get(f"/instances/{one}/simplified-tags").json())]
    assert len(ids) > len(shown) > 80
    assert len(images) == 2 * len(shown)  # by themselves, and in archives
    assert not any(path.startswith("research/") for path in images)
    for path, content in files:
        found = SECRETS.search(content)
        assert not found, (path, found)
        if not path.endswith(".dcm"):
            assert not [name for name in archive.names if name in content.lower()], path


def is_suspect(tags: dict[str, str]) -> bool:
    """Return True for an image that may show a name: of the samples, those of ultrasound, and secondary captures."""
    captured = tags["SOPClassUID"].startswith("1.2.840.10008.5.1.4.1.1.7")  # photographs and slides as well
    return (captured or tags.get("Modality", "") in {"OT", "US"}) and tags.get("BurnedInAnnotation") != "NO"


def test_images_name_nobody(drive: WebDav) -> None:
    """The images are whole, and called as their folders are."""
    for path, content in walk(drive, "research-images"):
        if path.endswith(".dcm"):
            data = pydicom.dcmread(io.BytesIO(content))
            assert str(data.PatientName) == data.PatientID == path.split("/")[1]
            assert not data.get("PatientBirthDate")
            assert data.SOPInstanceUID == data.file_meta.MediaStorageSOPInstanceUID
            assert not any(tag.is_private for tag in data.keys())  # noqa: SIM118  a data set iterates over its elements


@pytest.mark.parametrize("identifier", ["P  17 ", "A-1\\B-2", "M\u00fcller 7", ""])
def test_pseudonyms_agree(archive: Archive, identifier: str) -> None:
    """An image is called as its folder is, whatever the PatientID looks like."""
    content = dicom.instance("odd", identifier, tags={"PatientID": identifier})
    drive = archive.drives[SERVER]
    before = drive.listing("research-images").keys()
    import_by_rest(archive.rest, content)
    try:
        (folder,) = drive.listing("research-images").keys() - before or {"no ID"}
        ids = [
            pydicom.dcmread(io.BytesIO(data)).PatientID
            for path, data in walk(drive, f"research-images/{folder}")
            if path.endswith(".dcm")
        ]
        assert len(ids) == 1
        assert ids[0] == folder or folder == "no ID"
    finally:
        archive.rest.delete(f"/instances/{dicom.ids(content).instance}").raise_for_status()


def test_what_cannot_be_anonymised(drive: WebDav, archive: Archive) -> None:
    """Documents and ultrasound are not there; a scan that shows whose it is is refused, and so is its archive."""
    contents = {
        "image": dicom.instance("p1", 1, 1, 1),
        "clean": dicom.instance("p1", 1, 2, 1, tags={"Modality": "US", "BurnedInAnnotation": "NO"}),
        "ultrasound": dicom.instance("p1", 1, 2, 2, tags={"Modality": "US"}),
        "document": documents.encapsulated(b"%PDF-1.4 of Mrs Gruenling"),
        "scan": dicom.instance("p1", 1, 3, 1, tags={"BurnedInAnnotation": "YES", "Modality": "MR"}),
    }
    folder = f"research-images/{HashKey(KEY.encode()).digest('19700101/doe p1/p1')[:16]}"
    try:
        import_by_rest(archive.rest, *(contents[name] for name in ("image", "clean", "ultrasound", "document")))
        (study,) = drive.listing(folder)
        folder = f"{folder}/{study}"
        series = {name.partition(" ")[0]: f"{folder}/{name}" for name in drive.listing(folder)}
        assert series.keys() == {"CT", "US", "DOC", "study.zip"}
        assert [len(drive.listing(series[name])) for name in ("CT", "US", "DOC")] == [1, 1, 0]
        with zipfile.ZipFile(io.BytesIO(drive.get(f"{folder}/study.zip").content)) as opened:
            assert sorted(name.partition(" ")[0] for name in opened.namelist()) == ["CT", "US"]
        import_by_rest(archive.rest, contents["scan"])
        (scans,) = (f"{folder}/{name}" for name in drive.listing(folder) if name.startswith("MR "))
        (image,) = drive.listing(scans)
        for path in (f"{scans}/{image}", f"{folder}/study.zip"):
            answer = drive.get(path)
            assert answer.status_code in {httpx.codes.FORBIDDEN, httpx.codes.NOT_ACCEPTABLE}, path
            assert b"Annotation" not in answer.content
        assert "ultrasound" in drive.get("README.txt").text
    finally:
        archive.rest.delete(f"/studies/{dicom.ids(contents['image']).study}").raise_for_status()


def test_nothing_tells_which_image_it_is(drive: WebDav, archive: Archive) -> None:
    """Dates are the same everywhere, sizes are those of many, order and entity tags come from keyed hashes."""
    stored = {each["FileSize"]: each["FileUuid"] for each in archive.rest.get("/instances?expand").json()}
    sizes = Counter[int | None]()
    for folder in folders(drive, "research-images"):
        listing = drive.listing(folder)
        for name, each in listing.items():
            dates = {each.text("getlastmodified"), each.text("creationdate")} - {None}
            assert dates <= DATES, f"{folder}/{name}"
            if name.endswith(".dcm"):
                sizes[each.size] += 1
                assert each.size not in stored
                assert (each.text("getetag") or "").strip('"') not in stored.values()
        shown = [name for name in listing if not name.endswith(".zip")]
        assert shown == sorted(shown), folder
    assert len(sizes) < len(stored) / 2
    path, content = next((path, content) for path, content in walk(drive, "research-images") if path.endswith(".zip"))
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        assert {member.date_time for member in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}, path


def folders(drive: WebDav, folder: str) -> Iterator[str]:
    """Yield a folder and all below it."""
    yield folder
    for name, each in drive.listing(folder).items():
        if each.is_folder:
            yield from folders(drive, f"{folder}/{name}")


def test_who_knows_an_identifier_learns_nothing(drive: WebDav, archive: Archive) -> None:
    """A name with digits of Orthanc's identifier, which can be computed from a PatientID, leads nowhere."""
    for patient in archive.rest.get("/patients").json():
        digits = patient.replace("-", "")
        for name in drive.listing("research"):
            assert drive.status(f"research/{name} ~{digits[:10]}") == httpx.codes.NOT_FOUND
            assert drive.status(f"research/{name} ~{digits}") == httpx.codes.NOT_FOUND


def test_doors_agree(archive: Archive) -> None:
    """The plugin and `davfs serve` make the same bytes, each in a process of its own."""
    one, other = (dict(walk(archive.drives[name], "research-images")) for name in (COLLECTION, STANDALONE))
    images = {path for path in one if path.endswith((".dcm", ".zip"))}
    assert images == {path for path in other if path.endswith((".dcm", ".zip"))}
    assert not [path for path in images if one[path] != other[path]]
