"""Pages of other sites in Chromium get nothing from door 2 where nobody has to log in."""

from collections.abc import Iterator

import pytest

from davfs.demo.process import OrthancProcess
from tests.support import doors
from tests.support.browser import FOREIGN, Browser
from tests.support.doors import Door

process, server = doors.process, doors.inside
SEND = "fetch('{url}', {options}).then(answer => answer.text(), error => 'none')"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser for all tests."""
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def statuses(browser: Browser, url: str) -> list[int]:
    """Return the statuses of the answers that came from an address, whether the page may see them or not."""
    answers = [values["response"] for event, values in browser.events if event == "Network.responseReceived"]
    return [int(answer["status"]) for answer in answers if answer["url"] == url]


@pytest.mark.parametrize("options", ["{}", "{method: 'PUT', body: 'x', headers: {Authorization: 'Basic YTpi'}}"])
def test_rebound_name(browser: Browser, server: Door, options: str) -> None:
    """A page whose host name resolves to the drive can neither read nor write."""
    url = f"http://{FOREIGN}:{server.drive.port}"
    browser.open(f"{url}/davfs-api/health")
    told = browser.run(SEND.format(url="/inbox/rebound", options=options))
    assert "Davfs.Server.HostNames" in told
    assert statuses(browser, f"{url}/inbox/rebound") == [421]
    browser.open(f"{url}/")
    assert "by-patient" not in browser.run("document.body.innerText")
    assert server.drive.status("inbox/rebound") == 404


@pytest.mark.parametrize("near", [True, False])
def test_foreign_page(browser: Browser, server: Door, process: OrthancProcess, *, near: bool) -> None:
    """A page of another site, or of another port of this machine, cannot send what a form can send."""
    browser.open(f"{process.url}/system" if near else f"http://{FOREIGN}:{server.drive.port}/davfs-api/health")
    url = f"{server.url}davfs-api/reload"
    browser.run(SEND.format(url=url, options="{method: 'POST', mode: 'no-cors'}"))
    assert statuses(browser, url) == [403]


def test_own_page(browser: Browser, server: Door) -> None:
    """The drive's own page can."""
    browser.open(server.url)
    assert "layouts" in browser.run(SEND.format(url="/davfs-api/reload", options="{method: 'POST'}"))
    assert statuses(browser, f"{server.url}davfs-api/reload") == [200]
