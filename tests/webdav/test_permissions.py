"""Permissions: each method at each part of the drive, for each kind of user, over HTTP."""

from collections.abc import Iterator
from itertools import product

import httpx
import pytest

from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.drive import LEVELS, place, resource
from tests.support.guarded import USERS, guarded_orthanc
from tests.support.locking import locked, unlock
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav

READING = ("GET", "HEAD", "OPTIONS", "PROPFIND")
WRITING = (
    "PUT", "MKCOL", "DELETE", "COPY", "MOVE", "LOCK", "UNLOCK", "PROPPATCH", "POST", "PATCH", "TRACE", "FOO",
)  # fmt: skip
IMAGE = dicom.instance("guarded")
_SHOWN = place("guarded")
PLACES = ("", "README.txt", "by-patient", _SHOWN, _SHOWN.rpartition("/")[0], "inbox", "inbox/kept", "inbox/new")
DISGUISES = (
    "//inbox/kept", "/inbox//kept", "/inbox/kept/", "/inbox/kept;a=b",
    "/inbox%2Fkept", "/inbox/kept?x=1", "/inbox/kept#x",
    "/by-patient/../inbox/kept", "/by-patient/%2e%2e/inbox/kept", "/./inbox/kept", "/INBOX/kept",
    "http://other/inbox/kept",
    "/%69nbox/kept", "*", "inbox/kept", "/davfs-api/health/../../inbox/kept", "/davfs-api/health",
)  # fmt: skip
OVERRIDES = {
    "X-HTTP-Method": "DELETE", "X-HTTP-Method-Override": "DELETE", "X-Method-Override": "DELETE",
    "X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "alice", "X-Remote-User": "alice", "Remote-User": "alice",
    "X-Original-URL": "/inbox/kept",
    "X-Rewrite-URL": "/inbox/kept", "Script-Name": "/inbox",
    "X-Forwarded-Prefix": "/inbox",
}  # fmt: skip


@pytest.fixture(scope="module")
def served(
    servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OrthancProcess, ServeProcess]]:
    """A drive beside an Orthanc with users and a filter."""
    folder = tmp_path_factory.mktemp("guarded")
    with guarded_orthanc(folder) as process:
        servers.append(process)
        login = {"DAVFS_USERNAME": "alice", "DAVFS_PASSWORD": USERS["alice"]}
        with ServeProcess(folder, process.url, environment=login) as serve:
            yield process, serve.ready()
        servers.remove(process)


@pytest.fixture(scope="module")
def alice(served: tuple[OrthancProcess, ServeProcess]) -> Iterator[WebDav]:
    """The client of a user who may do everything, with an image in the archive and a file in the inbox."""
    with client(served[1], "alice") as drive:
        assert drive.put("inbox/image", IMAGE).status_code == 201
        assert drive.put("inbox/kept", b"kept").status_code == 201
        yield drive


def client(serve: ServeProcess, user: str) -> WebDav:
    """Return the client of a user; without a login for an empty name."""
    return WebDav(serve.url, auth=(user, USERS[user]) if user else None)


def all_there(alice: WebDav) -> bool:
    """Return True if everything is as it was."""
    return (
        alice.get("inbox/kept").content == b"kept"
        and alice.get(_SHOWN).content == IMAGE
        and set(alice.listing("inbox")) == {"image", "kept"}
    )


def attempt(drive: WebDav, method: str, path: str) -> httpx.Response:
    """Send a request that would change something if it was let through."""
    headers = {"Destination": "/inbox/new" if path != "inbox/new" else "/inbox/kept", "Depth": "infinity"}
    return drive.request(method, path, headers=headers | OVERRIDES, content=b"")


@pytest.mark.parametrize("user", ["", "blind"])
def test_nobody(alice: WebDav, served: tuple[OrthancProcess, ServeProcess], user: str) -> None:
    """A user who may not read images gets no data at all."""
    with client(served[1], user) as drive:
        for method, path in product((*READING, *WRITING), (*PLACES, "by-patient/nothing")):
            answer = attempt(drive, method, path)
            assert answer.status_code == (403 if user else 401), (method, path)
            assert "guarded" not in answer.text + str(answer.headers)
    assert all_there(alice)


