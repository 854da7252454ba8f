"""Names and serves the images of a layout: the instances in its folders, as they are stored or anonymised."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from davfs.cache import LruCache
from davfs.catalog.acquisition import shown_date
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import Folder
from davfs.derived.archive import ArchiveMember
from davfs.derived.file import DerivedFile
from davfs.derived.files import DerivedFiles
from davfs.entry import Entry, Path
from davfs.errors import UnknownResource
from davfs.filesystem.image_files import NO_EXTRA_FILES, ImageFiles, ImageNaming, SeriesTags, ShownImage
from davfs.filesystem.tree_node import TreeNode
from davfs.layout import Layout
from davfs.layout.anonymised_templates import restrict
from davfs.layout.model import Dates
from davfs.layout.syntax import parse_template
from davfs.layout.tags import DEFAULT
from davfs.orthanc import InstanceFiles
from davfs.orthanc.model import Instance, Level, OrthancId

_FOLDERS = 10_000
"""Folders whose files are cached."""
_FILES = 100_000
"""Files in all of them, those of the folders that people have open: some 100 MB."""
DEFAULT_NAME = "{SeriesNumber:03d} {Modality} {InstanceNumber:05d}.dcm"
"""Template of the file names in the archives of a layout that has no level of instances."""


class Images:
    """Names the instances of one layout, and opens them.

    Args:
        layout: The layout.
        catalog: The index.
        orthanc: Serves the stored files.
        derived_files: Makes the anonymised files.
    """

    def __init__(self, layout: Layout, catalog: Catalog, orthanc: InstanceFiles, derived_files: DerivedFiles) -> None:
        last = layout.levels[-1]
        default = parse_template(DEFAULT_NAME, Level.INSTANCE)
        if layout.anonymised:
            default = restrict(default, layout.options, layout.anonymised)
        self._template = last.template if last.resource is Level.INSTANCE else default
        self._layout = layout
        self._anonymised = derived_files.anonymised(layout.anonymised, layout.options) if layout.anonymised else None
        needs_more_tags = bool(self._template.keywords - DEFAULT[Level.INSTANCE])
        self._needs_series = needs_more_tags or layout.dates is Dates.ACQUISITION or self._anonymised is not None
        self._catalog = catalog
        self._orthanc = orthanc
        self._cache: LruCache[str | None, ImageFiles] = LruCache(_FOLDERS, _FILES)

    def in_folder(self, folder: Folder, *, fresh: bool, extra_bases: Mapping[str, str] = NO_EXTRA_FILES) -> ImageFiles:
        """Return the files of a folder that shows instances.

        Args:
            folder: The folder.
            fresh: Whether to ask Orthanc; otherwise the cached instances of a series suffice.
            extra_bases: Base names of its extra files, by id.

        Raises:
            UnknownResource: The folder's resource has been deleted.
        """
        instances = self._catalog.instances(folder, fresh=fresh)
        files = self._named(folder.id, instances)
        if not files.conflicts_with(extra_bases):
            return files
        return ImageFiles(instances, replace(files.naming, extra_bases=extra_bases))

    def find(
        self, folder: Folder, segment: str, *, fresh: bool, extra_bases: Mapping[str, str] = NO_EXTRA_FILES
    ) -> TreeNode | str | None:
        """Resolve a name in a folder to a file, the id of an extra file, or None; see `in_folder`."""
        files = self.in_folder(folder, fresh=fresh, extra_bases=extra_bases)
        found = files.find(segment, extra_bases)
        if not isinstance(found, Entry):
            return found
        instance = OrthancId(found.resource)
        derived = files.derived(instance)
        derive = partial(self._if_exists, instance, derived) if derived else None
        return TreeNode(Level.INSTANCE, instance, found, None, derive)

    def below(self, level: Level, resource: OrthancId) -> ImageFiles:
        """Return the files of all instances below a resource, as they are now.

        Raises:
            UnknownResource: The resource has been deleted.
        """
        instances = list(self._catalog.instances_below(level, resource, fresh=True))
        return self._named(resource, instances)

    def member(self, files: ImageFiles, entry: Entry, path: Path) -> ArchiveMember:
        """Return a file of a folder as a member of an archive, where the folder has this path."""
        instance = OrthancId(entry.resource)
        derived = files.derived(instance)
        about = (*path, entry.name), entry.size, entry.etag, entry.modified
        if derived is not None:
            return ArchiveMember(*about, derived.open, check=derived.check)
        return ArchiveMember(*about, partial(self._orthanc.open_instance, instance), files.instance(instance))

    def _if_exists(self, instance: OrthancId, derived: DerivedFile) -> DerivedFile:
        if not self._catalog.exists(Level.INSTANCE, instance):
            raise UnknownResource("it has been deleted")
        return derived

    def _named(self, folder: str | None, instances: Sequence[Mapping[OrthancId, Instance]]) -> ImageFiles:
        """Return the files of a folder; they are named again only if its instances or their naming changed."""
        naming = ImageNaming(self._show, self._layout.digest, self._series_tags(instances))
        cached = self._cache.get(folder)
        if cached is not None and cached.naming == naming and _are_identical(cached.instances, instances):
            return cached
        files = ImageFiles(instances, naming)
        self._cache.put(folder, files, len(files.entries))
        return files

    def _series_tags(self, instances: Sequence[Mapping[OrthancId, Instance]]) -> SeriesTags:
        """Return the tags of the series; none if the tags of the instances suffice."""
        if not self._needs_series:
            return {}
        series = {next(iter(found.values())).series for found in instances if found}
        return {one: self._catalog.tags(one) for one in series}

    def _show(self, instance: Instance, series: SeriesTags) -> ShownImage | None:
        tags = {**series.get(instance.series, {}), **instance.tags}
        if self._anonymised and not self._anonymised.can_anonymise(instance, tags.get("Modality", "")):
            return None
        base = self._template.render(tags, OrthancId(self._layout.digest(instance.id)))
        date = shown_date(self._layout, Level.INSTANCE, tags)
        return ShownImage(base, date, self._anonymised.file(instance, tags) if self._anonymised else None)


def _are_identical(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))
