"""Digest (RFC 7616): a login without sending the password, for Windows, which sends none over plain HTTP (KB 841215).

Only with MD5 and ``qop=auth``, which all clients know, and only for users whose passwords the drive knows: Orthanc's
``RegisteredUsers``.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote_to_bytes

from davfs.doors.webdav.login.nonces import Nonces
from davfs.orthanc.access import Credentials, decoded_user

_PARAMETER = re.compile(r'\b(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_ESCAPED = re.compile(r"\\(.)")
_ORIGIN = re.compile(r"^https?://[^/?]*", re.IGNORECASE)  # of a target in absolute form (RFC 9112 §3.2.2)
_NEEDED = frozenset({"username", "realm", "nonce", "uri", "response", "qop", "nc", "cnonce"})
_COUNT = re.compile(r"[0-9a-fA-F]{1,8}")
_HEXADECIMAL = 16


@dataclass(frozen=True, slots=True)
class DigestLogin:
    """A parsed Authorization header of Digest (RFC 7616 §3.4); each character is a byte (PEP 3333).

    Attributes:
        user: The name, as text.
        parameters: All parameters, without quotes.
    """

    user: str
    parameters: Mapping[str, str]

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse what follows ``Digest``; None if a parameter is missing, or an algorithm is not offered."""
        found = {name.lower(): plain or _ESCAPED.sub(r"\1", quoted) for name, quoted, plain in _PARAMETER.findall(text)}
        offered = found.get("algorithm", "MD5").upper() == "MD5" and found.get("qop", "").lower() == "auth"
        if not offered or not found.keys() >= _NEEDED:
            return None
        return cls(decoded_user(found["username"].encode("latin-1")), found)


class DigestAuthenticator:
    """Challenges clients, and verifies their responses.

    Args:
        users: Passwords of the users.
        realm: Shown to users, so that they know which password to enter; without quotes.
        nonces: Creates nonces, and stores their use.
    """

    def __init__(self, users: Mapping[str, str], realm: str, nonces: Nonces) -> None:
        self._users = dict(users)
        self._realm = realm
        self._nonces = nonces
        self._unknown = secrets.token_hex()  # for unknown users, who take as long as others

    def challenge(self, *, stale: bool = False) -> str:
        """Return a value of WWW-Authenticate (RFC 7616 §3.3)."""
        suffix = ", stale=true" if stale else ""
        nonce = self._nonces.create()
        return f'Digest realm="{self._realm}", qop="auth", algorithm=MD5, nonce="{nonce}", charset=UTF-8{suffix}'

    def credentials(self, login: DigestLogin, method: str, target: str) -> Credentials | None:
        """Return the user's credentials if the client knows the password, else None; `is_new` detects replays.

        Args:
            login: The parsed header.
            method: The request's method.
            target: The request's target, as in the request line.
        """
        password = self._users.get(login.user)
        is_right = self._is_right(login.parameters, method, self._unknown if password is None else password)
        is_for_target = login.parameters["realm"] == self._realm and same_resource(login.parameters["uri"], target)
        if password is None or not is_right or not is_for_target or not _COUNT.fullmatch(login.parameters["nc"]):
            return None
        return Credentials.of(login.user, password)

    def is_new(self, login: DigestLogin) -> bool:
        """Return False if a verified login was used before, or its nonce has expired."""
        return self._nonces.use(login.parameters["nonce"], int(login.parameters["nc"], _HEXADECIMAL))

    def _is_right(self, sent: Mapping[str, str], method: str, password: str) -> bool:
        """Compare with the response for a password (RFC 7616 §3.4.1), in constant time."""
        name = sent["username"].encode("latin-1")
        resource = _md5(f"{method}:{sent['uri']}".encode("latin-1"))
        proof = ":".join([sent["nonce"], sent["nc"], sent["cnonce"], sent["qop"], resource]).encode("latin-1")
        spellings = (password.encode(), _in_latin_1(password))  # UTF-8 is offered, which some clients ignore
        is_right = False
        for spelling in spellings:
            secret = _md5(b"%b:%b:%b" % (name, self._realm.encode(), spelling))
            expected = _md5(secret.encode("ascii") + b":" + proof).encode("ascii")
            is_right |= hmac.compare_digest(expected, sent["response"].lower().encode("latin-1"))
        return is_right


def _in_latin_1(password: str) -> bytes:
    """Return a password in Latin-1, or in UTF-8 if it has other characters, which must not become a ``?``."""
    try:
        return password.encode("latin-1")
    except UnicodeEncodeError:
        return password.encode()


def same_resource(uri: str, target: str) -> bool:
    """Return True if two spellings of a request's target are equivalent (RFC 7616 §3.4.6)."""
    return _canonical(uri) == _canonical(target)


def _canonical(target: str) -> tuple[list[bytes], str]:
    path, _, query = _ORIGIN.sub("", target).partition("?")
    return [unquote_to_bytes(segment.encode("latin-1")) for segment in path.split("/")], query


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
