"""Clients that are one command for each operation: curl, cadaver, and rclone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tests.support.clients import Client, ClientFailed
from tests.support.clients.programs import run
from tests.support.webdav import parse

_LISTED = re.compile(r"(?:Coll:| {5}) [ *] (?P<name>.+?) +\d+ +(?:\(unknown\)|\w{3} [ \d]\d +\d[\d:]+) *")
"""A line of cadaver's ``ls``: kind, name, size, and date as in ``Nov 23 21:50`` or ``Nov 23  2025``."""


@contextmanager
def curl(url: str, folder: Path) -> Iterator[Client]:
    """Connect with curl's ordinary options."""
    yield Curl(url, folder / "put")


@dataclass(frozen=True, slots=True)
class Curl:
    """curl 7.88; ``content`` is a file for what is uploaded."""

    url: str
    content: Path

    def list(self, folder: str) -> set[str]:
        """See `Client`; curl knows no PROPFIND, so the request is spelt out."""
        listed = parse(self._curl("-X", "PROPFIND", "-H", "Depth: 1", self._url(_with_slash(folder))))
        own = urlsplit(self._url(folder)).path.rstrip("/")
        return {each.name for each in listed if quote(unquote(urlsplit(each.href).path)).rstrip("/") != own}

    def read(self, path: str) -> bytes:
        """See `Client`."""
        return self._curl(self._url(path))

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """See `RangeReader`."""
        return self._curl("-r", f"{start}-{start + length - 1}", self._url(path))

    def write(self, path: str, content: bytes) -> None:
        """See `Client`."""
        self.content.write_bytes(content)
        self._curl("-T", str(self.content), self._url(path))

    def make_folder(self, path: str) -> None:
        """See `Client`."""
        self._curl("-X", "MKCOL", self._url(path))

    def rename(self, old: str, new: str) -> None:
        """See `Client`."""
        self._curl("-X", "MOVE", "-H", f"Destination: {self._url(new)}", self._url(old))

    def delete(self, path: str) -> None:
        """See `Client`."""
        self._curl("-X", "DELETE", self._url(path))

    remove_folder = delete

    def _url(self, path: str) -> str:
        return self.url + quote(path)

    def _curl(self, *arguments: str) -> bytes:
        return run(["curl", "--silent", "--show-error", "--fail", *arguments])


@contextmanager
def cadaver(url: str, folder: Path) -> Iterator[Client]:
    """Connect with cadaver, which reads its commands from standard input."""
    yield Cadaver(url, folder)


@dataclass(frozen=True, slots=True)
class Cadaver:
    """cadaver 0.24; ``home`` is its home folder, with neither a ``.netrc`` nor a ``.cadaverrc``."""

    url: str
    home: Path

    def list(self, folder: str) -> set[str]:
        """See `Client`."""
        said = self._cadaver(f"ls {_quoted(folder)}" if folder else "ls")
        return {found["name"] for line in said.splitlines() if (found := _LISTED.fullmatch(line))}

    def read(self, path: str) -> bytes:
        """See `Client`."""
        local = self.home / "got"
        local.unlink(missing_ok=True)
        self._cadaver(f"get {_quoted(path)} {_quoted(str(local))}")
        return local.read_bytes()

    def write(self, path: str, content: bytes) -> None:
        """See `Client`."""
        local = self.home / "put"
        local.write_bytes(content)
        self._cadaver(f"put {_quoted(str(local))} {_quoted(path)}")

    def make_folder(self, path: str) -> None:
        """See `Client`."""
        self._cadaver(f"mkcol {_quoted(path)}")

    def rename(self, old: str, new: str) -> None:
        """See `Client`."""
        self._cadaver(f"move {_quoted(old)} {_quoted(new)}")

    def delete(self, path: str) -> None:
        """See `Client`."""
        self._cadaver(f"delete {_quoted(path)}")

    def remove_folder(self, path: str) -> None:
        """See `Client`."""
        self._cadaver(f"rmcol {_quoted(path)}")

    def _cadaver(self, command: str) -> str:
        """Run one command; cadaver's exit code is always 0."""
        script = f"{command}\nquit\n".encode()
        said = run(["cadaver", self.url], content=script, environment={"HOME": str(self.home)}).decode()
        if re.search(r"failed|Could not|not found|cannot|Ignored|Refusing", said):
            raise ClientFailed(f"cadaver: {said.strip()}")
        return said


@contextmanager
def rclone(url: str, folder: Path) -> Iterator[Client]:
    """Connect with rclone's commands."""
    yield Rclone(rclone_settings(url, folder))


def rclone_settings(url: str, folder: Path) -> Path:
    """Write rclone's configuration, with the drive as the remote ``drive:``, and return its path."""
    settings = folder / "rclone.conf"
    settings.write_text(f"[drive]\ntype = webdav\nurl = {url}\nvendor = other\n")
    return settings


@dataclass(frozen=True, slots=True)
class Rclone:
    """rclone 1.60."""

    settings: Path

    def list(self, folder: str) -> set[str]:
        """See `Client`."""
        return {line.removesuffix("/") for line in self._rclone("lsf", f"drive:{folder}").decode().splitlines()}

    def read(self, path: str) -> bytes:
        """See `Client`."""
        return self._rclone("cat", f"drive:{path}")

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """See `RangeReader`."""
        return self._rclone("cat", "--offset", str(start), "--count", str(length), f"drive:{path}")

    def write(self, path: str, content: bytes) -> None:
        """See `Client`."""
        local = self.settings.with_name("put")
        local.write_bytes(content)
        self._rclone("copyto", "--ignore-times", str(local), f"drive:{path}")

    def make_folder(self, path: str) -> None:
        """See `Client`."""
        self._rclone("mkdir", f"drive:{path}")

    def rename(self, old: str, new: str) -> None:
        """See `Client`."""
        self._rclone("moveto", f"drive:{old}", f"drive:{new}")

    def delete(self, path: str) -> None:
        """See `Client`."""
        self._rclone("deletefile", f"drive:{path}")

    def remove_folder(self, path: str) -> None:
        """See `Client`."""
        self._rclone("rmdir", f"drive:{path}")

    def _rclone(self, *arguments: str) -> bytes:
        tries = ["--retries", "1", "--low-level-retries", "2"]
        return run(["rclone", "--config", self.settings, *tries, *arguments])


def _with_slash(folder: str) -> str:
    return f"{folder}/" if folder else ""


def _quoted(path: str) -> str:
    """Return a path as cadaver's command line has it."""
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
