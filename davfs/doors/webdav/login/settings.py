"""Settings and services of the login."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from davfs.doors.webdav.login.address import Network
from davfs.doors.webdav.login.throttle import Throttle
from davfs.orthanc.access import Access


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """What `authentication.Authentication` works with.

    Attributes:
        access: Asks Orthanc.
        throttle: Tells who has to wait after wrong passwords.
        digest_users: Passwords of the users that can log in by Digest; with none it is not offered. They are known to
            be good, and not throttled.
        realm: What is logged in to, in plain ASCII and without quotes.
        trusted_proxies: Networks of the proxies that tell who their client is.
    """

    access: Access
    throttle: Throttle
    digest_users: Mapping[str, str] = field(default_factory=dict, repr=False)
    realm: str = "Orthanc"
    trusted_proxies: tuple[Network, ...] = ()
