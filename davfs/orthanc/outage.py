"""Outages of Orthanc's database: while it is gone, nothing is asked of Orthanc that would wait for it.

Orthanc's own calls wait for as long as it tries to connect again, one after the other
(docs/adr/0019-several-orthancs.md). The connection that follows the database (`davfs.catalog.database_follower`) knows
first, and refuses them at once.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from davfs.entry import Readable
from davfs.errors import DatabaseGone
from davfs.orthanc import Buffer
from davfs.orthanc.model import OrthancId
from davfs.orthanc.transport import Method, Tagged, Transport


class Outage:
    """An outage of Orthanc's database, if there is one now.

    Args:
        changed: Called with True when one begins, and with False when it has ended.
        clock: Monotonic time in seconds.

    Attributes:
        since: The clock's time at which it began; None if there is none.
        interrupt: Called when one begins: what waits for the database has to fail.
    """

    def __init__(
        self, changed: Callable[[bool], object] = lambda _begun: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._changed = changed
        self._clock = clock
        self.since: float | None = None
        self.interrupt: Callable[[], object] = lambda: None

    def begin(self) -> None:
        """Record that the database is gone."""
        if self.since is None:
            self.since = self._clock()
            self._changed(True)  # noqa: FBT003  see the argument
            self.interrupt()

    def end(self) -> None:
        """Record that Orthanc reaches its database again."""
        if self.since is not None:
            self.since = None
            self._changed(False)  # noqa: FBT003  as above

    def check(self) -> None:
        """Raise `DatabaseGone` during an outage."""
        if self.since is not None:
            raise DatabaseGone("Orthanc's database does not answer")


class OutageTransport:
    """`davfs.orthanc.transport.Transport` that refuses all requests at once during an outage.

    Args:
        transport: Sends the requests.
        outage: The outage.
    """

    def __init__(self, transport: Transport, outage: Outage) -> None:
        self._transport = transport
        self._outage = outage

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        self._outage.check()
        return self._transport.get(path)

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        self._outage.check()
        return self._transport.post(path, body)

    def call(self, method: Method, path: str, body: bytes = b"", match: str = "") -> Tagged:
        """See `davfs.orthanc.transport.Transport`."""
        self._outage.check()
        return self._transport.call(method, path, body, match)

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`; this needs no database."""
        return self._transport.transcoded(content, syntax)

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.transport.Transport`."""
        self._outage.check()
        self._transport.delete(path)

    def open_file(self, instance: OrthancId, start: int) -> AbstractContextManager[Readable]:
        """See `davfs.orthanc.transport.Transport`."""
        self._outage.check()
        return self._transport.open_file(instance, start)
