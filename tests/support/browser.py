"""A headless Chromium, driven over a pipe by its own DevTools protocol.

Chromium needs no driver program and its protocol no library for this: with ``--remote-debugging-pipe`` it reads JSON
from descriptor 3 and writes it to descriptor 4, each message ended by a NUL.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

import json
import os
import select
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TIMEOUT = 20
"""Time limit for everything that a page does, in seconds."""

FOREIGN = "evil.example"
"""A host name of another site that resolves to this machine, as its owner can have it; no other name resolves."""

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root cannot have one, and the tests may run as root
    "--remote-debugging-pipe",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-sync",
    "--hide-scrollbars",
    f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Browser:
    """One page of a browser of its own; a context manager.

    Args:
        folder: Where it keeps its profile, its log and what is downloaded.

    Attributes:
        events: Events of the protocol so far: name and parameters.
        downloads: The folder that downloads go to.
    """

    def __init__(self, folder: Path) -> None:
        assert shutil.which("chromium"), "chromium is not installed: apt-get install chromium"
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.downloads = folder / "downloads"
        self._answers: dict[int, dict[str, Any]] = {}
        self._last = 0
        self._session: str | None = None
        self._unparsed = b""
        self._process = self._start(folder)
        self._session = self._attach()

    def _start(self, folder: Path) -> subprocess.Popen[bytes]:
        theirs_in, self._commands = os.pipe()
        self._messages, theirs_out = os.pipe()
        # bash moves the pipes to the descriptors that Chromium wants: a dash knows descriptors of one digit only
        script = f'exec chromium "$@" 3<&{theirs_in} 4>&{theirs_out}'
        profile = f"--user-data-dir={folder / 'profile'}"
        with (folder / "chromium.log").open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", script, "chromium", *_OPTIONS, profile, "about:blank"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"HOME": str(folder), "TZ": "UTC"},
                pass_fds=(theirs_in, theirs_out),
            )
        os.close(theirs_in)
        os.close(theirs_out)
        return process

    def _attach(self) -> str:
        found = self.call("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in found if each["type"] == "page")
        downloads = {"behavior": "allow", "downloadPath": str(self.downloads), "eventsEnabled": True}
        self.call("Browser.setDownloadBehavior", **downloads)
        self._session = str(self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setLocaleOverride", locale="en-GB")
        return self._session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result.

        Raises:
            AssertionError: It failed, or there was no answer in time.
        """
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session and not method.startswith(("Browser.", "Target.")):
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + TIMEOUT
        while self._last not in self._answers:
            self._receive(end - time.monotonic())
        answer = self._answers.pop(self._last)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> None:
        """Go to an address, and wait until the page is there."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_for_event("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression; a promise is waited for."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Wait until a JavaScript expression is true, and return its value."""
        end = time.monotonic() + TIMEOUT
        while not (value := self.run(script)):
            assert time.monotonic() < end, (
                f"not true within {TIMEOUT} s: {script}\n{self.run('document.body.innerText')}"
            )
            time.sleep(0.02)
        return value

    def wait_for_event(self, name: str) -> dict[str, Any]:
        """Wait for an event, and return its parameters; the next call waits for the next event of that name."""
        end = time.monotonic() + TIMEOUT
        while (found := next((each for each in self.events if each[0] == name), None)) is None:
            self._receive(end - time.monotonic())
        self.events.remove(found)
        return found[1]

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of an element."""
        x, y = self.run(
            f"(([box]) => [box.x + box.width / 2, box.y + box.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getClientRects())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def write(self, text: str) -> None:
        """Type text into the focused element."""
        self.call("Input.insertText", text=text)

    def choose(self, selector: str, paths: Sequence[Path]) -> None:
        """Choose files in an element for files."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def drop(self, paths: Sequence[Path]) -> None:
        """Drag files and folders onto the page, and drop them."""
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=200, y=200, data=data)

    def console_errors(self) -> list[str]:
        """Return errors and warnings in the page's console since it was opened, without those of failed requests."""
        logged = [values["entry"] for event, values in self.events if event == "Log.entryAdded"]
        found = [entry["text"] for entry in logged if entry["source"] != "network" and entry["level"] != "verbose"]
        found += [str(values) for event, values in self.events if event == "Runtime.exceptionThrown"]
        return found + [str(values) for event, values in self.events if event == "Runtime.consoleAPICalled"]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the page was opened."""
        return [values["request"]["url"] for event, values in self.events if event == "Network.requestWillBeSent"]

    def screenshot(self, width: int, height: int) -> bytes:
        """Return a picture of the page as PNG, of so many pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        return b64decode(self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)["data"])

    def close(self) -> None:
        """End the browser."""
        self.call("Browser.close")
        os.close(self._commands)
        self._process.wait(TIMEOUT)
        os.close(self._messages)

    def _receive(self, seconds: float) -> None:
        """Read the browser's next messages."""
        ready, _, _ = select.select([self._messages], [], [], max(seconds, 0))
        assert ready, "the browser does not answer"
        block = os.read(self._messages, 1 << 20)
        assert block, "the browser has ended"
        *messages, self._unparsed = (self._unparsed + block).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self.events.append((message["method"], message["params"]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
