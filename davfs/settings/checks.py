"""What a setting may be, wherever it was written: a value that is not allowed is refused with what is.

Each check takes the setting as the administrator knows it (``Davfs.Server.Port``, ``--port``) and its value. It returns
the value, or raises `ConfigurationError`.
"""

import difflib
import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from davfs.errors import ConfigurationError

_LAST_PORT = 65535
_LOCALHOST = "localhost"
_SHORTEST_KEY = 16
_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_SURROGATE = re.compile("[\ud800-\udfff]")  # what JSON can hold, and UTF-8 cannot


def nearest(key: str, known: Iterable[str]) -> str:
    """Say what somebody may have meant by a key that is not known."""
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"


def flag(key: str, value: Any) -> bool:
    """Return a value that is true or false."""
    if isinstance(value, bool):
        return value
    raise ConfigurationError(f"{key} is {value!r} and must be true or false")


def number(key: str, value: Any) -> int:
    """Return a value that counts something."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigurationError(f"{key} is {value!r} and must be a whole number, 0 or more")


def port(key: str, value: Any) -> int:
    """Return a value that is a TCP port."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LAST_PORT:
        return value
    raise ConfigurationError(f"{key} is {value!r} and must be a TCP port: 1 to {_LAST_PORT}")


def text(key: str, value: Any) -> str:
    """Return a value that is a path."""
    if isinstance(value, str) and "\0" not in value:
        return value
    raise ConfigurationError(f"{key} is {value!r} and must be a path in quotes")


def address(key: str, value: Any) -> str:
    """Return a value that says where to listen."""
    if value in ("", _LOCALHOST):
        return str(value)
    try:
        return str(ip_address(value if isinstance(value, str) else ""))
    except ValueError:
        allowed = "an IP address of this machine: 127.0.0.1 for itself alone, 0.0.0.0 or :: for everybody"
        raise ConfigurationError(f"{key} is {value!r} and must be {allowed}") from None


def is_loopback(value: str) -> bool:
    """Tell whether nobody but this machine reaches what listens at an address."""
    return value == _LOCALHOST or ip_address(value).is_loopback


def networks(key: str, value: Any) -> list[IPv4Network | IPv6Network]:
    """Return a value that lists IP addresses and networks."""
    if isinstance(value, list):
        try:
            return [ip_network(each if isinstance(each, str) else "") for each in value]
        except ValueError:
            pass
    allowed = "a list of IP addresses and networks, such as ['127.0.0.1', '10.1.0.0/16']"
    raise ConfigurationError(f"{key} is {value!r} and must be {allowed}")


def host_names(key: str, value: Any) -> list[str]:
    """Return a value that lists names of machines."""
    if isinstance(value, list) and all(isinstance(each, str) and _HOST_NAME.fullmatch(each) for each in value):
        return value
    allowed = "a list of names without 'http://' and without a port, such as ['drive.example.org']"
    raise ConfigurationError(f"{key} is {value!r} and must be {allowed}")


def layout_names(key: str, value: Any) -> list[str]:
    """Return a value that names layouts."""
    if isinstance(value, list) and value and all(isinstance(item, str) and item for item in value):
        twice = next((item for item in value if value.count(item) > 1), None)
        if twice is None:
            return value
        raise ConfigurationError(f"{key} has {twice!r} twice: keep one of them")
    raise ConfigurationError(f"{key} is {value!r} and must be a list of names of layouts, such as ['by-patient']")


def hash_key(key: str, value: Any) -> str:
    """Return a value that is a key of hashes, or empty; a refusal does not tell it."""
    if isinstance(value, str) and (value == "" or (len(value) >= _SHORTEST_KEY and not _SURROGATE.search(value))):
        return value
    raise ConfigurationError(f"{key} must be text in quotes, of at least {_SHORTEST_KEY} characters")
