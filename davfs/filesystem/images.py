"""The instances of a folder as a layout shows them: as they are stored, or anonymised."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from davfs.catalog.acquisition import shown_date
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder
from davfs.derived.archive import ArchiveMember
from davfs.derived.file import DerivedFile
from davfs.derived.files import DerivedFiles
from davfs.entry import Entry, Path
from davfs.errors import UnknownResource
from davfs.filesystem.files import NO_OTHERS, Files, FilesCache, Naming, Shown, TagsAbove
from davfs.filesystem.node import Node
from davfs.layout import Layout
from davfs.layout.anonymity import restricted
from davfs.layout.model import Dates
from davfs.layout.syntax import parse
from davfs.layout.tags import DEFAULT
from davfs.orthanc import InstanceFiles
from davfs.orthanc.model import Instance, Level, OrthancId

USUAL = "{SeriesNumber:03d} {Modality} {InstanceNumber:05d}.dcm"
"""How files are called in the archives of a layout that has no level of instances."""


class Images:
    """Names the instances of one layout, and opens them.

    Args:
        layout: The layout.
        catalog: Knows which instances there are.
        orthanc: Serves them as they are stored.
        derived_files: Makes the anonymised files.
    """

    def __init__(self, layout: Layout, catalog: Catalog, orthanc: InstanceFiles, derived_files: DerivedFiles) -> None:
        last = layout.levels[-1]
        usual = parse(USUAL, Level.INSTANCE)
        if layout.anonymised:
            usual = restricted(usual, layout.options, layout.anonymised)
        self._template = last.template if last.resource is Level.INSTANCE else usual
        self._mark = layout.digest
        self._layout = layout
        self._anonymised = derived_files.anonymised(layout.anonymised, layout.options) if layout.anonymised else None
        from_above = self._template.keywords - DEFAULT[Level.INSTANCE]
        by_acquisition = layout.dates is Dates.ACQUISITION
        self._needs_above = bool(from_above) or by_acquisition or self._anonymised is not None
        self._catalog = catalog
        self._orthanc = orthanc
        self._kept = FilesCache()

    def of(self, folder: Folder, *, fresh: bool, others: Mapping[str, str] = NO_OTHERS) -> Files:
        """Return the files of a folder that shows instances.

        Args:
            folder: Which one.
            fresh: Whether to ask Orthanc; otherwise what is known of a series will do.
            others: Base names of what else is in it, by identity.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        instances = self._catalog.instances(folder, fresh=fresh)
        files = self._kept.files(folder.id, instances, self._naming(instances))
        return Files(instances, replace(files.naming, others=others)) if files.meets(others) else files

    def find(
        self, folder: Folder, segment: str, *, fresh: bool, others: Mapping[str, str] = NO_OTHERS
    ) -> Node | str | None:
        """Return what a name in a folder leads to: a file, the identity of one of the others, or nothing; see `of`."""
        files = self.of(folder, fresh=fresh, others=others)
        found = files.find(segment, others)
        if not isinstance(found, Entry):
            return found
        instance = OrthancId(found.resource)
        made = files.made(instance)
        return Node(Level.INSTANCE, instance, found, None, partial(self._still, instance, made) if made else None)

    def below(self, level: Level, resource: OrthancId) -> Files:
        """Return the files of all instances below a resource, as they are now.

        Raises:
            UnknownResource: The resource is gone.
        """
        instances = list(self._catalog.instances_below(level, resource, fresh=True))
        return self._kept.files(resource, instances, self._naming(instances))

    def _naming(self, instances: Sequence[Mapping[OrthancId, Instance]]) -> Naming:
        return Naming(self._show, self._mark, self._above(instances))

    def member(self, files: Files, entry: Entry, path: Path) -> ArchiveMember:
        """Return one of the files as an archive holds it.

        Args:
            files: They are these.
            entry: Which one.
            path: The folders in the archive that it is in.
        """
        instance = OrthancId(entry.resource)
        made = files.made(instance)
        about = (*path, entry.name), entry.size, entry.etag, entry.modified
        if made is not None:
            return ArchiveMember(*about, made.open, check=made.check)
        return ArchiveMember(*about, partial(self._orthanc.open_instance, instance), files.instance(instance))

    def _still(self, instance: OrthancId, made: DerivedFile) -> DerivedFile:
        if not self._catalog.exists(Level.INSTANCE, instance):
            raise UnknownResource("it has been deleted")
        return made

    def _above(self, instances: Sequence[Mapping[OrthancId, Instance]]) -> TagsAbove:
        """Return the tags of the series that files are shown by, none where their own are all that is needed."""
        if not self._needs_above:
            return {}
        series = {next(iter(found.values())).series for found in instances if found}
        return {one: self._catalog.tags(one) for one in series}

    def _show(self, instance: Instance, above: TagsAbove) -> Shown | None:
        tags = {**above.get(instance.series, {}), **instance.tags}
        if self._anonymised and not self._anonymised.can_be(instance, tags.get("Modality", "")):
            return None
        base = self._template.render(tags, OrthancId(self._mark(instance.id)))
        date = shown_date(self._layout, Level.INSTANCE, tags)
        return Shown(base, date, self._anonymised.file(instance, tags) if self._anonymised else None)
