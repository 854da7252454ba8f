"""Puts the drive together inside Orthanc. native/interpreter.c calls `start` and `stop`, and nothing else of Python."""

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from davfs.doors.collection.collection import MOUNT, DriveCollection
from davfs.doors.webdav.application import application
from davfs.doors.webdav.context import Context
from davfs.doors.webdav.health import HealthChecks, Readiness
from davfs.doors.webdav.host_names import HostNames
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.doors.webdav.login.throttle import Throttle
from davfs.doors.webdav.wire import tls
from davfs.doors.webdav.wire.server import HttpServer
from davfs.orthanc import loopback
from davfs.orthanc.access import Access
from davfs.orthanc.inside import InsideTransport
from davfs.orthanc.rest import RestOrthanc
from davfs.running import assembly
from davfs.running.shutdown import log_running_threads
from davfs.sdk import callbacks, changes, core, log
from davfs.settings import setup, state_folder
from davfs.settings.configuration import Configuration

_log = logging.getLogger(__name__)

_GRACE_SECONDS = 0.75
"""Time that requests under way at the second door get to end."""
_REST_SECONDS = 0.75
"""Time that everything gets after that, once no call into Orthanc is made any more."""


_HARMLESS = frozenset({"davfs", "explorer.js"})
"""Plugins, as Orthanc lists them, that change nothing of what comes in; the second is what they add to its own page."""


@dataclass(slots=True)
class _Running:
    """What has to be stopped again."""

    parts: assembly.Assembly | None = None
    server: HttpServer | None = None
    closing: ExitStack = field(default_factory=ExitStack)


_running = _Running()


def start() -> None:
    """Read the configuration, put the drive behind the door, start the threads.

    Raises:
        ConfigurationError: The administrator has to change something; the message says what.
    """
    log.install()
    try:
        _start()
    except BaseException:
        stop()
        raise


def _start() -> None:
    configuration = json.loads(core.configuration())
    checked = setup.read(configuration, core.configuration_path())
    if not setup.keeps_files(configuration):
        _log.warning("StoreDicom is false, so that Orthanc keeps no files: the drive takes no uploads")
    _running.closing.enter_context(state_folder.locked(checked.settings.spool, checked.settings.catalog))
    orthanc = RestOrthanc(InsideTransport())
    parts = assembly.assemble(
        replace(checked, read_only=orthanc.is_read_only(), may_alter=_may_alter(configuration, orthanc)),
        orthanc,
        changes.next_change,
        changed=callbacks.clear_recent,
        open_files=1,
    )
    _running.parts = parts
    callbacks.serve(DriveCollection(parts.drive))
    _log.warning("the drive is at %s/%s/ of Orthanc's HTTP server", checked.settings.uri, MOUNT)
    if checked.settings.server.enabled:
        _open_second_door(configuration, checked.settings, parts)


def stop() -> None:
    """Stop everything within a few seconds; called when Orthanc has stopped, and its core is still there.

    1. What takes long is told to end; nobody comes in at the second door any more.
    2. Requests under way there may end; after a moment their connections are broken.
    3. No new call into Orthanc is made: what still runs, at either door, ends at its next one.
    4. Threads are waited for, and files are closed.
    """
    parts, server = _running.parts, _running.server
    _running.parts, _running.server = None, None
    with _running.closing:
        if parts:
            parts.ending.begin()
        ended = server is None or server.stop(_GRACE_SECONDS)
        core.refuse_calls()
        if parts:
            parts.ending.finish(_REST_SECONDS)
        if server and not ended:
            server.stop(_REST_SECONDS)
    log_running_threads()


def _may_alter(configuration: Mapping[str, Any], orthanc: RestOrthanc) -> bool:
    """Return True if Orthanc may store other bytes than it is given: any plugin can change what comes in."""
    return bool(configuration.get("IngestTranscoding")) or not orthanc.plugins() <= _HARMLESS


def _has_no_plain_port(orthanc: Mapping[str, Any]) -> bool:
    """Return True if nobody reaches Orthanc's own pages without TLS under the name of this machine."""
    return bool(orthanc.get("SslEnabled")) or not orthanc.get("RemoteAccessAllowed")


def _open_second_door(orthanc: Mapping[str, Any], settings: Configuration, parts: assembly.Assembly) -> None:
    home = setup.home(core.configuration_path())
    url, verify = loopback.address(orthanc, home)
    access = Access(url, verify=verify)
    _running.closing.callback(access.close)
    users, proxies = orthanc.get("RegisteredUsers", {}), settings.server.trusted_proxies
    login = LoginSettings(access, Throttle(), users, trusted_proxies=proxies)
    own, listening = settings.server.certificate, settings.server
    certificate = tls.context(own, listening.key) if own else tls.context_of_orthanc(orthanc, home)
    only_tls = certificate is not None and _has_no_plain_port(orthanc)
    context = Context(parts.drive, log.audit, login, parts.reload, HostNames(listening.host_names), only_tls)
    door = application(context)
    readiness = Readiness(lambda: None if parts.indexer.built else "The first index is being built.")
    server = HttpServer(HealthChecks(door, readiness), listening.address, listening.port, tls=certificate)
    server.start()
    _running.server = server
    _log.warning("the drive is at port %d as well", settings.server.port)
