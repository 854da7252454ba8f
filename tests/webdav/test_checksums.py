"""Checksums of files, in properties and headers, by which clients prove that their copies are complete."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from lxml import etree

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom, doors
from tests.support.doors import COLLECTION, SERVER, Door, opened
from tests.support.drive import import_by_rest, place
from tests.support.orthanc_server import OrthancServer
from tests.support.webdav import WebDav, parse

process, server, standalone = doors.process, doors.server, doors.standalone
OC = "{http://owncloud.org/ns}"
RCLONE = """<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"><d:prop>
<d:displayname /><d:getlastmodified /><d:getcontentlength /><d:resourcetype /><oc:checksums /><oc:permissions />
</d:prop></d:propfind>"""
"""The properties that rclone asks for with ``vendor = owncloud`` and ``nextcloud``."""
CHECKED = """
title = "checked"
[[level]]
study = "{StudyInstanceUID}"
files = ["study.json", "md5sums.txt"]
[[level]]
series = "{SeriesInstanceUID}"
files = ["md5sums.txt"]
[[level]]
instance = "{SOPInstanceUID}.dcm"
"""
LONG_AGO = "Thu, 01 Jan 1970 00:00:05 GMT"
NEXTCLOUD = """<?xml version="1.0"?>
<d:propfind xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"><d:prop>
<d:resourcetype/><d:getlastmodified/><d:getcontentlength/><d:getetag/><d:quota-available-bytes/><d:quota-used-bytes/>
<oc:size/><oc:id/><oc:fileid/><oc:downloadURL/><oc:dDC/><oc:permissions/><oc:checksums/><oc:share-types/>
<nc:is-encrypted/><nc:metadata-files-live-photo/><nc:lock/></d:prop></d:propfind>"""
"""Properties that clients of Nextcloud ask for."""


def md5(content: bytes) -> str:
    """Return the MD5 of a file in hexadecimal."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def digest(content: bytes) -> str:
    """Return the MD5 of a file in Base64."""
    return b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def asked(drive: WebDav, path: str, body: str = RCLONE, depth: str = "1") -> dict[str, str | None]:
    """Return the checksums of a folder and of what is in it, by name; None where there are none."""
    answer = drive.request("PROPFIND", path, content=body, headers={"Depth": depth})
    assert answer.status_code == 207, answer.text
    return {each.name: each.raw.findtext(f".//{OC}checksums/{OC}checksum") for each in parse(answer.content)}


def checked_study(image: bytes) -> str:
    """Return the path of an image's study in the layout above."""
    return f"checked/{pydicom.dcmread(BytesIO(image)).StudyInstanceUID}"


def everything(drive: WebDav, folder: str) -> list[str]:
    """Return the paths of all files below a folder."""
    paths = {f"{folder}/{name}": each.is_folder for name, each in drive.listing(folder).items()}
    return [found for path, is_folder in paths.items() for found in (everything(drive, path) if is_folder else [path])]


@pytest.fixture
def stored(server: Door) -> Mapping[str, bytes]:
    """Two images in a series of the archive, by their paths."""
    images = [dicom.instance("summed", number=number, pixels=1024 * number) for number in (1, 2)]
    for image in images:
        server.rest.post("/instances", content=image)
    return {place("summed", number=number): image for number, image in enumerate(images, 1)}


def test_of_a_series(server: Door, stored: Mapping[str, bytes]) -> None:
    """A PROPFIND that asks for checksums gets the MD5 of each image, in the form that rclone and ownCloud read."""
    folder = next(iter(stored)).rpartition("/")[0]
    for _ in range(2):  # the second time from the cache
        found = asked(server.drive, folder)
        for path, image in stored.items():
            assert found.pop(path.rpartition("/")[2]) == f"MD5:{md5(image)}"
        assert set(found.values()) == {None}


def test_of_one_file(server: Door, stored: Mapping[str, bytes]) -> None:
    """The same is answered about a file by itself."""
    for path, image in stored.items():
        assert list(asked(server.drive, path, depth="0").values()) == [f"MD5:{md5(image)}"]


def test_what_nextcloud_asks_for(server: Door, stored: Mapping[str, bytes]) -> None:
    """What the drive does not know of the properties of Nextcloud is answered as missing."""
    path, image = next(iter(stored.items()))
    answer = server.drive.request("PROPFIND", path, content=NEXTCLOUD, headers={"Depth": "0"})
    found = {
        part.findtext("{DAV:}status"): {str(each.tag) for each in part.iterfind("{DAV:}prop/*")}
        for part in etree.fromstring(answer.content).iterfind(".//{DAV:}propstat")
    }
    assert found.keys() == {"HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"}
    assert {f"{OC}checksums", "{DAV:}getetag"} <= found["HTTP/1.1 200 OK"]
    assert {f"{OC}permissions", "{http://nextcloud.org/ns}lock"} <= found["HTTP/1.1 404 Not Found"]
    assert f"MD5:{md5(image)}" in answer.text


