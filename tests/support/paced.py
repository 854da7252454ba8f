"""Threads whose requests to an Orthanc in memory are interleaved in the order that a test chooses."""

import functools
import threading
from collections.abc import Callable
from typing import Any

from tests.support.catalog import CountingOrthanc

_ASKED = (
    "last_change", "changes", "ids", "has_count", "children", "with_children", "exists", "existing", "resources",
    "counts",
)  # fmt: skip
_SECONDS = 30
"""Time limit of a thread between two requests."""


class Paced:
    """A thread that pauses before and after each request to a `PacedOrthanc`.

    Args:
        act: The thread's function; it begins with the first `advance`.
    """

    def __init__(self, act: Callable[[], object]) -> None:
        self._turn, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._act = act
        self.error: BaseException | None = None
        self.done = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def advance(self) -> None:
        """Run the thread until before or after its next request, or to its end; raise the error that it raised."""
        if self.done:
            return
        self._turn.release()
        assert self._stopped.acquire(timeout=_SECONDS), "the thread does not come to its next request"
        if self.error:
            raise self.error

    def finish(self) -> None:
        """Run the thread to its end."""
        while not self.done:
            self.advance()

    def stop_here(self) -> None:
        """Pause until `advance` is called; for the thread itself."""
        self._stopped.release()
        assert self._turn.acquire(timeout=_SECONDS)

    def _run(self) -> None:
        _current.paced = self
        self._turn.acquire()
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001  for `advance`
            self.error = error
        self.done = True
        self._stopped.release()


class _Current(threading.local):
    paced: Paced | None = None


_current = _Current()


class PacedOrthanc(CountingOrthanc):
    """Pauses each `Paced` thread before and after a request."""


def _stopping(name: str) -> Callable[..., Any]:
    answer = getattr(CountingOrthanc, name)

    @functools.wraps(answer)
    def paced(*arguments: Any, **options: Any) -> Any:
        thread = _current.paced
        if thread is None:
            return answer(*arguments, **options)
        thread.stop_here()
        _current.paced = None  # what Orthanc asks itself is part of its answer
        try:
            found = answer(*arguments, **options)
        finally:
            _current.paced = thread
        thread.stop_here()
        return found

    return paced


for _name in _ASKED:
    setattr(PacedOrthanc, _name, _stopping(_name))
