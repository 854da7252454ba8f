"""Asks an Orthanc for its name, version and settings (``GET /system``)."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydicom.datadict import keyword_for_tag

from davfs.errors import ConfigurationError, OrthancError, Unavailable, UnknownResource
from davfs.orthanc.client import OrthancClient
from davfs.orthanc.description import LEVELS
from davfs.orthanc.model import Level
from davfs.orthanc.responses import check_status

_GATEWAY = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
_ADVICE: dict[int | None, str] = {
    HTTPStatus.UNAUTHORIZED: "does not take this user name and password (401)",
    HTTPStatus.FORBIDDEN: "does not let this user in (403)",
}


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The answer of an Orthanc to ``GET /system``.

    Attributes:
        name: Its ``Name``; may be empty.
        version: Its version, such as ``1.12.7``.
        tags: Keywords of the main DICOM tags in its index, by level; empty before 1.11.
        read_only: It refuses all changes; False before 1.12.5.
    """

    name: str
    version: str
    tags: Mapping[Level, frozenset[str]]
    read_only: bool = False


def request_info(client: OrthancClient, seconds: float) -> ServerInfo:
    """Request ``/system``.

    Args:
        client: A client of it.
        seconds: Seconds without a byte of the response.

    Raises:
        Unavailable: It does not answer, and may do so later.
        ConfigurationError: A retry would not help: the administrator has to change something.
    """
    url = client.address.url
    try:
        response = client.request("GET", "/system", seconds=seconds)
        check_status(response)
        found = json.loads(response.read())
        return _system(found)
    except Unavailable as error:
        if _is_certificate_error(error):
            reason = "cannot be trusted: name a file of certificates that it is signed by, or one of its own"
            raise ConfigurationError(f"the certificate of {url} {reason}") from error
        raise
    except UnknownResource as error:
        raise ConfigurationError(f"{url} is no Orthanc: it has no /system") from error
    except OrthancError as error:
        if error.code in _GATEWAY:
            raise Unavailable(error.reason, error.code) from error
        raise ConfigurationError(f"Orthanc at {url} {_ADVICE.get(error.code, error.reason)}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{url} is no Orthanc: its /system cannot be read") from error


def _system(found: Mapping[str, Any]) -> ServerInfo:
    tags = found.get("MainDicomTags", {})
    return ServerInfo(
        name=str(found.get("Name", "")),
        version=str(found["Version"]),
        tags={LEVELS[level]: _keywords(listed) for level, listed in tags.items() if level in LEVELS},
        read_only=bool(found.get("ReadOnly")),
    )


def _keywords(listed: str) -> frozenset[str]:
    """Return the keywords of tags as Orthanc lists them: ``0010,0010;0010,0020``."""
    tags = (int(tag.replace(",", ""), 16) for tag in listed.split(";") if tag)
    return frozenset(keyword for tag in tags if (keyword := keyword_for_tag(tag)))


def _is_certificate_error(error: BaseException | None) -> bool:
    """Return True if a request failed because of the certificate: a retry would not help."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