def test_only_where_asked(server: Door, stored: Mapping[str, bytes]) -> None:
    """A PROPFIND for all properties has no checksums."""
    folder = next(iter(stored)).rpartition("/")[0]
    assert set(asked(server.drive, folder, '<propfind xmlns="DAV:"><allprop/></propfind>').values()) == {None}


def test_of_an_upload(server: Door) -> None:
    """An image in the inbox has the MD5 that Orthanc keeps; a file of unknown checksum has none."""
    image = dicom.instance("summed-upload")
    for name, content in (("summed.dcm", image), ("summed.txt", b"plain")):
        assert server.drive.put(f"inbox/{name}", content).is_success
    found = asked(server.drive, "inbox")
    assert (found["summed.dcm"], found["summed.txt"]) == (f"MD5:{md5(image)}", None)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("wanted", "answered"),
    [
        ({"Want-Repr-Digest": "md5=1"}, "Repr-Digest: md5=:{}:"),
        ({"Want-Repr-Digest": "sha-256=10, md5=3, unixsum=1"}, "Repr-Digest: md5=:{}:"),
        ({"Want-Digest": "MD5"}, "Digest: MD5={}"),
        ({"Want-Digest": "sha-256;q=1, md5;q=0.3"}, "Digest: MD5={}"),
    ],
)
def test_digest(server: Door, stored: Mapping[str, bytes], method: str, wanted: dict[str, str], answered: str) -> None:
    """A digest that is asked for is sent with the file, and is that of the whole file with a part of it."""
    header, _, value = answered.partition(": ")
    for path, image in stored.items():
        answer = server.drive.request(method, path, headers=wanted)
        assert (answer.status_code, answer.headers[header]) == (200, value.format(digest(image)))
        part = server.drive.request(method, path, headers={**wanted, "Range": "bytes=10-19"})
        assert part.status_code == (206 if method == "GET" else 200)
        assert part.headers[header] == value.format(digest(image))


@pytest.mark.parametrize(
    "wanted",
    [{}, {"Want-Repr-Digest": "md5=0"}, {"Want-Digest": "md5;q=0"}, {"Want-Repr-Digest": "sha-256=1"},
     {"Want-Repr-Digest": "md5"}, {"Want-Digest": '"'}],
)  # fmt: skip
def test_no_digest(server: Door, stored: Mapping[str, bytes], wanted: dict[str, str]) -> None:
    """No digest is sent that nobody asked for, or that is refused, unknown or asked for in a wrong form."""
    for path, image in stored.items():
        answer = server.drive.request("GET", path, headers=wanted)
        assert (answer.status_code, answer.content) == (200, image)
        assert not {"digest", "repr-digest"} & set(answer.headers)


def test_no_digest_of_an_error(server: Door, stored: Mapping[str, bytes]) -> None:
    """A response without content has no digest."""
    path = next(iter(stored))
    for condition, status in (
        ({"If-None-Match": "*"}, 304),
        ({"If-Match": '"x"'}, 412),
        ({"Range": "bytes=9999999-"}, 416),
    ):
        answer = server.drive.request("GET", path, headers={"Want-Repr-Digest": "md5=1", **condition})
        assert answer.status_code == status
        assert "repr-digest" not in answer.headers


def test_at_orthancs_own_port(process: OrthancProcess) -> None:
    """Orthanc's engine sends the file as always: a plugin adds no headers and properties there."""
    image = dicom.instance("summed-core")
    with opened(COLLECTION, process) as door:
        import_by_rest(door.rest, image)
        answer = door.drive.request("GET", place("summed-core"), headers={"Want-Repr-Digest": "md5=1"})
        assert (answer.status_code, answer.content) == (200, image)


@pytest.fixture(scope="module")
def other(
    plugin: Path,
    servers: list[OrthancProcess],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Door]:
    """The server in the plugin of an Orthanc with other settings."""
    folder = tmp_path_factory.mktemp("orthanc")
    (folder / "checked.toml").write_text(CHECKED)
    davfs = {
        "Server": {"Enabled": True, "Port": free_ports(1)[0]},
        "Layouts": ["by-patient", "research-images", str(folder / "checked.toml")],
        "HashKey": "k" * 32,
    }
    with OrthancServer(folder, plugins=[plugin], davfs=davfs, settings=request.param) as process:
        servers.append(process)
        with opened(SERVER, process) as each:
            yield each
        servers.remove(process)


@pytest.mark.parametrize("other", [{"StorageCompression": True}], indirect=True)
def test_compressed_storage(other: Door) -> None:
    """Where Orthanc compresses its storage, the checksum is that of the file that is served."""
    image = dicom.instance("summed-compressed", pixels=102_400)
    import_by_rest(other.rest, image)
    path = place("summed-compressed")
    assert list(asked(other.drive, path, depth="0").values()) == [f"MD5:{md5(image)}"]
    assert other.drive.get(path).content == image


