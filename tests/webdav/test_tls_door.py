"""The door under TLS: who speaks it is answered, who does not holds up nobody."""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from davfs.doors.webdav.wire import tls
from tests.support.guarded import certificate, serving


def scheme(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer with the scheme of the request."""
    start_response("200 OK", [("Content-Length", str(len(environ["wsgi.url_scheme"])))])
    return [environ["wsgi.url_scheme"].encode()]


def test_only_tls_1_2_and_newer(tmp_path: Path) -> None:
    """Requests come through, with the scheme that they had; older versions of TLS are refused."""
    files = certificate(tmp_path)
    with serving(scheme, tls.context(*files)) as url:
        trusting = ssl.create_default_context(cafile=files[0])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            trusting.maximum_version = trusting.minimum_version = version
            with httpx.Client(verify=trusting, trust_env=False) as client:
                assert [client.get(url).text for _ in range(3)] == ["https"] * 3
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(files[0])
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with (
            pytest.raises(httpx.ConnectError, match=r"(?i)version"),
            httpx.Client(verify=old, trust_env=False) as client,
        ):
            client.get(url)


def test_strangers_to_tls(tmp_path: Path) -> None:
    """Silent, plain and senseless connections do no harm: the next client is answered while they are open."""
    files = certificate(tmp_path)
    with serving(scheme, tls.context(*files)) as url:
        host, port = urlsplit(url).netloc.split(":")
        strangers = [socket.create_connection((host, int(port))) for _ in range(30)]
        for number, sent in enumerate([b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 1000] * 5):
            strangers[number].sendall(sent)
        trusting = ssl.create_default_context(cafile=files[0])
        with httpx.Client(verify=trusting, trust_env=False) as client:
            assert client.get(url).text == "https"
        for stranger in strangers:
            stranger.close()
        with httpx.Client(verify=trusting, trust_env=False) as client:
            assert client.get(url).text == "https"
