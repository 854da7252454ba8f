"""TLS contexts for door 2, with Orthanc's certificate or one of its own."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from davfs.errors import ConfigurationError

_CERTIFICATE = "certificate.pem"
_TLS_1_3 = 5
_NO_KEY = "it needs the certificate and, in the same file or in one of its own, the private key, in PEM format"


def context_of_orthanc(orthanc: Mapping[str, Any], home: Path) -> ssl.SSLContext | None:
    """Return a context with the TLS settings of Orthanc's HTTP server; None if that has no TLS.

    Args:
        orthanc: Orthanc's whole configuration.
        home: Folder that relative paths start from.

    Raises:
        ConfigurationError: The certificate or the ciphers cannot be used.
    """
    if not orthanc.get("SslEnabled", False):
        return None
    made = context(home / orthanc.get("SslCertificate", _CERTIFICATE), setting="SslCertificate")
    if orthanc.get("SslMinimumProtocolVersion", 0) >= _TLS_1_3:
        made.minimum_version = ssl.TLSVersion.TLSv1_3
    if accepted := orthanc.get("SslCiphersAccepted"):
        try:
            made.set_ciphers(":".join(accepted))
        except (ssl.SSLError, TypeError) as error:
            raise ConfigurationError(f"SslCiphersAccepted: {accepted!r} are no ciphers of OpenSSL") from error
    return made


def context(certificate: Path, key: Path | None = None, *, setting: str = "Certificate") -> ssl.SSLContext:
    """Return TLS 1.2 or newer with a certificate.

    Args:
        certificate: PEM file; those of its issuers may follow.
        key: PEM file of the private key; None if it is in the same file.
        setting: Key of the certificate in the configuration, for errors.

    Raises:
        ConfigurationError: They cannot be read, do not belong together, or the key is encrypted.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    for file in (certificate, key or certificate):
        _check_readable(file, setting)
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        reason = "its private key is of another certificate" if "MISMATCH" in str(error) else _NO_KEY
        raise ConfigurationError(f"{setting}: '{certificate}' cannot be used: {reason}") from error
    except _Encrypted as error:
        remedy = "write it without one, with: openssl pkey -in FILE -out FILE.new"
        raise ConfigurationError(
            f"{setting}: the private key in '{key or certificate}' has a password: {remedy}"
        ) from error
    return made


class _Encrypted(Exception):
    """The private key has a password, which cannot be asked for."""


def _no_password() -> str:
    raise _Encrypted


def _check_readable(file: Path, setting: str) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise ConfigurationError(f"{setting}: '{file}' cannot be read: {error.strerror}") from error