@pytest.mark.parametrize("other", [{"StoreMD5ForAttachments": False}], indirect=True)
def test_where_orthanc_keeps_none(other: Door) -> None:
    """Where Orthanc keeps no MD5, there is no checksum and no digest, and all else as always."""
    image = dicom.instance("summed-none")
    import_by_rest(other.rest, image)
    path = place("summed-none")
    assert list(asked(other.drive, path, depth="0").values()) == [None]
    answer = other.drive.request("GET", path, headers={"Want-Repr-Digest": "md5=1"})
    assert (answer.content, "repr-digest" in answer.headers) == (image, False)


@pytest.mark.parametrize("other", [{"OverwriteInstances": True}], indirect=True)
def test_after_a_replacement(other: Door) -> None:
    """An image that takes the place of another one has its own checksum at once, in the archive and in the inbox."""
    answer = other.drive.request(
        "PUT", "inbox/replaced.dcm", content=dicom.instance("summed-twice"), headers={"X-OC-Mtime": "5"}
    )
    assert answer.headers["X-OC-Mtime"] == "accepted"
    assert other.drive.head("inbox/replaced.dcm").headers["Last-Modified"] == LONG_AGO
    path = place("summed-twice")
    for pixels in (1024, 2048, 4096):
        image = dicom.instance("summed-twice", pixels=pixels)
        other.rest.post("/instances", content=image).raise_for_status()
        for each in (path, "inbox/replaced.dcm"):
            answer = other.drive.request("GET", each, headers={"Want-Repr-Digest": "md5=1"})
            assert (answer.content, answer.headers["repr-digest"]) == (image, f"md5=:{digest(image)}:")
            assert answer.headers["Last-Modified"] != LONG_AGO
            assert list(asked(other.drive, each, depth="0").values()) == [f"MD5:{md5(image)}"]


@pytest.mark.parametrize("other", [{"Name": "Derived"}], indirect=True)
def test_not_of_derived_files(other: Door) -> None:
    """Files that the drive makes, anonymised ones among them, have neither checksums nor digests; nor have folders."""
    image = dicom.instance("summed-derived", pixels=2048)
    import_by_rest(other.rest, image)
    study = checked_study(image)
    anonymised = [path for path in everything(other.drive, "research-images") if path.endswith(".dcm")]
    assert len(anonymised) == 1
    assert set(asked(other.drive, "research-images", depth="infinity").values()) == {None}
    for folder in ("", study):
        assert set(asked(other.drive, folder).values()) == {None}
    (series,) = (name for name, each in other.drive.listing(study).items() if each.is_folder)
    for path in (study, f"{study}/study.json", f"{study}/{series}/md5sums.txt", *anonymised):
        answer = other.drive.request("GET", path, headers={"Want-Repr-Digest": "md5=1", "Want-Digest": "md5"})
        assert answer.status_code == 200
        assert not {"digest", "repr-digest"} & set(answer.headers)


@pytest.mark.parametrize("other", [{}], indirect=True)
def test_lists_through_both_doors(other: Door) -> None:
    """A list of the MD5s of a series is the same through both doors, and has a new image at once."""
    core = WebDav(other.rest.base_url.join("/davfs/drive/").__str__())
    for number in (1, 2, 3):
        image = dicom.instance("summed-list", number=number)
        import_by_rest(other.rest, image)
        path = f"{checked_study(image)}/{pydicom.dcmread(BytesIO(image)).SeriesInstanceUID}/md5sums.txt"
        for drive in (other.drive, core):
            answer = drive.get(path)
            assert f"{md5(image)}  " in answer.text
            assert len(answer.text.splitlines()) == number
        assert other.drive.head(path).headers["Content-Length"] == str(len(answer.content))
        part = other.drive.request("GET", path, headers={"Range": "bytes=5-20"})
        assert (part.status_code, part.content) == (206, answer.content[5:21])
    core.http.close()


def test_in_a_search(server: Door, stored: Mapping[str, bytes]) -> None:
    """An image that a search has found has the same checksum."""
    found = [path for path in everything(server.drive, "search/PatientID=summed") if path.endswith(".dcm")]
    sums = {next(iter(asked(server.drive, path, depth="0").values())) for path in found}
    assert {f"MD5:{md5(image)}" for image in stored.values()} <= sums  # it also finds "summed-upload"
    assert None not in sums


def test_damaged_attachment(server: Door, stored: Mapping[str, bytes]) -> None:
    """A file that is damaged on its way into a study's folder is not attached."""
    study = "/".join(next(iter(stored)).split("/")[:3])
    before = server.rest.get("/statistics").json()["CountInstances"]
    headers = {"OC-Checksum": f"MD5:{md5(b'%PDF-1.4 another one')}"}
    answer = server.drive.request("PUT", f"{study}/report.pdf", content=b"%PDF-1.4", headers=headers)
    assert answer.status_code == 400
    assert "damaged" in answer.text
    assert server.rest.get("/statistics").json()["CountInstances"] == before
