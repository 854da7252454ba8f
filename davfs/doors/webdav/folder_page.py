"""Folders in a browser: an HTML page that lists a folder and, where files can be written, uploads them.

Browsing works without JavaScript, and all links are plain and relative to the folder: ``wget`` and ``lftp`` follow
them. Style and script stand in the page and are allowed by their hashes; nothing comes from anywhere else.

The page of a foreign site cannot upload in the name of a reader who is logged in: a form sends neither PUT nor MKCOL,
and a script of another origin may send them only where the server has agreed in its answer to OPTIONS. So no answer of
door 2 may ever carry an ``Access-Control-Allow-…`` header; a test holds it to that.

Source: https://fetch.spec.whatwg.org/#cors-preflight-fetch
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from html import escape
from http import HTTPStatus
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import quote

from wsgidav.mw.base_mw import BaseMiddleware

from davfs import names
from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ, context_of
from davfs.doors.webdav.http_errors import as_http_errors
from davfs.entry import Entry, Path

ROOT_NAME = "Drive"
"""What the drive's root is called on its page."""

_DIGITS = re.compile(r"([0-9]+)")
_STEP = 1000
_ONE_DIGIT = 9.95  # rounds to 10
_LARGEST_UNIT = "TB"
_SPACE = "\N{NO-BREAK SPACE}"
_NO_SIZE = "\N{EN DASH}"


class Page(BaseMiddleware):
    """Answers GET and HEAD of folders; all else is left to the next application of WsgiDAV's stack."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        path = paths.segments(environ["PATH_INFO"])
        with as_http_errors():
            if environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or not self._is_folder(path):
                answer: Iterable[bytes] = self.next_app(environ, start_response)
                return answer
            if environ["REQUEST_METHOD"] == "HEAD":
                # The length is not known without the listing, which costs more than clients that ask for every parent
                # folder before an upload (webdavclient3) should pay. RFC 9110 §8.6 allows to leave it out.
                start_response(_STATUS, list(HEADERS))
                return [b""]
            content = self._content(path, slash=environ["PATH_INFO"].endswith("/"))
        start_response(_STATUS, [*HEADERS, ("Content-Length", str(len(content)))])
        return [content]

    def _is_folder(self, path: Path) -> bool:
        return context_of(self.config).drive.stat(path).is_folder

    def _content(self, path: Path, *, slash: bool) -> bytes:
        drive = context_of(self.config).drive
        return page(path, drive.list(path), takes_files=drive.takes_files(path), slash=slash)


def page(path: Path, entries: Iterable[Entry], *, takes_files: bool, slash: bool = True) -> bytes:
    """Return the page of a folder.

    Args:
        path: The folder.
        entries: What is in it, in any order.
        takes_files: Whether files can be written into it.
        slash: Whether the address of the request ends in a slash. If not, the page itself corrects what its links are
            relative to: a redirect would confuse WebDAV clients.
    """
    shown = sorted(entries, key=_order)
    name = path[-1] if path else ROOT_NAME
    base = f'<base href="{paths.quoted(path, folder=True)}">\n' if path and not slash else ""
    text = _PAGE.substitute(
        base=base,
        title=escape(name),
        style=_STYLE,
        script=_SCRIPT,
        crumbs="\n".join(_crumbs(path)),
        upload=_UPLOAD if takes_files else "",
        caption=_caption(shown),
        rows="\n".join(map(_row, shown)),
    )
    return text.encode()


def readable(size: int) -> str:
    """Return a number of bytes with two or three digits and a unit: ``526 kB``, ``1.4 GB``.

    Between them is a space that does not break: ``lftp`` takes the number for the bytes of the file where it can read
    it, and asks for them otherwise (src/HttpDir.cc, try_csm_proxy).
    """
    if size < _STEP:
        return f"{size}{_SPACE}B"
    value = float(size)
    for unit in ("kB", "MB", "GB", _LARGEST_UNIT):
        value /= _STEP
        if round(value) < _STEP or unit == _LARGEST_UNIT:
            break
    return f"{value:.1f}{_SPACE}{unit}" if value < _ONE_DIGIT else f"{value:.0f}{_SPACE}{unit}"


def _order(entry: Entry) -> tuple[bool, list[str | int], str]:
    """Folders first, then by name as people count: ``2`` before ``10``, without case."""
    parts = enumerate(_DIGITS.split(names.folded(entry.name)))  # every second one is a number
    return not entry.is_folder, [int(part) if at % 2 else part for at, part in parts], entry.name


def _crumbs(path: Path) -> Iterator[str]:
    for depth, name in enumerate((ROOT_NAME, *path)):
        above = len(path) - depth
        shown = f"<bdi>{escape(name)}</bdi>"
        yield f'<li><a href="{"../" * above}">{shown}</a></li>' if above else f'<li aria-current="page">{shown}</li>'


def _row(entry: Entry) -> str:
    slash = "/" if entry.is_folder else ""
    modified = entry.modified.astimezone(UTC)
    size = _NO_SIZE if entry.is_folder else f'<span title="{entry.size:,} bytes">{readable(entry.size)}</span>'
    return (
        f'<tr class="{entry.kind.value}">'
        f'<th scope="row"><a href="{_href(entry.name)}{slash}"><bdi>{escape(entry.name)}</bdi></a></th>'
        f"<td>{size}</td>"
        f'<td><time datetime="{modified:%Y-%m-%dT%H:%M:%SZ}">{modified:%Y-%m-%d %H:%M}</time></td></tr>'
    )


def _href(name: str) -> str:
    return quote(name, safe="")


def _caption(entries: list[Entry]) -> str:
    sizes = [entry.size for entry in entries if not entry.is_folder]
    folders = _counted(len(entries) - len(sizes), "folder")
    files_there = f"{_counted(len(sizes), 'file')} ({readable(sum(sizes))})" if sizes else ""
    return ", ".join(filter(None, (folders, files_there))) or "This folder is empty."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return how a policy names a style or a script that stands in the page (CSP Level 3 §2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_PAGE = Template(_text("page.html"))
_UPLOAD = _text("upload.html")
_STYLE = _text("page.css")
_SCRIPT = _text("page.js")

POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_hash(_STYLE)}",
        f"script-src {_hash(_SCRIPT)}",
        "img-src data:",  # the icon, which stands in the page
        "connect-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a page may load and do."""

_STATUS = f"{HTTPStatus.OK.value} {HTTPStatus.OK.phrase}"

HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
)
"""Headers of every page."""
