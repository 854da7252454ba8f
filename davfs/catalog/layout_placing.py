"""The background thread that places new layouts beside the others, and deletes former ones.

It works half of the time at most, in steps of some 20 ms, so that requests and new resources come in between.
"""

import logging
import threading
import time
from collections.abc import Callable

from davfs.catalog.catalog import Catalog
from davfs.errors import OrthancError

_log = logging.getLogger(__name__)

_TICK = 0.25
"""Seconds after which the thread checks again whether layouts have to be placed."""
_SHORTEST = 0.005
"""Seconds, at least, between two steps."""
_RETRY = 10.0
"""Seconds until a step is tried again that failed."""


class _ProgressLog:
    """Logs which layouts are being placed, every tenth part of their progress, and the end.

    Args:
        catalog: The index.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._logged: dict[str, tuple[int, float]] = {}

    def note(self) -> None:
        """Log what is new."""
        progress = self._catalog.progress()
        self._logged = {key: noted for key, noted in self._logged.items() if key in progress}
        for key, (title, percentage) in progress.items():
            tenths, began = self._logged.get(key, (-1, time.monotonic()))
            if percentage is None:
                if self._logged.pop(key, None):
                    _log.warning("the layout '%s' is complete after %.1f s", title, time.monotonic() - began)
            elif percentage // 10 > tenths:
                level = logging.INFO if tenths >= 0 else logging.WARNING
                _log.log(level, "the layout '%s' is being placed: %d %% of the archive is in it", title, percentage)
                self._logged[key] = percentage // 10, began


class LayoutPlacing:
    """Places layouts, and moves the index on to a new day.

    Args:
        catalog: The index.
        stepped: Called after each step, and regularly.
    """

    def __init__(self, catalog: Catalog, stepped: Callable[[], object]) -> None:
        self._catalog = catalog
        self._stepped = stepped
        self._log = _ProgressLog(catalog)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="davfs-placing", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def interrupt(self) -> None:
        """End the thread after the step that runs now; `stop` waits for it."""
        self._stopping.set()

    def stop(self, timeout: float) -> bool:
        """Stop the thread; return True if it ended within ``timeout`` seconds."""
        self.interrupt()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                pause = self._step()
            except OrthancError as error:
                pause = _RETRY
                if not self._stopping.is_set():
                    _log.warning("a layout could not be placed, which will be retried: %s", error)
            except Exception:  # noqa: BLE001  the thread has to live: without it layouts are never complete
                pause = _RETRY
                _log.exception("a layout could not be placed, which will be retried")

    def _step(self) -> float:
        """Do one step; return the seconds to wait until the next one."""
        began = time.monotonic()
        self._catalog.place_for_today()
        self._log.note()
        more = self._catalog.place_next()
        self._stepped()
        return max(_SHORTEST, time.monotonic() - began) if more else _TICK
