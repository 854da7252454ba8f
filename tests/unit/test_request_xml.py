"""XML of requests: accepted and refused documents, and the cost of parsing them."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from xml.etree.ElementTree import Element, tostring

import lxml.etree
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsgidav import xml_tools

from davfs.doors.webdav.body_buffer import LARGEST
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.request_xml import DEEPEST, LONGEST_NAMESPACE, MOST_ELEMENTS, parsed

NESTED = "<a>" * DEEPEST + "</a>" * DEEPEST
NAMESPACE = "n" * LONGEST_NAMESPACE
ENTITY = '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'


def repeated(part: str, size: int, around: str = "<a>{}</a>") -> str:
    """Return XML of about so many bytes, in which a part is repeated: with its number, if it has a place for that."""
    return around.format("".join(part.format(f"{n:05}") for n in range(size // len(part.format("00000")))))


COSTS: dict[str, Callable[[int], str]] = {
    "attributes": lambda size: repeated(" b{}=''", size, "<a{}/>"),
    "attributes with namespaces": lambda size: repeated(" p:b{0}='' q:b{0}=''", size, "<a xmlns:p='p' xmlns:q='q'{}/>"),
    "namespaces": lambda size: repeated(" xmlns:b{0}='{0}'", size, "<a{}/>"),
    "namespaces again and again": lambda size: repeated(f"<b{{}} xmlns:p='{'n' * (size // 800)}'/>", size),
    "a long name": lambda size: f"<{'a' * size}/>",
    "a long value": lambda size: f"<a b='{'c' * size}'/>",
    "references": lambda size: repeated("&#13;", size),
    "references in a value": lambda size: repeated("&amp;", size, "<a b='{}'/>"),
    "comments": lambda size: repeated("b<!---->", size),
    "sections": lambda size: repeated("<![CDATA[]]]>", size),
    "lines": lambda size: repeated("b\r\n", size),
}


def as_told(element: Element) -> str:
    """Return an element in canonical form, by another parser."""
    return lxml.etree.tostring(lxml.etree.fromstring(tostring(element)), method="c14n2").decode()


def refusal(body: str | bytes) -> int:
    """Return the status with which a body is refused."""
    with pytest.raises(HttpError) as caught:
        parsed(body.encode() if isinstance(body, str) else body)
    return int(caught.value.value)


@pytest.mark.parametrize(
    "document",
    [
        "<a/>", "<a xmlns='u' b='c' xmlns:p='v' p:d='é'>x<p:b>y</p:b>z</a>", "<a><![CDATA[<b>]]>&amp;&#233;</a>",
        "<a xml:lang='en'> <b/>\r\n</a>", "<a xmlns='u'><b xmlns=''/></a>", "<?xml version='1.0'?><a/>", NESTED,
        f"<a xmlns='{NAMESPACE}'/>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_taken(document: str, encoding: str) -> None:
    """Well-formed documents are parsed as by another parser, in both encodings of RFC 4918 §8.2."""
    other = lxml.etree.fromstring(document.encode())
    assert as_told(parsed(document.encode(encoding))) == as_told(parsed(lxml.etree.tostring(other)))
    assert [each.tag for each in parsed(document.encode(encoding)).iter()] == [each.tag for each in other.iter()]


def test_left_out() -> None:
    """Comments and processing instructions are no elements."""
    (child,) = parsed(b"<?x y?><!-- a --><a><!-- b --><b>c<!-- d -->e</b><?z?></a>")
    assert child.text == "ce"


@pytest.mark.parametrize(
    "body",
    [
        "", "x", "<a>", "<a/><b/>", "<p:a/>", "<a b='' b=''/>", "<a>&e;</a>", "<a>&#55296;</a>", "<a>&#0;</a>",
        "<a>\x01</a>", ENTITY, "<!DOCTYPE a><a/>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "<a xmlns:p=''/>",
        "<a xmlns='u}v'/>",
        b"\xff\xfe<", b"<a>\xff</a>", "<a/>".encode("utf-32"), ENTITY.encode("utf-16"),
        "<?xml version='1.0' encoding='cp037'?><a/>", "<?xml version='1.0' encoding='utf-7'?><a/>",
        "<?xml version='1.0' encoding='zlib'?><a/>", "<?xml version='1.0' encoding='no-such'?><a/>",
    ],
)  # fmt: skip
def test_refused(body: str | bytes) -> None:
    """A document that is not well-formed, or has a document type or an encoding of Python's, is a bad request."""
    assert refusal(body) == 400


@pytest.mark.parametrize(
    "body",
    [
        f"<a>{NESTED}</a>", f"<a xmlns='{NAMESPACE}n'/>", f"<a>{'<b/>' * MOST_ELEMENTS}</a>",
        "<a>" * 10_000, "<a>" * 10_000 + "</a>" * 10_000,
    ],
)  # fmt: skip
def test_too_much(body: str) -> None:
    """A document with too many elements is refused before the rest of it is parsed."""
    assert refusal(body) == 413


@given(st.binary(max_size=200) | st.text("<>/&#;!?[]'\"= \r\nabxmlns:\x00é", max_size=60).map(str.encode))
def test_anything(body: bytes) -> None:
    """Any body is parsed or refused."""
    with suppress(HttpError):
        assert isinstance(parsed(body), Element)


@pytest.mark.parametrize("kind", COSTS)
def test_costs(kind: str) -> None:
    """Eight times the bytes take about eight times the time; quadratic work would take 64 times."""
    small, large = (min(work(COSTS[kind](size).encode()) for _ in range(3)) for size in (LARGEST, LARGEST * 8))
    assert large < 24 * small + 0.01
    assert small < 0.1


def work(body: bytes) -> float:
    """Return the CPU seconds for parsing a body."""
    before = time.process_time()
    parsed(body)
    return time.process_time() - before


def test_wsgidav() -> None:
    """WsgiDAV does not use lxml, which is installed, and which other code can import."""
    assert xml_tools.use_lxml is False
    assert sys.modules["lxml"] is lxml


def test_wsgidav_imported_before() -> None:
    """If WsgiDAV has chosen lxml before, the drive does not start, and reports why."""
    program = "import wsgidav.xml_tools; import davfs.doors.webdav"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("davfs.errors.ConfigurationError: WsgiDAV uses lxml")
