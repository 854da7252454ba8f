"""Reloads layout files when they change, or on request."""

import logging
import math
import threading
import time
from collections.abc import Callable

from davfs.settings.layout_files import LayoutFiles, LoadedLayouts

_log = logging.getLogger(__name__)

_INTERVAL = 2.0
"""Seconds between two checks of the files."""


class LayoutReloader:
    """Keeps the drive's folders in step with the layout files.

    Args:
        files: The files.
        show: Shows other layouts than before.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        files: LayoutFiles,
        show: Callable[[LoadedLayouts], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = files
        self._show = show
        self._clock = clock
        self._reloading = threading.Lock()
        self._shown = files.loaded
        self._last_state = files.state_read
        self._next_check = -math.inf
        _log_mistakes(files.loaded)

    def reload(self) -> LoadedLayouts:
        """Read the files now, and show their layouts.

        Raises:
            Unavailable: The index cannot be used at the moment.
        """
        with self._reloading:
            loaded = self._files.read()
            if not _same(loaded, self._shown):
                _log_mistakes(loaded)
                self._show(loaded)
                self._shown = loaded
                _log.warning("the layouts were reloaded: %s", ", ".join(layout.title for layout in loaded.layouts))
            return loaded

    def check_files(self) -> None:
        """Reload the files if they have changed; calls that come too early do nothing."""
        if self._clock() < self._next_check:
            return
        self._next_check = self._clock() + _INTERVAL
        try:
            self._check_files()
        except Exception as error:  # noqa: BLE001  the caller's thread has other work
            _log.error("changed layouts could not be loaded; this will be retried: %s", error)

    def _check_files(self) -> None:
        state, before = self._files.state(), self._last_state
        self._last_state = state
        changed = state != self._files.state_read and state == before  # not while they are being written
        if changed or not _same(self._files.loaded, self._shown):
            self.reload()


def _log_mistakes(loaded: LoadedLayouts) -> None:
    for mistake in loaded.mistakes:
        _log.error("%s", mistake)


def _same(one: LoadedLayouts, other: LoadedLayouts) -> bool:
    return one.layouts == other.layouts and [*map(str, one.mistakes)] == [*map(str, other.mistakes)]
