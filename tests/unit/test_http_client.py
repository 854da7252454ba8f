"""The HTTP client of the stand-alone drive: accepted addresses, and errors for others."""

from pathlib import Path

import pytest

from davfs.errors import ConfigurationError
from davfs.orthanc.http import http_client


@pytest.mark.parametrize("url", ["http://localhost:8042", "https://pacs.example.org/orthanc/", " http://[::1]:8042/ "])
def test_addresses(url: str) -> None:
    """The root of an Orthanc is an address with or without a path."""
    with http_client(url, "user", "secret") as client:
        assert client.address.url == url.strip().rstrip("/")


@pytest.mark.parametrize(
    "url", ["", "localhost", "localhost:8042", "ftp://x", "http://", "http://x:y", "http://x?a=b", "http://x/#a"]
)
def test_wrong_addresses(url: str) -> None:
    """A text that is no address of a web server is refused in one line."""
    with pytest.raises(ConfigurationError, match="the address of Orthanc") as caught:
        http_client(url)
    assert "\n" not in str(caught.value)


def test_password_in_the_address() -> None:
    """A password in the address is refused, and not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        http_client("http://user:secret@localhost:8042")
    assert "secret" not in str(caught.value)


def test_certificates(tmp_path: Path) -> None:
    """A file that holds no certificates, or is not there, is named."""
    (tmp_path / "no.pem").write_text("nothing")
    for file in (tmp_path / "no.pem", tmp_path / "none.pem"):
        with pytest.raises(ConfigurationError, match=file.name):
            http_client("https://localhost", verify=file)
    http_client("https://localhost", verify=False).close()
