"""Who comes in: the first of the middlewares.

1. A request brings nothing, a name and a password (Basic, RFC 7617), or the proof that it knows one (Digest, RFC 7616).
2. After too many wrong passwords others are not looked at for a moment (`throttle`): 429, at once, so that no worker
   waits. Who is known, but may not read, has not guessed.
3. Orthanc is asked whether this user, or anybody, may read (`davfs.orthanc.access`); after a Digest login, with the
   password that is known here.
4. It is asked again for what the request needs beyond that (`permissions`).

Not WsgiDAV's own HTTPAuthenticator: its Digest takes any nonce, of whatever age and as often as it comes; it offers
Basic or Digest, not both; and a header that is no Base64 makes it fail.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ, context_of
from davfs.doors.webdav.login.address import client_address, is_secret
from davfs.doors.webdav.login.digest import Claim, Digest
from davfs.doors.webdav.login.nonces import Nonces
from davfs.doors.webdav.login.permissions import PERMISSIONS, Permissions, needed
from davfs.errors import Unavailable
from davfs.orthanc.access import Credentials, Decision, Permission

_log = logging.getLogger(__name__)

_RETRY_SECONDS = "5"
_LOGGED_NAME = 64
_LONGEST_NAME = 256
"""Characters of a user's name, which is kept with every lock of theirs."""
_LONGEST_SECRET = 8192
"""Bytes of a name and a password; more does not fit into a request to Orthanc, which has 16 KB for all headers."""
_WHAT = {Permission.READ: "read", Permission.WRITE: "upload", Permission.DELETE: "delete"}

_Headers = tuple[tuple[str, str], ...]
_StartResponse = Callable[..., Any]


