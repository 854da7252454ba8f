"""Conditions of requests that change something (RFC 9110 §13.1, RFC 4918 §10.4), and locks."""

import pytest

from tests.support import dicom, doors
from tests.support.doors import Door
from tests.support.drive import import_by_rest, resource
from tests.support.locking import lock, locked, tagged, unlock
from tests.support.webdav import WebDav

process = doors.process
standalone = doors.standalone
server = doors.server
STRANGE = "<opaquelocktoken:0xdead>"
_SET = '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>{}</D:prop></D:set></D:propertyupdate>'


def set_property(drive: WebDav, path: str, *names: str) -> str:
    """Set properties, and return the answer."""
    values = "".join(f'<z:{name} xmlns:z="urn:z">value</z:{name}>' for name in names)
    answer = drive.request("PROPPATCH", path, content=_SET.format(values))
    assert answer.status_code == 207
    return answer.text


def shown(drive: WebDav, path: str) -> str:
    """Return what an allprop shows of a file."""
    return drive.request("PROPFIND", path, headers={"Depth": "0"}).text


@pytest.mark.parametrize(
    "headers",
    [{"If-Match": "*"}, {"If-Match": '"x"'}, {"If": '(["x"])'}, {"If": f"({STRANGE})"}, {"If": "</inbox/> (<a:b>)"}],
)
@pytest.mark.parametrize("method", ["PUT", "MKCOL", "LOCK"])
def test_nothing_there(server: Door, method: str, headers: dict[str, str]) -> None:
    """A condition on an existing resource fails where nothing is, and nothing is created."""
    assert server.drive.request(method, "inbox/nothing", headers=headers).status_code == 412
    assert server.drive.status("inbox/nothing") == 404


@pytest.mark.parametrize("condition", ['["old"]', STRANGE, "<DAV:no-lock>", '["{tag}"] ' + STRANGE, 'Not ["{tag}"]'])
def test_tagged_conditions(server: Door, condition: str) -> None:
    """A condition applies however its resource is written: davfs2 sends the whole URL."""
    server.drive.put("inbox/tägged (1).txt", b"first")
    condition = condition.format(tag=server.drive.head("inbox/tägged (1).txt").headers["ETag"].strip('"'))
    headers = tagged(server.drive, "inbox/tägged (1).txt", condition)
    for method in ("PUT", "DELETE", "PROPPATCH"):
        assert server.drive.request(method, "inbox/tägged (1).txt", headers=headers).status_code == 412
    assert server.drive.get("inbox/tägged (1).txt").content == b"first"


def test_met_conditions(server: Door) -> None:
    """A condition is met if one of its lists is, even one about another resource."""
    server.drive.put("inbox/met", b"first")
    tag = server.drive.head("inbox/met").headers["ETag"]
    for headers in (
        tagged(server.drive, "inbox/met", "[{tag}]", "Not <DAV:no-lock>"),
        {"If": f"({STRANGE}) ([{{tag}}])"},
        {"If": f"</inbox/none> ({STRANGE}) </inbox/met> ([{{tag}}])"},
        {"If-Match": "{tag}"},
        {"If-Match": '"other", {tag}'},
    ):
        sent = {name: value.format(tag=tag) for name, value in headers.items()}
        answer = server.drive.request("PUT", "inbox/met", content=b"next", headers=sent)
        assert answer.status_code == 204, headers
        assert server.drive.request("PUT", "inbox/met", content=b"no", headers=sent).status_code == 412
        tag = answer.headers["ETag"]


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_conditions_are_about_the_source(server: Door, method: str) -> None:
    """Conditions on the source of a COPY or MOVE are not applied to its target."""
    server.drive.put("inbox/source", b"source")
    server.drive.put("inbox/target", b"target")
    tag, token = server.drive.head("inbox/source").headers["ETag"], locked(server.drive, "inbox/source")
    headers = {"Destination": "/inbox/target", "If-Match": tag, "If": f"({token})"}
    assert server.drive.request(method, "inbox/source", headers=headers).status_code == 204
    assert server.drive.get("inbox/target").content == b"source"
    unlock(server.drive, "inbox/source", token)


