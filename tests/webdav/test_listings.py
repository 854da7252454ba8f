"""PROPFIND through door 2."""

from collections.abc import Iterator
from pathlib import Path as DiskPath

import pytest
from lxml import etree

from davfs.doors.webdav import propfind as answers
from davfs.doors.webdav import responses
from tests.support.inbox import CT
from tests.support.local_server import LocalServer, local_server
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


def fill(door: LocalServer) -> None:
    """Put files and a folder into the inbox."""
    for name in NAMES:
        door.inbox.write((name,), CT if name.endswith(".dcm") else name.encode())
    door.inbox.make_folder(("folder",))


@pytest.fixture
def door(tmp_path: DiskPath) -> Iterator[LocalServer]:
    """A door with files."""
    with local_server(tmp_path) as door:
        fill(door)
        yield door


def propfind(
    door: LocalServer, path: str, body: bytes = b"", depth: str = "1", **headers: str
) -> dict[str, dict[str, set[str]]]:
    """Return for each href the properties as XML, by their status."""
    answer = door.drive.request("PROPFIND", path, content=body, headers={"Depth": depth, **headers})
    assert answer.status_code == 207, answer.text
    assert int(answer.headers.get("content-length", len(answer.content))) == len(answer.content)
    return {each.href: _properties(each.raw) for each in parse(answer.content)}


def _properties(response: etree._Element) -> dict[str, set[str]]:
    return {
        propstat.findtext(f"{DAV}status", ""): {_written(each) for each in propstat.iterfind(f"{DAV}prop/*")}
        for propstat in response.iterfind(f"{DAV}propstat")
    }


def _written(element: etree._Element) -> str:
    """Return an element with its namespace, whatever the prefix."""
    return f"{element.tag}({(element.text or '').strip()}{''.join(map(_written, element))})"


def test_depths(door: LocalServer) -> None:
    """Depth 0 lists only the resource itself, depth 1 a folder's entries as well, and infinity the same as 1."""
    assert list(propfind(door, "inbox", depth="0")) == ["/inbox/"]
    assert list(propfind(door, "inbox/a.dcm", depth="0")) == ["/inbox/a.dcm"]
    assert list(propfind(door, "inbox/a.dcm/", depth="1")) == ["/inbox/a.dcm"]
    assert set(door.drive.listing("inbox")) == {*NAMES, "folder"}
    assert set(door.drive.listing()) == {"README.txt", "inbox"}
    assert set(propfind(door, "inbox", depth="infinity")) == set(propfind(door, "inbox"))


def test_hrefs(door: LocalServer) -> None:
    """Each href of a listing can be requested as it is, and those of folders end with a slash."""
    for href in propfind(door, "inbox"):
        assert href.isascii()
        answer = door.drive.http.request("PROPFIND", href, headers={"Depth": "0"})
        assert [each.href for each in parse(answer.content)] == [href]
        assert href.endswith("/") == (href in {"/inbox/", "/inbox/folder/"})


def test_quota(door: LocalServer) -> None:
    """Folders of the inbox have the properties of its quota, and so has the root, which is mounted; files have not."""
    found = propfind(door, "inbox", ASKED % b"<quota-used-bytes/><quota-available-bytes/>")
    used = sum(len(name.encode()) for name in NAMES[1:])
    assert f"{DAV}quota-used-bytes({used})" in found["/inbox/"]["HTTP/1.1 200 OK"]
    assert list(found["/inbox/a.dcm"]) == ["HTTP/1.1 404 Not Found"]
    root = propfind(door, "", ASKED % b"<quota-used-bytes/>", depth="0")["/"]
    assert f"{DAV}quota-used-bytes({used})" in root["HTTP/1.1 200 OK"]


