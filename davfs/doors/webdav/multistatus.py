"""Writes the XML of a response to PROPFIND: a template for each shape of entry, filled in for each entry, and no tree.

Source: RFC 4918 §14.16 and §15.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import groupby, islice, repeat
from operator import attrgetter, mod
from typing import NamedTuple, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from davfs.checksums import Checksums, written
from davfs.dates import http_date, iso_date
from davfs.doors.webdav.validators import entity_tag
from davfs.entry import Entry, EntryKind
from davfs.filesystem.area import QuotaUsage

DAV = "{DAV:}"
CHECKSUMS = "{http://owncloud.org/ns}checksums"
"""The property in which ownCloud and Nextcloud have the checksums of a file, and rclone reads them."""
_ON_REQUEST = frozenset({f"{DAV}quota-used-bytes", f"{DAV}quota-available-bytes", CHECKSUMS})
"""Not part of allprop (RFC 4331 §3 and §4); checksums cost requests."""
_CHECKSUMS = '<oc:checksums xmlns:oc="http://owncloud.org/ns"><oc:checksum>%s</oc:checksum></oc:checksums>'
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
_TEMPLATES = 256
"""Templates that are cached for the next requests, which ask for the same properties."""
_BLOCK = 500
"""Resources that are written at once: property after property, which takes half the time."""
_LOCKS = "".join(
    f"<D:lockentry><D:lockscope><D:{scope}/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockentry>"
    for scope in ("exclusive", "shared")
)
_SPECIAL = re.compile("[^\t\n -%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that text must escape, or cannot contain (XML 1.0 §2.2)."""
_BANNED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class PropfindMode(Enum):
    """The three forms of a PROPFIND (RFC 4918 §14.20)."""

    ALL = "allprop"
    NAMES = "propname"
    NAMED = "prop"


@dataclass(frozen=True, slots=True)
class RequestedProperties:
    """The properties that a PROPFIND asks for.

    Attributes:
        mode: The form of the request.
        names: In Clark's notation, in the order of the request; with `PropfindMode.ALL`, those of ``include``.
    """

    mode: PropfindMode
    names: tuple[str, ...] = ()


class ListedResource(NamedTuple):  # made in half the time of a dataclass
    """One resource of the response.

    Attributes:
        href: Its path in a URL.
        entry: Its entry.
        lockable: Whether it can be locked.
        quota: Usage of its area; None if the area has no quota.
        checksums: Its checksums, as far as they are known and asked for.
        locks: Its locks, as the content of ``lockdiscovery``.
        dead: Dead properties: their names, and their elements as XML.
    """

    href: str
    entry: Entry
    lockable: bool = False
    quota: QuotaUsage | None = None
    checksums: Checksums | None = None
    locks: str = ""
    dead: tuple[tuple[str, str], ...] = ()


PropertyValues: TypeAlias = Callable[[Sequence[ListedResource]], Iterable[object]]
"""Returns a property's values of several resources."""

PropertyTemplate: TypeAlias = tuple[str, PropertyValues | None]
"""A property's element as a template, and the function that fills it in."""

ResourceShape: TypeAlias = tuple[EntryKind, bool, bool, QuotaUsage | None, bool, str, tuple[tuple[str, str], ...]]
"""Kind, whether it has an entity tag, can be locked, quota, whether it has checksums, locks, dead properties: a set of
properties."""


def multistatus(requested: RequestedProperties, resources: Iterable[ListedResource]) -> Iterator[bytes]:
    """Yield the body of the response in blocks."""
    source, start = iter(resources), _START
    while block := list(islice(source, _BLOCK)):
        yield "".join([start, *_responses(requested, block)]).encode()
        start = ""
    yield (start + _END).encode()


def _responses(requested: RequestedProperties, resources: Iterable[ListedResource]) -> Iterator[str]:
    """Yield the ``response`` elements of resources."""
    for shape, group in groupby(resources, _shape):
        *_, locks, dead = shape  # each resource has its own
        template, properties = (_template if locks or dead else _cached_template)(requested, shape)
        alike = list(group)
        values = zip(*(values(alike) for values in properties), strict=True)
        yield from map(mod, repeat(template), values)


def _shape(resource: ListedResource) -> ResourceShape:
    _, entry, lockable, quota, checksums, locks, dead = resource
    return entry.kind, entry.etag != "", lockable, quota, bool(checksums), locks, dead


