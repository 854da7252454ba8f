"""Types and services that the modules of door 2 share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from davfs.audit.record import Door
from davfs.audit.trail import AuditTrail
from davfs.doors.access_report import AccessReport
from davfs.doors.webdav import paths
from davfs.doors.webdav.host_names import HostNames
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.entry import Path
from davfs.filesystem.drive import Drive
from davfs.filesystem.trash.area import TrashArea
from davfs.settings.layout_files import LoadedLayouts
from davfs.shared.database import SharedDatabase

Environ: TypeAlias = dict[str, Any]
"""A request, as WSGI has it (PEP 3333)."""
StartResponse: TypeAlias = Callable[..., Any]
Application: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND"})
"""Methods that change nothing."""
KEY = "davfs"
"""The key of the `Context` in WsgiDAV's configuration."""
PATH = "davfs.path"
"""The key of a request's path, as `davfs.doors.webdav.paths.segments` returns it."""
ACCESS = "davfs.access"
"""The key of the `AccessReport` of a request."""
PROVIDER = "wsgidav.provider"
"""The key of the `DriveProvider` of a request, which WsgiDAV uses as well."""


@dataclass(frozen=True, slots=True)
class Context:
    """Services and settings of the door.

    Attributes:
        drive: The drive behind the door.
        audit: The audit trail.
        login: Settings and services of the login.
        reload: Reads the layout files again.
        host_names: Names that a ``Host`` header may have where nobody has to log in.
        only_tls: Whether browsers are told to use no plain HTTP with this host, whatever the port.
        door: The door that the audit trail names.
        shared: The database of several nodes, which then has the locks too; None for one node.
        trash: The trash; None if nothing can be deleted.
    """

    drive: Drive
    audit: AuditTrail
    login: LoginSettings
    reload: Callable[[], LoadedLayouts]
    host_names: HostNames = field(default_factory=HostNames)
    only_tls: bool = False
    door: Door = Door.DRIVE
    shared: SharedDatabase | None = None
    trash: TrashArea | None = None


def context_of(configuration: Mapping[str, Any]) -> Context:
    """Return the context in WsgiDAV's configuration."""
    context: Context = configuration[KEY]
    return context


def path_of(environ: Environ) -> Path:
    """Return the path of a request."""
    path: Path | None = environ.get(PATH)
    return paths.segments(environ["PATH_INFO"]) if path is None else path


def access_of(environ: Environ) -> AccessReport:
    """Return the report of what a request does, for the audit trail."""
    report: AccessReport = environ[ACCESS]
    return report


def user_of(environ: Environ) -> str:
    """Return the name of a request's user; empty for an anonymous one."""
    return environ.get("wsgidav.auth.user_name") or ""
