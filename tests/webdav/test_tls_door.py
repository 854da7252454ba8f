"""Door 2 under TLS: clients without TLS block no others."""

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from davfs.doors.webdav.wire import tls
from tests.support.guarded import certificate, serving
from tests.support.local_server import received

SECONDS = 10
LARGE = 8 << 20


def scheme(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer with the scheme of the request."""
    start_response("200 OK", [("Content-Length", str(len(environ["wsgi.url_scheme"])))])
    return [environ["wsgi.url_scheme"].encode()]


def test_only_tls_1_2_and_newer(tmp_path: Path) -> None:
    """TLS 1.2 and newer are accepted, older versions refused; requests have the scheme https."""
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
    """Silent, plain and malformed connections do not delay the next client while they are open."""
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


def test_key_updates(tmp_path: Path) -> None:
    """A client that sends key updates and no request is disconnected (RFC 8446 §4.6.3)."""
    files = certificate(tmp_path)
    with serving(scheme, tls.context(*files)) as url:
        command = ["openssl", "s_client", "-connect", urlsplit(url).netloc, "-tls1_3", "-brief"]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet, bufsize=0) as client:
            assert client.stdin
            end = time.monotonic() + SECONDS
            with suppress(BrokenPipeError):
                while client.poll() is None and time.monotonic() < end:
                    client.stdin.write(b"k\n")
                    time.sleep(0.001)  # each is a command where it is read alone
            client.kill()
        assert time.monotonic() < end


def test_handshakes_take_turns(tmp_path: Path) -> None:
    """Handshakes are done by the workers, one client address after the other."""
    files, threads = certificate(tmp_path), []
    context = tls.context(*files)
    context.sni_callback = lambda *_: threads.append(threading.current_thread().name)
    with serving(scheme, context) as url:
        trusting = ssl.create_default_context(cafile=files[0])
        with httpx.Client(verify=trusting, trust_env=False) as client:
            assert client.get(url).text == "https"
    assert [name.rpartition("-")[0] for name in threads] == ["davfs-webdav"]


def test_slow_handshakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake has a time limit, even if bytes keep arriving."""
    monkeypatch.setattr("davfs.doors.webdav.wire.connection._HEAD_SECONDS", 0.5)
    with serving(scheme, tls.context(*certificate(tmp_path))) as url:
        host, port = urlsplit(url).netloc.split(":")
        end = time.monotonic() + SECONDS
        with socket.create_connection((host, int(port))) as client, suppress(ConnectionError):
            client.sendall(b"\x16\x03\x01\x40\x00\x01")
            while time.monotonic() < end:
                client.sendall(b"\0")
                time.sleep(0.05)
        assert time.monotonic() < end


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_bodies(tmp_path: Path, version: ssl.TLSVersion) -> None:
    """Bodies larger than any buffer are transferred complete, in records of any size, also to slow clients."""
    files, content = certificate(tmp_path), os.urandom(LARGE)

    def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        body = yield from received(environ)
        start_response("200 OK", [("Content-Length", str(len(body)))])
        yield body

    with serving(echo, tls.context(*files)) as url:
        trusting = ssl.create_default_context(cafile=files[0])
        trusting.maximum_version = trusting.minimum_version = version
        host, port = urlsplit(url).netloc.split(":")
        plain = socket.create_connection((host, int(port)), SECONDS)
        with trusting.wrap_socket(plain, server_hostname=host) as client:
            client.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % LARGE)
            for start, stop in pairwise((0, 1, 18, 16_402, 116_402, LARGE)):
                client.sendall(content[start:stop])
            time.sleep(0.2)
            answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
        assert answer.partition(b"\r\n\r\n")[2] == content
