"""Folders in a browser: an HTML page that lists a folder and, where files can be written, uploads them.

Browsing works without JavaScript, and all links are plain and relative to the folder: ``wget`` and ``lftp`` follow
them. Style and script are part of the page and allowed by their hashes; nothing is loaded from elsewhere.

The page of another site cannot upload for a user who is logged in: a form sends neither PUT nor MKCOL, and a script of
another origin may send them only if the response to OPTIONS allows it. So no response of door 2 may ever carry an
``Access-Control-Allow-…`` header; a test ensures that.

Source: https://fetch.spec.whatwg.org/#cors-preflight-fetch
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from html import escape
from http import HTTPStatus
from importlib.resources import files
from itertools import chain
from string import Template
from types import MappingProxyType
from urllib.parse import quote

from wsgidav.mw.base_mw import BaseMiddleware

from davfs import names
from davfs.dates import iso_date
from davfs.doors.access_report import wants_listing
from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ, StartResponse, access_of, context_of, path_of
from davfs.doors.webdav.responses import send_blocks
from davfs.entry import Entry, Path
from davfs.settings.setup import TRASH

ROOT_NAME = "Drive"
"""Name of the drive's root on its page."""

_DIGITS = re.compile(r"([0-9]+)")
_BLOCK = 500
"""Entries in a block of the page."""
_STEP = 1000
_ONE_DIGIT = 9.95  # rounds to 10
_LARGEST_UNIT = "TB"
_SPACE = "\N{NO-BREAK SPACE}"
_NO_SIZE = "\N{EN DASH}"


class FolderPage(BaseMiddleware):
    """Answers GET and HEAD of folders."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or pass it on (PEP 3333)."""
        context, path = context_of(self.config), path_of(environ)
        drive = context.drive
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"} or not (entry := drive.stat(path)).is_folder:
            response: Iterable[bytes] = self.next_app(environ, start_response)
            return response
        if environ["REQUEST_METHOD"] == "HEAD":
            # The length is not known without the listing, which costs more than clients that ask for every parent
            # folder before an upload (webdavclient3) should pay. RFC 9110 §8.6 allows to leave it out.
            start_response(_STATUS, list(HEADERS))
            return [b""]
        slash = environ["PATH_INFO"].endswith("/")
        entries = list(drive.list(path))
        if wants_listing(context.audit, path):
            access_of(environ).listed(path, entry, entries)
        trash = context.trash if path == (TRASH,) else None
        entry_ids = {name: each.id for name, each in trash.named().items()} if trash else {}
        blocks = page(path, entries, takes_files=drive.takes_files(path), slash=slash, restorable=entry_ids)
        return send_blocks(start_response, _STATUS, HEADERS, blocks)


def page(
    path: Path,
    entries: Iterable[Entry],
    *,
    takes_files: bool,
    slash: bool = True,
    restorable: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[bytes]:
    """Return the page of a folder in blocks.

    Args:
        path: The folder.
        entries: Its entries, in any order.
        takes_files: Whether files can be written into it.
        slash: Whether the address of the request ends in a slash. If not, the page sets the base of its relative links
            itself: a redirect would confuse WebDAV clients.
        restorable: Ids of the entries that can be restored, by their names.
    """
    ordered = sorted(entries, key=_order)
    name = path[-1] if path else ROOT_NAME
    base = f'<base href="{paths.quoted(path, folder=True)}">\n' if path and not slash else ""
    before = _BEFORE_ROWS.substitute(
        base=base,
        title=escape(name),
        style=_STYLE,
        crumbs="\n".join(_crumbs(path)),
        upload=_UPLOAD if takes_files else _RESTORE if restorable else "",
        caption=_caption(ordered),
    )
    return chain([before.encode()], _rows(ordered, restorable), [_AFTER_ROWS.substitute(script=_SCRIPT).encode()])


def human_size(size: int) -> str:
    """Format a number of bytes with two or three digits and a unit: ``526 kB``, ``1.4 GB``.

    The space between them is a no-break space: ``lftp`` would take a number that it can parse for the size of the file
    in bytes, and requests the size otherwise (src/HttpDir.cc, try_csm_proxy).
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
    """Sort folders first, then by name without case, with ``2`` before ``10``."""
    parts = enumerate(_DIGITS.split(names.folded(entry.name)))  # every second one is a number
    return not entry.is_folder, [int(part) if at % 2 else part for at, part in parts], entry.name


def _crumbs(path: Path) -> Iterator[str]:
    for depth, name in enumerate((ROOT_NAME, *path)):
        above = len(path) - depth
        shown = f"<bdi>{escape(name)}</bdi>"
        yield f'<li><a href="{"../" * above}">{shown}</a></li>' if above else f'<li aria-current="page">{shown}</li>'


def _rows(entries: Sequence[Entry], restorable: Mapping[str, str]) -> Iterator[bytes]:
    for start in range(0, len(entries), _BLOCK):
        block = entries[start : start + _BLOCK]
        yield "\n".join(_row(entry, restorable.get(entry.name, "")) for entry in block).encode()


def _row(entry: Entry, restorable: str) -> str:
    slash = "/" if entry.is_folder else ""
    modified = iso_date(entry.modified.astimezone(UTC))
    button = f'<button type="button" data-entry="{escape(restorable)}" hidden>Restore</button>' if restorable else ""
    size = _NO_SIZE if entry.is_folder else f'<span title="{entry.size:,} bytes">{human_size(entry.size)}</span>'
    return (
        f'<tr class="{entry.kind.value}">'
        f'<th scope="row"><a href="{quote(entry.name, safe="")}{slash}"><bdi>{escape(entry.name)}</bdi></a>'
        f"{button}</th>"
        f"<td>{size}</td>"
        f'<td><time datetime="{modified}">{modified[:10]} {modified[11:16]}</time></td></tr>'
    )


def _href(name: str) -> str:
    return quote(name, safe="")


def _caption(entries: list[Entry]) -> str:
    sizes = [entry.size for entry in entries if not entry.is_folder]
    folders = _counted(len(entries) - len(sizes), "folder")
    files_there = f"{_counted(len(sizes), 'file')} ({human_size(sum(sizes))})" if sizes else ""
    return ", ".join(filter(None, (folders, files_there))) or "This folder is empty."


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return the source expression for a style or script of the page (CSP Level 3 §2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_BEFORE_ROWS, _AFTER_ROWS = map(Template, _text("page.html").split("$rows"))
_UPLOAD, _RESTORE = _text("upload.html"), _text("restore.html")
_STYLE = _text("page.css")
_SCRIPT = _text("page.js")

POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_hash(_STYLE)}",
        f"script-src {_hash(_SCRIPT)}",
        "img-src data:",  # the icon, which is part of the page
        "connect-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy of a page."""

_STATUS = f"{HTTPStatus.OK.value} {HTTPStatus.OK.phrase}"

HEADERS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
)
"""Headers of every page."""
