"""Puts the drive together inside Orthanc. native/interpreter.c calls `start` and `stop`, and nothing else of Python."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from davfs import assembly, setup
from davfs.configuration import Configuration
from davfs.doors.collection.door import MOUNT, CollectionDoor
from davfs.doors.webdav.application import application
from davfs.doors.webdav.context import Context
from davfs.doors.webdav.health import Health, Readiness
from davfs.doors.webdav.login.gate import Gate
from davfs.doors.webdav.login.throttle import Throttle
from davfs.doors.webdav.properties import Properties
from davfs.doors.webdav.wire import tls
from davfs.doors.webdav.wire.server import Server
from davfs.orthanc import loopback
from davfs.orthanc.access import Access
from davfs.orthanc.inside import InsideTransport
from davfs.orthanc.rest import RestOrthanc
from davfs.sdk import callbacks, changes, core, log

_log = logging.getLogger(__name__)

_STOP_SECONDS = 1.0


@dataclass(slots=True)
class _Running:
    """What has to be stopped again, in this order."""

    stops: tuple[Callable[[], object], ...] = ()


_running = _Running()


def start() -> None:
    """Read the configuration, put the drive behind the door, start the threads.

    Raises:
        ConfigurationError: The administrator has to change something; the message says what.
    """
    log.install()
    configuration = json.loads(core.configuration())
    checked = setup.read(configuration, core.configuration_path())
    parts = assembly.assemble(
        checked,
        RestOrthanc(InsideTransport()),
        changes.next_change,
        changed=callbacks.forget_recent,
        open_files=1,
    )
    _running.stops = parts.stops
    callbacks.answer_with(CollectionDoor(parts.drive))
    _log.warning("the drive is at %s/%s/ of Orthanc's HTTP server", checked.settings.uri, MOUNT)
    if checked.settings.server.enabled:
        _running.stops = (*_open_second_door(configuration, checked.settings, parts), *parts.stops)


def stop() -> None:
    """Stop every thread, each within its time limit."""
    assembly.stop(_running.stops)
    _running.stops = ()


def _open_second_door(
    orthanc: Mapping[str, Any], settings: Configuration, parts: assembly.Assembly
) -> tuple[Callable[[], object], ...]:
    home = setup.home(core.configuration_path())
    url, verify = loopback.address(orthanc, home)
    access = Access(url, verify=verify)
    gate = Gate(access, Throttle(), orthanc.get("RegisteredUsers", {}))
    properties = Properties(settings.spool / "properties.sqlite")
    own, listening = settings.server.certificate, settings.server
    certificate = tls.context(own, listening.key) if own else tls.context_of_orthanc(orthanc, home)
    door = application(Context(parts.drive, log.audit, gate, parts.reload), properties)
    readiness = Readiness(lambda: None if parts.upkeep.built else "The first index is being built.")
    server = Server(Health(door, readiness), listening.address, listening.port, tls=certificate)
    server.start()
    _log.warning("the drive is at port %d as well", settings.server.port)
    return (lambda: server.stop(_STOP_SECONDS), access.close, properties.close)
