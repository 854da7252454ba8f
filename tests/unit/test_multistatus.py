"""The response to a PROPFIND, read back by a parser."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from davfs import dates
from davfs.doors.webdav import paths
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.multistatus import LIVE, ListedResource, PropfindMode, RequestedProperties, multistatus
from davfs.doors.webdav.propfind import parse_propfind
from davfs.doors.webdav.request_xml import parsed
from davfs.entry import Entry, EntryKind
from davfs.filesystem.area import QuotaUsage

WHEN = datetime(2024, 2, 29, 12, tzinfo=UTC)
FILE = Entry("a & b <c>.dcm", EntryKind.FILE, WHEN, 5, "tag", "application/dicom")
FOLDER = Entry("folder", EntryKind.FOLDER, WHEN)
EXECUTABLE = "{http://apache.org/dav/props/}executable"
DAV = "{DAV:}"


def answered(wanted: RequestedProperties, *shown: ListedResource) -> list[dict[str, dict[str, str]]]:
    """Return for each resource the text of its properties, by status and name."""
    root = etree.fromstring(b"".join(multistatus(wanted, shown)))
    return [
        {
            propstat.findtext(f"{DAV}status", "").split(" ", 1)[1]: {
                str(each.tag): "".join(map(str, each.itertext())) for each in propstat.iterfind(f"{DAV}prop/*")
            }
            for propstat in response.iterfind(f"{DAV}propstat")
        }
        for response in root.iterfind(f"{DAV}response")
    ]


def test_all_of_a_file() -> None:
    """A file has its live properties, and no others."""
    (found,) = answered(RequestedProperties(PropfindMode.ALL), ListedResource("/a", FILE))
    assert found == {
        "200 OK": {
            f"{DAV}resourcetype": "",
            f"{DAV}displayname": "a & b <c>.dcm",
            f"{DAV}getlastmodified": "Thu, 29 Feb 2024 12:00:00 GMT",
            f"{DAV}creationdate": "2024-02-29T12:00:00Z",
            f"{DAV}getcontentlength": "5",
            f"{DAV}getcontenttype": "application/dicom",
            f"{DAV}getetag": '"tag"',
        }
    }


def test_named() -> None:
    """Properties that an entry lacks are answered as missing, in any namespace, and never as empty."""
    names = (f"{DAV}getcontentlength", f"{DAV}quota-used-bytes", EXECUTABLE, "plain", "{urn:100%25s&'a}x")
    file, folder = answered(
        RequestedProperties(PropfindMode.NAMED, names),
        ListedResource("/a", FILE),
        ListedResource("/f/", FOLDER, quota=QuotaUsage(7, None)),
    )
    assert file == {"200 OK": {names[0]: "5"}, "404 Not Found": dict.fromkeys(names[1:], "")}
    assert folder == {"200 OK": {names[1]: "7"}, "404 Not Found": dict.fromkeys([names[0], *names[2:]], "")}


def test_names_alone() -> None:
    """The names of properties come without their values, quota included."""
    (found,) = answered(
        RequestedProperties(PropfindMode.NAMES), ListedResource("/f/", FOLDER, lockable=True, quota=QuotaUsage(7, 8))
    )
    assert set(found) == {"200 OK"}
    assert set(found["200 OK"].values()) == {""}
    assert {f"{DAV}quota-available-bytes", f"{DAV}supportedlock"} < set(found["200 OK"]) <= LIVE


def test_more_than_all() -> None:
    """An include element adds properties to allprop (RFC 4918 §14.8)."""
    (found,) = answered(
        RequestedProperties(PropfindMode.ALL, (f"{DAV}quota-used-bytes",)),
        ListedResource("/f/", FOLDER, quota=QuotaUsage(7, 8)),
    )
    assert found["200 OK"][f"{DAV}quota-used-bytes"] == "7"
    (found,) = answered(RequestedProperties(PropfindMode.ALL), ListedResource("/f/", FOLDER, quota=QuotaUsage(7, 8)))
    assert f"{DAV}quota-used-bytes" not in found["200 OK"]


@example(name="a\r\nb\r", folder=False)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), folder=st.booleans())
def test_any_name(*, name: str, folder: bool) -> None:
    """With any name, the response is well-formed, and shows the name as far as XML can."""
    entry = Entry(name, EntryKind.FOLDER if folder else EntryKind.FILE, WHEN)
    body = b"".join(
        multistatus(RequestedProperties(PropfindMode.ALL), [ListedResource("/" + quote(name, safe=""), entry)])
    )
    root = etree.fromstring(body)
    assert unquote(root.findtext(f".//{DAV}href", "")) == f"/{name}"
    shown = root.findtext(f".//{DAV}displayname", "")
    assert len(shown) == len(name)
    assert all(one in (other, "\N{REPLACEMENT CHARACTER}") for one, other in zip(shown, name, strict=True))


def test_many() -> None:
    """A long response comes in blocks, and is complete."""
    shown = [ListedResource(f"/{number}", FILE) for number in range(3001)]
    blocks = list(multistatus(RequestedProperties(PropfindMode.ALL), shown))
    assert len(blocks) > 1
    hrefs = [each.text for each in etree.fromstring(b"".join(blocks)).iterfind(f".//{DAV}href")]
    assert hrefs == [each.href for each in shown]


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("<allprop/>", RequestedProperties(PropfindMode.ALL)),
        ("<propname/>", RequestedProperties(PropfindMode.NAMES)),
        ("<prop><a/><!-- c --><b xmlns='x'/><a/></prop>", RequestedProperties(PropfindMode.NAMED, ("{DAV:}a", "{x}b"))),
        ("<prop/>", RequestedProperties(PropfindMode.NAMED)),
        ("<allprop/><include><a/></include>", RequestedProperties(PropfindMode.ALL, ("{DAV:}a",))),
        ("<unknown/><allprop/>", RequestedProperties(PropfindMode.ALL)),
    ],
)
def test_requests(inner: str, expected: RequestedProperties) -> None:
    """Requests are parsed by RFC 4918 §9.1; unknown elements are ignored (§17)."""
    assert parse_propfind(parsed(f"<propfind xmlns='DAV:'>{inner}</propfind>".encode())) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"x", b"<a/>", b"<propfind xmlns='DAV:'/>", b"<propfind xmlns='DAV:'><allprop/><propname/></propfind>",
        b"<!DOCTYPE propfind><propfind xmlns='DAV:'><allprop/></propfind>", b"\xff\xfe<", b"<D:propfind/>",
    ],
)  # fmt: skip
def test_bad_requests(body: bytes) -> None:
    """Anything else is refused as a bad request."""
    with pytest.raises(HttpError) as caught:
        parse_propfind(parsed(body))
    assert caught.value.value == 400


@given(st.lists(st.text(min_size=1), max_size=20))
def test_segments_are_escaped_alike(names: list[str]) -> None:
    """Names that are escaped together have the same form as each by itself, whatever is in them."""
    names = [name for name in names if "/" not in name and not any("\ud800" <= one <= "\udfff" for one in name)]
    assert paths.quoted_segments(names) == [paths.quoted((name,), folder=False)[1:] for name in names]


@given(st.datetimes(WHEN.replace(year=1000, day=1, tzinfo=None), timezones=st.just(UTC)))
def test_dates(moment: datetime) -> None:
    """Dates have the forms of the standard library."""
    assert dates.iso_date(moment) == moment.replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    assert dates.basic_date(moment) == dates.iso_date(moment).translate(str.maketrans("", "", "-:Z"))
    assert parsedate_to_datetime(dates.http_date(moment)) == moment.replace(microsecond=0)
