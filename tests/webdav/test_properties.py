"""Dead properties, and live ones beside them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from lxml import etree

from davfs.demo.process import OrthancProcess
from davfs.doors.webdav import propfind as answers
from tests.support import dicom, doors
from tests.support.doors import COLLECTION, Door, opened
from tests.support.drive import resource
from tests.support.local_server import local_server
from tests.support.webdav import WebDav

process, server = doors.process, doors.inside
SET = '<propertyupdate xmlns="DAV:"><set><prop><x:colour xmlns:x="urn:x">blue</x:colour></prop></set></propertyupdate>'
PROPNAME = '<propfind xmlns="DAV:"><propname/></propfind>'
ALL = '<propfind xmlns="DAV:"><allprop/></propfind>'


@pytest.fixture
def drive(server: Door) -> Iterator[WebDav]:
    """A drive with a file that has a property of its own."""
    assert server.drive.put("inbox/painted", b"x").is_success
    assert server.drive.request("PROPPATCH", "inbox/painted", content=SET).status_code == 207
    yield server.drive
    server.drive.delete("inbox/painted")


def found(answer: httpx.Response, status: int = 200) -> dict[str, str | None]:
    """Return the properties of the first response that have this status, by name."""
    assert answer.status_code == 207, answer.text
    response = etree.fromstring(answer.content)[0]
    return {
        str(element.tag): element.text
        for part in response.iterfind("{DAV:}propstat")
        if f" {status} " in str(part.findtext("{DAV:}status"))
        for element in part.iterfind("{DAV:}prop/*")
    }


def propfind(drive: WebDav, path: str, body: str, depth: str = "0") -> httpx.Response:
    """Ask for properties."""
    return drive.request("PROPFIND", path, content=body, headers={"Depth": depth})


def test_shown_with_all(drive: WebDav) -> None:
    """A property that was set is returned beside the live ones, which are unchanged."""
    shown = found(propfind(drive, "inbox/painted", ALL))
    assert shown.pop("{urn:x}colour") == "blue"
    drive.put("inbox/plain", b"x")
    plain = found(propfind(drive, "inbox/plain", ALL))
    assert shown.keys() == plain.keys()
    for name in ("{DAV:}getcontentlength", "{DAV:}getcontenttype"):
        assert shown[name] == plain[name]
    assert shown["{DAV:}getetag"] == drive.head("inbox/painted").headers["ETag"]


def test_names_alone(drive: WebDav) -> None:
    """A PROPFIND for the names of all properties gets no values (RFC 4918 §9.1)."""
    names = found(propfind(drive, "inbox/painted", PROPNAME))
    assert {"{urn:x}colour", "{DAV:}getetag", "{DAV:}resourcetype"} <= names.keys()
    assert not any(names.values())


@pytest.mark.parametrize("name", ["quota-used-bytes", "nothing"])
def test_what_is_not_there(drive: WebDav, name: str) -> None:
    """A property that a file does not have is not found, also where clients have set others."""
    body = f'<propfind xmlns="DAV:"><prop><{name}/><getetag/><c:colour xmlns:c="urn:x"/></prop></propfind>'
    answer = propfind(drive, "inbox/painted", body)
    assert f"{{DAV:}}{name}" in found(answer, 404)
    assert found(answer)["{urn:x}colour"] == "blue"


def test_gone_with_the_file(drive: WebDav) -> None:
    """A new file of the same name has no property of the old one."""
    drive.delete("inbox/painted")
    drive.put("inbox/painted", b"new")
    assert "{urn:x}colour" not in found(propfind(drive, "inbox/painted", ALL))


def test_gone_without_a_request_to_this_door(process: OrthancProcess, server: Door, drive: WebDav) -> None:
    """A file that is deleted at the other door, or in Orthanc, loses its properties; a new file has none."""
    image = dicom.instance("annotated")
    drive.put("inbox/image", image)
    assert drive.request("PROPPATCH", "inbox/image", content=SET).status_code == 207
    with opened(COLLECTION, process) as other:
        assert other.drive.delete("inbox/painted").status_code == 204
        server.rest.delete(resource(image, "instances"))
        assert drive.status("inbox/image") == 404
        for path in ("inbox/painted", "inbox/image"):
            assert other.drive.put(path, b"new").status_code == 201
            assert "{urn:x}colour" not in found(propfind(drive, path, ALL))
            drive.delete(path)


def test_kept_where_the_file_stays(drive: WebDav) -> None:
    """Properties survive new content, and a rename by which a file is imported for the first time."""
    image = dicom.instance("renamed")
    drive.put("inbox/painted", image)
    assert found(propfind(drive, "inbox/painted", ALL))["{urn:x}colour"] == "blue"
    drive.put("inbox/._painted", dicom.instance("saved"))
    assert drive.request("PROPPATCH", "inbox/._painted", content=SET).status_code == 207
    target = {"Destination": str(drive.http.base_url.join(drive.href("inbox/saved")))}
    assert drive.request("MOVE", "inbox/._painted", headers=target).status_code == 201
    assert found(propfind(drive, "inbox/saved", ALL))["{urn:x}colour"] == "blue"
    drive.delete("inbox/saved")


def test_of_the_inbox_itself(drive: WebDav) -> None:
    """Properties of the inbox itself are shown there, and in the listing of the root."""
    assert drive.request("PROPPATCH", "inbox", content=SET).status_code == 207
    assert found(propfind(drive, "inbox", ALL))["{urn:x}colour"] == "blue"
    assert drive.listing()["inbox"].raw.findtext(".//{urn:x}colour") == "blue"
    removal = SET.replace("set>", "remove>")
    assert drive.request("PROPPATCH", "inbox", content=removal).status_code == 207
    assert "{urn:x}colour" not in found(propfind(drive, "inbox", ALL))


def test_properties_count_towards_the_quota(drive: WebDav) -> None:
    """Properties count towards the inbox's quota, have a limit per file, and are freed with it."""
    large = SET.replace("blue", "x" * 60_000)
    before = quota(drive)
    statuses = []
    for number in range(10):
        body = large.replace("colour", f"colour{number}")
        statuses.append("507" if found(drive.request("PROPPATCH", "inbox/painted", content=body), 507) else "200")
    assert statuses == ["200"] * 4 + ["507"] * 6
    assert 240_000 < quota(drive) - before < 270_000
    drive.delete("inbox/painted")
    assert quota(drive) < before


