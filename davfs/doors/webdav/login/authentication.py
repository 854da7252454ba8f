"""Logs users in and checks their permissions, both by asking Orthanc.

1. A request has no credentials, a name and a password (Basic, RFC 7617), or the proof of a password (Digest, RFC 7616).
2. Repeated wrong passwords are throttled (`throttle`): 429, at once, so that no worker waits. A known user who may not
   read has given no wrong password.
3. Orthanc is asked whether this user, or an anonymous one, may read (`davfs.orthanc.access`); after a Digest login
   with the password from the settings.
4. Orthanc is asked for the other permissions that the request requires (`permissions`).

WsgiDAV's own HTTPAuthenticator accepts any nonce, of whatever age and any number of times; it offers Basic or Digest,
not both; and a header that is no Base64 makes it fail.
"""

import logging
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import Environ, StartResponse, access_of, context_of, path_of
from davfs.doors.webdav.login.client_address import client_address, is_secret
from davfs.doors.webdav.login.digest import DigestAuthenticator, DigestLogin
from davfs.doors.webdav.login.login_records import LoginRecords
from davfs.doors.webdav.login.nonces import Nonces
from davfs.doors.webdav.login.permissions import required_permissions
from davfs.doors.webdav.responses import send_text, unavailable
from davfs.errors import Unavailable
from davfs.orthanc.access import Credentials, Decision, Permission

_log = logging.getLogger(__name__)

CREDENTIALS = "davfs.credentials"
"""Key of the user's `Credentials` in the environment of a request; None for an anonymous user."""
_LOGGED_NAME = 64
_LONGEST_NAME = 256
"""Characters of a user's name, which is stored with each of their locks."""
_LONGEST_SECRET = 8192
"""Bytes of name and password; more does not fit into a request to Orthanc, which takes 16 KB of headers."""
_READ_ONLY = "This Orthanc is read-only: nothing can be uploaded or deleted."
_ACTIONS = {Permission.READ: "read", Permission.WRITE: "upload", Permission.DELETE: "delete"}

_Headers = tuple[tuple[str, str], ...]