class _Denied(Exception):
    """A request that goes no further."""

    def __init__(self, status: HTTPStatus, reason: str, headers: _Headers = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class Authentication(BaseMiddleware):
    """Lets in whom Orthanc lets in, and for what it does.

    Args:
        wsgidav_app: Not used.
        next_app: Gets the requests that may go on, with their user's name and `Permissions`.
        config: WsgiDAV's configuration; the context in it has the `LoginSettings`.
    """

    def __init__(self, wsgidav_app: Any, next_app: Any, config: Mapping[str, Any]) -> None:
        super().__init__(wsgidav_app, next_app, config)
        settings = context_of(config).login
        self._settings = settings
        self._digest = Digest(settings.digest_users, settings.realm, Nonces()) if settings.digest_users else None
        for user, password in settings.digest_users.items():
            settings.throttle.expect(Credentials.of(user, password))

    def __call__(self, environ: Environ, start_response: _StartResponse) -> Iterable[bytes]:
        """Decision a request, or pass it on."""
        try:
            self._admit(environ)
        except _Denied as denied:
            return _refuse(start_response, denied)
        except Unavailable as error:
            return _refuse(start_response, _unavailable(error))
        passed_on: Iterable[bytes] = self.next_app(environ, start_response)
        return passed_on

    def _admit(self, environ: Environ) -> None:
        credentials = self._known(environ)
        permissions = Permissions(self._settings.access, credentials)
        path = paths.segments(environ.get("PATH_INFO", ""))
        for permission in needed(environ["REQUEST_METHOD"], path):
            answer = permissions.ask(permission)
            if answer is Decision.READ_ONLY:
                raise _Denied(HTTPStatus.FORBIDDEN, "This Orthanc is read-only: nothing can be uploaded or deleted.")
            if answer is not Decision.GRANTED:
                raise _forbidden(permission)
        environ[PERMISSIONS] = permissions
        environ["wsgidav.auth.realm"] = self._settings.realm
        environ["wsgidav.auth.user_name"] = credentials.user if credentials else ""
        environ["wsgidav.auth.roles"] = environ["wsgidav.auth.permissions"] = ()

    def _known(self, environ: Environ) -> Credentials | None:
        """Return whose request this is, once Orthanc has agreed that they may read; None for anybody's."""
        claim = self._claim(environ.get("HTTP_AUTHORIZATION", ""))
        if claim is None:
            answer = self._settings.access.ask(Permission.READ, None)
            if answer is Decision.GRANTED:
                return None
            raise self._challenge(environ, "Log in with the name and the password that you have for Orthanc.")
        return self._proven(claim, environ)

    def _claim(self, header: str) -> Credentials | Claim | None:
        """Return who somebody says they are; None where there is nothing that can be looked into."""
        scheme, _, rest = header.strip().partition(" ")
        match scheme.lower():
            case "basic":
                return Credentials.from_basic(rest.strip())
            case "digest" if self._digest:
                return Claim.parse(rest)
        return None

    def _proven(self, claim: Credentials | Claim, environ: Environ) -> Credentials:
        """Return the credentials of somebody who is who they say, and may read; throttle those who guess."""
        address, throttle = client_address(environ, self._settings.trusted_proxies), self._settings.throttle
        credentials = claim if isinstance(claim, Credentials) else self._checked(claim, environ)
        if credentials and (len(credentials.secret) > _LONGEST_SECRET or len(credentials.user) > _LONGEST_NAME):
            credentials = None
        if seconds := throttle.admit(claim.user, address, credentials):
            headers = (("Retry-After", str(seconds)),)
            raise _Denied(HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong passwords: wait a moment.", headers)
        if credentials and isinstance(claim, Claim) and self._digest and not self._digest.is_new(claim):
            raise self._challenge(environ, "This login has expired: log in again.", stale=True)
        answer = self._settings.access.ask(Permission.READ, credentials) if credentials else Decision.UNKNOWN
        if credentials and (
            answer is Decision.GRANTED or (answer is Decision.REFUSED and self._is_known_by_password())
        ):
            throttle.succeeded(address, credentials)
            if answer is Decision.GRANTED:
                return credentials
            raise _forbidden(Permission.READ)
        throttle.failed(claim.user, address, credentials)
        _log.warning("login refused: user=%a address=%s", claim.user[:_LOGGED_NAME], address)
        if answer is Decision.REFUSED:
            raise _forbidden(Permission.READ)
        raise self._challenge(environ, "Wrong name or password.")

    def _is_known_by_password(self) -> bool:
        """Tell whether Orthanc looks at the password before a filter of it can refuse somebody.

        It does where it asks for one (401). Where it does not, the filter may have refused the password itself.
        """
        return self._settings.access.ask(Permission.READ, None) is Decision.UNKNOWN

    def _checked(self, claim: Claim, environ: Environ) -> Credentials | None:
        if self._digest is None:
            return None
        return self._digest.credentials(claim, environ["REQUEST_METHOD"], environ["REQUEST_URI"])

    def _challenge(self, environ: Environ, reason: str, *, stale: bool = False) -> _Denied:
        """Return 401 with the ways to log in, each in a header of its own: few can split one.

        The best comes first, for some take the first one: Digest where passwords could be read on the way; where they
        cannot, Basic, which all clients know.
        """
        offers = [self._digest.challenge(stale=stale)] if self._digest else []
        basic = f'Basic realm="{self._settings.realm}", charset="UTF-8"'
        offers.insert(0 if is_secret(environ, self._settings.trusted_proxies) else len(offers), basic)
        return _Denied(HTTPStatus.UNAUTHORIZED, reason, tuple(("WWW-Authenticate", offer) for offer in offers))


def _forbidden(permission: Permission) -> _Denied:
    return _Denied(HTTPStatus.FORBIDDEN, f"Orthanc does not let this user {_WHAT[permission]}.")


def _unavailable(error: Unavailable) -> _Denied:
    return _Denied(HTTPStatus.SERVICE_UNAVAILABLE, error.reason, (("Retry-After", _RETRY_SECONDS),))


def _refuse(start_response: _StartResponse, denied: _Denied) -> Iterable[bytes]:
    """Decision. The server reads the body of the request, as far as it does that, before the answer goes out."""
    body = f"{denied.reason}\n".encode()
    headers = [
        *denied.headers,
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    start_response(f"{denied.status.value} {denied.status.phrase}", headers)
    return [body]
