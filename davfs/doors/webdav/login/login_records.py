"""Records logins and refused ones in the audit trail.

HTTP has no sessions: a login is the first request of a user from an address, and the first one after a while. The trail
merges refused logins of the same user from the same address.
"""

from dataclasses import replace

from davfs.audit.record import AuditAction, AuditRecord, Client, Outcome
from davfs.cache import LruSet
from davfs.doors.webdav.access_records import client_of
from davfs.doors.webdav.context import Context, Environ
from davfs.doors.webdav.login.client_address import network

_CAPACITY, _SECONDS = 4096, 1800.0
"""Users and addresses, and the seconds after their last request, after which another one is a login."""


class LoginRecords:
    """Records logins.

    Args:
        context: Has the audit trail.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._logged_in = LruSet[tuple[str, str]](_CAPACITY, lifetime=_SECONDS)

    def record_login(self, environ: Environ) -> None:
        """Record the login of a user who has the right password, unless the user was here a moment ago."""
        client = client_of(environ, self._context)
        key = client.user, client.address
        if key not in self._logged_in:
            self._context.audit.record(AuditRecord(client=client, action=AuditAction.LOGIN))
        self._logged_in.add(key)

    def record_refused(self, environ: Environ, user: str, reason: str) -> None:
        """Record a login that was refused, by the name that was given."""
        self._record_refused(replace(client_of(environ, self._context), user=user), reason)

    def record_throttled(self, environ: Environ) -> None:
        """Record that a login was not even tried: all of an address, and of a network with IPv6, in one record."""
        client = client_of(environ, self._context)
        self._record_refused(replace(client, user="", address=network(client.address), agent=""), "Throttled")

    def _record_refused(self, client: Client, reason: str) -> None:
        action, outcome = AuditAction.LOGIN_REFUSED, Outcome.REFUSED
        self._context.audit.record(AuditRecord(client=client, action=action, outcome=outcome, reason=reason))
