"""Extra files in the folders of a layout: archives, checksums, tags, previews and reports.

They take part in the naming of the folder's other entries, as if each of them was a resource of its own.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import tee
from typing import TypeAlias

from davfs import names
from davfs.cache import LruCache
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import patient_of
from davfs.derived.documents import Documents
from davfs.derived.file import DerivedFile
from davfs.entry import Entry, EntryKind
from davfs.errors import UnknownResource
from davfs.filesystem.archives import Archives
from davfs.filesystem.checksum_lists import ChecksumLists
from davfs.filesystem.hidden_files import HiddenFiles
from davfs.filesystem.tree_node import TreeNode, entry_of
from davfs.layout import Layout
from davfs.layout.model import ExtraFileKind
from davfs.orthanc.model import Instance, Level, OrthancId

_DIGITS = 10
_ALWAYS_EXIST = {ExtraFileKind.ZIP, ExtraFileKind.CHECKSUMS, ExtraFileKind.JSON}
_OF_ALL_BELOW = {ExtraFileKind.ZIP, ExtraFileKind.CHECKSUMS}
"""Those for which Orthanc is asked for all instances below the folder."""
_FOLDERS = 1000
"""Folders whose extra files are cached until the catalog changes."""
_DATES = 10_000
"""Files of which it is remembered since when they have their content."""

NamedKinds: TypeAlias = Mapping[str, tuple[ExtraFileKind, str]]
"""Kind and base name of the extra files that a folder may have, by an id that is the same in every process."""


class ExtraFiles:
    """The extra files of one layout.

    Args:
        layout: The layout.
        catalog: The index.
        documents: Derives tags, previews and reports.
        archives: Derives archives.
        checksum_lists: Derives lists of checksums.
        today: Clock, in UTC.

    Attributes:
        hidden: Those that clients have deleted a moment ago.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what it is made of
        self,
        layout: Layout,
        catalog: Catalog,
        documents: Documents,
        archives: Archives,
        checksum_lists: ChecksumLists,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.hidden = HiddenFiles(catalog)
        self._files = {level.resource: level.files for level in layout.levels if level.files}
        self._layout = layout
        self._catalog = catalog
        self._documents = documents
        self._archives = archives
        self._checksum_lists = checksum_lists
        self._today = today
        self._named: LruCache[str, tuple[int, NamedKinds]] = LruCache(_FOLDERS)
        self._dates: LruCache[str, tuple[str, datetime]] = LruCache(_DATES)

    def matching(self, owner: TreeNode, segment: str) -> NamedKinds:
        """Return those that a name in a folder can lead to, or conflict with; Orthanc is not asked if they exist."""
        if owner.level not in self._files:
            return {}
        keys = {*names.base_names(segment, files=True), *names.base_names(segment, files=False)}
        return {one: named for one, named in self._named_kinds(owner).items() if names.folded(named[1]) in keys}

    def existing(self, owner: TreeNode, some: NamedKinds) -> Mapping[str, str]:
        """Return the base names of those that exist now, by id."""
        with suppress(UnknownResource):
            return {
                one: base
                for one, (kind, base) in some.items()
                if kind in _ALWAYS_EXIST or self._derive_now(owner, kind) is not None
            }
        return {}

    def derive_all(self, owner: TreeNode) -> Mapping[str, tuple[str, DerivedFile]]:
        """Return base names and files of all that exist in a folder now, by id; hidden ones are among them.

        Raises:
            UnknownResource: The folder's resource has been deleted.
        """
        named = self._named_kinds(owner)
        if not named:
            return {}
        kinds = {kind for kind, _ in named.values()}
        # An archive or a list, which is derived first, has just asked Orthanc for all instances below the folder.
        previews, reports = tee(self._instances(owner, fresh=kinds.isdisjoint(_OF_ALL_BELOW)))
        instances = {ExtraFileKind.PREVIEW: previews, ExtraFileKind.REPORT: reports}
        derived = {kind: self._derive(owner, kind, instances.get(kind, ())) for kind in ExtraFileKind if kind in kinds}
        return {
            one: (base, self._dated(owner, one, file))
            for one, (kind, base) in named.items()
            if (file := derived[kind]) is not None
        }

    def entries(
        self, owner: TreeNode, unique: Mapping[str, str], derived: Mapping[str, tuple[str, DerivedFile]]
    ) -> Iterator[Entry]:
        """Yield the entries of those that are not hidden, by their names in the folder and their files."""
        for one, name in unique.items():
            if not self.hidden.is_hidden(owner, one):
                yield entry_of(_entry(owner, name), derived[one][1])

    def node(self, owner: TreeNode, file: str, name: str) -> TreeNode:
        """Return the node of an extra file, by its folder, id and name."""
        hide = partial(self.hidden.hide, owner, file)
        return TreeNode(None, None, _entry(owner, name), None, partial(self._derive_one, owner, file), hide)

    def _derive_one(self, owner: TreeNode, file: str) -> DerivedFile:
        kind, _ = self._named_kinds(owner)[file]
        derived = None if self.hidden.is_hidden(owner, file) else self._derive_now(owner, kind)
        if derived is None:
            raise UnknownResource("the file has no content any more")
        return self._dated(owner, file, derived)

    def _derive_now(self, owner: TreeNode, kind: ExtraFileKind) -> DerivedFile | None:
        return self._derive(owner, kind, self._instances(owner, fresh=True))

    def _derive(
        self, owner: TreeNode, kind: ExtraFileKind, instances: Iterable[Mapping[OrthancId, Instance]]
    ) -> DerivedFile | None:
        match kind:
            case ExtraFileKind.ZIP:
                return self._archives.archive(owner)
            case ExtraFileKind.CHECKSUMS:
                return self._checksum_lists.of(owner, self._certain_bases)
            case ExtraFileKind.PREVIEW:
                return self._documents.picture(instances)
            case ExtraFileKind.REPORT:
                return self._documents.report(instances)
        if owner.level is Level.PATIENT and owner.id:
            return self._documents.patient(patient_of(owner.id), self._catalog.studies_of(owner.id))
        return self._documents.description(owner.level, owner.id) if owner.level and owner.id else None

    def _certain_bases(self, level: Level | None, folder: str | None) -> Mapping[str, str]:
        """Return the base names of those extra files of a folder that exist whatever is in it, by id."""
        if level not in self._files or not folder:
            return {}
        return {one: base for one, (kind, base) in self._named_by_id(level, folder).items() if kind in _ALWAYS_EXIST}

    def _instances(self, owner: TreeNode, *, fresh: bool) -> Iterator[Mapping[OrthancId, Instance]]:
        if owner.level and owner.id:
            yield from self._catalog.instances_below(owner.level, owner.id, fresh=fresh)

    def _dated(self, owner: TreeNode, file: str, derived: DerivedFile) -> DerivedFile:
        """Return the file with a date that is later whenever its content changed, also after a deletion.

        In an anonymised layout the date would tell when an image was added or deleted: there the file has none.
        """
        if self._layout.anonymised is not None:
            return derived
        date = max(derived.modified or owner.entry.modified, owner.entry.modified)
        etag, before = self._dates.get(file) or (derived.etag, date)
        if etag == derived.etag:
            date = before
        elif date <= before:
            date = max(self._today().replace(microsecond=0), before + timedelta(seconds=1))
        self._dates.put(file, (derived.etag, date))
        return replace(derived, modified=date)

    def _named_kinds(self, owner: TreeNode) -> NamedKinds:
        return self._named_by_id(owner.level, owner.id) if owner.level in self._files and owner.id else {}

    def _named_by_id(self, level: Level | None, folder: str) -> NamedKinds:
        files = self._files[level]
        generation = self._catalog.generation
        cached = self._named.get(folder)
        if cached is not None and cached[0] == generation:
            return cached[1]
        needs_tags = any(file.template.keywords for file in files)
        tags = self._catalog.tags(folder) if needs_tags else {}
        ids = [_file_id(self._layout.digest(folder), index) for index in range(len(files))]
        named = {one: (file.kind, file.template.render(tags, one)) for one, file in zip(ids, files, strict=True)}
        self._named.put(folder, (generation, named))
        return named


def _entry(owner: TreeNode, name: str) -> Entry:
    above = owner.entry
    return Entry(name, EntryKind.FILE, above.modified, resource=above.resource, level=above.level)


def _file_id(folder: str, index: int) -> str:
    """Return the id of a file: forty digits, of which the first ten are those of its folder's id."""
    digest = hashlib.sha1(f"{folder}/{index}".encode(), usedforsecurity=False).hexdigest()
    return folder.replace("-", "")[:_DIGITS] + digest[_DIGITS:]
