"""Assembles a drive over an Orthanc: the same parts inside the plugin and in ``davfs serve``, behind both doors."""

import gc
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from davfs.audit.trail import AuditTrail
from davfs.catalog.catalog import Catalog
from davfs.catalog.database_follower import DatabaseFollower, DatabaseLink, IndexComparison
from davfs.catalog.indexer import Indexer
from davfs.catalog.instances import InstanceCache
from davfs.catalog.layout_placing import LayoutPlacing
from davfs.catalog.placing import Placer
from davfs.catalog.record_lookup import RecordLookup
from davfs.catalog.store import Store
from davfs.catalog.synchronizer import IndexCallbacks
from davfs.comparison.images import Decoder
from davfs.derived.checksums import StoredChecksums
from davfs.derived.files import DerivedFiles
from davfs.errors import ConfigurationError, Unavailable
from davfs.events import ResourceEvent
from davfs.filesystem.drive import Drive, RefusedUploads
from davfs.filesystem.readme import Readme
from davfs.filesystem.search.assembly import SearchAssembly
from davfs.filesystem.trash.area import TrashArea
from davfs.filesystem.trash.sent_again import SentAgainQueue
from davfs.imports.lanes import Lanes
from davfs.orthanc import Orthanc
from davfs.orthanc.ranges import RangeCache
from davfs.orthanc.storage_folder import StorageFolder
from davfs.running.auditing import audit_sinks, open_trail
from davfs.running.hiding import Hiding, assemble_hiding
from davfs.running.layout_reloader import LayoutReloader
from davfs.running.quarantining import Follower, Quarantine, start_quarantine
from davfs.running.shutdown import Shutdown
from davfs.running.top_folders import TopFolders
from davfs.running.trash_parts import make_trash, retention_of
from davfs.running.writing_parts import make_writing
from davfs.settings import setup
from davfs.settings.configuration import Configuration
from davfs.settings.layout_files import LoadedLayouts
from davfs.settings.setup import Setup
from davfs.shared.database import SharedDatabase
from davfs.shared.spool import SharedSpool
from davfs.spool.files import InboxFiles
from davfs.spool.spool import Spool
from davfs.spool.sweeper import Sweeper

_log = logging.getLogger(__name__)

_COLLECTED = (50_000, 20, 100)
"""Thresholds of Python's garbage collector: with its own, the listing of a large folder takes twice the time."""
_READ_ONLY = "This Orthanc is read-only (its setting ReadOnly): nothing can be uploaded, changed or deleted."


@dataclass(frozen=True, slots=True)
class Assembly:
    """A running drive.

    Attributes:
        drive: The file system that the doors show.
        indexer: The background thread of the index.
        shutdown: Stops threads and closes files.
        reload: Reads the layout files again, and returns the layouts.
        shared: The database of several Orthancs, which has the inbox; None for one.
        audit: The audit trail.
        trash: The trash; None if nothing can be deleted.
    """

    drive: Drive
    indexer: Indexer
    shutdown: Shutdown
    reload: Callable[[], LoadedLayouts]
    shared: SharedDatabase | None
    audit: AuditTrail
    trash: TrashArea | None


