"""What the parts of door 2 work with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from davfs.doors.webdav.host_names import HostNames
from davfs.doors.webdav.login.settings import LoginSettings
from davfs.filesystem.drive import Drive
from davfs.settings.layout_files import LoadedLayouts

Environ: TypeAlias = dict[str, Any]
"""A request, as WSGI has it (PEP 3333)."""

KEY = "davfs"
"""Where WsgiDAV's configuration, which each request carries, holds the `Context`."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the parts of the door share.

    Attributes:
        drive: What is behind the door.
        audit: Writes who did what to which resource (Orthanc's id, empty for none), and what came of it.
        login: Settings and services of the login.
        reload: Reads the layout files again, and tells what became of them.
        host_names: The names by which the door may be asked for where nobody has to log in.
        only_tls: Browsers may be told to use no plain HTTP with this host any more, whatever the port.
    """

    drive: Drive
    audit: Callable[[str, str, str, str], None]
    login: LoginSettings
    reload: Callable[[], LoadedLayouts]
    host_names: HostNames = field(default_factory=HostNames)
    only_tls: bool = False


def context_of(configuration: Mapping[str, Any]) -> Context:
    """Return the context that WsgiDAV's configuration carries."""
    context: Context = configuration[KEY]
    return context


def user_of(environ: Environ) -> str:
    """Return the name of a request's user; empty for an anonymous one."""
    return environ.get("wsgidav.auth.user_name") or ""
