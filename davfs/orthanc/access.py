"""Checks a user's permissions by asking Orthanc itself, with the user's own password: the drive is never more open.

Orthanc knows more than its list of users: an ``IncomingHttpRequestFilter`` in Lua, or a plugin, can refuse a method or
a path to some of them. So a permission is not looked up, it is tried, with requests that do nothing where they are
allowed. The responses of Orthanc 1.10.1, and what it logs at its default level:

=========================================  =======  ==============  ===========  =====================
request                                    allowed  wrong password  by a filter  log
=========================================  =======  ==============  ===========  =====================
GET /system                                200      401             403          nothing
GET /patients/… of an id that cannot be    404      401             403          nothing
GET /instances/…/file of such an id        404      401             403          nothing
POST /instances, a ZIP without a file      200      401             403          nothing
POST /instances, an empty body             400      401             403          an error: bad file format
DELETE /instances/… of such an id          404      401             403          nothing
=========================================  =======  ==============  ===========  =====================

A 404 alone proves little, since any other server gives one: so ``/system`` is requested first, and has to be Orthanc's.
Patients' names need as much protection as images, and each of Orthanc's four levels has paths of its own that a filter
can name: so reading and deleting are tried on each.

With ``"ReadOnly": true`` (since 1.12.5) the response to POST and DELETE is 405 for all users.

Three permissions cannot represent a filter that shows a user some patients and not others, nor one that depends on the
client's address, which in these requests is that of the drive.
"""

import base64
import binascii
import hashlib
import io
import json
import re
import secrets
import ssl
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import Self

from davfs.cache import LruSet
from davfs.errors import Unavailable
from davfs.orthanc.address import OrthancAddress
from davfs.orthanc.client import Limits, OrthancClient, trust_anyone
from davfs.orthanc.http_response import HttpResponse
from davfs.orthanc.outage import Outage

LIFETIME = 60.0
"""Seconds for which a granted permission is cached."""

_CAPACITY = 4096
_USER = re.compile("//[^/]*@")
_LIMITS = Limits(read=10.0, idle=0.5)

_NOBODY = "00000000-00000000-00000000-00000000-00000000"
"""A well-formed id of no resource: it would be the SHA-1 of a resource's identifiers."""


def _empty_zip() -> bytes:
    """Return a ZIP with one folder and no file: Orthanc imports nothing of it, and complains of nothing."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("empty/"), b"")
    return content.getvalue()


class Permission(Enum):
    """An operation on Orthanc's resources."""

    READ = auto()
    WRITE = auto()
    DELETE = auto()


class Decision(Enum):
    """Orthanc's decision about a permission."""

    GRANTED = auto()
    REFUSED = auto()
    """The user is known, and not allowed (403)."""
    UNKNOWN = auto()
    """A name and a password are missing or wrong (401)."""
    READ_ONLY = auto()
    """Nobody is allowed: the setting ReadOnly is on (405)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password.

    Attributes:
        user: The name, for logs.
        secret: Name, colon and password in the bytes that the client sent (RFC 7617 §2): the encoding is its own.
    """

    user: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, user: str, password: str) -> Self:
        """Return the credentials of a user whose password is known, in UTF-8 as in Orthanc's configuration."""
        return cls(user, f"{user}:{password}".encode())

    @classmethod
    def from_basic(cls, token: str) -> Self | None:
        """Parse the token behind ``Basic`` in an Authorization header; return None if it is malformed."""
        try:
            secret = base64.b64decode(token, validate=True)
        except (binascii.Error, ValueError):
            return None
        user, colon, _ = secret.partition(b":")
        return cls(decoded_user(user), secret) if colon else None

    @property
    def authorization(self) -> bytes:
        """The Authorization header; Orthanc takes ``Basic`` in this very spelling, with one space."""
        return b"Basic " + base64.b64encode(self.secret)


