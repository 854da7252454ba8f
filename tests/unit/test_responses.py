"""Answers that do not come from Orthanc, though its address gave them."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from davfs.entry import Entry, EntryKind
from davfs.errors import BadFile, OrthancError, Unavailable, UnknownResource
from davfs.filesystem.stored import open_stored
from davfs.orthanc import Level, Orthanc, OrthancId
from davfs.orthanc.http import HttpTransport
from davfs.orthanc.rest import RestOrthanc
from tests.support.answering import AnsweringClient

ONE = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")
FILE = bytes(128) + b"DICM" + bytes(range(256)) * 100
SINCE = datetime(2024, 2, 29, tzinfo=UTC)
PAGE = "<html><body>We are back soon.</body></html>"
PROXIED = {"Via": "1.1 proxy"}

FOREIGN: dict[str, httpx.Response] = {
    "a page": httpx.Response(200, html=PAGE),
    "a page with 404": httpx.Response(404, html=PAGE),
    "a text with 404": httpx.Response(404, text="404 page not found"),
    "a page with 500": httpx.Response(500, html=PAGE),
    "a text": httpx.Response(200, text="OK"),
    "nothing": httpx.Response(200),
    "an object": httpx.Response(200, json={"status": "ok"}),
    "null": httpx.Response(200, text="null"),
}
QUESTIONS: dict[str, Callable[[Orthanc], Any]] = {
    "last_change": lambda orthanc: orthanc.last_change(),
    "changes": lambda orthanc: orthanc.changes(0),
    "counts": lambda orthanc: orthanc.counts(),
    "ids": lambda orthanc: orthanc.ids(Level.STUDY),
    "children": lambda orthanc: orthanc.with_children(Level.STUDY, ONE),
    "with_children": lambda orthanc: orthanc.with_children(Level.STUDY, ONE),
    "page": lambda orthanc: orthanc.page(Level.STUDY, 0, 10),
    "exists": lambda orthanc: orthanc.exists(Level.STUDY, ONE),
    "existing": lambda orthanc: orthanc.existing([ONE]),
    "resources": lambda orthanc: orthanc.resources([ONE]),
    "instances": lambda orthanc: orthanc.instances([ONE]),
    "instance": lambda orthanc: orthanc.instance(ONE),
    "instance_size": lambda orthanc: orthanc.instance_size(ONE),
    "instance_md5": lambda orthanc: orthanc.instance_md5(ONE),
    "store": lambda orthanc: orthanc.store(FILE),
    "delete_instances": lambda orthanc: orthanc.delete_instances([ONE]),
    "delete": lambda orthanc: orthanc.delete(Level.STUDY, ONE),
}


def orthanc(answer: Callable[[httpx.Request], httpx.Response]) -> Orthanc:
    """Return an Orthanc whose answers are these."""
    return RestOrthanc(HttpTransport(AnsweringClient(answer)))


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("question", QUESTIONS)
def test_it_is_no_answer(question: str, foreign: str) -> None:
    """A proxy's own page instead of Orthanc's response is an error, never a result."""
    refused = (question, foreign) == ("store", "a text with 404")  # see test_codes.py
    with pytest.raises(BadFile if refused else Unavailable):
        QUESTIONS[question](orthanc(lambda _: FOREIGN[foreign]))


@pytest.mark.parametrize("status", [401, 403, 302])
def test_what_is_up_to_the_administrator_stays_so(status: int) -> None:
    """A page that refuses access, or leads elsewhere, will not be another one later."""
    answer = httpx.Response(status, html=PAGE, headers={"Location": "http://elsewhere"})
    with pytest.raises(OrthancError) as caught:
        orthanc(lambda _: answer).last_change()
    assert not isinstance(caught.value, Unavailable)


GONE = {
    "before 1.12.2": httpx.Response(404),
    "since": httpx.Response(404, text=json.dumps({"OrthancError": "Unknown resource", "OrthancStatus": 17})),
}


@pytest.mark.parametrize("version", GONE)
def test_gone_is_gone(version: str) -> None:
    """Orthanc's own 404 has no text of a proxy, but since 1.12.2 its description of the error is called a text."""
    with pytest.raises(UnknownResource):
        orthanc(lambda _: GONE[version]).instance_size(ONE)
    with pytest.raises(UnknownResource):
        orthanc(lambda _: GONE[version]).open_instance(ONE)
    assert not orthanc(lambda _: GONE[version]).exists(Level.STUDY, ONE)


class Files:
    """Answers for one file.

    Args:
        sent: What comes in its place.
        headers: Come with it.
        md5: What Orthanc has noted of the file; None where it notes none.
    """

    def __init__(self, sent: bytes, headers: dict[str, str] | None = None, md5: bytes | None = FILE) -> None:
        self._sent = sent
        self._headers = {"Content-Length": str(len(sent)), "Content-Type": "application/dicom"} | (headers or {})
        self._md5 = md5
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        what = request.url.path.rpartition("/")[2]
        self.asked.append(what)
        if what == "size":
            return httpx.Response(200, text=str(len(FILE)))
        if what == "md5":
            digest = hashlib.md5(self._md5 or b"", usedforsecurity=False).hexdigest()
            return httpx.Response(200, text=digest) if self._md5 is not None else httpx.Response(404)
        return httpx.Response(200, headers=self._headers, content=iter([self._sent]))

    def read(self, size: int = len(FILE)) -> bytes:
        """Return what is read of the file; ``size`` is what was known of it before."""
        read = bytearray()
        with suppress(Unavailable), open_stored(orthanc(self), Entry("a", EntryKind.FILE, SINCE, size), ONE) as content:
            for block in content.buffers():
                read += block
            return bytes(read)
        assert not read.endswith(self._sent[-1:])
        return b""


def test_files_of_another_length() -> None:
    """A page is not a smaller image; an image that was replaced is one of another size, and Orthanc says so."""
    assert Files(PAGE.encode()).read() == b""
    assert Files(PAGE.encode(), {"Content-Type": "text/html"}).read() == b""
    assert Files(FILE, {"Content-Type": "text/plain"}).read() == b""
    assert Files(FILE).read(size=4321) == FILE


def test_files_through_a_proxy_are_compared() -> None:
    """A file from a proxy that may be outdated is compared with Orthanc's MD5, since its length may be equal."""
    other = FILE[:-1] + b"\x00"
    assert Files(other, PROXIED).read() == b""
    assert Files(FILE, PROXIED).read() == FILE
    assert Files(other, PROXIED, md5=None).read() == other


def test_what_is_no_dicom_is_compared() -> None:
    """Something else of the same length is not the file; a file that begins without the prefix is."""
    assert Files(b"x" * len(FILE)).read() == b""
    bare = FILE[132:] + bytes(132)
    assert Files(bare, md5=bare).read() == bare


def test_files_without_a_proxy_cost_nothing_more() -> None:
    """Orthanc is asked once."""
    files = Files(FILE)
    assert files.read() == FILE
    assert files.asked == ["file"]