@pytest.mark.parametrize("path", ["", "inbox", "inbox/folder", "inbox/a.dcm", "README.txt"])
def test_met_condition(door: LocalServer, path: str) -> None:
    """A condition that is met changes nothing; for one that is not, the response is an error."""
    assert propfind(door, path, EVERYTHING, If="(Not <DAV:no-lock>)") == propfind(door, path, EVERYTHING)
    refused = door.drive.request("PROPFIND", path, headers={"Depth": "1", "If": "(<DAV:no-lock>)"})
    assert refused.status_code == 412


def test_same_as_a_download(door: LocalServer) -> None:
    """A listing has the size, date and entity tag of a file that its download has."""
    pairs = {"getcontentlength": "content-length", "getcontenttype": "content-type", "getlastmodified": "last-modified"}
    for name, each in door.drive.listing("inbox").items():
        if not each.is_folder:
            headers = door.drive.head(f"inbox/{name}").headers
            assert {key: each.text(key) for key in pairs} == {key: headers[header] for key, header in pairs.items()}


def test_entity_tags(door: LocalServer) -> None:
    """A file has the same entity tag in a listing as when it is downloaded."""
    for name, each in door.drive.listing("inbox").items():
        if not each.is_folder:
            assert each.text("getetag") == door.drive.head(f"inbox/{name}").headers["etag"]


def test_dead_properties(door: LocalServer) -> None:
    """Dead properties are shown with all others, by name, and among the names."""
    assert door.drive.request("PROPPATCH", "inbox/a.dcm", content=SET).status_code == 207
    for body, text in ((b"", "red"), (ASKED % b"<x:colour xmlns:x='urn:x'/>", "red")):
        answer = door.drive.request("PROPFIND", "inbox", content=body, headers={"Depth": "1"})
        assert [each.raw.findtext(".//{urn:x}colour") for each in parse(answer.content) if each.name == "a.dcm"] == [
            text
        ]


@pytest.mark.parametrize("value", ["50 %s &amp; &lt;%d&gt;", "<y xmlns='' z='%'/>", "", "]]&gt;\r\n%"])
def test_any_value(door: LocalServer, value: str) -> None:
    """A property is returned as it was set, on files and folders, whatever its value."""
    text = f"<x:colour xmlns:x='urn:x'>{value}</x:colour>"
    for path in ("inbox/folder", "inbox/b & <c>.txt"):
        content = f'<propertyupdate xmlns="DAV:"><set><prop>before {text} after</prop></set></propertyupdate>'
        assert door.drive.request("PROPPATCH", path, content=content).status_code == 207
    found = propfind(door, "inbox", ASKED % b"<x:colour xmlns:x='urn:x'/>", depth="infinity")
    with_it = [shown["HTTP/1.1 200 OK"] for shown in found.values() if "HTTP/1.1 200 OK" in shown]
    assert with_it == [{_written(etree.fromstring(text))}] * 2
    assert b"after" not in door.drive.request("PROPFIND", "inbox/folder", headers={"Depth": "0"}).content


def test_lock_on_a_folder(door: LocalServer) -> None:
    """A lock is shown with owner, depth and root, if requested (RFC 4918 §15.8)."""
    owned = LOCK.replace(b"</lockinfo>", b"<owner>50 %s <href>http://me/</href></owner></lockinfo>")
    token = door.drive.request("LOCK", "inbox/folder", content=owned).headers["lock-token"].strip("<>")
    door.drive.request(
        "PUT", "inbox/folder/file", content=b"x", headers={"If": f"<{door.drive.href('inbox/folder')}> (<{token}>)"}
    )
    for path, root in (("inbox/folder", "/inbox/folder/"), ("inbox/folder/file", "/inbox/folder/")):
        (shown,) = propfind(door, path, ASKED % b"<lockdiscovery/>", depth="0").values()
        ((lock,),) = shown.values()
        assert f"{DAV}owner(50 %s{DAV}href(http://me/))" in lock
        assert f"{DAV}lockroot({DAV}href({root}))" in lock
        assert f"{DAV}depth(infinity)" in lock
        assert f"{DAV}locktoken({DAV}href({token}))" in lock


