"""Dead properties, which clients set on files and folders of the inbox (RFC 4918 §4), for WsgiDAV."""

from urllib.parse import unquote

from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ, user_of
from davfs.doors.webdav.http_errors import as_http_errors
from davfs.entry import Path
from davfs.filesystem.area import HasProperties
from davfs.filesystem.drive import Drive

_PLANNED = "davfs.properties"


class PropertyManager:
    """A property manager of WsgiDAV; the drive keeps the properties, and moves and copies them with their files.

    Resources are named by the path of their URL, which ends in a slash for a folder.

    Args:
        drive: The drive.
    """

    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    def any_below(self, url: str) -> bool:
        """Return True if a resource or one below it has a property; always for the root, which has few entries."""
        area, path = self._found(url)
        return url == "/" or (area is not None and area.properties().any_below(path))

    def all_of(self, url: str) -> dict[str, str]:
        """Return a resource's properties as XML, by their names in Clark's notation."""
        area, path = self._found(url)
        return {name: value.decode() for name, value in area.properties().all(path).items()} if area else {}

    def get_properties(self, norm_url: str, environ: Environ | None = None) -> list[str]:  # noqa: ARG002  WsgiDAV's form
        """Return the names of a resource's properties, in Clark's notation."""
        area, path = self._found(norm_url)
        return list(area.properties().names(path)) if area else []

    def get_property(self, norm_url: str, name: str, environ: Environ | None = None) -> bytes | None:  # noqa: ARG002
        """Return a property as XML; None if it is not set."""
        area, path = self._found(norm_url)
        return area.properties().get(path, name) if area else None

    def write_property(
        self,
        norm_url: str,
        name: str,
        property_value: bytes,
        dry_run: bool = False,  # noqa: FBT001, FBT002  WsgiDAV's form
        environ: Environ | None = None,
    ) -> None:
        """Set a property; with ``dry_run``, check it together with the others that the request is going to set.

        Raises:
            HttpError: It is too large, there are too many, or there is no space for it.
        """
        area, path = self._found(norm_url)
        if area is None:
            return
        user = user_of(environ) if environ else ""
        with as_http_errors():
            if not dry_run:
                area.set_property(path, name, property_value, user)
                return
            planned: dict[str, bytes] = {} if environ is None else environ.setdefault(_PLANNED, {})
            planned[name] = property_value  # each by itself would pass, and some fail in the end (§9.2)
            area.check_properties(path, planned, user)

    def remove_property(
        self,
        norm_url: str,
        name: str,
        dry_run: bool = False,  # noqa: FBT001, FBT002  WsgiDAV's form
        environ: Environ | None = None,  # noqa: ARG002  WsgiDAV's form
    ) -> None:
        """Remove a property; that it does not exist is no error (RFC 4918 §9.2)."""
        area, path = self._found(norm_url)
        if area and not dry_run:
            with as_http_errors():
                area.properties().drop(path, name)

    def copy_properties(self, src_url: str, dest_url: str, environ: Environ | None = None) -> None:
        """Do nothing: WsgiDAV requires this method, and never calls it, since the drive copies by itself."""

    def _found(self, url: str) -> tuple[HasProperties | None, Path]:
        path = paths.segments(unquote(url))
        return self._drive.properties_area(path), path[1:]