@pytest.mark.parametrize("depth", ["0", "infinity"])
def test_nothing_new_in_a_locked_folder(server: Door, depth: str) -> None:
    """Without the lock's token nothing can be added to a locked folder, not even by a lock on a new name."""
    server.drive.mkcol("inbox/closed")
    server.drive.put("inbox/free", b"x")
    token = locked(server.drive, "inbox/closed", depth)
    into = {"Destination": "/inbox/closed/new"}
    assert lock(server.drive, "inbox/closed/new").status_code == 423
    assert server.drive.put("inbox/closed/new", b"x").status_code == 423
    assert server.drive.mkcol("inbox/closed/new").status_code == 423
    assert server.drive.request("COPY", "inbox/free", headers=into).status_code == 423
    assert server.drive.request("MOVE", "inbox/free", headers=into).status_code == 423
    assert server.drive.delete("inbox/closed").status_code == 423
    assert not server.drive.listing("inbox/closed")
    headers = {"If": f"({token})"}
    assert server.drive.request("PUT", "inbox/closed/new", content=b"x", headers=headers).status_code == 201
    assert server.drive.request("DELETE", "inbox/closed", headers=headers).status_code == 204


@pytest.mark.parametrize("method", ["DELETE", "MOVE"])
def test_lock_below(server: Door, method: str) -> None:
    """A folder in which something is locked stays where it is, unless the token is submitted (RFC 4918 §7.4)."""
    server.drive.mkcol("inbox/holding")
    server.drive.put("inbox/holding/file", b"x")
    token = locked(server.drive, "inbox/holding/file")
    to = {"Destination": "/inbox/held"}
    assert server.drive.request(method, "inbox/holding", headers=to).status_code == 423
    headers = to | tagged(server.drive, "inbox/holding/file", token)
    assert server.drive.request(method, "inbox/holding", headers=headers).status_code in (201, 204)
    assert server.drive.put("inbox/holding", b"free again").status_code == 201
    for name in ("inbox/holding", "inbox/held"):
        server.drive.delete(name)


def test_lock_of_what_is_gone(server: Door) -> None:
    """The lock of an image ends when the image is deleted, also when it is deleted in Orthanc."""
    content = dicom.instance("unlocked")
    server.drive.mkcol("inbox/gone")
    assert server.drive.put("inbox/gone/image", content).status_code == 201
    locked(server.drive, "inbox/gone/image")
    server.rest.delete(resource(content, "instances"))
    assert server.drive.status("inbox/gone") == 207
    assert server.drive.put("inbox/gone/image", b"another").status_code == 201
    locked(server.drive, "inbox/gone/image")
    import_by_rest(server.rest, content)
    assert server.drive.put("inbox/gone/second", content).status_code == 201
    locked(server.drive, "inbox/gone/second")
    server.rest.delete(resource(content, "instances"))
    assert server.drive.delete("inbox/gone").status_code == 423
    assert server.drive.status("inbox/gone/image") == 207


def test_depth_of_what_is_locked(server: Door) -> None:
    """With depth 0 a locked folder is shown without its content."""
    server.drive.mkcol("inbox/alone")
    server.drive.put("inbox/alone/file", b"x")
    token = locked(server.drive, "inbox/alone")
    (only,) = server.drive.propfind("inbox/alone", depth="0")
    assert only.href == "/inbox/alone/"
    assert token.strip("<>") in str(only.raw.xpath("string()"))
    assert unlock(server.drive, "inbox/alone", token) == 204


@pytest.mark.parametrize("name", ["plain.txt", "a (1).txt", "it's, 1!.txt", "x&y;z=1.txt", "naïve~$.txt", "50%.txt"])
def test_properties_go_with_their_file(server: Door, name: str) -> None:
    """Properties of a file are shown, moved and copied with it, whatever characters its name contains."""
    server.drive.put(f"inbox/{name}", b"x")
    set_property(server.drive, f"inbox/{name}", "mine")
    assert "urn:z" in shown(server.drive, f"inbox/{name}")
    for method, target in (("COPY", f"inbox/copied {name}"), ("MOVE", f"inbox/moved {name}")):
        server.drive.request(method, f"inbox/{name}", headers={"Destination": server.drive.href(target)})
        assert "urn:z" in shown(server.drive, target)


def test_properties_stay_with_what_they_were_set_at(server: Door) -> None:
    """A file that replaces one that went through Orthanc has none of its properties."""
    content = dicom.instance("properties")
    server.drive.put("inbox/inherited", content)
    set_property(server.drive, "inbox/inherited", "mine")
    server.rest.delete(resource(content, "instances"))
    server.drive.put("inbox/inherited", b"another")
    assert "urn:z" not in shown(server.drive, "inbox/inherited")


