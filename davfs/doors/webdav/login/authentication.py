"""Who comes in: the first of the middlewares.

1. A request brings nothing, a name and a password (Basic, RFC 7617), or the proof that it knows one (Digest, RFC 7616).
2. Whoever has guessed wrong often has to wait (`throttle`); who is known, but may not read, has not guessed.
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
from davfs.doors.webdav.login.digest import Claim, Digest, Failure
from davfs.doors.webdav.login.nonces import Nonces
from davfs.doors.webdav.login.permissions import PERMISSIONS, Permissions, needed
from davfs.errors import Unavailable
from davfs.orthanc.access import Answer, Credentials, Permission

_log = logging.getLogger(__name__)

_RETRY_SECONDS = "5"
_LONGEST_NAME = 64
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
        config: WsgiDAV's configuration; the context in it has the `Gate`.
    """

    def __init__(self, wsgidav_app: Any, next_app: Any, config: Mapping[str, Any]) -> None:
        super().__init__(wsgidav_app, next_app, config)
        gate = context_of(config).gate
        self._gate = gate
        self._digest = Digest(gate.digest_users, gate.realm, Nonces()) if gate.digest_users else None

    def __call__(self, environ: Environ, start_response: _StartResponse) -> Iterable[bytes]:
        """Answer a request, or pass it on."""
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
        permissions = Permissions(self._gate.access, credentials)
        path = paths.segments(environ.get("PATH_INFO", ""))
        for permission in needed(environ["REQUEST_METHOD"], path):
            answer = permissions.ask(permission)
            if answer is Answer.READ_ONLY:
                raise _Denied(HTTPStatus.FORBIDDEN, "This Orthanc is read-only: nothing can be uploaded or deleted.")
            if answer is not Answer.GRANTED:
                raise _forbidden(permission)
        environ[PERMISSIONS] = permissions
        environ["wsgidav.auth.realm"] = self._gate.realm
        environ["wsgidav.auth.user_name"] = credentials.user if credentials else ""
        environ["wsgidav.auth.roles"] = environ["wsgidav.auth.permissions"] = ()

    def _known(self, environ: Environ) -> Credentials | None:
        """Return whose request this is, once Orthanc has agreed that they may read; None for anybody's."""
        claim = self._claim(environ.get("HTTP_AUTHORIZATION", ""))
        if claim is None:
            answer = self._gate.access.ask(Permission.READ, None)
            if answer is Answer.GRANTED:
                return None
            raise self._challenge("Log in with the name and the password that you have for Orthanc.")
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
        """Return the credentials of somebody who is who they say, and may read; slow down those who guess."""
        user, address, throttle = claim.user, environ.get("REMOTE_ADDR", ""), self._gate.throttle
        if seconds := throttle.admit(user, address):
            headers = (("Retry-After", str(seconds)),)
            raise _Denied(HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong passwords: wait a moment.", headers)
        outcome = self._login(claim, environ)
        if isinstance(outcome, Credentials):
            throttle.succeeded(user, address)
            return outcome
        if outcome is Failure.STALE:
            raise self._challenge("This login has expired: log in again.", stale=True)
        if outcome is Answer.REFUSED and self._is_known_by_password():
            throttle.succeeded(user, address)
            raise _forbidden(Permission.READ)
        throttle.failed(user, address)
        _log.warning("login refused: user=%a address=%s", user[:_LONGEST_NAME], address)
        if outcome is Answer.REFUSED:
            raise _forbidden(Permission.READ)
        raise self._challenge("Wrong name or password.")

    def _login(self, claim: Credentials | Claim, environ: Environ) -> Credentials | Failure | Answer:
        credentials = claim if isinstance(claim, Credentials) else self._check(claim, environ)
        if isinstance(credentials, Failure):
            return credentials
        answer = self._gate.access.ask(Permission.READ, credentials)
        return credentials if answer is Answer.GRANTED else answer

    def _is_known_by_password(self) -> bool:
        """Tell whether Orthanc looks at the password before a filter of it can refuse somebody.

        It does where it asks for one (401). Where it does not, the filter may have refused the password itself.
        """
        return self._gate.access.ask(Permission.READ, None) is Answer.UNKNOWN

    def _check(self, claim: Claim, environ: Environ) -> Credentials | Failure:
        if self._digest is None:
            return Failure.WRONG
        return self._digest.check(claim, environ["REQUEST_METHOD"], environ["REQUEST_URI"])

    def _challenge(self, reason: str, *, stale: bool = False) -> _Denied:
        """Return 401 with the ways to log in, the strongest first, each in a header of its own: few can split one."""
        offers = [self._digest.challenge(stale=stale)] if self._digest else []
        offers.append(f'Basic realm="{self._gate.realm}", charset="UTF-8"')
        return _Denied(HTTPStatus.UNAUTHORIZED, reason, tuple(("WWW-Authenticate", offer) for offer in offers))


def _forbidden(permission: Permission) -> _Denied:
    return _Denied(HTTPStatus.FORBIDDEN, f"Orthanc does not let this user {_WHAT[permission]}.")


def _unavailable(error: Unavailable) -> _Denied:
    return _Denied(HTTPStatus.SERVICE_UNAVAILABLE, error.reason, (("Retry-After", _RETRY_SECONDS),))


def _refuse(start_response: _StartResponse, denied: _Denied) -> Iterable[bytes]:
    """Answer. The server reads the body of the request, as far as it does that, before the answer goes out."""
    body = f"{denied.reason}\n".encode()
    headers = [
        *denied.headers,
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    start_response(f"{denied.status.value} {denied.status.phrase}", headers)
    return [body]
