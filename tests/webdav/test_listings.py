"""PROPFIND through door 2: the fast answers, and what goes on to WsgiDAV."""

from collections.abc import Iterator
from pathlib import Path as DiskPath

import pytest
from lxml import etree

from tests.support.inbox import CT
from tests.support.local_door import LocalDoor, local_door
from tests.support.webdav import DAV, parse

NAMES = ("a.dcm", "b & <c>.txt", "50% é + #;?.txt", "ﬁ 日本.txt")
LOCK = b"""<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>"""
COLOUR = b"""<prop><x:colour xmlns:x="urn:x">red</x:colour></prop>"""
SET = b"""<propertyupdate xmlns="DAV:"><set>%s</set></propertyupdate>""" % COLOUR
ASKED = b"""<propfind xmlns="DAV:"><prop>%s</prop></propfind>"""
EVERYTHING = ASKED % b"".join(
    b"<%s/>" % name
    for name in (
        b"displayname", b"resourcetype", b"getcontentlength", b"getcontenttype", b"getlastmodified", b"creationdate",
        b"getetag", b"supportedlock", b"lockdiscovery", b"quota-used-bytes", b"quota-available-bytes",
        b"executable xmlns='http://apache.org/dav/props/'",
        b"Win32FileAttributes xmlns='urn:schemas-microsoft-com:'",
    )
)  # fmt: skip


def fill(door: LocalDoor) -> None:
    """Put files and a folder into the inbox."""
    for name in NAMES:
        door.inbox.write((name,), CT if name.endswith(".dcm") else name.encode())
    door.inbox.make_folder(("folder",))


@pytest.fixture
def door(tmp_path: DiskPath) -> Iterator[LocalDoor]:
    """A door with files."""
    with local_door(tmp_path) as door:
        fill(door)
        yield door


def propfind(
    door: LocalDoor, path: str, body: bytes = b"", depth: str = "1", **headers: str
) -> dict[str, dict[str, set[str]]]:
    """Return for each href the properties as XML, by their status."""
    answer = door.drive.request("PROPFIND", path, content=body, headers={"Depth": depth, **headers})
    assert answer.status_code == 207, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    return {each.href: _properties(each.raw) for each in parse(answer.content)}


def _properties(response: etree._Element) -> dict[str, set[str]]:
    return {
        propstat.findtext(f"{DAV}status", ""): {_written(each) for each in propstat.iterfind(f"{DAV}prop/*")}
        for propstat in response.iterfind(f"{DAV}propstat")
    }


def _written(element: etree._Element) -> str:
    """Return an element with its namespace, whatever the prefix."""
    return f"{element.tag}({(element.text or '').strip()}{''.join(map(_written, element))})"


def test_depths(door: LocalDoor) -> None:
    """Depth 0 shows what was asked for alone, also of a file; depth 1 what is in a folder, and of a file itself."""
    assert list(propfind(door, "inbox", depth="0")) == ["/inbox/"]
    assert list(propfind(door, "inbox/a.dcm", depth="0")) == ["/inbox/a.dcm"]
    assert list(propfind(door, "inbox/a.dcm/", depth="1")) == ["/inbox/a.dcm"]
    assert set(door.drive.listing("inbox")) == {*NAMES, "folder"}
    assert set(door.drive.listing()) == {"README.txt", "inbox"}
    assert set(propfind(door, "inbox", depth="infinity")) == set(propfind(door, "inbox"))


def test_hrefs(door: LocalDoor) -> None:
    """What a listing shows can be asked for as it is written, and folders end in a slash."""
    for href in propfind(door, "inbox"):
        assert href.isascii()
        answer = door.drive.http.request("PROPFIND", href, headers={"Depth": "0"})
        assert [each.href for each in parse(answer.content)] == [href]
        assert href.endswith("/") == (href in {"/inbox/", "/inbox/folder/"})


def test_quota(door: LocalDoor) -> None:
    """A folder of the inbox tells how full it is, where it is asked; a file has no such property."""
    found = propfind(door, "inbox", ASKED % b"<quota-used-bytes/><quota-available-bytes/>")
    used = sum(len(name.encode()) for name in NAMES[1:])
    assert f"{DAV}quota-used-bytes({used})" in found["/inbox/"]["HTTP/1.1 200 OK"]
    assert list(found["/inbox/a.dcm"]) == ["HTTP/1.1 404 Not Found"]
    assert list(propfind(door, "", ASKED % b"<quota-used-bytes/>", depth="0")["/"]) == ["HTTP/1.1 404 Not Found"]


@pytest.mark.parametrize("path", ["", "inbox", "inbox/folder", "inbox/a.dcm", "README.txt"])
def test_same_as_the_slow_way(door: LocalDoor, path: str) -> None:
    """The fast answers have all values that WsgiDAV's have, which gets requests with a condition on locks."""
    fast, slow = (propfind(door, path, EVERYTHING, **headers) for headers in ({}, {"If": "(Not <DAV:no-lock>)"}))
    assert set(fast) == set(slow)
    for href, found in slow.items():
        assert f"{DAV}getlastmodified" in str(_comparable(found))
        assert _comparable(found) <= _comparable(fast[href])


def _comparable(found: dict[str, set[str]]) -> set[str]:
    """Return what has a value; WsgiDAV shows entity tags without quotes, and locks where nothing can be locked."""
    return {
        each
        for each in found["HTTP/1.1 200 OK"]
        if not each.endswith("()") and "lock" not in each and "tag" not in each
    }


def test_entity_tags(door: LocalDoor) -> None:
    """A file has the same entity tag in a listing as when it is downloaded."""
    for name, each in door.drive.listing("inbox").items():
        if not each.is_folder:
            assert each.text("getetag") == door.drive.head(f"inbox/{name}").headers["etag"]


def test_dead_properties(door: LocalDoor) -> None:
    """What a client has set is shown again, with all others, by name, and among names."""
    assert door.drive.request("PROPPATCH", "inbox/a.dcm", content=SET).status_code == 207
    for body, text in ((b"", "red"), (ASKED % b"<x:colour xmlns:x='urn:x'/>", "red")):
        answer = door.drive.request("PROPFIND", "inbox", content=body, headers={"Depth": "1"})
        assert [each.raw.findtext(".//{urn:x}colour") for each in parse(answer.content) if each.name == "a.dcm"] == [
            text
        ]


def test_locks(door: LocalDoor) -> None:
    """While something is locked, lockdiscovery shows it."""
    token = door.drive.request("LOCK", "inbox/a.dcm", content=LOCK).headers["lock-token"].strip("<>")
    for body in (b"", ASKED % b"<lockdiscovery/>"):
        found = propfind(door, "inbox/a.dcm", body, depth="0")
        assert token in str(found["/inbox/a.dcm"]["HTTP/1.1 200 OK"])


def test_nothing(door: LocalDoor) -> None:
    """What is not there is 404, and the connection goes on."""
    answer = door.drive.request("PROPFIND", "inbox/._a.dcm", headers={"Depth": "0"})
    assert answer.status_code == 404
    assert door.drive.status("inbox") == 207


@pytest.mark.parametrize(
    ("body", "status"), [(b"<a", 400), (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 400), (b" " * 70_000, 413)]
)
def test_bad_bodies(door: LocalDoor, body: bytes, status: int) -> None:
    """A request that cannot be understood is refused, whether its length is known or not."""
    for content in (body, iter([body[:1], body[1:]])):
        answer = door.drive.request("PROPFIND", "inbox", content=content, headers={"Depth": "1"})
        assert answer.status_code == status
    assert door.drive.status("inbox") == 207
