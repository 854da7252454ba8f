"""Puts the drive together inside Orthanc. native/interpreter.c calls `start` and `stop`, and nothing else of Python."""

import json
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from davfs import configuration
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
from davfs.layout import Layout, load, shipped
from davfs.orthanc.inside import InsideTransport
from davfs.orthanc.model import Level
from davfs.orthanc.rest import RestOrthanc
from davfs.sdk import callbacks, changes, core, log

_log = logging.getLogger(__name__)

INBOX = "inbox"
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
    orthanc_configuration = json.loads(core.configuration())
    settings = configuration.read(orthanc_configuration, _home())
    layouts = _layouts(settings, _extra_tags(orthanc_configuration))
    orthanc = RestOrthanc(InsideTransport())
    since = datetime.now(UTC)

    upkeep = Upkeep(changes.next_change)
    store = Store(_made_folder("Davfs.Catalog", settings.catalog.parent) / settings.catalog.name, LayoutPlacer(layouts))
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
    transcodes = bool(orthanc_configuration.get("IngestTranscoding"))
    importer = Importer(orthanc, transcodes=transcodes, scratch=spool.scratch)
    inbox = Inbox(orthanc, spool, queue, importer, allow_upload=settings.allow_upload)
    readme = Readme(
        {layout.title: layout.description for layout in layouts},
        allow_upload=settings.allow_upload,
        allow_delete=settings.allow_delete,
        progress=lambda: None if upkeep.built else upkeep.progress,
    )
    callbacks.answer_with(CollectionDoor(Drive({**trees, INBOX: inbox}, readme, since)))

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


def _home() -> Path:
    """Return the folder that Orthanc resolves relative paths against: that of its configuration."""
    path = core.configuration_path()
    if not path:
        return Path.cwd()
    absolute = Path(path).absolute()
    return absolute if absolute.is_dir() else absolute.parent


def _made_folder(key: str, folder: Path) -> Path:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{key}: the folder {folder} cannot be made: {error.strerror}") from error
    return folder


def _spool(settings: Configuration) -> Spool:
    root = _made_folder("Davfs.Spool", settings.spool)
    try:
        return Spool(root, maximum_size=settings.spool_maximum_size, maximum_age=settings.spool_maximum_age)
    except OSError as error:
        raise ConfigurationError(f"Davfs.Spool: the folder {root} cannot be used: {error.strerror}") from error


def _extra_tags(orthanc_configuration: Mapping[str, Any]) -> Mapping[Level, Collection[str]]:
    extra = orthanc_configuration.get("ExtraMainDicomTags", {})
    names = {"Patient": Level.PATIENT, "Study": Level.STUDY, "Series": Level.SERIES, "Instance": Level.INSTANCE}
    return {names[name]: tags for name, tags in extra.items() if name in names}


def _layouts(settings: Configuration, extra: Mapping[Level, Collection[str]]) -> tuple[Layout, ...]:
    loaded = tuple(load(_layout_file(name), extra=extra) for name in settings.layouts)
    _check_titles(layout.title for layout in loaded)
    return loaded


def _layout_file(name: str) -> Path:
    if name.endswith(".toml"):
        if Path(name).is_absolute():
            return Path(name)
        raise ConfigurationError(f"Davfs.Layouts has {name!r}: a layout of your own needs its whole path")
    found = shipped(name)
    if found is None:
        raise ConfigurationError(f"Davfs.Layouts has {name!r}, and no such layout is shipped")
    return found


def _check_titles(titles: Iterable[str]) -> None:
    seen = {INBOX, "search", "trash", "README.txt"}
    for title in titles:
        if title in seen:
            raise ConfigurationError(f"Davfs.Layouts has two folders {title!r}: change the title in one layout file")
        seen.add(title)
