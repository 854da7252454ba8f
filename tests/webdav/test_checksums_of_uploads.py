"""Checksums and dates that clients send with their uploads."""

import hashlib
import zlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path as DiskPath

import httpx
import pytest

from davfs.dates import http_date
from davfs.doors.webdav.upload_headers import parse_upload_date
from davfs.spool.files import UPLOAD_RECORD
from tests.support.inbox import CT
from tests.support.local_server import LocalServer, local_server
from tests.webdav.test_checksums import asked, digest, md5

CONTENT = b"a file that is no image" * 1000
SHA1 = hashlib.sha1(CONTENT, usedforsecurity=False)
FILE = "inbox/file.bin"
DATE = datetime(2015, 3, 4, 5, 6, 7, tzinfo=UTC)
SECONDS = str(int(DATE.timestamp()))
DATED = '<propertyupdate xmlns="DAV:"><set><prop><lastmodified>{}</lastmodified>{}</prop></set></propertyupdate>'
REMOVED = '<propertyupdate xmlns="DAV:"><remove><prop>{}</prop></remove></propertyupdate>'
SUMS = '<oc:checksums xmlns:oc="http://owncloud.org/ns"><oc:checksum>{}</oc:checksum></oc:checksums>'


@pytest.fixture
def door(tmp_path: DiskPath) -> Iterator[LocalServer]:
    """A door with an empty inbox."""
    with local_server(tmp_path) as door:
        yield door


