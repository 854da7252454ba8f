"""Digest logins: the password is not sent, and an overheard login cannot be replayed."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from davfs.demo.process import OrthancProcess
from davfs.doors.webdav.login import authentication
from davfs.doors.webdav.login.nonces import LIFETIME, Nonces
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.doors.webdav.login.throttle import Throttle
from davfs.orthanc.access import Access
from tests.support import guarded
from tests.support.guarded import USERS, behind, serving

# pytest finds fixtures by the names in a module.
orthanc = guarded.orthanc

REALM = "Orthanc"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The clock of the door's nonces."""
    wound = SimpleNamespace(now=0.0)
    monkeypatch.setattr(authentication, "Nonces", lambda: Nonces(clock=lambda: wound.now))
    return wound


@pytest.fixture
def client(orthanc: OrthancProcess, clock: SimpleNamespace) -> Iterator[httpx.Client]:
    """A client of a door that knows its users' passwords, and one that Orthanc has changed since."""
    del clock
    access = Access(orthanc.url)
    with (
        serving(behind(LoginSettings(access, Throttle(), USERS | {"gone": "away"}, REALM))) as url,
        httpx.Client(base_url=url, trust_env=False) as opened,
    ):
        yield opened
    access.close()


def nonce(client: httpx.Client) -> str:
    """Return a new nonce."""
    return nonce_in(client.get("/"))


def nonce_in(answer: httpx.Response) -> str:
    """Return the nonce of a challenge."""
    found = re.search('nonce="([^"]+)"', answer.headers["WWW-Authenticate"])
    assert found
    return found[1]


def md5(text: bytes) -> bytes:
    """Return an MD5 in hexadecimal."""
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()


def proof(
    nonce: str, *, user: str = "alice", count: int = 1, encoding: str = "utf-8", method: str = "GET", **changed: str
) -> dict[bytes, bytes]:
    """Return the header of a Digest login as a client computes it; ``changed`` replaces fields afterwards."""
    uri, counted = changed.get("computed_uri", "/"), f"{count:08x}"
    secret = md5(f"{user}:{REALM}:{USERS.get(user, 'away')}".encode(encoding))
    response = md5(b":".join([secret, f"{nonce}:{counted}:c:auth".encode(), md5(f"{method}:{uri}".encode())]))
    fields = {
        "username": user,
        "realm": REALM,
        "nonce": nonce,
        "uri": uri,
        "cnonce": "c",
        "response": response.decode(),
    }
    fields |= {name: value for name, value in changed.items() if name in fields}
    text = ", ".join(f'{name}="{value}"' for name, value in fields.items())
    plain = f"qop={changed.get('qop', 'auth')}, nc={counted}, algorithm={changed.get('algorithm', 'MD5')}"
    return {b"Authorization": f"Digest {text}, {plain}".encode(encoding)}


@pytest.mark.parametrize("user", ["alice", "reader"])
def test_login(client: httpx.Client, user: str) -> None:
    """A user logs in, may do what Orthanc allows, and can use the nonce again."""
    auth = httpx.DigestAuth(user, USERS[user])
    for path in ("/", "/by-patient/a%20b", "/caf%C3%A9?x=1&y=%20", "/inbox/a,b;c"):
        answer = client.get(path, auth=auth)
        assert answer.json()["user"] == user
        assert answer.json()["allowed"][0] == "read"
    assert len(answer.history) == 0
    expected = 403 if user == "reader" else 200
    assert client.put("/inbox/a", content=b"x", auth=auth).status_code == expected


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_encodings(client: httpx.Client, encoding: str) -> None:
    """Names and passwords beyond ASCII are taken in UTF-8, and from older clients in Latin-1."""
    answer = client.get("/", headers=proof(nonce(client), user="müller", encoding=encoding))
    assert answer.json()["user"] == "müller"


