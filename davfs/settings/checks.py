"""Checks of single settings.

Each check takes the name by which the administrator wrote the setting (``Davfs.Server.Port``, ``--port``), and its
value. It returns the value, or raises `ConfigurationError` with the name, the value and the values that are allowed.
"""

import difflib
import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from davfs.audit.syslog_connection import SyslogServer
from davfs.audit.syslog_message import MessageFormat
from davfs.errors import ConfigurationError

IpNetwork: TypeAlias = IPv4Network | IPv6Network

_LAST_PORT = 65535
_FIRST_USER_METADATA = 1024
"""Orthanc's own metadata have lower numbers; the last one is 65,535, as that of ports."""
_LOCALHOST = "localhost"
_SHORTEST_KEY = 16
_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can hold it, UTF-8 cannot
_URI = re.compile(r"(/[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*)+")
_LONGEST_URI = 200
_REST = frozenset({
    "app", "changes", "exports", "instances", "jobs", "modalities", "patients", "peers", "plugins", "queries", "series",
    "statistics", "storage-commitment", "studies", "system", "tools", "webdav",
})  # fmt: skip
"""First segments of paths in Orthanc's own REST API."""


def nearest(key: str, known: Iterable[str]) -> str:
    """Return a hint for an unknown key: the most similar known one, or all of them."""
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"


def is_loopback(value: str) -> bool:
    """Return True if an address is reached from this machine only."""
    return value == _LOCALHOST or ip_address(value).is_loopback


def flag(key: str, value: Any) -> bool:
    """Check a boolean."""
    if isinstance(value, bool):
        return value
    raise _refusal(key, value, "true or false")


def number(key: str, value: Any) -> int:
    """Check a count."""
    if _is_integer(value) and value >= 0:
        return int(value)
    raise _refusal(key, value, "a whole number, 0 or more")


def user_metadata(key: str, value: Any) -> int:
    """Check a number of metadata that Orthanc leaves to its users."""
    if _is_integer(value) and _FIRST_USER_METADATA <= value <= _LAST_PORT:
        return int(value)
    raise _refusal(key, value, f"a number of metadata: {_FIRST_USER_METADATA} to {_LAST_PORT}")


def port(key: str, value: Any) -> int:
    """Check a TCP port."""
    if _is_integer(value) and 0 < value <= _LAST_PORT:
        return int(value)
    raise _refusal(key, value, f"a TCP port: 1 to {_LAST_PORT}")


def path(key: str, value: Any) -> str:
    """Check a path of a file or folder."""
    if isinstance(value, str) and "\0" not in value:
        return value
    raise _refusal(key, value, "a path in quotes")


def word(key: str, value: Any) -> str:
    """Check a text that is not empty; the error does not repeat it, since it may be a password."""
    if isinstance(value, str) and value:
        return value
    raise ConfigurationError(f"{key} must be text in quotes")


def hash_key(key: str, value: Any) -> str:
    """Check a key of pseudonyms; the error does not repeat it."""
    if isinstance(value, str) and (value == "" or (len(value) >= _SHORTEST_KEY and not _SURROGATE.search(value))):
        return value
    raise ConfigurationError(f"{key} must be text in quotes, of at least {_SHORTEST_KEY} characters")


def address(key: str, value: Any) -> str:
    """Check an IP address to listen at; empty for the default."""
    if value in ("", _LOCALHOST):
        return str(value)
    try:
        return str(ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        allowed = "an IP address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 or :: for everybody"
        raise _refusal(key, value, allowed) from None


def networks(key: str, value: Any) -> list[IpNetwork]:
    """Check a list of IP addresses and networks."""
    if isinstance(value, list):
        try:
            return [ip_network(each if isinstance(each, str) else "") for each in value]
        except ValueError:
            pass
    raise _refusal(key, value, "a list of IP addresses and networks, such as ['127.0.0.1', '10.1.0.0/16']")


def host_names(key: str, value: Any) -> list[str]:
    """Check a list of host names."""
    if isinstance(value, list) and all(isinstance(each, str) and _HOST_NAME.fullmatch(each) for each in value):
        return value
    allowed = "a list of names without 'http://' and without a port, such as ['drive.example.org']"
    raise _refusal(key, value, allowed)


def layout_names(key: str, value: Any) -> list[str]:
    """Check a list of layouts' names or files, each of them once."""
    if not (isinstance(value, list) and value and all(isinstance(item, str) and item for item in value)):
        raise _refusal(key, value, "a list of names of layouts, such as ['by-patient']")
    if twice := next((item for item in value if value.count(item) > 1), None):
        raise ConfigurationError(f"{key} has {twice!r} twice: keep one of them")
    return value


def collection_uri(key: str, value: Any) -> str:
    """Check the path of the WebDAV collection in Orthanc's HTTP server."""
    if not isinstance(value, str) or not _URI.fullmatch(value) or len(value) >= _LONGEST_URI:
        allowed = f"a path such as /davfs of less than {_LONGEST_URI} characters:"
        characters = "letters, digits, '-', '_', '~' and inner dots, without a slash at its end"
        raise _refusal(key, value, f"{allowed} {characters}")
    if value.split("/")[1] in _REST:
        reason = "which Orthanc's own REST API uses: choose another, such as /davfs"
        raise ConfigurationError(f"{key} is {value!r}, {reason}")
    return value


def server_url(key: str, value: Any) -> str:
    """Check the URL of an Orthanc, and return it without a trailing slash."""
    allowed = "Orthanc's address, such as http://127.0.0.1:8042"
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # no port, or no IPv6 address
        right = False
    if not right or any(ord(character) <= ord(" ") for character in value):
        raise _refusal(key, value, allowed)
    if "@" in parts.netloc:
        raise ConfigurationError(f"{key} holds a user name: give it and the password by settings of their own")
    if parts.query or parts.fragment:
        raise _refusal(key, value, f"{allowed}, without '?' and '#'")
    return str(value).rstrip("/")


def syslog_url(key: str, value: Any) -> str:
    """Check the URL of a syslog server; empty for none."""
    if value == "":
        return ""
    try:
        return str(SyslogServer.parse(value if isinstance(value, str) else ""))
    except ValueError:
        allowed = "a syslog server, such as tls://logs.example.org:6514 (or tcp:, or udp:)"
        raise _refusal(key, value, allowed) from None


def audit_format(key: str, value: Any) -> str:
    """Check the form of messages to a syslog server."""
    if isinstance(value, str) and value in set(MessageFormat):
        return value
    raise _refusal(key, value, f"one of {', '.join(MessageFormat)}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _refusal(key: str, value: Any, allowed: str) -> ConfigurationError:
    return ConfigurationError(f"{key} is {value!r} and must be {allowed}")
