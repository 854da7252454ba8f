"""Libraries for scripts: webdavclient3 of Python, and ``webdav`` of npm."""

import importlib
import io
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.clients import Client, ClientFailed, Connect
from tests.support.clients.programs import run


def _imported(module: str) -> Any:
    """Import webdavclient3, whose sources make the compiler warn, or what comes with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


@contextmanager
def _failures() -> Iterator[None]:
    errors = _imported("webdav3.exceptions")
    try:
        yield
    except (errors.WebDavException, _imported("requests").RequestException) as error:
        raise ClientFailed(f"webdavclient3: {error}") from error


@contextmanager
def webdavclient3(url: str, folder: Path, *, disable_check: bool = False) -> Iterator[Client]:
    """Connect with webdavclient3; unless ``disable_check``, it asks with HEAD for whatever it is to use."""
    parts = urlsplit(url)
    options = {
        "webdav_hostname": f"{parts.scheme}://{parts.netloc}",
        "webdav_root": parts.path,
        "webdav_timeout": 10,
        "disable_check": disable_check,
    }
    client = _imported("webdav3.client").Client(options)
    client.session.trust_env = False
    with client.session:
        yield WebDavClient3(client, folder)


@dataclass(frozen=True, slots=True)
class WebDavClient3:
    """webdavclient3 3.14."""

    client: Any
    folder: Path

    def list(self, folder: str) -> set[str]:
        """See `Client`."""
        with _failures():
            return {name.rstrip("/") for name in self.client.list(folder or "/")}

    def read(self, path: str) -> bytes:
        """See `Client`."""
        content = io.BytesIO()
        with _failures():
            self.client.download_from(content, path)
        return content.getvalue()

    def write(self, path: str, content: bytes) -> None:
        """See `Client`."""
        local = self.folder / "put"
        local.write_bytes(content)
        with _failures():
            self.client.upload_sync(remote_path=path, local_path=str(local))

    def make_folder(self, path: str) -> None:
        """See `Client`."""
        with _failures():
            self.client.mkdir(path)

    def rename(self, old: str, new: str) -> None:
        """See `Client`."""
        with _failures():
            self.client.move(old, new)

    def delete(self, path: str) -> None:
        """See `Client`."""
        with _failures():
            self.client.clean(path)

    remove_folder = delete


def node_webdav(sources: Path) -> Connect:
    """Return what connects with npm's ``webdav``, installed as the package-lock.json beside a script says.

    Args:
        sources: The folder of the package, with ``drive.mjs``.
    """

    @contextmanager
    def connect(url: str, folder: Path) -> Iterator[Client]:
        package = shutil.copytree(sources, folder / "node")
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        run(["npm", "ci", *quiet], folder=package, environment=os.environ)  # with proxies: it goes to the registry
        yield NodeWebDav(url, package / "drive.mjs")

    return connect


@dataclass(frozen=True, slots=True)
class NodeWebDav:
    """``webdav`` of npm, driven by a script that does one operation."""

    url: str
    script: Path

    def list(self, folder: str) -> set[str]:
        """See `Client`."""
        return set(self._node("list", f"/{folder}").decode().splitlines())

    def read(self, path: str) -> bytes:
        """See `Client`."""
        return self._node("read", f"/{path}")

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """See `RangeReader`."""
        return self._node("readRange", f"/{path}", str(start), str(start + length - 1))

    def write(self, path: str, content: bytes) -> None:
        """See `Client`."""
        self._node("write", f"/{path}", content=content)

    def make_folder(self, path: str) -> None:
        """See `Client`."""
        self._node("makeFolder", f"/{path}")

    def rename(self, old: str, new: str) -> None:
        """See `Client`."""
        self._node("rename", f"/{old}", f"/{new}")

    def delete(self, path: str) -> None:
        """See `Client`."""
        self._node("delete", f"/{path}")

    remove_folder = delete

    def _node(self, *arguments: str, content: bytes = b"") -> bytes:
        return run(["node", self.script, self.url, *arguments], content=content)