@pytest.mark.parametrize(
    "changed",
    [
        {"username": "reader"},
        {"username": "nobody"},
        {"realm": "other"},
        {"uri": "/inbox"},
        {"computed_uri": "/inbox"},
        {"method": "PUT"},
        {"cnonce": "d"},
        {"response": "0" * 32},
        {"response": ""},
        {"response": "é"},
        {"qop": "auth-int"},
        {"qop": "x"},
        {"algorithm": "SHA-256"},
    ],
)
def test_wrong_proofs(client: httpx.Client, changed: dict[str, str]) -> None:
    """Any difference to what the password proves is refused, also a proof for another request."""
    known = nonce(client)
    answer = client.get("/", headers=proof(known, **changed))  # type: ignore[arg-type]  # `method` is among the strings
    assert answer.status_code == 401
    assert "stale" not in answer.headers["WWW-Authenticate"]
    assert client.get("/", headers=proof(known)).status_code == 200


def test_replays(client: httpx.Client) -> None:
    """A replayed login is refused; one with the next count, even a little out of order, is not."""
    known = nonce(client)
    for count in (1, 3, 2):
        assert client.get("/", headers=proof(known, count=count)).status_code == 200
    for count in (1, 2, 3):
        answer = client.get("/", headers=proof(known, count=count))
        assert answer.status_code == 401
        assert "stale=true" in answer.headers["WWW-Authenticate"]


def test_expiry(client: httpx.Client, clock: SimpleNamespace) -> None:
    """An expired nonce is answered as stale if the password is right: the client retries without asking the user."""
    known = nonce(client)
    assert client.get("/", headers=proof(known)).status_code == 200
    clock.now += LIFETIME - 1
    assert client.get("/", headers=proof(known, count=2)).status_code == 200
    clock.now += LIFETIME
    answer = client.get("/", headers=proof(known, count=3))
    assert answer.status_code == 401
    assert "stale=true" in answer.headers["WWW-Authenticate"]
    assert client.get("/", headers=proof(nonce_in(answer))).status_code == 200
    wrong = client.get("/", headers=proof(known, count=4, response="0" * 32))
    assert "stale" not in wrong.headers["WWW-Authenticate"]


def test_nonces_of_others(client: httpx.Client) -> None:
    """A nonce of another process is answered as stale, since the server may have been restarted."""
    answer = client.get("/", headers=proof(Nonces().create()))
    assert answer.status_code == 401
    assert "stale=true" in answer.headers["WWW-Authenticate"]


def test_orthanc_has_the_last_word(client: httpx.Client) -> None:
    """A password that Orthanc does not accept, or does not accept any more, is refused."""
    assert client.get("/", headers=proof(nonce(client), user="gone")).status_code == 401
    assert client.get("/", headers=proof(nonce(client), user="blind")).status_code == 403


def test_guessing_is_slowed_down(client: httpx.Client) -> None:
    """Wrong proofs count like wrong passwords."""
    known = nonce(client)
    statuses = [client.get("/", headers=proof(known, response=f"{n:032x}")).status_code for n in range(20)]
    assert statuses[:4] == [401] * 4
    assert 429 in statuses


def test_not_offered_where_no_password_is_known(orthanc: OrthancProcess, tmp_path: Path) -> None:
    """Without passwords the door offers Basic alone, and a proof is no credentials."""
    del tmp_path
    access = Access(orthanc.url)
    with serving(behind(LoginSettings(access, Throttle()))) as url:
        answer = httpx.get(url, headers=proof(Nonces().create()), trust_env=False)
        assert answer.status_code == 401
        assert answer.headers.get_list("WWW-Authenticate") == ['Basic realm="Orthanc", charset="UTF-8"']
    access.close()


def test_node_among_others_offers_basic_alone(orthanc: OrthancProcess) -> None:
    """A node of several offers no Digest: behind a balancer, each node would refuse the nonces of the other ones."""
    access = Access(orthanc.url)
    with serving(behind(LoginSettings(access, Throttle(), USERS, offers_digest=False))) as url:
        assert httpx.get(url, trust_env=False).headers["WWW-Authenticate"].startswith("Basic ")
    access.close()
