"""Uploaded files in Chromium: none of them runs in the origin of Orthanc or of the drive.

Whether a script ran is told by what only a script of that very origin can leave behind: an item of its local storage.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

import pytest

from davfs.demo.process import OrthancProcess
from tests.support import doors
from tests.support.browser import Browser
from tests.support.doors import COLLECTION, SERVER, Door

# pytest finds fixtures by the names in a module.
process = doors.process

MARK = "localStorage.setItem('ran', location.pathname)"
HTML = f"<!DOCTYPE html><html><body>shown<script>{MARK}</script></body></html>".encode()
XHTML = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>shown<script>{MARK}</script></body></html>'.encode()
SVG = f'<svg xmlns="http://www.w3.org/2000/svg"><text>shown</text><script>{MARK}</script></svg>'.encode()
STYLED = b"""<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="style.xsl"?><a/>"""
STYLE = (
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/">'
    f"<html><body><script>{MARK}</script></body></html></xsl:template></xsl:stylesheet>"
).encode()
MHTML = (
    b"From: <Saved>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: text/html\r\nContent-Location: http://evil.example/\r\n\r\n" + HTML + b"\r\n--b--\r\n"
)
SCRIPT = b"self.ran = true; self.postMessage && postMessage('ran'); try { localStorage.setItem('ran', 1) } catch {}"
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\ntrailer<</Root 1 0 R>>\n"
FILES = {
    **dict.fromkeys(["a.html", "a.htm", "A.HTM", "a.HtMl", "a.shtml", "a.html.html", "a.dcm.html", "a.txt.html"], HTML),
    **dict.fromkeys(["none", "a.html ~", "a.unknown", "a.html;x", "a.html?", "a.html#", ".html", "a.html.txt"], HTML),
    **dict.fromkeys(["a.txt", "a.json", "a.png", "a.jpg", "a.gif", "a.zip", "b.pdf", "a.css", "a.ico", "a.dcm"], HTML),
    **dict.fromkeys(["a.xhtml", "a.XHT", "x.xml", "a.rdf", "a.rss", "a.atom", "a.mathml", "x.html"], XHTML),
    **dict.fromkeys(["a.svg", "a.SVG", "a.svgz", "s.xml", "s.html", "s.png"], SVG),
    **dict.fromkeys(["a.xml", "a.xslt"], STYLED),
    "style.xsl": STYLE,
    **dict.fromkeys(["a.mht", "a.mhtml", "a.eml"], MHTML),
    **dict.fromkeys(["a.js", "a.mjs", "j.txt", "j.json", "j.wasm"], SCRIPT),
    "a.pdf": PDF,
}
"""Names and contents of what is uploaded."""

HARMLESS = {
    "application/dicom",
    "application/json",
    "application/octet-stream",
    "application/pdf",
    "application/zip",
    "image/gif",
    "image/jpeg",
    "image/png",
    "text/plain",
}
"""Types that every browser saves, or shows without running anything of their origin."""

LEFT = "localStorage.getItem('ran')"
LOADED = """Promise.race([
  new Promise(done => { const node = NODE; node.onload = () => done(self.ran ? 'ran' : 'loaded');
                        node.onerror = () => done('refused'); document.documentElement.append(node); }),
  new Promise(done => setTimeout(done, 10000, 'nothing'))])"""


@pytest.fixture(scope="module", params=[COLLECTION, SERVER])
def door(request: pytest.FixtureRequest, process: OrthancProcess) -> Iterator[Door]:
    """Each door of the plugin, with the files in its inbox."""
    with doors.opened(request.param, process) as each:
        each.drive.mkcol("inbox/hostile")
        for name, content in FILES.items():
            assert each.drive.put(f"inbox/hostile/{name}", content).is_success, name
        yield each


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests."""
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def origin(door: Door) -> str:
    """Return the address of something of the door's origin that a browser shows: scripts of the test run there."""
    if door.name == COLLECTION:
        return f"{door.rest.base_url}/system"
    return f"{door.url}davfs-api/health"


def address(door: Door, name: str) -> str:
    """Return the address of an uploaded file."""
    return f"{door.url}inbox/hostile/{quote(name, safe='')}"


def visit(browser: Browser, url: str) -> str:
    """Go to an address, and return the media type of what is shown; empty where it was downloaded instead."""
    browser.events.clear()
    answer = browser.call("Page.navigate", url=url)
    if "errorText" in answer:
        return ""
    browser.wait_for_event("Page.loadEventFired")
    return str(browser.run("document.contentType"))


def left(browser: Browser, url: str) -> str | None:
    """Return what scripts have left in the origin of an address, and clear it."""
    browser.open(url)
    found: str | None = browser.run(LEFT)
    browser.run("localStorage.clear()")
    return found


