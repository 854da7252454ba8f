"""The page of trash/ in Chromium: entries are restored by a button."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser
from tests.support.trashed import Archive, archive, assert_shown

__all__ = ["archive"]  # pytest finds fixtures by the names in a module
STATE = "document.getElementById('state').innerText"
NAMES = "[...document.querySelectorAll('tbody a')].map(link => link.innerText)"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """Yield a browser, and check that it reported no errors."""
    with Browser(tmp_path) as browser:
        yield browser
        assert browser.console_errors() == []


def test_restoring(archive: Archive, browser: Browser) -> None:
    """A click restores an entry; the others stay, each with its button, and the list is that of now."""
    images = archive.store("page <b>one</b>"), archive.store("page two")
    for name in ("page _b_one__b_ (page _b_one__b_)", "page two (page two)"):
        assert archive.drive.delete(f"by-patient/Doe {name}").status_code == 204, archive.drive.listing("by-patient")
    browser.open(f"{archive.drive.http.base_url}/trash/")
    assert len(browser.run(NAMES)) == 2
    assert browser.run("document.querySelectorAll('button[data-entry]:not([hidden])').length") == 2
    one = next(name for name in browser.run(NAMES) if "two" in name)
    row = f"[...document.querySelectorAll('tr')].find(row => row.innerText.includes({one!r}))"
    browser.run(f"{row}.querySelector('button').click()")
    browser.wait_for(f"{STATE}.startsWith('Restored: ')")
    browser.wait_for(f"{NAMES}.length === 1")
    assert_shown(archive, images[1])
    browser.run("document.querySelector('button[data-entry]').click()")
    browser.wait_for(f"{NAMES}.length === 0")
    assert list(archive.serve.listing("trash")) == []


def test_no_button_elsewhere(archive: Archive, browser: Browser) -> None:
    """Within an entry, and in layouts, there is no button."""
    archive.store("page three")
    assert archive.drive.delete("by-patient/Doe page three (page three)").status_code == 204
    for path in ("by-patient", archive.entry("page three")):
        browser.open(f"{archive.drive.http.base_url}/{path}/")
        assert browser.run("document.querySelectorAll('button[data-entry]').length") == 0