def test_all_properties_or_none(server: Door) -> None:
    """Where one of many properties cannot be set, none is (RFC 4918 §9.2)."""
    server.drive.put("inbox/many", b"x")
    answer = set_property(server.drive, "inbox/many", *(f"n{number}" for number in range(300)))
    assert "200 OK" not in answer
    assert "507 Insufficient Storage" in answer
    assert "urn:z" not in shown(server.drive, "inbox/many")


def test_large_owner(server: Door) -> None:
    """The owner element of a lock is limited, since up to ten thousand are kept in memory."""
    server.drive.put("inbox/owned", b"x")
    assert lock(server.drive, "inbox/owned", owner="x" * 10_000).status_code == 413
    assert server.drive.put("inbox/owned", b"y").status_code == 204


def test_unlock_by_another_token(server: Door) -> None:
    """A lock ends only by its own token at its own path."""
    server.drive.put("inbox/mine", b"x")
    server.drive.put("inbox/other", b"x")
    token = locked(server.drive, "inbox/mine")
    assert unlock(server.drive, "inbox/mine", STRANGE) == 409
    assert unlock(server.drive, "inbox/other", token) == 409
    assert server.drive.put("inbox/mine", b"y").status_code == 423
    assert unlock(server.drive, "inbox/mine", token) == 204


def test_tokens_of_nobody(server: Door) -> None:
    """The internal keys of WsgiDAV's locks are not accepted as tokens."""
    server.drive.put("inbox/keyed", b"x")
    token = locked(server.drive, "inbox/keyed")
    key = "<URL2TOKEN:/inbox/keyed>"
    assert unlock(server.drive, "inbox/keyed", key) == 409
    assert server.drive.request("LOCK", "inbox/keyed", headers={"If": f"(Not {key})"}).status_code == 412
    assert unlock(server.drive, "inbox/keyed", token) == 204


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "inbox/answered"), ("MKCOL", "inbox/answered folder"), ("COPY", "inbox/answered"), ("POST", "inbox/"),
     ("FOO", "inbox/"), ("MKCOL", "inbox/no/folder"), ("DELETE", "inbox/nothing"), ("GET", "inbox/nothing"),
     ("UNLOCK", "inbox/nothing"), ("PUT", "inbox/")],
)  # fmt: skip
def test_answers_are_plain(server: Door, method: str, path: str) -> None:
    """No response names WsgiDAV or the server's time, or is an HTML page instead of a sentence."""
    headers = {"Destination": "/inbox/answered copy", "If": "(Not <DAV:no-lock>)"}
    answer = server.drive.request(method, path, headers=headers)
    assert "html" not in answer.headers.get("Content-Type", "")
    assert "wsgidav" not in (answer.text + str(answer.headers)).lower()
    assert answer.is_success == (answer.content == b"")
    assert answer.status_code < 500


COMMENTED = {
    "PROPFIND": "<D:propfind {}><!-- a --><D:prop><!-- b --><?c d?><D:lockdiscovery/></D:prop></D:propfind>",
    "PROPPATCH": "<D:propertyupdate {}><D:set><D:prop><!-- a --><z/><?b c?></D:prop></D:set></D:propertyupdate>",
    "LOCK": "<D:lockinfo {}><!-- a --><D:lockscope><D:shared/></D:lockscope><D:locktype><!-- b --><D:write/>"
    "</D:locktype></D:lockinfo>",
}


@pytest.mark.parametrize(("method", "body"), COMMENTED.items())
@pytest.mark.parametrize("path", ["", "inbox", "inbox/commented", "README.txt"])
def test_comments(server: Door, method: str, body: str, path: str) -> None:
    """Comments and processing instructions in XML are ignored."""
    server.drive.put("inbox/commented", b"x")
    answer = server.drive.request(method, path, content=body.format('xmlns:D="DAV:"'))
    assert answer.status_code in (200, 207, 403, 423)
    if token := answer.headers.get("Lock-Token"):
        assert unlock(server.drive, path, token) == 204


def test_timeout_without_end(server: Door) -> None:
    """A timeout too large to compute is refused."""
    server.drive.put("inbox/long", b"x")
    assert lock(server.drive, "inbox/long", timeout="Second-" + "9" * 5000).status_code == 400
    assert server.drive.put("inbox/long", b"y").status_code == 204


@pytest.mark.parametrize("method", ["PUT", "MKCOL", "DELETE", "LOCK", "MOVE", "COPY", "PROPPATCH", "UNLOCK"])
def test_root_stays(server: Door, method: str) -> None:
    """Requests that would change the root of the drive are refused with a reason."""
    answer = server.drive.request(method, "", headers={"Destination": "/inbox/root"})
    assert 400 <= answer.status_code < 500
    assert answer.content
