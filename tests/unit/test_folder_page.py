"""The page of a folder: its content and its order."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from davfs.doors.webdav import paths
from davfs.doors.webdav.folder_page import POLICY, human_size, page
from davfs.entry import Entry, EntryKind, Path

SINCE = datetime(2024, 2, 29, 13, 30, 5, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)",
    "\"><img src=x onerror='alert(1)'>",
    "Müller^Hans & Söhne #1? 100%.dcm",
    "$rows ${script} %41",
    "a:b;c=d",
    "\u202egpj.exe",
    "משה 123.dcm",
    "..hidden",
)


@dataclass(frozen=True)
class Shown:
    """A page as a browser reads it."""

    tree: html.HtmlElement
    url: str

    def links(self, where: str) -> list[tuple[str, str]]:
        """Return text and absolute address of the links in a part of the page."""
        base = self.tree.find(".//base")
        start = self.url if base is None else urljoin(self.url, base.get("href"))
        return [
            (link.text_content(), urljoin(start, link.get("href"))) for link in self.tree.iterfind(f".//{where}//a")
        ]

    def text(self, where: str) -> list[str]:
        """Return the texts of some elements."""
        return [element.text_content() for element in self.tree.iterfind(f".//{where}")]


def folder(name: str) -> Entry:
    """Return a folder's entry."""
    return Entry(name, EntryKind.FOLDER, SINCE)


def file(name: str, size: int = 1) -> Entry:
    """Return a file's entry."""
    return Entry(name, EntryKind.FILE, SINCE, size)


def shown(path: Path, *entries: Entry, takes_files: bool = False, slash: bool = True) -> Shown:
    """Parse the page of a folder."""
    content = b"".join(page(path, entries, takes_files=takes_files, slash=slash))
    url = "http://host" + paths.quoted(path, folder=slash)
    return Shown(html.fromstring(content, parser=html.HTMLParser(encoding="utf-8")), url)


def listed(*entries: Entry) -> list[str]:
    """Return the names of a listing in the order of the page."""
    return [name for name, _ in shown((), *entries).links("tbody")]


def test_folders_come_first() -> None:
    """Folders stand before files, whatever they are called."""
    assert listed(file("a"), folder("z"), folder("b")) == ["b", "z", "a"]


def test_natural_order() -> None:
    """Numbers in names count as numbers, and case does not count."""
    assert listed(*map(file, ("IM10", "im9", "IM1", "b", "A", "007", "10"))) == [
        *("007", "10", "A", "b"),
        *("IM1", "im9", "IM10"),
    ]


@given(st.lists(st.text("0aA٣²ß/ -", min_size=1), unique=True))
def test_order_of_any_names(names: list[str]) -> None:
    """There is one order of any names, digits of other scripts among them."""
    assert listed(*map(file, names)) == listed(*map(file, reversed(names)))


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("slash", [True, False])
def test_hostile_names(name: str, slash: bool) -> None:  # noqa: FBT001  a parameter of the test
    """Names are text, whatever characters they contain, and link to their files."""
    path = ("inbox", name)
    seen = shown(path, file(name), folder(name), slash=slash)
    targets = [unquote_to_bytes(urlsplit(url).path).decode() for _, url in seen.links("tbody")]
    assert targets == [f"/inbox/{name}/{name}/", f"/inbox/{name}/{name}"]
    assert seen.text("tbody//a") == [name, name]
    assert seen.text("title") == [name]
    assert len(seen.tree.findall(".//script")) == 1
    assert not seen.tree.findall(".//img")


def test_names_are_isolated() -> None:
    """A right-to-left name does not change the direction of the text around it."""
    seen = shown(("inbox", "משה"), file("\u202egpj.exe"))
    assert seen.text("tbody//bdi") == ["\u202egpj.exe"]
    assert seen.text("nav//bdi") == ["Drive", "inbox", "משה"]


@pytest.mark.parametrize("slash", [True, False])
def test_path_at_the_top(slash: bool) -> None:  # noqa: FBT001  a parameter of the test
    """The folders above are links; the folder itself is none."""
    seen = shown(("by-patient", "Doe", "CT 1"), slash=slash)
    assert seen.links("nav") == [
        ("Drive", "http://host/"),
        ("by-patient", "http://host/by-patient/"),
        ("Doe", "http://host/by-patient/Doe/"),
    ]
    assert seen.text("nav//li[@aria-current]") == ["CT 1"]


def test_sizes_and_dates() -> None:
    """Sizes are short, with the exact number at hand; dates are in UTC, in a form that scripts read."""
    modified = SINCE.astimezone(timezone(timedelta(hours=2)))
    seen = shown((), file("a", 526336)._replace(modified=modified), folder("b"))
    assert seen.text("tbody//td") == ["\N{EN DASH}", "2024-02-29 13:30", "526\N{NO-BREAK SPACE}kB", "2024-02-29 13:30"]
    assert [each.get("title") for each in seen.tree.iterfind(".//td/span")] == ["526,336 bytes"]
    assert {each.get("datetime") for each in seen.tree.iterfind(".//time")} == {"2024-02-29T13:30:05Z"}


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9949, "9.9 kB"),
        (9951, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (1_400_000_000, "1.4 GB"),
        (12_345_000_000_000_000, "12345 TB"),
    ],
)
def test_readable_sizes(size: int, text: str) -> None:
    """Sizes have two or three digits, and never a thousand of a unit where there is a larger one."""
    assert human_size(size).replace("\N{NO-BREAK SPACE}", " ") == text


def test_caption() -> None:
    """The number and size of files stand below the list."""
    assert shown((), folder("a"), file("b", 1500), file("c", 500)).text("caption") == [
        "1 folder, 2 files (2.0\N{NO-BREAK SPACE}kB)"
    ]
    assert shown(("a",)).text("caption") == ["This folder is empty."]


def test_controls() -> None:
    """Uploads are offered where files can be written, and nowhere else."""
    assert shown(("inbox",), takes_files=True).tree.findall(".//input[@type='file']")
    seen = shown(("by-patient",))
    assert not seen.tree.findall(".//input")
    assert not seen.tree.findall(".//button")


def test_policy_allows_what_stands_in_the_page() -> None:
    """The hashes of the policy are those of the page's own style and script, and there is nothing else to allow."""
    seen = shown(("inbox",), takes_files=True)
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        ((text),) = seen.text(element)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in POLICY
    elements = list(seen.tree.iter())
    assert not [name for each in elements for name in each.attrib if name in {"style", "src"} or name.startswith("on")]
    assert "unsafe" not in POLICY
