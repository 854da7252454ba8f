"""Takes the picture of docs/browser.md, of real files.

Run it after ``make plugin``: ``python -m tests.support.screenshot docs/browser.png``.
"""

import sys
import tempfile
from pathlib import Path

from davfs.demo.ports import free_ports
from davfs.demo.samples import samples
from tests.support.browser import Browser
from tests.support.doors import SERVER, opened
from tests.support.orthanc_server import OrthancServer
from tests.support.webdav import WebDav

PLUGIN = Path("build/libOrthancDavfs.so")
WIDTH, HEIGHT = 1200, 700
FOLDER = "inbox/Teaching files"
SHOWN = ("CT_small", "MR_small", "JPEG-lossy", "SC_rgb_small_odd", "liver_1frame", "rtplan", "waveform_ecg")


def main(target: Path) -> None:
    """Serve real files, look at them while a further one is uploaded, and write the picture."""
    (port,) = free_ports(1)
    davfs = {"Server": {"Enabled": True, "Port": port}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (
            OrthancServer(folder / "orthanc", plugins=[PLUGIN], davfs=davfs) as process,
            opened(SERVER, process) as door,
            Browser(folder) as browser,
        ):
            _fill(door.drive)
            target.write_bytes(_picture(browser, door.drive, folder / "liver.zip"))


def _fill(drive: WebDav) -> None:
    for path in (FOLDER, f"{FOLDER}/CD of 29 February", f"{FOLDER}/Follow-up"):
        drive.mkcol(path)
    for sample in samples():
        if sample.stem in SHOWN:
            answer = drive.put(f"{FOLDER}/{sample.name}", sample.read_bytes())
            assert answer.is_success, answer.text


def _picture(browser: Browser, drive: WebDav, upload: Path) -> bytes:
    upload.write_bytes(bytes(4 << 20))
    browser.open(str(drive.http.base_url.join(drive.href(f"{FOLDER}/"))))
    browser.screenshot(WIDTH, HEIGHT)  # the first one lays the page out
    browser.call(
        "Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=1e6
    )
    browser.choose("#files", [upload])
    browser.wait_for("document.querySelector('progress')?.value > 0.4")
    return browser.screenshot(WIDTH, HEIGHT)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
