"""Deletes the resources that the folders and files of a layout show, if the administrator allows it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from davfs.cache import LruSet
from davfs.catalog.catalog import Catalog
from davfs.entry import Path
from davfs.errors import Forbidden, OrthancError, UnknownResource
from davfs.filesystem.hidden_files import HiddenFiles
from davfs.filesystem.tree_node import TreeNode
from davfs.orthanc import ResourceDeleter
from davfs.orthanc.model import Level, OrthancId

_PATHS, _SECONDS = 10_000, 60.0
"""Deleted paths that are remembered for so many seconds, in which a client comes to delete the folder, too."""


@dataclass(frozen=True, slots=True)
class Deletions:
    """Deletes resources of Orthanc.

    Attributes:
        orthanc: Deletes them.
        run: Runs a deletion on a worker thread, and waits for it.
    """

    orthanc: ResourceDeleter
    run: Callable[[Callable[[], None]], None]


class TreeDeletion:
    """Deletes what paths of one layout lead to, in Orthanc and in the index, and remembers the paths for a minute.

    Args:
        catalog: The index.
        deletions: Deletes resources in Orthanc.
        hidden: The extra files that have been deleted.
    """

    def __init__(self, catalog: Catalog, deletions: Deletions, hidden: HiddenFiles) -> None:
        self._catalog = catalog
        self._orthanc, self._run = deletions.orthanc, deletions.run
        self._hidden = hidden
        self._deleted, self._emptied = (LruSet[Path](_PATHS, lifetime=_SECONDS) for _ in range(2))

    def delete(self, path: Path, node: TreeNode) -> str:
        """Delete a resource, or hide an extra file; see `davfs.filesystem.area.Deletable`.

        Raises:
            Forbidden: It is a group.
            UnknownResource: It has been deleted.
        """
        if node.hide is not None:
            node.hide()
            return ""
        if node.level is None or node.id is None:
            raise Forbidden(path, "this folder only groups what is in it: delete the folders in it instead")
        gone = self._delete_studies(node.id) if node.level is Level.PATIENT else self._delete(node.level, node.id)
        self._deleted.add(path)
        for depth in range(1, len(path)):
            self._emptied.add(path[:depth])
        if node.level is not Level.INSTANCE:
            self._hidden.show_orphans()
        return ",".join(gone)

    def emptied(self, path: Path) -> Iterator[Path]:
        """Yield a path and the folders above it, as far as something in them was deleted a moment ago.

        Orthanc deletes a series with its last instance. A client that deletes a folder by deleting what is in it, as
        ``rm -r`` does, comes to delete the folder then. None is yielded if the path itself was deleted.
        """
        if path not in self._deleted:
            yield from (path[:depth] for depth in range(1, len(path) + 1) if path[:depth] in self._emptied)

    def _delete(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        self._run(lambda: self._orthanc.delete(level, resource))
        self._catalog.forget([resource])
        return [resource]

    def _delete_studies(self, folder: OrthancId) -> Sequence[OrthancId]:
        """Delete the studies that a patient folder shows, and no others with the same PatientID."""
        studies, gone = self._catalog.studies_of(folder), list[OrthancId]()

        def delete() -> None:
            for study in studies:
                with suppress(UnknownResource):  # another client was faster
                    self._orthanc.delete(Level.STUDY, study)
                gone.append(study)

        try:
            self._run(delete)
        except OrthancError as error:
            done = f"{len(gone)} of {len(studies)} studies were deleted, the others were not"
            raise type(error)(f"{done}: {error.reason}", error.code) from error
        finally:
            self._catalog.forget(gone)
        return gone
