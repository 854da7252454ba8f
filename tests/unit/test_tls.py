"""TLS of door 2: as Orthanc has it, or not at all."""

import ssl
from pathlib import Path

import pytest

from davfs.doors.webdav.wire import tls
from davfs.errors import ConfigurationError
from tests.support.guarded import certificate


def test_none_where_orthanc_has_none(tmp_path: Path) -> None:
    """Without SslEnabled there is no TLS, whatever else is set."""
    assert tls.context_of_orthanc({"SslCertificate": "missing.pem"}, tmp_path) is None


@pytest.mark.packages
def test_orthancs_certificate(tmp_path: Path) -> None:
    """Certificate and key come from one file beside the configuration, in any order; TLS 1.2 is the least."""
    public, key = certificate(tmp_path)
    for first, second in ((public, key), (key, public)):
        (tmp_path / "certificate.pem").write_text(first.read_text() + second.read_text())
        for minimum in (0, 4):
            made = tls.context_of_orthanc({"SslEnabled": True, "SslMinimumProtocolVersion": minimum}, tmp_path)
            assert made
            assert made.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.packages
def test_orthancs_own_demands(tmp_path: Path) -> None:
    """Where Orthanc demands a newer version, or certain ciphers, so does the door."""
    public, key = certificate(tmp_path)
    (tmp_path / "one.pem").write_text(public.read_text() + key.read_text())
    settings = {
        "SslEnabled": True,
        "SslCertificate": "one.pem",
        "SslMinimumProtocolVersion": 5,
        "SslCiphersAccepted": ["ECDHE-RSA-AES128-GCM-SHA256"],
    }
    made = tls.context_of_orthanc(settings, tmp_path)
    assert made
    assert made.minimum_version is ssl.TLSVersion.TLSv1_3
    ciphers = [cipher["name"] for cipher in made.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert ciphers == ["ECDHE-RSA-AES128-GCM-SHA256"]
    for wrong in (["NO-SUCH-CIPHER"], [1]):
        with pytest.raises(ConfigurationError, match="SslCiphersAccepted"):
            tls.context_of_orthanc(settings | {"SslCiphersAccepted": wrong}, tmp_path)


@pytest.mark.packages
def test_own_certificate(tmp_path: Path) -> None:
    """Certificate and key may be files of their own."""
    made = tls.context(*certificate(tmp_path))
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.packages
def test_mistakes_are_named(tmp_path: Path) -> None:
    """Each message has the setting, the file, and what to do."""
    public, key = certificate(tmp_path, "one")
    _, other = certificate(tmp_path, "two")
    _, locked = certificate(tmp_path, "locked", password="secret")
    empty = tmp_path / "empty.pem"
    empty.touch()
    mistakes = [
        (tmp_path / "missing.pem", None, "missing.pem' cannot be read: No such file"),
        (tmp_path, None, "cannot be read: Is a directory"),
        (public, tmp_path / "missing.key", "missing.key' cannot be read: No such file"),
        (empty, None, "empty.pem' cannot be used: it needs the certificate and"),
        (public, None, "one.crt' cannot be used: it needs the certificate and"),
        (key, None, "one.key' cannot be used: it needs the certificate and"),
        (public, other, "one.crt' cannot be used: its private key is of another certificate"),
        (tmp_path / "locked.crt", locked, "locked.key' has a password: write it without one"),
    ]
    for file, its_key, reason in mistakes:
        with pytest.raises(ConfigurationError, match=reason) as caught:
            tls.context(file, its_key, setting="Davfs.Server.Certificate")
        assert str(caught.value).startswith("Davfs.Server.Certificate: ")
