"""Digest: passwords that a response proves."""

import hashlib
import re

import pytest

from davfs.doors.webdav.login.digest import DigestAuthenticator, DigestLogin
from davfs.doors.webdav.login.nonces import Nonces
from davfs.orthanc.access import Credentials

REALM, USER = "Orthanc", "ivan"


def md5(text: bytes) -> bytes:
    """Return an MD5 in hexadecimal."""
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()


def logged_in(password: str, tried: bytes) -> Credentials | None:
    """Return the result of a login with the bytes of a password, for a user with a password."""
    digest = DigestAuthenticator({USER: password}, REALM, Nonces())
    found = re.search('nonce="([^"]+)"', digest.challenge())
    assert found
    secret = md5(f"{USER}:{REALM}:".encode() + tried)
    response = md5(b"%b:%b:00000001:c:auth:%b" % (secret, found[1].encode(), md5(b"GET:/"))).decode()
    told = f'username="{USER}", realm="{REALM}", nonce="{found[1]}", uri="/", cnonce="c", response="{response}"'
    login = DigestLogin.parse(f"{told}, qop=auth, nc=00000001")
    assert login
    return digest.credentials(login, "GET", "/")


@pytest.mark.parametrize("password", ["secret", "paßwort", "пароль", "日本語", "a€b", "??????"])
def test_passwords(password: str) -> None:
    """The right password logs in, in UTF-8, and in Latin-1 where it has a spelling in that."""
    assert logged_in(password, password.encode()) == Credentials.of(USER, password)
    in_latin_1 = password.encode("latin-1", "ignore")
    expected = Credentials.of(USER, password) if in_latin_1.decode("latin-1") == password else None
    assert logged_in(password, in_latin_1) == expected


@pytest.mark.parametrize("password", ["пароль", "日本語", "a€b", "e\u0301"])
@pytest.mark.parametrize("errors", ["replace", "ignore", "xmlcharrefreplace", "backslashreplace"])
def test_what_an_encoding_makes_of_a_password(password: str, errors: str) -> None:
    """A password in an encoding that lacks its characters, with question marks in their place, is wrong."""
    for encoding in ("latin-1", "ascii", "cp1252"):
        tried = password.encode(encoding, errors)
        if tried.decode(encoding) != password:
            assert logged_in(password, tried) is None
