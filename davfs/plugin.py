"""Puts the drive together inside Orthanc. native/interpreter.c calls `start` and `stop`, and nothing else of Python."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass

from davfs import assembly, setup
from davfs.configuration import Configuration
from davfs.doors.collection.door import MOUNT, CollectionDoor
from davfs.doors.webdav.application import application
from davfs.doors.webdav.context import Context
from davfs.doors.webdav.properties import Properties
from davfs.doors.webdav.server import Server
from davfs.errors import ConfigurationError
from davfs.filesystem.drive import Drive
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
        checked, RestOrthanc(InsideTransport()), changes.next_change, changed=callbacks.forget_recent
    )
    _running.stops = parts.stops
    callbacks.answer_with(CollectionDoor(parts.drive))
    _log.warning("the drive is at %s/%s/ of Orthanc's HTTP server", checked.settings.uri, MOUNT)
    if checked.settings.server.enabled:
        if configuration.get("AuthenticationEnabled", configuration.get("RemoteAccessAllowed")):
            raise ConfigurationError("Davfs.Server.Enabled: it cannot check passwords yet")
        _running.stops = (*_open_second_door(checked.settings, parts.drive), *parts.stops)


def stop() -> None:
    """Stop every thread, each within its time limit."""
    assembly.stop(_running.stops)
    _running.stops = ()


def _open_second_door(settings: Configuration, drive: Drive) -> tuple[Callable[[], object], ...]:
    properties = Properties(settings.spool / "properties.sqlite")
    server = Server(application(Context(drive, log.audit), properties), "127.0.0.1", settings.server.port)
    server.start()
    _log.warning("the drive is at http://127.0.0.1:%d/", settings.server.port)
    return (lambda: server.stop(_STOP_SECONDS), properties.close)
