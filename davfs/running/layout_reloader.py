"""Layout files are read again when they change, or when somebody asks for it."""

import logging
import math
import threading
import time
from collections.abc import Callable

from davfs.settings.layout_files import LayoutFiles, LoadedLayouts

_log = logging.getLogger(__name__)

_EVERY = 2.0
"""Seconds between two looks at the files."""


class LayoutReloader:
    """Keeps what the drive shows in step with the layout files.

    Args:
        selection: The files.
        show: Makes the drive show other layouts than before.
        tidy: Drops what was kept for requests that began before; called a while after `show`.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        selection: LayoutFiles,
        show: Callable[[LoadedLayouts], None],
        tidy: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._selection = selection
        self._show = show
        self._tidy = tidy
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._shown = selection.loaded
        self._seen = selection.state_read
        self._untidy = False
        self._next = -math.inf
        self._complain(selection.loaded)

    def reload(self) -> LoadedLayouts:
        """Read the files now, and show what they hold.

        Raises:
            Unavailable: The catalog cannot be used at the moment.
        """
        with self._one_at_a_time:
            loaded = self._selection.read()
            if not _same(loaded, self._shown):
                self._complain(loaded)
                self._show(loaded)
                self._shown, self._untidy = loaded, True
                _log.warning("the layouts were read again: %s", ", ".join(layout.title for layout in loaded.layouts))
            return loaded

    def look(self) -> None:
        """Read the files where they have changed; called again and again, it looks once in a while."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + _EVERY
        try:
            self._look()
        except Exception as error:  # noqa: BLE001  whoever calls has other things to do besides
            _log.error("layouts that changed could not be shown, which will be tried again: %s", error)

    def _look(self) -> None:
        if self._untidy:
            self._untidy = False
            self._tidy()
        state, before = self._selection.state(), self._seen
        self._seen = state
        shown = _same(self._selection.loaded, self._shown)
        if not shown or (state != self._selection.state_read and state == before):  # nobody is just writing them
            self.reload()

    def _complain(self, loaded: LoadedLayouts) -> None:
        for mistake in loaded.mistakes:
            _log.error("%s", mistake)


def _same(one: LoadedLayouts, other: LoadedLayouts) -> bool:
    return one.layouts == other.layouts and [*map(str, one.mistakes)] == [*map(str, other.mistakes)]