def put(door: LocalServer, content: bytes = CONTENT, path: str = FILE, **headers: str) -> httpx.Response:
    """Upload a file with headers, whose names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return door.drive.request("PUT", path, content=content, headers=named)


def date(door: LocalServer, path: str = FILE) -> str:
    """Return the date of a file, which all methods agree about."""
    get, head = door.drive.get(path), door.drive.head(path)
    (one,) = door.drive.propfind(path, depth="0")
    listed = door.drive.listing(path.rpartition("/")[0])[path.rpartition("/")[2]]
    (found,) = {
        get.headers["Last-Modified"],
        head.headers["Last-Modified"],
        *(e.text("getlastmodified") for e in (one, listed)),
    }
    return str(found)


RIGHT = {
    "OC_Checksum": f"SHA1:{SHA1.hexdigest()}",
    "Content_MD5": digest(CONTENT),
    "Repr_Digest": f"sha-256=:{b64encode(hashlib.sha256(CONTENT).digest()).decode()}:, unixsum=:AA==:",
    "Content_Digest": f"sha-512=:{b64encode(hashlib.sha512(CONTENT).digest()).decode()}:;x=1",
    "Digest": f"SHA={b64encode(SHA1.digest()).decode()}, unixsum=30637, md5={digest(CONTENT)}",
}
OWNCLOUD = (
    f"MD5:{md5(CONTENT)}",
    f"ADLER32:{zlib.adler32(CONTENT):08x}",
    f"sha1:{SHA1.hexdigest().upper()}",
    "CRC64:1",
)


@pytest.mark.parametrize(("name", "value"), [*RIGHT.items(), *(("OC_Checksum", value) for value in OWNCLOUD)])
def test_right_checksums(door: LocalServer, name: str, value: str) -> None:
    """An upload with its checksum is stored, in any form; those of unknown algorithms are ignored."""
    assert put(door, CONTENT, FILE, **{name: value}).status_code == 201
    assert door.drive.get(FILE).content == CONTENT


@pytest.mark.parametrize("name", RIGHT)
def test_damaged_on_its_way(door: LocalServer, name: str) -> None:
    """An upload with another checksum is refused, nothing of it is kept, and what was there before stays."""
    put(door, CONTENT[::-1])
    answer = put(door, CONTENT[:-1] + b"?", **{name: RIGHT[name]})
    assert answer.status_code == 400
    assert "damaged" in answer.text
    assert door.drive.get(FILE).content == CONTENT[::-1]
    assert put(door, CONTENT[1:], "inbox/new.bin", **{name: RIGHT[name]}).status_code == 400
    assert door.drive.status("inbox/new.bin") == 404
    assert "rejected" not in door.drive.listing("inbox")


def test_damaged_image(door: LocalServer) -> None:
    """An image that was damaged on its way is never imported."""
    damaged = bytearray(CT)
    damaged[-1] ^= 1
    assert put(door, bytes(damaged), "inbox/ct.dcm", OC_Checksum=f"MD5:{md5(CT)}").status_code == 400
    assert not door.orthanc.files
    assert put(door, CT, "inbox/ct.dcm", OC_Checksum=f"MD5:{md5(CT)}").status_code == 201
    assert list(door.orthanc.files.values()) == [CT]


@pytest.mark.parametrize(
    ("name", "value"),
    [("OC_Checksum", "MD5:xyz"), ("OC_Checksum", "SHA1"), ("Content_MD5", "?"), ("Content_MD5", "AAAA"),
     ("Digest", "MD5=?"),     ("Repr_Digest", "md5=:?:"), ("Repr_Digest", "sha-256=1"), ("Repr_Digest", "md5=:AA==:")],
)  # fmt: skip
def test_malformed(door: LocalServer, name: str, value: str) -> None:
    """A checksum that cannot be understood is never taken for one that is met."""
    assert put(door, CONTENT, FILE, **{name: value}).status_code == 400
    assert door.drive.status(FILE) == 404


def test_contradicting(door: LocalServer) -> None:
    """Two checksums that contradict each other cannot both be met."""
    answer = put(door, OC_Checksum=f"MD5:{md5(CONTENT)}", Content_MD5=digest(b"other"))
    assert (answer.status_code, door.drive.status(FILE)) == (400, 404)


def test_known_afterwards(door: LocalServer) -> None:
    """The checksums of a verified upload are known as long as the file is the same, under any name."""
    assert put(door, OC_Checksum=f"SHA1:{SHA1.hexdigest()}").status_code == 201
    known = asked(door.drive, "inbox")["file.bin"]
    assert sorted((known or "").split()) == [f"MD5:{md5(CONTENT)}", f"SHA1:{SHA1.hexdigest()}"]
    answer = door.drive.request("HEAD", FILE, headers={"Want-Repr-Digest": "sha=1, md5=2"})
    assert answer.headers["Repr-Digest"] == f"md5=:{digest(CONTENT)}:, sha=:{b64encode(SHA1.digest()).decode()}:"
    for method, name in (("MOVE", "inbox/moved.bin"), ("COPY", "inbox/copied.bin")):
        source = FILE if method == "MOVE" else "inbox/moved.bin"
        assert door.drive.request(method, source, headers={"Destination": door.drive.href(name)}).status_code == 201
        assert asked(door.drive, name, depth="0") == {name.rpartition("/")[2]: known}
    put(door, CONTENT + b"more", "inbox/moved.bin")
    assert asked(door.drive, "inbox/moved.bin", depth="0") == {"moved.bin": None}
    assert asked(door.drive, "inbox/copied.bin", depth="0") == {"copied.bin": known}


@pytest.mark.parametrize("content", [CONTENT, CT])
def test_date(door: LocalServer, content: bytes) -> None:
    """A file has the date that its client told, an image too, and keeps it when it is renamed."""
    assert put(door, content, X_OC_Mtime=SECONDS).headers["X-OC-Mtime"] == "accepted"
    assert date(door) == http_date(DATE)
    door.drive.request("MOVE", FILE, headers={"Destination": door.drive.href("inbox/moved")})
    assert date(door, "inbox/moved") == http_date(DATE)
    assert put(door, b"other", "inbox/moved").status_code == 204
    assert date(door, "inbox/moved") != http_date(DATE)


@pytest.mark.parametrize(
    "told", ["", "yesterday", "-1", "1e9", "0x5", "nan", "inf", "9" * 40, "99999999999", "Infinity"]
)
def test_what_is_no_date(door: LocalServer, told: str) -> None:
    """What is no date is not accepted, and the file is stored as always."""
    answer = put(door, X_OC_Mtime=told)
    assert (answer.status_code, answer.headers.get("X-OC-Mtime")) == (201, None)
    assert parse_upload_date(told) is None


def test_forms_of_a_date() -> None:
    """A date is told in seconds, with a fraction or without, or in the form of HTTP."""
    assert (
        parse_upload_date(SECONDS) == parse_upload_date(f" {SECONDS}.0") == parse_upload_date(http_date(DATE)) == DATE
    )


def test_old_files_do_not_expire(tmp_path: DiskPath) -> None:
    """A file expires by its upload, however old its client says that it is."""
    with local_server(tmp_path, maximum_age=3600) as door:
        put(door, X_OC_Mtime="1")
        assert date(door) == http_date(datetime.fromtimestamp(1, UTC))
        assert door.inbox._spool.expire() == 0
        assert door.drive.get(FILE).content == CONTENT


def test_date_by_proppatch(door: LocalServer) -> None:
    """The date can be set later in the form of ownCloud, with the checksum that is known, and is shown then."""
    put(door, OC_Checksum=f"MD5:{md5(CONTENT)}")
    known = SUMS.format(f"MD5:{md5(CONTENT)}")
    for body in (DATED.format(SECONDS, ""), DATED.format(http_date(DATE), known)):
        answer = door.drive.request("PROPPATCH", FILE, content=body)
        assert (answer.status_code, " 200 " in answer.text) == (207, True)
        assert date(door) == http_date(DATE)
    assert asked(door.drive, FILE, depth="0") == {"file.bin": f"MD5:{md5(CONTENT)}"}


@pytest.mark.parametrize(
    "body",
    [
        DATED.format("soon", ""),
        DATED.format(SECONDS, SUMS.format(f"MD5:{md5(b'')}")),
        DATED.format(SECONDS, SUMS.format("")),
        DATED.format(SECONDS, SUMS.format("SHA1:zz")),
        REMOVED.format('<oc:checksums xmlns:oc="http://owncloud.org/ns"/>'),
        REMOVED.format('<upload-record xmlns="urn:davfs"/>'),
        REMOVED.replace("remove>", "set>").format('<upload-record xmlns="urn:davfs">{}</upload-record>'),
        '<propertyupdate xmlns="DAV:"><set><prop><getlastmodified>1</getlastmodified></prop></set></propertyupdate>',
    ],
)
def test_what_cannot_be_set(door: LocalServer, body: str) -> None:
    """A wrong date, a checksum other than the known one, and the record itself are refused; nothing is changed."""
    put(door, OC_Checksum=f"MD5:{md5(CONTENT)}", X_OC_Mtime="5")
    answer = door.drive.request("PROPPATCH", FILE, content=body)
    assert (answer.status_code, " 200 " in answer.text) == (207, False)
    assert date(door) == http_date(datetime.fromtimestamp(5, UTC))
    assert asked(door.drive, FILE, depth="0") == {"file.bin": f"MD5:{md5(CONTENT)}"}


def test_date_of_a_folder(door: LocalServer) -> None:
    """The date of a folder cannot be set."""
    door.drive.request("MKCOL", "inbox/folder")
    answer = door.drive.request("PROPPATCH", "inbox/folder", content=DATED.format(SECONDS, ""))
    assert " 403 " in answer.text


def test_date_of_a_copy(door: LocalServer) -> None:
    """A file that is copied or moved with a date has that date."""
    put(door, X_OC_Mtime="5")
    headers = {"Destination": door.drive.href("inbox/copy"), "X-OC-Mtime": SECONDS}
    assert door.drive.request("COPY", FILE, headers=headers).headers["X-OC-Mtime"] == "accepted"
    assert (date(door, "inbox/copy"), date(door)) == (http_date(DATE), http_date(datetime.fromtimestamp(5, UTC)))


def test_records_are_not_seen(door: LocalServer) -> None:
    """What the drive remembers is no property that clients see."""
    put(door, X_OC_Mtime="5")
    for body in ("<allprop/>", "<propname/>", '<prop><x:upload-record xmlns:x="urn:davfs"/></prop>'):
        answer = door.drive.request("PROPFIND", FILE, content=f'<propfind xmlns="DAV:">{body}</propfind>')
        assert "upload-record" not in answer.text.replace('<p:upload-record xmlns:p="urn:davfs"/>', "")


def test_no_room_for_records(door: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for what a client tells, its file is stored all the same, and the date is not accepted."""
    monkeypatch.setattr("davfs.spool.dead_properties.LARGEST_OF_ONE_USER", 10)
    answer = put(door, X_OC_Mtime="5", OC_Checksum=f"MD5:{md5(CONTENT)}")
    assert (answer.status_code, answer.headers.get("X-OC-Mtime")) == (201, None)
    assert door.drive.get(FILE).content == CONTENT
    answer = door.drive.request("PROPPATCH", FILE, content=DATED.format(SECONDS, ""))
    assert " 507 " in answer.text


