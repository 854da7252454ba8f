"""The answer to a PROPFIND as bytes: a template for each kind of entry, filled in for each entry, and no tree.

Source: RFC 4918 §14.16 and §15.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from operator import itemgetter
from typing import NamedTuple, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from davfs.doors.webdav.validators import entity_tag, http_date
from davfs.entry import Entry
from davfs.filesystem.area import QuotaUsage

DAV = "{DAV:}"
_ON_REQUEST = frozenset({f"{DAV}quota-used-bytes", f"{DAV}quota-available-bytes"})
"""Not part of allprop (RFC 4331 §3 and §4)."""
LIVE = _ON_REQUEST | {
    f"{DAV}{name}"
    for name in (
        "creationdate", "displayname", "getcontentlength", "getcontenttype", "getetag", "getlastmodified",
        "lockdiscovery", "resourcetype", "supportedlock",
    )
}  # fmt: skip
"""All properties that clients cannot set."""
_START = '<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">'
_END = "</D:multistatus>"
_BLOCK = 1000  # entries that are encoded at once
_LOCKS = "".join(
    f"<D:lockentry><D:lockscope><D:{scope}/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    for scope in ("exclusive", "shared")
)
_SPECIAL = re.compile("[^\t\n -%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What cannot stand in text as it is, or not at all (XML 1.0 §2.2)."""
_BANNED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Mode(Enum):
    """What a PROPFIND asks for."""

    ALL = "allprop"
    NAMES = "propname"
    NAMED = "prop"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The properties that a PROPFIND asks for.

    Attributes:
        mode: In general.
        names: In Clark's notation, as they were asked for; with `Mode.ALL`, those beyond what that gives.
    """

    mode: Mode
    names: tuple[str, ...] = ()


class Shown(NamedTuple):  # made in half the time of a dataclass
    """One resource of the answer.

    Attributes:
        href: Its path as it stands in a URL.
        entry: What is there.
        lockable: Whether it can be locked.
        quota: How full its area is; None where that means nothing.
        locks: Its locks, as the content of ``lockdiscovery``.
        dead: Properties that clients have set: their names, and their elements as XML.
    """

    href: str
    entry: Entry
    lockable: bool = False
    quota: QuotaUsage | None = None
    locks: str = ""
    dead: tuple[tuple[str, str], ...] = ()


Value: TypeAlias = Callable[[Shown], object]
Live: TypeAlias = tuple[str, Value | None]
"""A property's element as a template, and what fills it in."""

Shape: TypeAlias = tuple[bool, bool, bool, QuotaUsage | None]
"""All that the set of an entry's properties depends on."""


def multistatus(wanted: Wanted, shown: Iterable[Shown]) -> Iterable[bytes]:
    """Yield the body of the answer in blocks.

    Args:
        wanted: The properties that were asked for.
        shown: What to show.
    """
    responses = _Responses(wanted)
    block = [_START]
    for each in shown:
        block.append(responses.of(each))
        if len(block) >= _BLOCK:
            yield "".join(block).encode()
            block.clear()
    block.append(_END)
    yield "".join(block).encode()


class _Responses:
    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._templates: dict[Shape, tuple[str, Sequence[Value]]] = {}

    def of(self, shown: Shown) -> str:
        """Return the ``response`` element of a resource."""
        entry = shown.entry
        shape = (entry.is_folder, bool(entry.etag), shown.lockable, shown.quota)
        if shown.locks or shown.dead:
            template, values = _template(self._wanted, _live(shape) | _left(shown))
        else:
            template, values = self._templates.get(shape) or self._made(shape)
        return template % tuple([value(shown) for value in values])

    def _made(self, shape: Shape) -> tuple[str, Sequence[Value]]:
        made = self._templates[shape] = _template(self._wanted, _live(shape))
        return made


def _template(wanted: Wanted, live: Mapping[str, Live]) -> tuple[str, Sequence[Value]]:
    """Return the ``response`` element with a ``%s`` for each value, and what the values are."""
    found = {name: live[name] for name in _found(wanted, live)}
    if wanted.mode is Mode.NAMES:
        found = {name: (_element(name), None) for name in found}
    missing = [name for name in wanted.names if name not in live]
    parts = ["<D:response><D:href>%s</D:href>"]
    if found or not missing:
        parts.append(_propstat("200 OK", [element for element, _ in found.values()]))
    if missing:
        parts.append(_propstat("404 Not Found", [_element(name) for name in missing]))
    values: list[Value] = [itemgetter(0), *(value for _, value in found.values() if value)]
    return "".join([*parts, "</D:response>"]), values


def _found(wanted: Wanted, live: Mapping[str, Live]) -> list[str]:
    if wanted.mode is Mode.NAMES:
        return list(live)
    asked = [name for name in wanted.names if name in live]
    if wanted.mode is Mode.NAMED:
        return asked
    return list(dict.fromkeys([*(name for name in live if name not in _ON_REQUEST), *asked]))


def _propstat(status: str, elements: Iterable[str]) -> str:
    return f"<D:propstat><D:prop>{''.join(elements)}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"


def _element(name: str, content: str = "") -> str:
    """Return a property's element; ``content`` is a template, so the rest has its per cent signs doubled."""
    space, _, local = name.rpartition("}")
    if space == DAV[:-1]:
        return f"<D:{local}>{content}</D:{local}>" if content else f"<D:{local}/>"
    return (f"<p:{local} xmlns:p={quoteattr(space[1:])}/>" if space[1:] else f"<{local}/>").replace("%", "%%")


def _live(shape: Shape) -> dict[str, Live]:
    """Return the live properties of all entries of one shape."""
    folder, tagged, lockable, quota = shape
    found: dict[str, tuple[str, Value | None]] = {
        "resourcetype": ("<D:collection/>" if folder else "", None),
        "displayname": ("%s", _display_name),
        "creationdate": ("%s", _creation_date),
        "getlastmodified": ("%s", lambda shown: http_date(shown.entry.modified)),
    }
    if not folder:
        found["getcontentlength"] = ("%s", lambda shown: shown.entry.size)
        found["getcontenttype"] = ("%s", lambda shown: _text(shown.entry.media_type or "application/octet-stream"))
    if tagged:
        found["getetag"] = ("%s", lambda shown: _text(entity_tag(shown.entry)))
    if lockable:
        found["supportedlock"] = (_LOCKS, None)
        found["lockdiscovery"] = ("", None)
    if folder and quota:
        found["quota-used-bytes"] = (str(quota.used), None)
        if quota.available is not None:
            found["quota-available-bytes"] = (str(quota.available), None)
    return {DAV + name: (_element(DAV + name, content), value) for name, (content, value) in found.items()}


def _left(shown: Shown) -> dict[str, Live]:
    """Return the properties that clients have brought about."""
    left = {name: (element.replace("%", "%%"), None) for name, element in shown.dead}
    if shown.locks:
        name = f"{DAV}lockdiscovery"
        left[name] = (_element(name, shown.locks.replace("%", "%%")), None)
    return dict(left)


def _display_name(shown: Shown) -> str:
    return _text(shown.entry.name)


def _creation_date(shown: Shown) -> str:
    """Return the date of the last change: nothing on the drive changes but by being made anew."""
    return f"{shown.entry.modified:%Y-%m-%dT%H:%M:%SZ}"


def _text(value: str) -> str:
    if _SPECIAL.search(value) is None:
        return value
    # A parser would read a carriage return as the end of a line, and drop it (XML 1.0 section 2.11).
    return escape(_BANNED.sub("\N{REPLACEMENT CHARACTER}", value), {"\r": "&#13;"})
