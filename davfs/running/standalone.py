"""Puts the drive together beside an Orthanc that is reached over HTTP: what ``davfs serve`` runs.

1. `Standalone.listen`: the port is open; health is answered, everything else is told to come again later.
2. `Standalone.find_orthanc`: waits for Orthanc.
3. `Standalone.open`: the drive is there, and its index is built.
4. `Standalone.stop`: requests under way end, threads and files are closed.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from davfs.comparison.decoders import decoded_by_pydicom
from davfs.doors.webdav.application import application
from davfs.doors.webdav.context import Context
from davfs.doors.webdav.health import HealthChecks, Readiness, StartingApplication
from davfs.doors.webdav.host_names import HostNames
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.doors.webdav.login.throttle import Throttle
from davfs.doors.webdav.wire import tls
from davfs.doors.webdav.wire.server import HttpServer
from davfs.errors import DavfsError, OrthancError, Unavailable
from davfs.orthanc import system
from davfs.orthanc.access import Access, Decision, Permission
from davfs.orthanc.http import HttpTransport, connect
from davfs.orthanc.polling import Polling
from davfs.orthanc.rest import RestOrthanc
from davfs.running import assembly
from davfs.settings import setup, state_folder
from davfs.settings.setup import Setup
from davfs.settings.standalone import StandaloneConfiguration

_STOP_SECONDS = 5.0
"""Time that requests under way get to end."""
_FINISH_SECONDS = 2.0
"""Time that the threads behind them get after that."""
_PROBE_SECONDS = 5.0
"""Time that Orthanc gets to say what it is."""
_PAUSES = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to reach Orthanc; the last again and again."""

_audit = logging.getLogger("davfs.audit")


class Standalone:
    """A drive beside an Orthanc.

    Args:
        configuration: What the administrator has set.

    Raises:
        ConfigurationError: Certificates cannot be read.
    """

    def __init__(self, configuration: StandaloneConfiguration) -> None:
        self._settings = configuration.drive
        self._wait = configuration.wait
        remote = configuration.orthanc
        verify = (remote.certificate or True) if remote.verify_peer else False
        self._client = connect(remote.url, remote.username, remote.password, verify=verify)
        self._access = Access(
            remote.url, verify=ssl.create_default_context(cafile=remote.certificate) if verify else False
        )
        self._application = StartingApplication()
        self._parts: assembly.Assembly | None = None
        self._closing = ExitStack()
        self._closing.callback(self._client.close)
        self._closing.callback(self._access.close)
        server = self._settings.server
        context = (
            tls.context(server.certificate, server.key, setting="Server.Certificate") if server.certificate else None
        )
        listener = HealthChecks(self._application, Readiness(self._obstacle))
        self._server = HttpServer(listener, server.address, server.port, tls=context)

    def listen(self) -> None:
        """Claim the folders, and open the port.

        Raises:
            ConfigurationError: They cannot be had, or there is no such layout.
        """
        setup.layout_paths(self._settings)  # to refuse at once what would be refused once Orthanc is there
        setup.make_folders(self._settings)
        self._closing.enter_context(state_folder.locked(self._settings.spool, self._settings.catalog))
        self._server.start()

    def find_orthanc(
        self, stopping: threading.Event, absent: Callable[[OrthancError], None]
    ) -> system.ServerInfo | None:
        """Wait for Orthanc.

        Args:
            stopping: Ends the waiting.
            absent: Is told each time that Orthanc did not answer.

        Returns:
            What it is; None where the waiting was ended.

        Raises:
            Unavailable: It did not answer within the time that is configured.
            ConfigurationError: It will not answer, however long one waits.
        """
        until = None if self._wait is None else time.monotonic() + self._wait
        pauses = iter(_PAUSES)
        pause = 0.0
        while not stopping.is_set():
            try:
                return system.ask(self._client, _PROBE_SECONDS)
            except Unavailable as error:
                absent(error)
                pause = next(pauses, pause)
                left = pause if until is None else min(pause, until - time.monotonic())
                if left <= 0:
                    raise
            stopping.wait(left)
        return None

    def open(self, found: system.ServerInfo) -> tuple[str, ...]:
        """Put the drive behind the port, and return the names of its layouts' folders.

        Raises:
            ConfigurationError: All layouts are wrong, or the spool cannot be used.
        """
        selection = setup.load_layouts(self._settings, found.tags)
        orthanc = RestOrthanc(HttpTransport(self._client))
        parts = assembly.assemble(
            Setup(self._settings, selection, read_only=found.read_only),
            orthanc,
            Polling(orthanc).next_change,
            decode=decoded_by_pydicom,
        )
        self._closing.callback(parts.ending.finish, _FINISH_SECONDS)
        server = self._settings.server
        login = LoginSettings(self._access, Throttle(), trusted_proxies=server.trusted_proxies)
        names, only_tls = HostNames(server.host_names), server.certificate is not None
        self._application.become(application(Context(parts.drive, audit, login, parts.reload, names, only_tls)))
        self._parts = parts
        return tuple(layout.title for layout in selection.loaded.layouts)

    def progress(self) -> tuple[int, int] | None:
        """Tell how many resources are in the first index, and how many there are; None once it is complete."""
        if self._parts is None:
            return 0, 0
        return None if self._parts.indexer.built else self._parts.indexer.progress

    def is_open(self) -> bool:
        """Tell whether Orthanc asks for no password, and so the drive does not either.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        return self._access.ask(Permission.READ, None) is Decision.GRANTED

    def stop(self) -> bool:
        """Refuse new requests, let those under way end, and close everything.

        Returns:
            Whether all requests have ended in time; those that have not are broken off.
        """
        if self._parts:
            self._parts.ending.begin()
        ended = self._server.stop(_STOP_SECONDS)
        self._closing.close()
        return ended

    def _obstacle(self) -> str | None:
        progress = self.progress()
        if self._parts and progress:
            return f"The first index is being built: {progress[0]} of {progress[1]} resources."
        try:
            system.ask(self._client, _PROBE_SECONDS)
        except DavfsError:
            return "Orthanc does not answer as it should."
        return None if self._parts else "The drive is starting."


def audit(user: str, action: str, resource: str, result: str) -> None:
    """Write who did what to which resource, and what came of it."""
    shown = "".join(character if character.isprintable() and character != '"' else "?" for character in user)
    _audit.info('audit user="%s" action=%s resource=%s result=%s', shown, action, resource or "-", result)