def _template(requested: RequestedProperties, shape: ResourceShape) -> tuple[str, Sequence[PropertyValues]]:
    """Return the ``response`` element with a ``%s`` for each value, and the functions that return the values."""
    live = _live(shape) | _set_by_clients(shape)
    found = {name: live[name] for name in _names(requested, live)}
    if requested.mode is PropfindMode.NAMES:
        found = {name: (_element(name), None) for name in found}
    missing = [name for name in requested.names if name not in live]
    parts = ["<D:response><D:href>%s</D:href>"]
    if found or not missing:
        parts.append(_propstat("200 OK", [element for element, _ in found.values()]))
    if missing:
        parts.append(_propstat("404 Not Found", [_element(name) for name in missing]))
    values: list[PropertyValues] = [_hrefs, *(value for _, value in found.values() if value)]
    return "".join([*parts, "</D:response>"]), values


_cached_template = lru_cache(_TEMPLATES)(_template)


def _names(requested: RequestedProperties, live: Mapping[str, PropertyTemplate]) -> list[str]:
    if requested.mode is PropfindMode.NAMES:
        return list(live)
    named = [name for name in requested.names if name in live]
    if requested.mode is PropfindMode.NAMED:
        return named
    return list(dict.fromkeys([*(name for name in live if name not in _ON_REQUEST), *named]))


def _propstat(status: str, elements: Iterable[str]) -> str:
    return f"<D:propstat><D:prop>{''.join(elements)}</D:prop><D:status>HTTP/1.1 {status}</D:status></D:propstat>"


def _element(name: str, content: str = "") -> str:
    """Return a property's element; ``content`` is a template, so the rest has its per cent signs doubled."""
    space, _, local = name.rpartition("}")
    if space == DAV[:-1]:
        return f"<D:{local}>{content}</D:{local}>" if content else f"<D:{local}/>"
    return (f"<p:{local} xmlns:p={quoteattr(space[1:])}/>" if space[1:] else f"<{local}/>").replace("%", "%%")


def _live(shape: ResourceShape) -> dict[str, PropertyTemplate]:
    """Return the live properties of all entries of one shape."""
    kind, tagged, lockable, quota, has_checksums, *_ = shape
    folder = kind is EntryKind.FOLDER
    found: dict[str, tuple[str, PropertyValues | None]] = {
        "resourcetype": ("<D:collection/>" if folder else "", None),
        "displayname": ("%s", _display_names),
        # The date of the last change: a changed resource counts as a new one.
        "creationdate": ("%s", _of_each(lambda entry: iso_date(entry.modified))),
        "getlastmodified": ("%s", _of_each(lambda entry: http_date(entry.modified))),
    }
    if not folder:
        found["getcontentlength"] = ("%s", _of_each(attrgetter("size")))
        found["getcontenttype"] = (
            "%s",
            _of_each(lambda entry: _text(entry.media_type or "application/octet-stream")),
        )
    if tagged:
        found["getetag"] = ("%s", _of_each(lambda entry: _text(entity_tag(entry))))
    if lockable:
        found["supportedlock"] = (_LOCKS, None)
        found["lockdiscovery"] = ("", None)
    if folder and quota:
        found["quota-used-bytes"] = (str(quota.used), None)
        if quota.available is not None:
            found["quota-available-bytes"] = (str(quota.available), None)
    live = {DAV + name: (_element(DAV + name, content), value) for name, (content, value) in found.items()}
    return live | {CHECKSUMS: (_CHECKSUMS, _checksums)} if has_checksums else live


def _set_by_clients(shape: ResourceShape) -> dict[str, PropertyTemplate]:
    """Return the dead properties, and ``lockdiscovery``."""
    *_, locks, dead = shape
    found = {name: (element.replace("%", "%%"), None) for name, element in dead}
    if locks:
        name = f"{DAV}lockdiscovery"
        found[name] = (_element(name, locks.replace("%", "%%")), None)
    return dict(found)


def _of_each(value: Callable[[Entry], object]) -> PropertyValues:
    return lambda resources: [value(resource.entry) for resource in resources]


def _hrefs(resources: Sequence[ListedResource]) -> Iterable[str]:
    return [resource.href for resource in resources]


def _display_names(resources: Sequence[ListedResource]) -> Iterable[str]:
    found = [resource.entry.name for resource in resources]
    return found if _SPECIAL.search("".join(found)) is None else map(_text, found)


def _checksums(resources: Sequence[ListedResource]) -> Iterable[str]:
    return [written(resource.checksums or {}) for resource in resources]


def _text(value: str) -> str:
    if _SPECIAL.search(value) is None:
        return value
    # A parser would read a carriage return as the end of a line, and drop it (XML 1.0 section 2.11).
    return escape(_BANNED.sub("\N{REPLACEMENT CHARACTER}", value), {"\r": "&#13;"})
