"""The drive's own server in this process, on a free port, with an inbox over an Orthanc in memory."""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as DiskPath
from typing import Any, cast

from davfs.audit.record import AuditAction
from davfs.demo.ports import LOOPBACK
from davfs.derived.checksums import StoredChecksums
from davfs.doors.webdav.application import application
from davfs.doors.webdav.context import Context
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.doors.webdav.login.throttle import Throttle
from davfs.doors.webdav.wire.server import HttpServer
from davfs.filesystem.area import Area
from davfs.filesystem.drive import Drive
from davfs.filesystem.inbox import Inbox
from davfs.filesystem.readme import Readme
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.orthanc.access import Access, Decision
from davfs.settings.layout_files import LoadedLayouts
from davfs.spool.spool import Spool
from tests.support.audit import KeptTrail
from tests.support.memory_orthanc import MemoryOrthanc
from tests.support.webdav import WebDav

SINCE = datetime(2024, 2, 29, 12, tzinfo=UTC)


class _AllowAll:
    """`Access` that grants every permission."""

    def ask(self, *_: object) -> Decision:
        """See `Access`."""
        return Decision.GRANTED


@dataclass
class LocalServer:
    """A running server, and the parts behind it.

    Attributes:
        drive: A client of the server.
        inbox: The inbox that it serves.
        orthanc: The Orthanc into which the inbox imports.
        trail: The audit trail.
        areas: The drive's areas by name.
    """

    drive: WebDav
    inbox: Inbox
    orthanc: MemoryOrthanc
    trail: KeptTrail
    areas: dict[str, Area]


@contextmanager
def local_server(
    folder: DiskPath,
    reload: Callable[[], LoadedLayouts] = lambda: LoadedLayouts((), ()),
    *,
    maximum_age: float = 0,
    orthanc: MemoryOrthanc | None = None,
) -> Iterator[LocalServer]:
    """Run a server until the end of the block."""
    orthanc, lanes = orthanc or MemoryOrthanc(), Lanes(workers=1, patience=5)
    spool = Spool(folder, maximum_size=1 << 30, maximum_age=maximum_age)
    stored = StoredChecksums(orthanc)
    inbox = Inbox(orthanc, spool, lanes, Importer(orthanc), stored=stored)
    areas: dict[str, Area] = {"inbox": inbox}
    trail = KeptTrail(AuditAction.LIST)
    readme = Readme({}, allow_upload=True, allow_delete=False, progress=lambda: None)
    drive = Drive(areas, readme, SINCE, stored=stored)
    login = LoginSettings(cast("Access", _AllowAll()), Throttle())
    context = Context(drive=drive, audit=trail, login=login, reload=reload)
    served = application(context)
    with serving(served) as server, WebDav(f"http://{LOOPBACK}:{server.port}/") as client:
        yield LocalServer(client, inbox, orthanc, trail, areas)
    spool.close()
    assert lanes.stop(5)


@contextmanager
def serving(served: Callable[..., Any], **options: Any) -> Iterator[HttpServer]:
    """Serve a WSGI application on a free port until the end of the block."""
    server = HttpServer(served, LOOPBACK, 0, **options)
    server.start()
    try:
        yield server
    finally:
        assert server.stop(10)


def received(environ: dict[str, Any]) -> Generator[bytes, None, bytes]:
    """Read the body of a request; yields an empty block whenever no data has arrived yet."""
    body = b""
    while True:
        try:
            block = environ["wsgi.input"].read(1 << 20)
        except BlockingIOError:
            yield b""
            continue
        if not block:
            return body
        body += block
