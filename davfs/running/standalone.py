"""Runs the drive beside an Orthanc that is reached over HTTP, for ``davfs serve``.

1. `Standalone.listen` opens the port. HealthChecks checks are answered, all other requests get 503.
2. `Standalone.find_orthanc` waits for Orthanc.
3. `Standalone.open` opens the drive; its index is built in the background.
4. `Standalone.stop` waits for requests under way, stops threads and closes files.
"""

import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from davfs.audit.record import Door
from davfs.catalog.database_follower import DatabaseLink
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
from davfs.orthanc import postgresql, system
from davfs.orthanc.access import Access, Decision, Permission
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.outage import Outage, OutageTransport
from davfs.orthanc.polling import Polling
from davfs.orthanc.postgresql import PostgresNotifications
from davfs.orthanc.rest import RestOrthanc
from davfs.running.assembly import Assembly, assemble
from davfs.settings import setup, state_folder
from davfs.settings.layout_files import LayoutFiles
from davfs.settings.node_name import NodeName
from davfs.settings.setup import Setup
from davfs.settings.standalone import StandaloneConfiguration

_STOP_SECONDS = 5.0
"""Time limit for requests under way to end."""
_FINISH_SECONDS = 2.0
"""Time limit for background threads after that."""
_PROBE_SECONDS = 5.0
"""Time limit for Orthanc's answer to the question for its version."""
_PAUSES = (0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to reach Orthanc; the last is repeated."""


class Standalone:
    """A drive beside an Orthanc.

    Args:
        configuration: The settings.

    Raises:
        ConfigurationError: Certificates cannot be read.
    """

    def __init__(self, configuration: StandaloneConfiguration) -> None:
        self._settings = configuration.drive
        self._wait = configuration.wait
        remote = configuration.orthanc
        self._client = http_client(remote.url, remote.username, remote.password, verify=remote.verify)
        trust = ssl.create_default_context(cafile=remote.certificate) if remote.verify_peer else False
        self._database = configuration.database
        self._outage = Outage()
        self._access = Access(remote.url, verify=trust, outage=self._outage)
        self._application = StartingApplication()
        self._assembly: Assembly | None = None
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
        """Lock the folders, and open the port.

        Raises:
            ConfigurationError: The folders or the port cannot be used, or a layout does not exist.
        """
        setup.layout_paths(self._settings)  # so that a missing layout is found now, and not once Orthanc answers
        setup.make_folders(self._settings)
        self._closing.enter_context(state_folder.locked(self._settings.spool, self._settings.catalog))
        self._server.start()

    def find_orthanc(
        self, stopping: threading.Event, absent: Callable[[OrthancError], None]
    ) -> system.ServerInfo | None:
        """Wait for Orthanc.

        Args:
            stopping: Ends the wait.
            absent: Called each time that Orthanc did not answer.

        Returns:
            Its version and settings; None if `stopping` was set.

        Raises:
            Unavailable: It did not answer within the time that is configured.
            ConfigurationError: It will never answer, as it is configured.
        """
        until = None if self._wait is None else time.monotonic() + self._wait
        pauses = iter(_PAUSES)
        pause = 0.0
        while not stopping.is_set():
            try:
                return system.request_info(self._client, _PROBE_SECONDS)
            except Unavailable as error:
                absent(error)
                pause = next(pauses, pause)
                left = pause if until is None else min(pause, until - time.monotonic())
                if left <= 0:
                    raise
            stopping.wait(left)
        return None

    def open(self, found: system.ServerInfo) -> tuple[str, ...]:
        """Open the drive, and return the titles of its layouts.

        Raises:
            ConfigurationError: All layouts have mistakes, or the spool cannot be used.
        """
        layout_files = setup.load_layouts(self._settings, found.tags)
        orthanc = RestOrthanc(OutageTransport(HttpTransport(self._client), self._outage))
        checked = Setup(self._settings, layout_files, read_only=found.read_only)
        assembly = assemble(
            checked, orthanc, Polling(orthanc).next_change, decode=decoded_by_pydicom, link=self._link(layout_files)
        )
        self._closing.callback(assembly.shutdown.finish, _FINISH_SECONDS)
        server = self._settings.server
        login = LoginSettings(self._access, Throttle(), trusted_proxies=server.trusted_proxies)
        names, only_tls = HostNames(server.host_names), server.certificate is not None
        self._application.switch_to(
            application(
                Context(
                    assembly.drive,
                    assembly.audit,
                    login,
                    assembly.reload,
                    names,
                    only_tls,
                    Door.SERVE,
                    assembly.shared,
                    assembly.trash,
                )
            )
        )
        self._assembly = assembly
        return tuple(layout.title for layout in layout_files.loaded.layouts)

    def _link(self, files: LayoutFiles) -> DatabaseLink | None:
        if not self._database:
            return None
        connect = partial(PostgresNotifications, self._database, NodeName(files, self._settings.trash_metadata))
        ask = RestOrthanc(HttpTransport(self._client)).last_change
        return DatabaseLink(connect, self._outage, ask, partial(postgresql.connect, self._database))

    def progress(self) -> tuple[int, int] | None:
        """Return the number of resources in the first index, and of all; None once it is complete."""
        if self._assembly is None:
            return 0, 0
        return None if self._assembly.indexer.built else self._assembly.indexer.progress

    def is_open(self) -> bool:
        """Return True if Orthanc, and so the drive, asks for no password.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        return self._access.ask(Permission.READ, None) is Decision.GRANTED

    def stop(self) -> bool:
        """Refuse new requests, wait for those under way, and close everything.

        Returns:
            True if all requests have ended in time; the others are aborted.
        """
        if self._assembly:
            self._assembly.shutdown.begin()
        ended = self._server.stop(_STOP_SECONDS)
        self._closing.close()
        return ended

    def _obstacle(self) -> str | None:
        progress = self.progress()
        if self._assembly and progress:
            return f"The first index is being built: {progress[0]} of {progress[1]} resources."
        try:
            system.request_info(self._client, _PROBE_SECONDS)
        except DavfsError:
            return "Orthanc does not answer as it should."
        return None if self._assembly else "The drive is starting."
