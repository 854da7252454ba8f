"""Shows the images of one entry of the trash as if they were an archive of their own, over which a layout is laid."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager, suppress

from davfs.entry import Readable
from davfs.errors import UnknownResource
from davfs.filesystem.trash.entry_images import EntryImages
from davfs.orthanc import InstanceFiles, ResourceIndex
from davfs.orthanc.model import Changes, Counts, Instance, Level, OrthancId, Resource, WithChildren

_GONE = "it is not in the trash any more"


class EntryArchive:
    """`davfs.orthanc.ResourceIndex` and `InstanceFiles` over the images of an entry that Orthanc has now.

    Args:
        index: All resources, also those in the trash.
        files: The files of all images.
        images: Returns the images that the entry has now.

    Attributes:
        least: Ids that were there whenever the archive was asked: an index of it can have forgotten the others.
    """

    def __init__(self, index: ResourceIndex, files: InstanceFiles, images: Callable[[], EntryImages]) -> None:
        self._index = index
        self._files = files
        self._current = images
        self.least = images().ids

    def _images(self) -> EntryImages:
        images = self._current()
        if not self.least <= images.ids:
            self.least &= images.ids
        return images

    def last_change(self) -> int:
        """See `ResourceIndex`; the log is empty: each listing is compared."""
        return 1

    def changes(self, since: int, limit: int = 1000) -> Changes:  # noqa: ARG002  as `ResourceIndex` has it
        """See `ResourceIndex`."""
        return Changes((), since, done=True)

    def counts(self) -> Counts:
        """See `ResourceIndex`."""
        return Counts(*(len(self.ids(level)) for level in Level))

    def ids(self, level: Level) -> list[OrthancId]:
        """See `ResourceIndex`."""
        images = self._images()
        if level is Level.INSTANCE:
            return sorted(self._index.existing(sorted(images.ids_of(level))))
        series = {study: self._remaining(each, images) for study, each in images.by_study.items()}
        if level is Level.SERIES:
            return sorted(one for each in series.values() for one in each)
        studies = sorted(study for study, each in series.items() if each)
        if level is Level.STUDY:
            return studies
        return sorted({study.parent for study in self._index.resources(studies) if study.parent})

    def _remaining(self, series: Collection[OrthancId], images: EntryImages) -> list[OrthancId]:
        """Return those of some series of which Orthanc has images that are in the entry."""
        found = list[OrthancId]()
        for one in series:
            with suppress(UnknownResource):
                children = self._index.with_children(Level.SERIES, one).children
                found += [one] if any(child in images.ids for child in children) else []
        self._miss(set(series) - set(found))
        return found

    def _miss(self, gone: Iterable[OrthancId]) -> None:
        """Note that Orthanc does not have resources: they may come again."""
        self.least = self.least.difference(gone)

    def id_page(self, level: Level, since: int, limit: int) -> list[OrthancId]:
        """See `ResourceIndex`."""
        return self.ids(level)[since : since + limit]

    def has_count(self, level: Level, count: int) -> bool:
        """See `ResourceIndex`."""
        return len(self.ids(level)) == count

    def with_children(self, level: Level, resource: OrthancId) -> WithChildren:
        """See `ResourceIndex`."""
        known = self._known()
        if level is not Level.PATIENT:
            self._check(resource)
        try:
            return self._with_known(level, resource, known)
        except UnknownResource:
            self._miss([resource])
            raise

    def _with_known(self, level: Level, resource: OrthancId, known: frozenset[OrthancId]) -> WithChildren:
        found = self._index.with_children(level, resource)
        children = [child for child in found.children if child in known]
        if level is Level.STUDY:
            children = self._remaining(children, self._images())
        if not children:
            raise UnknownResource(_GONE)
        return WithChildren(found.resource, children)

    def exists(self, level: Level, resource: OrthancId) -> bool:
        """See `ResourceIndex`."""
        return resource in self._known() and self._index.exists(level, resource)

    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """See `ResourceIndex`."""
        known = self._known()
        found = self._index.existing([one for one in ids if one in known])
        self._miss(set(ids) - found)
        return found

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `ResourceIndex`; patients too, for their labels."""
        wanted, known = list(ids), self._known()
        found = [one for one in self._index.resources(wanted) if one.id in known or one.level is Level.PATIENT]
        self._miss(set(wanted).difference(one.id for one in found))
        return found

    def page(self, level: Level, since: int, limit: int) -> list[Resource]:
        """See `ResourceIndex`."""
        return self.resources(self.ids(level)[since : since + limit])

    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """See `ResourceIndex`."""
        known = self._known()
        return self._index.instances([one for one in ids if one in known])

    def instance(self, instance: OrthancId) -> Instance:
        """See `ResourceIndex`."""
        self._check(instance)
        return self._index.instance(instance)

    def instance_size(self, instance: OrthancId) -> int:
        """See `InstanceFiles`."""
        self._check(instance)
        return self._files.instance_size(instance)

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:
        """See `InstanceFiles`."""
        self._check(instance)
        return self._files.open_instance(instance, start)

    def _known(self) -> frozenset[OrthancId]:
        return self._images().ids

    def _check(self, resource: OrthancId) -> None:
        if resource not in self._known():
            raise UnknownResource(_GONE)