def test_damaged_records(door: LocalServer) -> None:
    """A record that cannot be read is none."""
    put(door, X_OC_Mtime="5")
    before = date(door)
    properties = door.inbox._spool._disk.properties  # type: ignore[attr-defined]
    for value in (
        b"",
        b"[]",
        b"{}",
        b'{"etag": 1, "modified": "x"}',
        b'{"etag": "a", "MD5": "x"}',
        b"\xff",
        b'{"etag":"a","modified":1e300}',
    ):
        properties.set(("file.bin",), UPLOAD_RECORD, value, "")
        assert date(door) != before


def test_uploaded_again(door: LocalServer) -> None:
    """An image that is uploaded again without a date has not the former one."""
    put(door, CT, "inbox/ct.dcm", X_OC_Mtime="5")
    put(door, CT, "inbox/ct.dcm")
    assert date(door, "inbox/ct.dcm") != http_date(datetime.fromtimestamp(5, UTC))


def test_same_date_is_not_the_same_file(door: LocalServer) -> None:
    """A file that replaced another one is never taken for it, though both have the date that their clients told."""
    put(door, X_OC_Mtime=SECONDS)
    known = door.drive.get(FILE)
    put(door, CONTENT[::-1], X_OC_Mtime=SECONDS)
    told = {"If-Modified-Since": known.headers["Last-Modified"]}
    answer = door.drive.request("GET", FILE, headers=told)
    assert (answer.status_code, answer.content) == (200, CONTENT[::-1])
    assert answer.headers["Last-Modified"] == known.headers["Last-Modified"]
    unchanged = {"If-Unmodified-Since": known.headers["Last-Modified"]}
    assert door.drive.request("PUT", FILE, content=b"lost", headers=unchanged).status_code == 412
    part = {"Range": "bytes=5-9", "If-Range": known.headers["Last-Modified"]}
    assert door.drive.request("GET", FILE, headers=part).content == CONTENT[::-1]
    assert door.drive.request("GET", FILE, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_empty_file(door: LocalServer) -> None:
    """An empty file has a checksum like any other."""
    assert put(door, b"", OC_Checksum=f"MD5:{md5(b'')}").status_code == 201
    assert asked(door.drive, FILE, depth="0") == {"file.bin": f"MD5:{md5(b'')}"}
    assert put(door, b"", OC_Checksum=f"MD5:{md5(b'x')}").status_code == 400