def quota(drive: WebDav) -> int:
    """Return how many bytes of the inbox are used."""
    body = '<propfind xmlns="DAV:"><prop><quota-used-bytes/></prop></propfind>'
    return int(found(propfind(drive, "inbox", body))["{DAV:}quota-used-bytes"] or 0)


def test_carried(drive: WebDav) -> None:
    """A property is moved and copied together with its file."""
    target = drive.http.base_url.join(drive.href("inbox/moved"))
    assert drive.request("MOVE", "inbox/painted", headers={"Destination": str(target)}).status_code == 201
    assert found(propfind(drive, "inbox/moved", ALL))["{urn:x}colour"] == "blue"
    back = {"Destination": drive.href("inbox/painted")}
    assert drive.request("COPY", "inbox/moved", headers=back).status_code == 201
    assert found(propfind(drive, "inbox/painted", ALL))["{urn:x}colour"] == "blue"
    drive.delete("inbox/moved")


def test_infinite_depth(drive: WebDav) -> None:
    """Infinite depth, also by a missing header, lists all resources below a folder, parents first."""
    for folder in ("inbox/deep", "inbox/deep/deeper"):
        drive.mkcol(folder)
    drive.put("inbox/deep/deeper/file", b"x")
    for headers in ({"Depth": "infinity"}, {}):
        answer = drive.request("PROPFIND", "inbox/deep", headers=headers)
        hrefs = [element.findtext("{DAV:}href") for element in etree.fromstring(answer.content)]
        assert hrefs == [
            drive.href("inbox/deep/"),
            drive.href("inbox/deep/deeper/"),
            drive.href("inbox/deep/deeper/file"),
        ]
    drive.delete("inbox/deep")


def test_too_much_for_one_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a limit, the response is that infinite depth is refused (RFC 4918 §9.1.1)."""
    monkeypatch.setattr(answers, "LARGEST_RESPONSE", 5)
    with local_server(tmp_path) as door:
        for number in range(5):
            door.drive.put(f"inbox/{number}", b"x")
        refused = door.drive.request("PROPFIND", headers={"Depth": "infinity"})
        assert refused.status_code == 403
        assert b"propfind-finite-depth" in refused.content
        assert len(door.drive.propfind("inbox")) == 6