def test_types(door: Door) -> None:
    """No response and no listing has a media type that a browser executes, whatever the file's name."""
    listed = door.drive.listing("inbox/hostile")
    for name in FILES:
        for answer in (door.drive.get(f"inbox/hostile/{name}"), door.drive.head(f"inbox/hostile/{name}")):
            assert answer.headers["Content-Type"] in HARMLESS, name
        assert listed[name].text("getcontenttype") in HARMLESS, name


@pytest.mark.parametrize("spelling", ["a.html.", "a.html...", "a.html%2e", "./a.html", "A.HTM/", "a.html?x=.txt"])
def test_spellings(door: Door, spelling: str) -> None:
    """No other spelling of an address gives its file a media type that a browser executes."""
    target = f"{urlsplit(door.url).path}inbox/hostile/{spelling}"
    answer = door.drive.http.request("GET", target)
    assert answer.status_code in {200, 404}
    assert answer.status_code == 404 or answer.headers["Content-Type"] in HARMLESS


def test_visited(door: Door, browser: Browser) -> None:
    """An opened file is saved, or shown as text or picture, without running a script."""
    for name in FILES:
        assert visit(browser, address(door, name)) in {"", *HARMLESS}, name
    assert left(browser, origin(door)) is None


def test_workers(door: Door, browser: Browser) -> None:
    """No such file becomes a worker, a service worker or a module of a page of its origin.

    Chromium lets a page that runs in the origin already make a classic worker or script of anything, unless the answer
    says ``nosniff``. Orthanc says so since 1.12.3; no plugin can.
    """
    browser.open(origin(door))
    kinds = ("{type: 'module'}",) if door.name == COLLECTION else ("{type: 'module'}", "{}")
    for name in ("a.js", "a.mjs", "j.txt", "j.json"):
        url = address(door, name)
        for kind in kinds:
            worker = f"new Promise(done => {{ const worker = new Worker({url!r}, {kind});"
            told = "worker.onmessage = () => done('ran'); worker.onerror = () => done('refused'); })"
            assert browser.run(worker + told) == "refused", name
        assert browser.run(f"navigator.serviceWorker.register({url!r}).then(() => 'ran', () => 'refused')") == "refused"
        assert browser.run(f"import({url!r}).then(() => 'ran', () => 'refused')") == "refused"


def test_scripts(browser: Browser, process: OrthancProcess) -> None:
    """Door 2 sends ``nosniff``: no page can load such a file as a script. Orthanc itself does so since 1.12.3."""
    with doors.opened(SERVER, process) as door:
        door.drive.put("inbox/script.js", SCRIPT)
        url = f"{door.url}inbox/script.js"
        browser.open(origin(door))
        node = f"Object.assign(document.createElement('script'), {{src: {url!r}}})"
        assert browser.run(LOADED.replace("NODE", node)) == "refused"


def test_every_answer_of_door_2_is_taken_by_its_type(process: OrthancProcess) -> None:
    """Folders, files, listings and refusals are sent with ``nosniff``."""
    with doors.opened(SERVER, process) as door:
        door.drive.put("inbox/plain.txt", b"x")
        for method, path in (
            ("GET", ""),
            ("GET", "inbox/plain.txt"),
            ("GET", "inbox/none-there.html"),
            ("HEAD", "inbox/plain.txt"),
            ("PROPFIND", "inbox"),
            ("PUT", "by-patient/a.html"),
            ("LOCK", "inbox/plain.txt"),
            ("TRACE", ""),
            ("GET", "davfs-api/reload"),
        ):
            answer = door.drive.request(method, path, headers={"Depth": "1"})
            assert answer.headers["X-Content-Type-Options"] == "nosniff", (method, path)
        conditional = door.drive.request("GET", "inbox/plain.txt", headers={"If": "(Not <urn:x>)"})
        assert conditional.headers["X-Content-Type-Options"] == "nosniff"


def test_the_contents_would_run(browser: Browser) -> None:
    """The same contents do run when served with their own type, so that the tests above can fail."""
    types = {
        "/a.html": ("text/html", HTML),
        "/a.xhtml": ("application/xhtml+xml", XHTML),
        "/a.svg": ("image/svg+xml", SVG),
    }
    with _carelessly(types) as url:
        for name in types:
            visit(browser, url + name)
            assert left(browser, f"{url}/none") == name


@contextmanager
def _carelessly(types: dict[str, tuple[str, bytes]]) -> Iterator[str]:
    """Serve contents under the types that belong to them; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            media_type, content = types.get(self.path, ("text/plain", b"nothing"))
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
