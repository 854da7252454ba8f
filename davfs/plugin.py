"""Puts the drive together inside Orthanc. native/interpreter.c calls `start` and `stop`, and nothing else of Python."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from davfs import setup
from davfs.catalog.catalog import Catalog
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import LayoutPlacer
from davfs.catalog.store import Store
from davfs.catalog.upkeep import Upkeep
from davfs.configuration import Configuration
from davfs.doors.collection.door import MOUNT, CollectionDoor
from davfs.errors import ConfigurationError
from davfs.filesystem.drive import Drive
from davfs.filesystem.inbox import Inbox
from davfs.filesystem.readme import Readme
from davfs.filesystem.tree import Tree
from davfs.imports.importer import Importer
from davfs.imports.queue import ImportQueue
from davfs.imports.spool import Spool
from davfs.imports.sweeper import Sweeper
from davfs.orthanc.inside import InsideTransport
from davfs.orthanc.rest import RestOrthanc
from davfs.sdk import callbacks, changes, core, log

_log = logging.getLogger(__name__)

_STOP_SECONDS = 1.0
"""Time that each thread gets to end; Orthanc itself is given five seconds by most service managers' users."""


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
    checked = setup.read(json.loads(core.configuration()), core.configuration_path())
    settings, layouts = checked.settings, checked.layouts
    orthanc = RestOrthanc(InsideTransport())
    since = datetime.now(UTC)

    upkeep = Upkeep(changes.next_change)
    store = Store(settings.catalog, LayoutPlacer(layouts), lost=upkeep.reconcile_soon)
    catalog = Catalog(
        orthanc,
        store,
        InstanceCache(),
        reconcile_soon=upkeep.reconcile_soon,
        wait_for_first_index=upkeep.wait_for_first_index,
        changed=callbacks.forget_recent,
    )
    queue = ImportQueue()
    spool = _spool(settings)
    sweeper = Sweeper(spool, settings.spool_maximum_age)

    delete = queue.run if settings.allow_delete else None
    trees = {layout.title: Tree(layout, catalog, orthanc, delete, since) for layout in layouts}
    importer = Importer(orthanc, transcodes=checked.transcodes, scratch=spool.scratch)
    inbox = Inbox(orthanc, spool, queue, importer, allow_upload=settings.allow_upload)
    readme = Readme(
        {layout.title: layout.description for layout in layouts},
        allow_upload=settings.allow_upload,
        allow_delete=settings.allow_delete,
        progress=lambda: None if upkeep.built else upkeep.progress,
    )
    callbacks.answer_with(CollectionDoor(Drive({**trees, setup.INBOX: inbox}, readme, since)))

    upkeep.start(catalog)
    sweeper.start()
    _running.stops = (
        lambda: queue.stop(_STOP_SECONDS),
        lambda: sweeper.stop(_STOP_SECONDS),
        lambda: upkeep.stop(_STOP_SECONDS),
        store.close,
    )
    _log.warning("the drive is at %s/%s/ of Orthanc's HTTP server", settings.uri, MOUNT)


def stop() -> None:
    """Stop every thread, each within its time limit."""
    for one in _running.stops:
        try:
            one()
        except Exception as error:  # noqa: BLE001  the others have to be stopped as well
            _log.error("a part of the drive did not stop: %s", type(error).__name__)
    _running.stops = ()


def _spool(settings: Configuration) -> Spool:
    root = settings.spool
    try:
        return Spool(root, maximum_size=settings.spool_maximum_size, maximum_age=settings.spool_maximum_age)
    except OSError as error:
        raise ConfigurationError(f"Davfs.Spool: the folder '{root}' cannot be used: {error.strerror}") from error
