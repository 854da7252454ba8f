"""Puts a drive together over an Orthanc, wherever that is: both doors and both ways to run are made of these parts."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from davfs.catalog.catalog import Catalog
from davfs.catalog.indexer import Indexer
from davfs.catalog.instances import InstanceCache
from davfs.catalog.placing import LayoutPlacer
from davfs.catalog.store import Store
from davfs.comparison.images import Decoder
from davfs.derived.files import DerivedFiles
from davfs.errors import ConfigurationError
from davfs.events import ResourceEvent
from davfs.filesystem.area import Area
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.drive import Drive
from davfs.filesystem.forwarded import ForwardedImages
from davfs.filesystem.inbox import Inbox
from davfs.filesystem.readme import Readme, about
from davfs.filesystem.search.assembly import Searching
from davfs.filesystem.swappable import Swappable
from davfs.filesystem.tree import Tree
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.imports.same_image import SameImage
from davfs.layout import Layout
from davfs.orthanc import Orthanc
from davfs.orthanc.ranges import RangeCache
from davfs.running.layout_reloader import LayoutReloader
from davfs.running.shutdown import Shutdown
from davfs.settings import setup
from davfs.settings.configuration import Configuration
from davfs.settings.layout_files import LoadedLayouts
from davfs.settings.setup import Setup
from davfs.spool.spool import Spool
from davfs.spool.sweeper import Sweeper

_log = logging.getLogger(__name__)

_READ_ONLY = "This Orthanc is read-only (its setting ReadOnly): nothing can be uploaded, changed or deleted."


@dataclass(frozen=True, slots=True)
class Assembly:
    """A drive and what keeps it going.

    Attributes:
        drive: What the doors show.
        indexer: Tells how far the first index is.
        ending: Ends all of it.
        reload: Reads the layout files again, and tells what became of them.
    """

    drive: Drive
    indexer: Indexer
    ending: Shutdown
    reload: Callable[[], LoadedLayouts]


def assemble(  # noqa: PLR0913  what differs inside Orthanc and outside of it
    checked: Setup,
    orthanc: Orthanc,
    next_change: Callable[[float], ResourceEvent | None],
    *,
    changed: Callable[[], None] = lambda: None,
    open_files: int = 4,
    decode: Decoder | None = None,
) -> Assembly:
    """Make a drive, and start the threads behind it.

    Args:
        checked: The configuration.
        orthanc: Whose archive the drive shows.
        next_change: Waits so many seconds for an event of that Orthanc; None for none.
        changed: Is called when a path may lead to something else than before.
        decode: Decodes compressed pixels that Orthanc does not; not to be used inside Orthanc.
        open_files: Large files that are kept open between two ranges of them; inside Orthanc each is in memory.

    Raises:
        ConfigurationError: The administrator has to change something; the message says what.
    """
    settings, selection = checked.settings, checked.selection
    layouts = selection.loaded.layouts
    spool = _spool(settings)
    since = datetime.now(UTC)

    def next_change_or_look(seconds: float) -> ResourceEvent | None:
        reloading.look()
        return next_change(seconds)

    indexer = Indexer(next_change_or_look)
    searching = Searching(settings, selection.extra, since)
    try:
        store = _store(settings, LayoutPlacer(searching.placed(layouts)), indexer)
    except ConfigurationError:
        spool.close()
        raise
    catalog = Catalog(
        orthanc,
        store,
        InstanceCache(),
        reconcile_soon=indexer.reconcile_soon,
        wait_for_first_index=indexer.wait_for_first_index,
        changed=changed,
    )
    lanes = Lanes()
    sweeper = Sweeper(spool, settings.spool_maximum_age)

    ranges = RangeCache(orthanc, open_files=open_files)
    derived_files = DerivedFiles(orthanc)
    deletions = Deletions(orthanc, lanes.deletions.run) if settings.allow_delete else None
    importer = Importer(orthanc, SameImage(orthanc, decode, spool.scratch), may_alter=checked.may_alter)
    forwarded = ForwardedImages(expected=checked.has_scripts)
    inbox = Inbox(ranges, spool, lanes, importer, allow_upload=settings.allow_upload, forwarded=forwarded)
    areas = Swappable[Area]({})
    descriptions = Swappable[str]({})

    def show(layouts: Sequence[Layout]) -> None:
        trees = {layout.title: Tree(layout, catalog, ranges, deletions, since, derived_files) for layout in layouts}
        found = searching.areas(layouts, catalog, store, orthanc, ranges, derived_files)
        areas.become({**trees, setup.INBOX: inbox, **found})
        descriptions.become({layout.title: about(layout) for layout in layouts})

    def show_others(loaded: LoadedLayouts) -> None:
        store.place_by(LayoutPlacer(searching.placed(loaded.layouts)))
        show(loaded.layouts)
        changed()

    show(layouts)
    readme = Readme(
        descriptions,
        allow_upload=settings.allow_upload and not checked.read_only,
        allow_delete=settings.allow_delete and not checked.read_only,
        progress=lambda: None if indexer.built else indexer.progress,
        mistakes=lambda: selection.loaded.mistakes,
        searchable=lambda: setup.SEARCH in areas,
    )
    reloading = LayoutReloader(selection, show_others, store.tidy)
    indexer.start(catalog)
    sweeper.start()
    ending = Shutdown(
        hasten=(lanes.zips.refuse, indexer.interrupt, store.interrupt),
        threads=(lanes.stop, sweeper.stop, indexer.stop),
        files=(derived_files.close, ranges.close, store.close, spool.close),
    )
    drive = Drive(areas, readme, since, _READ_ONLY if checked.read_only else "")
    if checked.read_only:
        _log.warning("Orthanc is read-only (ReadOnly): nothing can be uploaded, changed or deleted through the drive")
    return Assembly(drive, indexer, ending, reloading.reload)


def _store(settings: Configuration, placer: LayoutPlacer, indexer: Indexer) -> Store:
    try:
        return Store(settings.catalog, placer, lost=indexer.index_anew)
    except (sqlite3.Error, OSError) as error:
        raise ConfigurationError(f"Davfs.Catalog: the file '{settings.catalog}' cannot be used: {error}") from error


def _spool(settings: Configuration) -> Spool:
    root = settings.spool
    try:
        return Spool(root, maximum_size=settings.spool_maximum_size, maximum_age=settings.spool_maximum_age)
    except OSError as error:
        raise ConfigurationError(f"Davfs.Spool: the folder '{root}' cannot be used: {error.strerror}") from error
