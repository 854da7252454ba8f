"""Starts and stops the drive inside Orthanc: native/interpreter.c calls `start` and `stop`, and no other Python."""

import json
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from davfs.catalog.database_follower import DatabaseLink
from davfs.doors.collection.collection import MOUNT, DriveCollection
from davfs.doors.collection.core_records import CoreRecords
from davfs.doors.webdav.application import application
from davfs.doors.webdav.context import Context
from davfs.doors.webdav.health import HealthChecks, Readiness
from davfs.doors.webdav.host_names import HostNames
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.doors.webdav.login.throttle import Throttle
from davfs.doors.webdav.wire import tls
from davfs.doors.webdav.wire.server import HttpServer
from davfs.orthanc import loopback, postgresql
from davfs.orthanc.access import Access
from davfs.orthanc.inside import InsideTransport
from davfs.orthanc.outage import Outage, OutageTransport
from davfs.orthanc.postgresql import PostgresNotifications
from davfs.orthanc.rest import RestOrthanc
from davfs.quarantine.accepted import AcceptedIdentities
from davfs.quarantine.inside import InsideQuarantine
from davfs.running.assembly import Assembly, assemble
from davfs.running.shutdown import log_running_threads
from davfs.sdk import callbacks, changes, core, log
from davfs.sdk.sent_again import InstancesSentAgain
from davfs.settings import setup, state_folder
from davfs.settings.configuration import ServerSettings
from davfs.settings.node_name import NodeName

_log = logging.getLogger(__name__)

_GRACE_SECONDS = 0.75
"""Time limit for requests under way at the drive's own server to end."""
_REST_SECONDS = 0.75
"""Time limit for everything else, once no new call into Orthanc is made."""

_RECORDS_SECONDS = 0.2
"""Time limit for passing what Orthanc's threads did to the audit trail."""

_ACCEPTED = "accepted.jsonl"
"""File beside the catalog with the identities that administrators have let in."""
_HARMLESS = frozenset({"davfs", "explorer.js"})
"""Plugins, as Orthanc lists them, that do not change what is stored; the second stands for their pages in its own."""


@dataclass(slots=True)
class _Running:
    """The running drive."""

    assembly: Assembly | None = None
    server: HttpServer | None = None
    records: CoreRecords | None = None
    closing: ExitStack = field(default_factory=ExitStack)


_running = _Running()


def start() -> None:
    """Start the drive that Orthanc's configuration describes.

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
    checked = setup.prepare(configuration, core.configuration_path())
    if not setup.keeps_files(configuration):
        _log.warning("StoreDicom is false, so that Orthanc keeps no files: the drive takes no uploads")
    quarantine = _quarantine(configuration, checked.settings.catalog) if checked.settings.quarantine else None
    _running.closing.enter_context(state_folder.locked(checked.settings.spool, checked.settings.catalog))
    outage = Outage(callbacks.refuse_recent)
    orthanc = RestOrthanc(OutageTransport(InsideTransport(), outage))
    assembly = assemble(
        replace(checked, read_only=orthanc.is_read_only(), may_alter=_may_alter(configuration, orthanc)),
        orthanc,
        changes.next_change,
        changed=callbacks.clear_recent,
        set_trash=callbacks.set_trash,
        open_files=1,
        link=_link(configuration, outage, checked) if checked.settings.cluster else None,
        quarantine=quarantine,
        sent_again=InstancesSentAgain(),
    )
    _running.assembly = assembly
    callbacks.register_collection(DriveCollection(assembly.drive, assembly.audit))
    _running.records = CoreRecords(assembly.audit)
    _running.records.start()
    _log.warning("the drive is at %s/%s/ of Orthanc's HTTP server", checked.settings.uri, MOUNT)
    if checked.settings.server.enabled:
        _start_server(configuration, checked.settings.server, assembly, outage)


def _link(configuration: Mapping[str, Any], outage: Outage, checked: setup.Setup) -> DatabaseLink:
    section = configuration["PostgreSQL"]
    ask = RestOrthanc(InsideTransport()).last_change
    name = NodeName(checked.layout_files, checked.settings.trash_metadata)
    return DatabaseLink(
        partial(PostgresNotifications, section, name), outage, ask, partial(postgresql.connect, section)
    )


def _quarantine(configuration: Mapping[str, Any], catalog: Path) -> InsideQuarantine:
    quarantine = InsideQuarantine(AcceptedIdentities(catalog.with_name(_ACCEPTED)))
    if not _may_alter(configuration, RestOrthanc(InsideTransport())):
        quarantine.is_alone()
    return quarantine


def stop() -> None:
    """Stop the drive within a few seconds; called when Orthanc has stopped, while its core can still be called.

    1. Long work is interrupted; the drive's own server takes no more connections.
    2. Its requests under way may end; after a moment their connections are closed.
    3. New calls into Orthanc are refused, so that requests that still run, at either door, end with their next call.
    4. Threads are stopped, and files are closed.
    """
    assembly, server, records = _running.assembly, _running.server, _running.records
    _running.assembly, _running.server, _running.records = None, None, None
    with _running.closing:
        if assembly:
            assembly.shutdown.begin()
        ended = server is None or server.stop(_GRACE_SECONDS)
        core.refuse_calls()
        if records:
            records.stop(_RECORDS_SECONDS)
        if assembly:
            assembly.shutdown.finish(_REST_SECONDS)
        if server and not ended:
            server.stop(_REST_SECONDS)
    log_running_threads()


def _may_alter(configuration: Mapping[str, Any], orthanc: RestOrthanc) -> bool:
    """Return True if Orthanc may store other bytes than it is sent: any plugin can change them."""
    return bool(configuration.get("IngestTranscoding")) or not orthanc.plugins() <= _HARMLESS


def _has_no_plain_port(orthanc: Mapping[str, Any]) -> bool:
    """Return True if Orthanc's own pages cannot be reached without TLS by the name of this machine."""
    return bool(orthanc.get("SslEnabled")) or not orthanc.get("RemoteAccessAllowed")


def _start_server(orthanc: Mapping[str, Any], settings: ServerSettings, assembly: Assembly, outage: Outage) -> None:
    """Start the drive's own WebDAV server."""
    home = setup.home(core.configuration_path())
    url, verify = loopback.orthanc_address(orthanc, home)
    access = Access(url, verify=verify, outage=outage)
    _running.closing.callback(access.close)
    users = orthanc.get("RegisteredUsers", {})
    proxies, has_digest = settings.trusted_proxies, assembly.shared is None
    login = LoginSettings(access, Throttle(), users, offers_digest=has_digest, trusted_proxies=proxies)
    own = settings.certificate
    certificate = tls.context(own, settings.key) if own else tls.context_of_orthanc(orthanc, home)
    only_tls = certificate is not None and _has_no_plain_port(orthanc)
    context = Context(
        assembly.drive,
        assembly.audit,
        login,
        assembly.reload,
        HostNames(settings.host_names),
        only_tls,
        shared=assembly.shared,
        trash=assembly.trash,
    )
    readiness = Readiness(lambda: None if assembly.indexer.built else "The first index is being built.")
    server = HttpServer(HealthChecks(application(context), readiness), settings.address, settings.port, tls=certificate)
    server.start()
    _running.server = server
    _log.warning("the drive is at port %d as well", settings.port)
