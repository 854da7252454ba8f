"""Finds the HTTP server of the Orthanc that the plugin runs in, where users' permissions are checked."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError

_ADDRESS = "127.0.0.1"
_PORT = 8042
_CERTIFICATE = "certificate.pem"
_NO_CHECK_TIME = 0x200000
"""``X509_V_FLAG_NO_CHECK_TIME`` of OpenSSL: an expired certificate is accepted."""


def orthanc_address(orthanc: Mapping[str, Any], home: Path) -> tuple[str, ssl.SSLContext | bool]:
    """Return the URL of Orthanc on this machine, and how to check its certificate: `access.Access` takes both.

    Args:
        orthanc: Orthanc's whole configuration.
        home: Folder that relative paths start from.

    Raises:
        ConfigurationError: Orthanc's HTTP server is off, or cannot be reached with a password alone.
    """
    if not orthanc.get("HttpServerEnabled", True):
        raise ConfigurationError("HttpServerEnabled is false: Davfs.Server needs it to check passwords")
    port = orthanc.get("HttpPort", _PORT)
    if not orthanc.get("SslEnabled", False):
        return f"http://{_ADDRESS}:{port}", True
    if orthanc.get("SslVerifyPeers", False):
        raise ConfigurationError(
            "SslVerifyPeers is true: Orthanc requires client certificates, and Davfs.Server supports passwords only;"
            " set Davfs.Server.Enabled to false"
        )
    return f"https://{_ADDRESS}:{port}", _trust_only(home / orthanc.get("SslCertificate", _CERTIFICATE))


def _trust_only(certificate: Path) -> ssl.SSLContext:
    """Return a context that trusts this one certificate, for any host name and with any issuer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    try:
        _, begin, rest = certificate.read_text().partition(ssl.PEM_HEADER)
        body, end, _ = rest.partition(ssl.PEM_FOOTER)
        context.load_verify_locations(cadata=begin + body + end)  # the first alone: those behind it signed it
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise ConfigurationError(f"SslCertificate: no certificate can be read in '{certificate}': {error}") from error
    return context
