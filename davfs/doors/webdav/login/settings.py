"""Settings and services of the login."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from davfs.doors.webdav.login.throttle import Throttle
from davfs.orthanc.access import Access
from davfs.settings.checks import IpNetwork


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """Settings and services of `authentication.Authentication`.

    Attributes:
        access: Asks Orthanc for permissions.
        throttle: Throttles repeated wrong passwords.
        digest_users: Passwords of the users for Digest, which is offered if there are any. They are known to be right,
            and not throttled.
        realm: Realm of the login, in plain ASCII and without quotes.
        offers_digest: False if the next request of a client may reach another node, which knows nothing of this one's
            nonces: it would answer with another challenge, and so on without end.
        trusted_proxies: Networks of the proxies whose ``X-Forwarded-…`` headers are trusted.
    """

    access: Access
    throttle: Throttle
    digest_users: Mapping[str, str] = field(default_factory=dict, repr=False)
    realm: str = "Orthanc"
    offers_digest: bool = True
    trusted_proxies: tuple[IpNetwork, ...] = ()