def decoded_user(name: bytes) -> str:
    """Return a user's name as text: UTF-8, or Latin-1 from the clients that know nothing else."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


@dataclass(frozen=True, slots=True)
class _Probe:
    method: str
    path: str
    allowed: frozenset[int]
    body: bytes | None = None


def _each_level(method: str, *paths: str) -> tuple[_Probe, ...]:
    return tuple(_Probe(method, path, frozenset({HTTPStatus.NOT_FOUND})) for path in paths)


_SYSTEM = _Probe("GET", "/system", frozenset({HTTPStatus.OK}))
_LEVELS = tuple(f"/{level}/{_NOBODY}" for level in ("patients", "studies", "series", "instances"))
_PROBES: dict[Permission, tuple[_Probe, ...]] = {
    Permission.READ: (_SYSTEM, *_each_level("GET", *_LEVELS, f"/instances/{_NOBODY}/file")),
    Permission.WRITE: (
        _SYSTEM,
        _Probe("POST", "/instances", frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST}), _empty_zip()),
    ),
    Permission.DELETE: (_SYSTEM, *_each_level("DELETE", *_LEVELS)),
}


class Access:
    """Asks Orthanc for users' permissions, and caches granted ones for a while; refusals are never cached.

    Args:
        url: Orthanc's address; a name and a password in it are left out, they are not the users'.
        verify: Context for TLS; True if this system has to trust Orthanc's certificate; False for no check of it.
        outage: While Orthanc's database is gone, permissions stay granted that were when that began.
        lifetime: Seconds for which a granted permission is cached.
        clock: Monotonic time in seconds.
        capacity: Number of cached permissions.
    """

    def __init__(  # noqa: PLR0913  what tests control, each with its default
        self,
        url: str,
        *,
        verify: ssl.SSLContext | bool = True,
        outage: Outage | None = None,
        lifetime: float = LIFETIME,
        clock: Callable[[], float] = time.monotonic,
        capacity: int = _CAPACITY,
    ) -> None:
        tls = verify if isinstance(verify, ssl.SSLContext) else None if verify else trust_anyone()
        self._client = OrthancClient(OrthancAddress.parse(_USER.sub("//", url, count=1)), tls=tls, limits=_LIMITS)
        self._outage = outage or Outage()
        self._clock = clock
        self._salt = secrets.token_bytes(hashlib.blake2b.MAX_KEY_SIZE)
        self._granted = LruSet[bytes](capacity, lifetime=lifetime, now=self._now)

    def ask(self, permission: Permission, credentials: Credentials | None) -> Decision:
        """Return Orthanc's decision about a user.

        Args:
            permission: The operation.
            credentials: Name and password; None if the client sent none.

        Raises:
            Unavailable: Orthanc does not answer, or another server does.
        """
        key = self._key(permission, credentials)
        if key in self._granted:
            return Decision.GRANTED
        self._outage.check()
        decision = self._try(permission, credentials)
        if decision is Decision.GRANTED:
            self._granted.add(key)
        return decision

    def close(self) -> None:
        """Close the connections to Orthanc."""
        self._client.close()

    def _now(self) -> float:
        """Return the time at which permissions expire or not: it stands still during an outage."""
        since = self._outage.since
        return self._clock() if since is None else since

    def _key(self, permission: Permission, credentials: Credentials | None) -> bytes:
        salted = hashlib.blake2b(permission.name.encode(), key=self._salt)
        if credentials is not None:
            salted.update(b"\0" + credentials.secret)
        return salted.digest()

    def _try(self, permission: Permission, credentials: Credentials | None) -> Decision:
        headers = {} if credentials is None else {"Authorization": credentials.authorization.decode("ascii")}
        for probe in _PROBES[permission]:
            decision = self._send(probe, headers)
            if decision is not Decision.GRANTED:
                return decision
        return Decision.GRANTED

    def _send(self, probe: _Probe, headers: dict[str, str]) -> Decision:
        response = self._client.request(probe.method, probe.path, probe.body, headers)
        match response.status:
            case HTTPStatus.UNAUTHORIZED:
                return Decision.UNKNOWN
            case HTTPStatus.FORBIDDEN:
                return Decision.REFUSED
            case HTTPStatus.METHOD_NOT_ALLOWED if probe.method != "GET":
                return Decision.READ_ONLY
            case status if status in probe.allowed and (probe is not _SYSTEM or _is_orthanc(response)):
                return Decision.GRANTED
        raise Unavailable(f"Orthanc answered {response.status} where it was asked for a permission")


def _is_orthanc(response: HttpResponse) -> bool:
    """Return True if ``/system`` was answered by Orthanc, and not by the login page of a proxy in front of it."""
    try:
        return "ApiVersion" in json.loads(response.read())
    except (ValueError, TypeError):
        return False