@pytest.mark.parametrize(
    ("names", "status"), [(["a"] * 900, 207), ([f"a{n}" for n in range(101)], 413), (["a" * 2000, "b" * 2100], 413)]
)
def test_many_names(door: LocalServer, names: list[str], status: int) -> None:
    """The names in a request, which a response repeats for each entry, are limited."""
    body = ASKED % "".join(f"<{name}/>" for name in names).encode()
    assert door.drive.request("PROPFIND", "inbox", content=body, headers={"Depth": "1"}).status_code == status


def test_long_answer(door: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A response too long to be cached is the same, without Content-Length."""
    short = propfind(door, "inbox")
    assert "content-length" in door.drive.request("PROPFIND", "inbox", headers={"Depth": "1"}).headers
    monkeypatch.setattr(responses, "_BUFFERED", 100)
    assert propfind(door, "inbox") == short
    assert "content-length" not in door.drive.request("PROPFIND", "inbox", headers={"Depth": "1"}).headers


def test_large_properties(door: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead properties are shown up to a limit: one client cannot make a folder too large for all others."""
    monkeypatch.setattr(answers, "_DEAD", 10)
    for name in NAMES:
        assert door.drive.request("PROPPATCH", f"inbox/{name}", content=SET).status_code == 207
    for body in (b"", ASKED % b"<x:colour xmlns:x='urn:x'/>"):
        found = propfind(door, "inbox", body)
        assert len(found) == len(NAMES) + 2
        assert str(found).count("{urn:x}colour(red)") == 1
    assert "lockdiscovery" not in str(propfind(door, "inbox", ASKED % b"<getetag/>"))


def test_locks(door: LocalServer) -> None:
    """While something is locked, lockdiscovery shows it."""
    token = door.drive.request("LOCK", "inbox/a.dcm", content=LOCK).headers["lock-token"].strip("<>")
    for body in (b"", ASKED % b"<lockdiscovery/>"):
        found = propfind(door, "inbox/a.dcm", body, depth="0")
        assert token in str(found["/inbox/a.dcm"]["HTTP/1.1 200 OK"])


def test_nothing(door: LocalServer) -> None:
    """A missing resource is 404, and the connection serves the next request."""
    answer = door.drive.request("PROPFIND", "inbox/._a.dcm", headers={"Depth": "0"})
    assert answer.status_code == 404
    assert door.drive.status("inbox") == 207


@pytest.mark.parametrize(
    ("body", "status"), [(b"<a", 400), (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", 400), (b" " * 70_000, 413)]
)
def test_bad_bodies(door: LocalServer, body: bytes, status: int) -> None:
    """A malformed request is refused, with and without a known length."""
    for content in (body, iter([body[:1], body[1:]])):
        answer = door.drive.request("PROPFIND", "inbox", content=content, headers={"Depth": "1"})
        assert answer.status_code == status
    assert door.drive.status("inbox") == 207


def test_locks_are_offered_where_they_are_granted(door: LocalServer) -> None:
    """The property supportedlock is shown of exactly those resources on which LOCK succeeds (RFC 4918 §15.10)."""
    door.inbox.make_folder(("folder", "below"))
    for path in ("", "README.txt", "inbox", "inbox/folder", "inbox/folder/below", "inbox/a.dcm"):
        by_itself = propfind(door, path, ASKED % b"<supportedlock/>", depth="0")
        in_folder = propfind(door, path.rpartition("/")[0], ASKED % b"<supportedlock/>")
        (href,) = by_itself
        answer = door.drive.request("LOCK", path, content=LOCK, headers={"Depth": "0"})
        assert answer.status_code == (200 if "/" in path else 403), path
        for found in (by_itself[href], in_folder[href]):
            assert ("HTTP/1.1 200 OK" in found) == answer.is_success, path
