"""Extra files in the folders of a layout: archives, tags, pictures and reports.

Their names take part in the naming of what else is in the folder, as if each of them was a resource of its own.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import tee

from davfs import names
from davfs.cache import LruCache
from davfs.catalog.catalog import Catalog
from davfs.catalog.plan import patient_of
from davfs.derived.documents import Documents
from davfs.derived.file import DerivedFile
from davfs.entry import Entry, EntryKind
from davfs.errors import UnknownResource
from davfs.filesystem.archives import Archives
from davfs.filesystem.node import Node
from davfs.layout import Layout
from davfs.layout.model import ExtraFile, ExtraFileKind
from davfs.orthanc.model import Instance, Level, OrthancId

_DIGITS = 10
_DATED = 10_000
"""Files of which it is known since when they have their content."""
_HIDDEN = 60.0
"""Seconds after which a file is there again that was deleted, and whose folder was not."""


@dataclass(frozen=True, slots=True)
class _Hidden:
    """A file that was deleted: in whose folder, since when (UTC), and until when by the clock."""

    owner: Node
    since: datetime
    until: float


class ExtraFiles:
    """The extra files of one layout.

    They cannot be deleted, for they are made from what is there. But who deletes a folder by deleting what is in it, as
    Finder and ``rm -r`` do, has to find it empty in the end.

    Args:
        layout: The layout.
        catalog: Knows what is below a folder.
        documents: Make the others.
        archives: Make the archives among them.
        now: Clock, in seconds.
        today: Clock, in UTC.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what it is made of, and two clocks
        self,
        layout: Layout,
        catalog: Catalog,
        documents: Documents,
        archives: Archives,
        now: Callable[[], float] = time.monotonic,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._files = {level.resource: level.files for level in layout.levels if level.files}
        self._mark = layout.digest
        self._is_anonymised = layout.anonymised is not None
        self._catalog = catalog
        self._documents = documents
        self._archives = archives
        self._now = now
        self._today = today
        self._dates: LruCache[str, tuple[str, datetime]] = LruCache(_DATED)
        self._hidden: dict[str, _Hidden] = {}

    def asked(self, owner: Node, segment: str) -> Mapping[str, str]:
        """Return the base names, by identity, of those that a name may lead to, or has to be told from."""
        if owner.level not in self._files:
            return {}
        keys = {*names.base_names(segment, files=True), *names.base_names(segment, files=False)}
        bases = {one: base for one, base in self.bases(owner).items() if names.folded(base) in keys}
        files = self._of(owner)
        with suppress(UnknownResource):
            return {one: base for one, base in bases.items() if self._is_there(owner, files[one].kind)}
        return {}

    def there(self, owner: Node) -> Mapping[str, DerivedFile]:
        """Return those that there are in a folder now, by identity; what was deleted for a while is among them.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        files = self._of(owner)
        if not files:
            return {}
        archives = {one: self._made(owner, file.kind) for one, file in files.items() if file.kind is ExtraFileKind.ZIP}
        # An archive has just asked for all that is below the folder.
        pictures, reports = tee(self._instances(owner, fresh=not archives))
        others = {
            one: self._document(owner, file.kind, pictures if file.kind is ExtraFileKind.PREVIEW else reports)
            for one, file in files.items()
            if file.kind is not ExtraFileKind.ZIP
        }
        found = archives | others
        return {one: self._dated(owner, one, made) for one in files if (made := found[one]) is not None}

    def bases(self, owner: Node) -> Mapping[str, str]:
        """Return the base names of all that a folder may have, by an identity that is the same in every process."""
        files = self._of(owner)
        needs_tags = any(file.template.keywords for file in files.values())
        tags = self._catalog.tags(owner.id) if needs_tags and owner.id else {}
        return {one: file.template.render(tags, one) for one, file in files.items()}

    def node(self, owner: Node, identity: str, name: str) -> Node:
        """Return the node of one of them.

        Args:
            owner: The folder that it is in.
            identity: Which one.
            name: Its name.
        """
        entry = Entry(name, EntryKind.FILE, owner.entry.modified, resource=owner.entry.resource)
        return Node(
            None, None, entry, None, partial(self._still, owner, identity), partial(self._hide, owner, identity)
        )

    def is_hidden(self, owner: Node, identity: str) -> bool:
        """Tell whether one was deleted a while ago; nothing else has its name meanwhile."""
        hidden = self._hidden.get(identity)
        if hidden is None or hidden.until <= self._now():
            return False
        return owner.entry.modified <= hidden.since  # or the folder has come again

    def show_orphans(self) -> None:
        """Show again what was deleted in folders that were deleted themselves since then: they may come again."""
        self._hidden = {one: each for one, each in self._hidden.items() if self._exists(each.owner)}

    def _hide(self, owner: Node, identity: str) -> None:
        now = self._now()
        left = {one: each for one, each in self._hidden.items() if each.until > now}
        self._hidden = left | {identity: _Hidden(owner, self._today(), now + _HIDDEN)}

    def _exists(self, owner: Node) -> bool:
        return bool(owner.level and owner.id and self._catalog.exists(owner.level, owner.id))

    def _still(self, owner: Node, identity: str) -> DerivedFile:
        made = None if self.is_hidden(owner, identity) else self._made(owner, self._of(owner)[identity].kind)
        if made is None:
            raise UnknownResource("there is nothing any more that it could show")
        return self._dated(owner, identity, made)

    def _dated(self, owner: Node, identity: str, made: DerivedFile) -> DerivedFile:
        """Return it with a date that is later whenever the content is another one: what is deleted leaves no date.

        In an anonymised layout it would tell when something came or went.
        """
        if self._is_anonymised:
            return made
        date = max(made.modified or owner.entry.modified, owner.entry.modified)
        etag, before = self._dates.get(identity) or (made.etag, date)
        if etag == made.etag:
            date = before
        elif date <= before:
            date = max(self._today().replace(microsecond=0), before + timedelta(seconds=1))
        self._dates.put(identity, (made.etag, date))
        return replace(made, modified=date)

    def _is_there(self, owner: Node, content: ExtraFileKind) -> bool:
        """Tell whether there is a file; of archives and tags there always is one."""
        return content in {ExtraFileKind.ZIP, ExtraFileKind.JSON} or self._made(owner, content) is not None

    def _made(self, owner: Node, content: ExtraFileKind) -> DerivedFile | None:
        if content is ExtraFileKind.ZIP:
            return self._archives.made(owner)
        return self._document(owner, content, self._instances(owner, fresh=True))

    def _document(
        self, owner: Node, content: ExtraFileKind, instances: Iterable[Mapping[OrthancId, Instance]]
    ) -> DerivedFile | None:
        if content is ExtraFileKind.PREVIEW:
            return self._documents.picture(instances)
        if content is ExtraFileKind.REPORT:
            return self._documents.report(instances)
        if owner.level is Level.PATIENT and owner.id:
            return self._documents.patient(patient_of(owner.id), self._catalog.studies_of(owner.id))
        return self._documents.description(owner.level, owner.id) if owner.level and owner.id else None

    def _instances(self, owner: Node, *, fresh: bool) -> Iterator[Mapping[OrthancId, Instance]]:
        if owner.level and owner.id:
            yield from self._catalog.instances_below(owner.level, owner.id, fresh=fresh)

    def _of(self, owner: Node) -> Mapping[str, ExtraFile]:
        files = self._files.get(owner.level, ())
        return {self._identity(owner, index): file for index, file in enumerate(files)}

    def _identity(self, owner: Node, index: int) -> str:
        """Return the identity of a file: forty digits, the first of them those that the folder's own names have."""
        own = self._mark(owner.id or "").replace("-", "")[:_DIGITS]
        text = f"{self._mark(owner.id or '')}/{index}"
        return own + hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[_DIGITS:]
