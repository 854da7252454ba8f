"""Deletes the resources that the folders and files of a layout show, if the administrator allows it.

They go into the trash (`davfs.filesystem.trash`), or are deleted in Orthanc for good, as `Deletions.for_good` says.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from davfs.audit.record import Client
from davfs.cache import LruSet
from davfs.catalog.catalog import Catalog
from davfs.entry import Path
from davfs.errors import Forbidden, OrthancError, UnknownResource
from davfs.filesystem.hidden_files import HiddenFiles
from davfs.filesystem.trash.entry_images import EntryImages, Instances
from davfs.filesystem.trash.joining import DeletedFolder
from davfs.filesystem.trash.trash import Trash
from davfs.filesystem.tree_node import TreeNode
from davfs.layout import Layout
from davfs.orthanc import ResourceDeleter, ResourceIndex
from davfs.orthanc.model import Level, OrthancId

_PATHS, _SECONDS = 10_000, 60.0
"""Deleted paths that are remembered for so many seconds, in which a client comes to delete the folder, too."""


@dataclass(frozen=True, slots=True)
class Deletions:
    """Deletes resources of Orthanc.

    Attributes:
        orthanc: Deletes resources for good.
        index: The resources that are not in the trash.
        run: Runs a deletion on a worker thread, and waits for it.
        trash: The trash; None for none.
        for_good: Whether nothing is put there, and Orthanc deletes it.
    """

    orthanc: ResourceDeleter
    index: ResourceIndex
    run: Callable[[Callable[[], None]], None]
    trash: Trash | None = None
    for_good: bool = False


class TreeDeletion:
    """Deletes what paths of one layout lead to, and remembers the paths for a minute.

    Args:
        layout: The layout.
        catalog: The index.
        deletions: Deletes resources.
        hidden: The extra files that have been deleted.
    """

    def __init__(self, layout: Layout, catalog: Catalog, deletions: Deletions, hidden: HiddenFiles) -> None:
        self._layout = layout
        self._top = 1 + next(depth for depth, level in enumerate(layout.levels) if level.resource is not None)
        self._catalog = catalog
        self._orthanc, self._index, self._run = deletions.orthanc, deletions.index, deletions.run
        self._trash, self._for_good = deletions.trash, deletions.for_good
        self._hidden = hidden
        self._deleted, self._emptied = (LruSet[Path](_PATHS, lifetime=_SECONDS) for _ in range(2))

    def delete(self, path: Path, node: TreeNode, by: Client) -> str:
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
        if self._trash is None or self._for_good:
            gone = self._delete_for_good(node.level, node.id)
        else:
            gone = self._put_into_trash(self._trash, path, node.level, node.id, by)
        self._deleted.add(path)
        for depth in range(1, len(path)):
            self._emptied.add(path[:depth])
            self._deleted.remove(path[:depth])  # it has come back since
        if node.level is not Level.INSTANCE:
            self._hidden.show_orphans()
        return ",".join(gone)

    def delete_missing(self, path: Path, by: Client, exists: Callable[[Path], bool]) -> bool:
        """Return True if a path leads to nothing because the client has just deleted all that was in this folder.

        Orthanc deletes a series with its last instance, and one whose instances are in the trash is not shown. A client
        that deletes a folder by deleting what is in it, as ``rm -r`` does, comes to delete the folder then.

        Args:
            path: The path.
            by: The client.
            exists: Returns True if a path leads to something.
        """
        if path in self._deleted:
            return False
        is_emptied = not all(map(exists, self._emptied_above(path)))
        if self._trash and not self._for_good and self._is_resource_folder(path):
            folder = DeletedFolder(self._layout.title, path, self._top)
            is_emptied |= self._trash.add_folder(folder, by)
        if is_emptied:
            self._hidden.show_orphans()
        return is_emptied

    def _is_resource_folder(self, path: Path) -> bool:
        """Return True if a path of the layout leads to the folder of a patient, study or series."""
        level = self._layout.levels[len(path) - 1].resource if len(path) <= len(self._layout.levels) else None
        return level not in {None, Level.INSTANCE}

    def _emptied_above(self, path: Path) -> Iterator[Path]:
        """Yield a path and the folders above it, as far as something in them was deleted a moment ago."""
        return (path[:depth] for depth in range(1, len(path) + 1) if path[:depth] in self._emptied)

    # Into the trash

    def _put_into_trash(
        self, trash: Trash, path: Path, level: Level, resource: OrthancId, by: Client
    ) -> Sequence[OrthancId]:
        folder = DeletedFolder(self._layout.title, path, self._top)
        seq = self._index.last_change()  # before the images are listed: what comes later is not meant
        images = self._images(level, resource)
        self._run(lambda: trash.add(folder, images, by, seq))
        gone = [*images.by_study] if level is Level.PATIENT else [resource]
        if level is not Level.INSTANCE:  # one image less is cheap to note, by the log, for the next request
            self._catalog.forget(gone)
        return gone

    def _images(self, level: Level, resource: OrthancId) -> EntryImages:
        """Return the images below a resource that are not in the trash.

        Raises:
            UnknownResource: There are none.
        """
        found: Mapping[OrthancId, Instances]
        if level is Level.PATIENT:
            found = {study: self._instances(study) for study in self._catalog.studies_of(resource)}
        elif level is Level.STUDY:
            found = {resource: self._instances(resource)}
        else:
            series = resource if level is Level.SERIES else self._index.instance(resource).series
            listed = self._index.with_children(Level.SERIES, series)
            taken = listed.children if level is Level.SERIES else [resource]
            found = {OrthancId(listed.resource.parent or ""): {series: frozenset(taken)}}
        if not any(found.values()):
            raise UnknownResource("it has been deleted")
        return EntryImages({study: instances for study, instances in found.items() if instances})

    def _instances(self, study: OrthancId) -> Instances:
        """Return the instances of a study that are not in the trash, by series; none if the study is gone."""
        found = dict[OrthancId, frozenset[OrthancId]]()
        with suppress(UnknownResource):
            for series in self._index.with_children(Level.STUDY, study).children:
                with suppress(UnknownResource):
                    found[series] = frozenset(self._index.with_children(Level.SERIES, series).children)
        return found

    # For good

    def _delete_for_good(self, level: Level, resource: OrthancId) -> Sequence[OrthancId]:
        if level is Level.PATIENT:
            return self._delete_studies(resource)
        self._run(lambda: self._delete(level, resource))
        self._catalog.forget([resource])
        return [resource]

    def _delete(self, level: Level, resource: OrthancId) -> None:
        """Delete a resource in Orthanc, without those of its images that are in the trash."""
        trash = self._trash
        if level is Level.INSTANCE or trash is None or not trash.is_used:
            self._orthanc.delete(level, resource)
            return
        for study, instances in self._images(level, resource).by_study.items():
            if trash.has(study):
                self._orthanc.delete_instances([one for ids in instances.values() for one in ids])
            else:
                self._orthanc.delete(level, resource)

    def _delete_studies(self, folder: OrthancId) -> Sequence[OrthancId]:
        """Delete the studies that a patient folder shows, and no others with the same PatientID."""
        studies, gone = self._catalog.studies_of(folder), list[OrthancId]()

        def delete() -> None:
            for study in studies:
                with suppress(UnknownResource):  # another client was faster
                    self._delete(Level.STUDY, study)
                gone.append(study)

        try:
            self._run(delete)
        except OrthancError as error:
            done = f"{len(gone)} of {len(studies)} studies were deleted, the others were not"
            raise type(error)(f"{done}: {error.reason}", error.code) from error
        finally:
            self._catalog.forget(gone)
        return gone
