"""Folders of door 2 in Chromium: reading, and uploads from the page."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.support import dicom, doors, pictures
from tests.support.attaching import Study
from tests.support.browser import Browser
from tests.support.doors import Door
from tests.support.drive import import_by_rest, place
from tests.support.inbox import BROKEN

# pytest finds fixtures by the names in a module.
process, server = doors.process, doors.inside

NAMES = "[...document.querySelectorAll('tbody a')].map(link => link.innerText)"
STATE = "document.getElementById('state').innerText"
HOSTILE = "&amp; 'it' #1; 100% \u202egpj.exe משה.txt"
"""A name with what means something in HTML, in a URL or in a line of text."""


@pytest.fixture(scope="module")
def url(server: Door) -> str:
    """The address of a drive with one patient."""
    import_by_rest(server.rest, dicom.instance("a"))
    return server.url


@pytest.fixture(scope="module")
def rest(server: Door) -> httpx.Client:
    """A client of Orthanc's REST API."""
    return server.rest


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests: each opens a page of its own."""
    with Browser(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def browser(shared: Browser, url: str) -> Iterator[Browser]:
    """Yield a browser, and check that it reported no errors and sent requests to the drive only."""
    yield shared
    assert shared.console_errors() == []
    assert {urlsplit(each).netloc for each in shared.requests() if not each.startswith("data:")} <= {
        urlsplit(url).netloc
    }


@pytest.fixture
def inbox(url: str, request: pytest.FixtureRequest) -> str:
    """The address of a folder in inbox/ that belongs to one test."""
    address = f"{url}inbox/{request.node.name}/"
    assert httpx.request("MKCOL", address, trust_env=False).status_code == 201
    return address


def test_browsing(browser: Browser, url: str) -> None:
    """Readers navigate by clicks from the drive's root to a patient's file, and back by the path at the top."""
    browser.open(url)
    assert browser.run(NAMES) == ["by-patient", "inbox", "search", "README.txt"]
    folders = place("a").split("/")[:-1]
    for folder in folders:
        browser.events.clear()
        browser.click(f"a[href='{quote(folder, safe='')}/']")
        browser.wait_for_event("Page.loadEventFired")
    assert browser.run(NAMES) == ["00001.dcm"]
    browser.events.clear()
    browser.click("nav a")
    browser.wait_for_event("Page.loadEventFired")
    assert browser.run("location.href") == url


def test_file_is_downloaded(browser: Browser, url: str) -> None:
    """A click on a DICOM file saves it."""
    folder, _, name = place("a").rpartition("/")
    browser.open(url + quote(f"{folder}/"))
    browser.click("tbody a")
    begun = browser.wait_for_event("Browser.downloadWillBegin")
    assert begun["suggestedFilename"] == name
    while browser.wait_for_event("Browser.downloadProgress")["state"] == "inProgress":
        pass
    assert (browser.downloads / name).read_bytes() == dicom.instance("a")


def test_links_without_a_slash_at_the_end(browser: Browser, url: str) -> None:
    """The links of a folder that was requested without a trailing slash lead to its entries."""
    browser.open(f"{url}by-patient")
    assert browser.run("location.pathname") == "/by-patient"
    links = browser.run("[...document.querySelectorAll('a')].map(link => decodeURI(link.href))")
    assert links == [url, f"{url}by-patient/{place('a').split('/')[1]}/"]


def test_dates_are_local(browser: Browser, inbox: str) -> None:
    """Dates are shown in the reader's own time zone."""
    httpx.put(f"{inbox}a.txt", content=b"a", trust_env=False)
    browser.call("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
    browser.open(inbox)
    moment, shown = browser.run("(time => [time.dateTime, time.innerText])(document.querySelector('time'))")
    hour = (int(moment[11:13]) + 9) % 24
    assert f"{hour:02d}:{moment[14:16]}" in shown
    browser.call("Emulation.setTimezoneOverride", timezoneId="UTC")


def test_names_are_text(browser: Browser, inbox: str) -> None:
    """Names are shown as text, whatever characters they contain, and link to their files."""
    assert httpx.put(inbox + quote(HOSTILE), content=b"here", trust_env=False).status_code == 201
    browser.open(inbox)
    assert browser.run(NAMES) == [HOSTILE]
    assert browser.run("fetch(document.querySelector('tbody a').href).then(answer => answer.text())") == "here"


def test_chosen_file_is_imported(browser: Browser, inbox: str, rest: httpx.Client, tmp_path: Path) -> None:
    """DICOM files that are chosen on the page are in Orthanc; the list shows them."""
    contents = [dicom.instance("chosen", number=number) for number in range(5)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.dcm").write_bytes(content)
    browser.open(inbox)
    browser.choose("#files", sorted(tmp_path.iterdir()))
    browser.wait_for(f"{NAMES}.length === 5")
    assert browser.run(STATE) == "5 files uploaded."
    for content in contents:
        assert rest.get(f"/instances/{dicom.ids(content).instance}/file").content == content


def test_dropped_folder_is_imported(browser: Browser, inbox: str, rest: httpx.Client, tmp_path: Path) -> None:
    """A folder that is dropped is uploaded with all that is in it."""
    content = dicom.instance("dropped")
    (tmp_path / "CD" / "DICOM").mkdir(parents=True)
    (tmp_path / "CD" / "DICOM" / "IM0").write_bytes(content)
    browser.open(inbox)
    browser.drop([tmp_path / "CD"])
    browser.wait_for(f"{STATE} === '1 file uploaded.'")
    browser.wait_for(f"{NAMES}.includes('CD')")
    assert rest.get(f"/instances/{dicom.ids(content).instance}/file").content == content
    assert httpx.get(f"{inbox}CD/DICOM/IM0", trust_env=False).content == content


def test_papers_are_attached_by_the_page(browser: Browser, url: str, rest: httpx.Client, tmp_path: Path) -> None:
    """Papers that are chosen on the page of a study's folder are attached; for what is refused the reason is shown."""
    study = Study(rest, "page")
    (tmp_path / "report.pdf").write_bytes(pictures.PDF)
    (tmp_path / "scan.png").write_bytes(pictures.picture()[0])
    browser.open(f"{url}{quote(study.folder)}/")
    browser.choose("#files", sorted(tmp_path.iterdir()))
    browser.wait_for(f"{STATE} === '2 files uploaded.'")
    browser.wait_for(f"{NAMES}.includes('report.pdf')")
    attached = {each["SeriesDescription"]: each["ID"] for each in study.attached()}
    assert rest.get(f"/instances/{attached['report']}/pdf").content == pictures.PDF
    assert study.file(attached["scan"]).PixelData == pictures.picture()[1]
    (tmp_path / "letter.docx").write_bytes(b"PK\3\4")
    browser.choose("#files", [tmp_path / "letter.docx"])
    reason = browser.wait_for("document.querySelector('#uploads strong')?.innerText")
    assert "can be attached" in str(reason)


def test_progress(browser: Browser, inbox: str, tmp_path: Path) -> None:
    """A bar shows how much of a file has been sent."""
    (tmp_path / "large.bin").write_bytes(bytes(8 << 20))
    browser.open(inbox)
    browser.run(
        "window.seen = []; new MutationObserver(changes => changes.forEach(({target}) =>"
        " target.tagName === 'PROGRESS' && seen.push(target.value)))"
        ".observe(document.getElementById('uploads'), {subtree: true, attributes: true}), 0"
    )
    slow = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": 8 << 20}
    browser.call("Network.emulateNetworkConditions", offline=False, **slow)
    browser.choose("#files", [tmp_path / "large.bin"])
    browser.wait_for(f"{NAMES}.length === 1")
    browser.call("Network.emulateNetworkConditions", offline=False, **slow | {"uploadThroughput": -1})
    seen = browser.run("seen")
    assert any(0 < value < 1 for value in seen), seen


def test_refused_upload(browser: Browser, inbox: str, rest: httpx.Client, tmp_path: Path) -> None:
    """The reason of a refusal stands beside the file's name."""
    (tmp_path / "broken.dcm").write_bytes(BROKEN)
    (tmp_path / "good.dcm").write_bytes(dicom.instance("good"))
    browser.open(inbox)
    browser.choose("#files", sorted(tmp_path.iterdir()))
    reason = browser.wait_for("document.querySelector('#uploads strong')?.innerText")
    assert reason == httpx.put(f"{inbox}same.dcm", content=BROKEN, trust_env=False).text.strip()
    browser.wait_for(f"{STATE} === '1 file uploaded, 1 file not uploaded.'")
    browser.wait_for(f"{NAMES}.includes('good.dcm')")
    assert rest.get(f"/instances/{dicom.ids(dicom.instance('good')).instance}").is_success


def test_nothing_is_replaced_unasked(browser: Browser, inbox: str, tmp_path: Path) -> None:
    """A file whose name is taken is not uploaded until the user confirms."""
    httpx.put(f"{inbox}a.txt", content=b"old", trust_env=False)
    (tmp_path / "a.txt").write_bytes(b"new")
    browser.open(inbox)
    browser.choose("#files", [tmp_path / "a.txt"])
    reason = browser.wait_for("document.querySelector('#uploads strong')?.innerText")
    assert reason == "A file of this name is already here."
    assert httpx.get(f"{inbox}a.txt", trust_env=False).content == b"old"
    browser.click("#uploads button")
    browser.wait_for(f"{STATE} === '1 file uploaded.'")
    assert httpx.get(f"{inbox}a.txt", trust_env=False).content == b"new"


def test_new_folder(browser: Browser, inbox: str) -> None:
    """A folder can be made on the page; a name that is taken is refused with the reason."""
    browser.open(inbox)
    for _ in range(2):
        browser.click("#new")
        browser.write(HOSTILE)
        browser.call("Input.dispatchKeyEvent", type="char", text="\r")
        browser.wait_for(f"{NAMES}.length === 1")
    assert browser.run(NAMES) == [HOSTILE]
    assert browser.wait_for("document.getElementById('refusal').innerText")
    browser.click("#cancel")
    assert not browser.run("document.querySelector('dialog').open")


def test_a_file_in_the_place_of_the_folder(browser: Browser, inbox: str) -> None:
    """A file that has replaced the folder is not shown as part of its page."""
    browser.open(inbox)
    httpx.delete(inbox, trust_env=False)
    content = b"<table><tbody><tr><td><a href='//evil.example'>mine</a></td></tr></tbody></table>"
    assert httpx.put(inbox.rstrip("/"), content=content, trust_env=False).status_code == 201
    browser.run("refresh()")
    assert browser.run("document.querySelectorAll('a[href*=evil]').length") == 0
    assert "A file has taken its place" in browser.run("document.getElementById('state').textContent")


def test_nothing_is_offered_where_nothing_is_taken(browser: Browser, url: str) -> None:
    """The page of a layout's folder has no controls for uploads."""
    browser.open(f"{url}by-patient/")
    assert browser.run("document.querySelectorAll('input, button').length") == 0


def test_foreign_page_cannot_upload(shared: Browser, inbox: str, server: Door) -> None:
    """A script of another origin cannot upload, and nothing is stored."""
    target = f"{inbox}evil.dcm"
    shared.open(f"{server.rest.base_url}/system")
    for method in ("PUT", "DELETE", "MKCOL", "PROPFIND"):
        sent = f"fetch({json.dumps(target)}, {{method: '{method}'}}).then(() => 'sent', () => 'stopped')"
        assert shared.run(sent) == "stopped"
    assert httpx.get(target, trust_env=False).status_code == 404
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PUT"}
    for method in ("OPTIONS", "GET"):
        answer = httpx.request(method, inbox, headers=asked, trust_env=False)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
