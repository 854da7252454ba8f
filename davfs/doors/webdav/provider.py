"""The drive as a provider of WsgiDAV."""

from wsgidav.dav_provider import DAVProvider

from davfs import errors
from davfs.doors.webdav import paths
from davfs.doors.webdav.context import Environ
from davfs.doors.webdav.refusals import refused
from davfs.doors.webdav.resources import FileResource, FolderResource, resource
from davfs.entry import Path
from davfs.filesystem.drive import Drive


class DriveProvider(DAVProvider):
    """Finds resources of the drive.

    Args:
        drive: Where.
    """

    def __init__(self, drive: Drive) -> None:
        super().__init__()
        self._drive = drive

    def get_resource_inst(self, path: str, environ: Environ) -> FileResource | FolderResource | None:
        """Return what is at a path, None for nothing."""
        segments = paths.segments(path)
        with refused():
            try:
                return resource(segments, environ, self._drive.stat(segments))
            except errors.NotFound:
                return None

    def ref_url(self, path: Path, *, folder: bool) -> str:
        """Return the key of a path for locks and properties, as `get_ref_url` does for a resource."""
        return paths.quoted(path, folder=folder)