def test_reader(alice: WebDav, served: tuple[OrthancProcess, ServeProcess]) -> None:
    """A user who may only read is refused everything else, everywhere."""
    with client(served[1], "reader") as drive:
        for method, path in product(WRITING, PLACES):
            assert attempt(drive, method, path).status_code == 403, (method, path)
        assert drive.get(_SHOWN).content == IMAGE
    assert all_there(alice)


def test_feeder(alice: WebDav, served: tuple[OrthancProcess, ServeProcess]) -> None:
    """A user who may not delete can delete no images, but files in the inbox."""
    with client(served[1], "feeder") as drive:
        for method, level in product(("DELETE", "MOVE"), range(1, len(LEVELS) + 2)):
            path = "/".join(_SHOWN.split("/")[:level])
            assert attempt(drive, method, path).status_code == 403, (method, path)
        assert drive.put("inbox/own", b"x").status_code == 201
        assert drive.delete("inbox/own").status_code == 204
    assert all_there(alice)


def test_a_lock_is_refreshed_by_its_user_alone(alice: WebDav, served: tuple[OrthancProcess, ServeProcess]) -> None:
    """Another user cannot refresh a lock with its token, which everybody can read in lockdiscovery."""
    token = locked(alice, "inbox/kept")
    tag = alice.head("inbox/kept").headers["ETag"]
    with client(served[1], "feeder") as drive:
        for condition in (f"({token})", f"(Not {token})", f"({token}) ([{tag}])", f"([{tag}] Not {token})"):
            answer = drive.request("LOCK", "inbox/kept", headers={"If": condition, "Timeout": "Second-3600"})
            assert answer.status_code in (403, 412), condition
        assert unlock(drive, "inbox/kept", token) == 403
    refreshed = alice.request("LOCK", "inbox/kept", headers={"If": f"({token})", "Timeout": "Second-90"})
    assert refreshed.status_code == 200
    assert unlock(alice, "inbox/kept", token) == 204


def test_disguises(alice: WebDav, served: tuple[OrthancProcess, ServeProcess]) -> None:
    """Permissions hold for every spelling of a path."""
    for user, method, target in product(("", "reader", "blind"), ("PUT", "DELETE", "MOVE", "GET"), DISGUISES):
        with client(served[1], user) as drive:
            authorization = httpx.BasicAuth(user, USERS[user])._auth_header if user else ""
            headers = OVERRIDES | {"Destination": "/inbox/new"} | ({"Authorization": authorization} if user else {})
            status, content = drive.verbatim(method, target, headers)
        if target == "/davfs-api/health":
            assert status == (200 if method == "GET" else 405)
        elif user == "reader" and method == "GET":
            assert status in (200, 400, 404), (method, target)
        else:
            assert status in (400, 401, 403, 429), (user, method, target, status)
        assert user == "reader" or b"kept" not in content
    assert all_there(alice)


def test_images_cannot_be_deleted(alice: WebDav, served: tuple[OrthancProcess, ServeProcess]) -> None:
    """Images cannot be deleted through a drive that does not allow it, and no file can be put beside them."""
    for method, path in product(WRITING, PLACES[:5]):
        answer = attempt(alice, method, path)
        assert answer.status_code in (403, 404, 405, 409, 400, 412), (method, path, answer.status_code)
    assert all_there(alice)
    with httpx.Client(base_url=served[0].url, auth=("alice", USERS["alice"]), trust_env=False) as rest:
        assert rest.get(resource(IMAGE, "instances")).status_code == 200


def test_logs_have_no_names(alice: WebDav, served: tuple[OrthancProcess, ServeProcess]) -> None:
    """The logs of Orthanc and of the drive have no name of a patient or of a file after refused requests."""
    for path in ("inbox/Secretname.dcm", "by-patient/Secretname", "Secretname/x"):
        for method in (*READING, *WRITING):
            alice.request(
                method, path, content=b"Secretname", headers={"Destination": "/inbox/Secretname", "If": "(Secretname"}
            )
            attempt(alice, method, path)
    alice.put("inbox/Secretname.dcm", b"\0" * 128 + b"DICM" + b"Secretname" * 100)
    for text in (served[0].log.read_text(), served[1].text):
        assert "Secretname" not in text
        assert "guarded" not in text.replace(str(served[0].folder), "")