def assemble(  # noqa: PLR0913  the differences between running inside Orthanc and outside
    checked: Setup,
    orthanc: Orthanc,
    next_change: Callable[[float], ResourceEvent | None],
    *,
    changed: Callable[[], None] = lambda: None,
    set_trash: Callable[[bool], None] = lambda _there_is_one: None,
    open_files: int = 4,
    decode: Decoder | None = None,
    link: DatabaseLink | None = None,
    quarantine: Quarantine | None = None,
    sent_again: SentAgainQueue | None = None,
) -> Assembly:
    """Make a drive, and start its background threads.

    Args:
        checked: The configuration.
        orthanc: The archive that the drive shows.
        next_change: Returns the next event of that Orthanc, after waiting so many seconds at most; None for none.
        changed: Called when a path may lead to another resource than before.
        set_trash: Called with True while something may be in the trash, and with False otherwise.
        decode: Decodes compressed pixels that Orthanc does not; not to be used inside Orthanc.
        link: Orthanc's database, to share it with other Orthancs; None if there are no others.
        quarantine: The filters of arriving instances; None if there are none.
        sent_again: The instances that were sent to Orthanc again; None outside Orthanc.
        open_files: Number of large files that are kept open between ranges; inside Orthanc each is in memory.

    Raises:
        ConfigurationError: The administrator has to change something; the message says what.
    """
    gc.set_threshold(*_COLLECTED)
    settings, since = checked.settings, datetime.now(UTC)
    sinks = audit_sinks(settings.audit)
    layouts = checked.layout_files.loaded.layouts
    indexer, lanes = Indexer(next_change), Lanes()
    shared = _share(link) if link else None
    searching = SearchAssembly(settings, checked.layout_files.extra, since, shared)
    spool, store = _open(settings, shared, Placer(searching.placed(layouts)), indexer)
    hiding = assemble_hiding(orthanc, store.marks, settings, changed, set_trash, shared)
    visible = hiding.visible
    callbacks = IndexCallbacks(
        indexer.reconcile_soon, indexer.wait_for_first_index, changed, hiding.revealed, orthanc.existing
    )
    instances = InstanceCache()
    catalog = Catalog(visible, store, instances, callbacks)
    storage = StorageFolder(settings.storage_folder, visible) if settings.storage_folder else None
    ranges = RangeCache(visible, storage=storage, open_files=open_files)
    derived_files = DerivedFiles(visible)
    trash = make_trash(
        checked,
        orthanc,
        hiding,
        refresh=catalog.refresh,
        run=lanes.deletions.run,
        scratch=spool.scratch,
        since=since,
        queue=sent_again,
    )
    writing = make_writing(
        checked,
        orthanc,
        visible,
        spool=spool,
        lanes=lanes,
        ranges=ranges,
        checksums=derived_files.checksums,
        trash=trash,
        refresh=catalog.refresh,
        decode=decode,
        quarantine=quarantine,
        shared=shared,
    )
    shown_trash = trash.area if writing.deletions else None
    folders = TopFolders(
        catalog,
        store,
        visible,
        ranges,
        derived_files,
        writing.deletions,
        writing.inbox,
        searching,
        since,
        changed,
        writing.uploads,
        shown_trash,
    )
    folders.show(layouts)
    reloader = LayoutReloader(checked.layout_files, folders.replace)
    placing = LayoutPlacing(catalog, folders.complete)
    sweeper = Sweeper(spool, settings.spool_maximum_age)
    audit = open_trail(settings.audit, sinks, RecordLookup(orthanc, store, instances).completed)
    quarantining = start_quarantine(quarantine, store, spool, catalog, audit)
    indexer.start(catalog, partial(_regularly, reloader, hiding))
    placing.start()
    sweeper.start()
    if shown_trash:
        trash.retention.start()
    for thread in trash.sent_again:
        thread.start()
    followers: tuple[Follower, ...] = (*_follow(link, catalog, indexer), *quarantining, *trash.sent_again)
    shutdown = Shutdown(
        interrupt=(
            lanes.zips.refuse,
            indexer.interrupt,
            placing.interrupt,
            store.interrupt,
            trash.retention.interrupt,
            *(each.interrupt for each in followers),
        ),
        stop=(
            lanes.stop,
            sweeper.stop,
            indexer.stop,
            placing.stop,
            trash.retention.stop,
            *(each.stop for each in followers),
            audit.stop,
        ),
        close=(
            trash.close,
            derived_files.close,
            ranges.close,
            store.close,
            spool.close,
            *([shared.close] if shared else []),
        ),
    )
    drive = _drive(checked, folders, indexer, since, writing.refused, derived_files.checksums)
    return Assembly(drive, indexer, shutdown, reloader.reload, shared, audit, shown_trash)


def _regularly(reloader: LayoutReloader, hiding: Hiding) -> None:
    reloader.check_files()
    hiding.report()


def _share(link: DatabaseLink) -> SharedDatabase | None:
    """Open the database that several Orthancs share, for the inbox."""
    if link.session is None:
        return None
    try:
        database = SharedDatabase(link.session, link.outage.check)
    except Unavailable as error:
        reason = "the tables of the inbox cannot be made in PostgreSQL (Davfs.Cluster, or [PostgreSQL] of davfs serve)"
        raise ConfigurationError(f"{reason}: {error.reason}") from error
    link.outage.interrupt = database.interrupt
    return database


def _follow(link: DatabaseLink | None, catalog: Catalog, indexer: Indexer) -> tuple[DatabaseFollower, ...]:
    """Start to follow Orthanc's database, if that is wanted."""
    if link is None:
        return ()
    comparison = IndexComparison(indexer.reconcile_soon, indexer.reconcile_now)
    follower = DatabaseFollower(link, catalog.synchronizer, comparison)
    follower.start()
    return (follower,)


def _open(
    settings: Configuration, shared: SharedDatabase | None, placer: Placer, indexer: Indexer
) -> tuple[InboxFiles, Store]:
    """Open the spool and the index."""
    root, size, age = settings.spool, settings.spool_maximum_size, settings.spool_maximum_age
    try:
        spool: InboxFiles = (
            SharedSpool(shared, root, maximum_size=size, maximum_age=age)
            if shared
            else Spool(root, maximum_size=size, maximum_age=age)
        )
    except OSError as error:
        raise ConfigurationError(f"Davfs.Spool: the folder '{root}' cannot be used: {error.strerror}") from error
    try:
        return spool, Store(settings.catalog, placer, lost=indexer.rebuild, mark_number=settings.trash_metadata)
    except (sqlite3.Error, OSError) as error:
        spool.close()
        raise ConfigurationError(f"Davfs.Catalog: the file '{settings.catalog}' cannot be used: {error}") from error


def _drive(  # noqa: PLR0913, PLR0917  what it is made of
    checked: Setup,
    folders: TopFolders,
    indexer: Indexer,
    since: datetime,
    refused: RefusedUploads,
    stored: StoredChecksums,
) -> Drive:
    readme = Readme(
        folders.descriptions,
        allow_upload=checked.settings.allow_upload and not checked.read_only,
        allow_delete=checked.settings.allow_delete and not checked.read_only,
        progress=lambda: None if indexer.built else indexer.progress,
        placing=folders.progress,
        mistakes=lambda: checked.layout_files.loaded.mistakes,
        searchable=lambda: setup.SEARCH in folders.areas,
        trash=None if checked.settings.delete_for_good else retention_of(checked.settings),
        allow_attach=folders.uploads is not None and not checked.read_only,
    )
    if checked.read_only:
        _log.warning("Orthanc is read-only (ReadOnly): nothing can be uploaded, changed or deleted through the drive")
    return Drive(folders.areas, readme, since, _READ_ONLY if checked.read_only else "", refused, stored)