class _LoginRefused(Exception):
    """A request is refused with a status and a reason."""

    def __init__(self, status: HTTPStatus, reason: str, headers: _Headers = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers


class Authentication(BaseMiddleware):
    """Passes on the requests of users who have the required permissions.

    Args:
        wsgidav_app: Not used.
        next_app: Answers these requests; finds the user's name and credentials in the environment.
        config: WsgiDAV's configuration; its context has the `LoginSettings`.
    """

    def __init__(self, wsgidav_app: Any, next_app: Any, config: Mapping[str, Any]) -> None:
        super().__init__(wsgidav_app, next_app, config)
        context = context_of(config)
        self._settings = settings = context.login
        self._logins = LoginRecords(context)
        users = settings.digest_users
        has_digest = users and settings.offers_digest
        self._digest = DigestAuthenticator(users, settings.realm, Nonces()) if has_digest else None
        for user, password in users.items():
            settings.throttle.trust(Credentials.of(user, password))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or pass it on."""
        try:
            self._admit(environ)
        except _LoginRefused as refused:
            return send_text(environ, start_response, refused.status, refused.reason, refused.headers)
        except Unavailable as error:
            access_of(environ).failed(error)
            return unavailable(environ, start_response, error.reason)
        response: Iterable[bytes] = self.next_app(environ, start_response)
        return response

    def _admit(self, environ: Environ) -> None:
        credentials = self._authenticate(environ)
        environ["wsgidav.auth.user_name"] = credentials.user if credentials else ""
        if credentials:
            self._logins.record_login(environ)
        path = path_of(environ)
        for permission in required_permissions(environ["REQUEST_METHOD"], path):
            decision = self._settings.access.ask(permission, credentials)
            if decision is not Decision.GRANTED:
                access_of(environ).refused("Forbidden")
            if decision is Decision.READ_ONLY:
                raise _LoginRefused(HTTPStatus.FORBIDDEN, _READ_ONLY)
            if decision is not Decision.GRANTED:
                raise _forbidden(permission)
        environ[CREDENTIALS] = credentials
        environ["wsgidav.auth.realm"] = self._settings.realm
        environ["wsgidav.auth.roles"] = environ["wsgidav.auth.permissions"] = ()

    def _authenticate(self, environ: Environ) -> Credentials | None:
        """Return the credentials of a user who may read; None for an anonymous one."""
        login = self._parse(environ.get("HTTP_AUTHORIZATION", ""))
        if login is None:
            if self._settings.access.ask(Permission.READ, None) is Decision.GRANTED:
                return None
            raise self._challenge(environ, "Log in with the name and the password that you have for Orthanc.")
        return self._verify(login, environ)

    def _parse(self, header: str) -> Credentials | DigestLogin | None:
        """Parse an Authorization header; None if it is missing, malformed, or of a scheme that is not offered."""
        scheme, _, rest = header.strip().partition(" ")
        match scheme.lower():
            case "basic":
                return Credentials.from_basic(rest.strip())
            case "digest" if self._digest:
                return DigestLogin.parse(rest)
        return None

    def _verify(self, login: Credentials | DigestLogin, environ: Environ) -> Credentials:
        """Return the credentials of a user who has the right password and may read; throttle wrong passwords."""
        address, throttle = client_address(environ, self._settings.trusted_proxies), self._settings.throttle
        credentials = login if isinstance(login, Credentials) else self._check_digest(login, environ)
        if credentials and (len(credentials.secret) > _LONGEST_SECRET or len(credentials.user) > _LONGEST_NAME):
            credentials = None
        if seconds := throttle.delay(login.user, address, credentials):
            self._logins.record_throttled(environ)
            headers = (("Retry-After", str(seconds)),)
            raise _LoginRefused(HTTPStatus.TOO_MANY_REQUESTS, "Too many wrong passwords: wait a moment.", headers)
        if credentials and isinstance(login, DigestLogin) and self._digest and not self._digest.is_new(login):
            raise self._challenge(environ, "This login has expired: log in again.", stale=True)
        decision = self._settings.access.ask(Permission.READ, credentials) if credentials else Decision.UNKNOWN
        if credentials and (
            decision is Decision.GRANTED or (decision is Decision.REFUSED and self._is_password_checked_first())
        ):
            throttle.succeeded(address, credentials)
            if decision is Decision.GRANTED:
                return credentials
            self._logins.record_refused(environ, login.user, "Forbidden")
            raise _forbidden(Permission.READ)
        throttle.failed(login.user, address, credentials)
        self._logins.record_refused(environ, login.user, "WrongPassword")
        _log.warning("login refused: user=%a address=%s", login.user[:_LOGGED_NAME], address)
        if decision is Decision.REFUSED:
            raise _forbidden(Permission.READ)
        raise self._challenge(environ, "Wrong name or password.")

    def _is_password_checked_first(self) -> bool:
        """Return True if Orthanc checks passwords before its filter refuses a user.

        It does if it asks for a password (401). If not, the filter may have refused the password itself.
        """
        return self._settings.access.ask(Permission.READ, None) is Decision.UNKNOWN

    def _check_digest(self, login: DigestLogin, environ: Environ) -> Credentials | None:
        if self._digest is None:
            return None
        return self._digest.credentials(login, environ["REQUEST_METHOD"], environ["REQUEST_URI"])

    def _challenge(self, environ: Environ, reason: str, *, stale: bool = False) -> _LoginRefused:
        """Return 401 with each scheme in a header of its own, since few clients can split one.

        Some clients take the first one: Digest over plain HTTP; Basic, which all clients know, over TLS.
        """
        offers = [self._digest.challenge(stale=stale)] if self._digest else []
        basic = f'Basic realm="{self._settings.realm}", charset="UTF-8"'
        offers.insert(0 if is_secret(environ, self._settings.trusted_proxies) else len(offers), basic)
        return _LoginRefused(HTTPStatus.UNAUTHORIZED, reason, tuple(("WWW-Authenticate", offer) for offer in offers))


def _forbidden(permission: Permission) -> _LoginRefused:
    return _LoginRefused(HTTPStatus.FORBIDDEN, f"Orthanc does not let this user {_ACTIONS[permission]}.")
