"""Addresses of Orthanc servers."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from davfs.errors import ConfigurationError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class OrthancAddress:
    """The root of an Orthanc.

    Attributes:
        url: Its URL, without a slash at the end.
        host: Host name or IP address.
        port: TCP port.
        prefix: Path of the URL, without a slash at the end; empty for none.
        is_secure: Whether it is reached by TLS.
    """

    url: str
    host: str
    port: int
    prefix: str
    is_secure: bool

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a URL, such as ``https://pacs.example.org:8042``.

        Raises:
            ConfigurationError: There can be no Orthanc at such an address.
        """
        url = text.strip()
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            (host or "").encode("idna")
        except ValueError as error:  # a UnicodeError too
            raise ConfigurationError(f"the address of Orthanc cannot be read: {error}") from error
        if "@" in parts.netloc:
            raise ConfigurationError(
                "the address of Orthanc must not hold a user name or a password: set them apart from it"
            )
        if parts.scheme not in _PORTS or not host or parts.query or parts.fragment:
            raise ConfigurationError(f"the address of Orthanc is '{text}': it has to look like http://HOST:8042")
        secure = parts.scheme == "https"
        return cls(url.rstrip("/"), host, port or _PORTS[parts.scheme], parts.path.rstrip("/"), secure)

    @property
    def authority(self) -> str:
        """Host and port for the header Host (RFC 9110 §7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host.encode("idna").decode("ascii")
        return host if self.port == _PORTS["https" if self.is_secure else "http"] else f"{host}:{self.port}"
