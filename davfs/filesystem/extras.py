"""Further files in the folders of a layout: archives, tags, pictures and reports.

Their names take part in the naming of what else is in the folder, as if each of them was a resource of its own.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from davfs import names
from davfs.catalog.catalog import Catalog
from davfs.entry import Entry, Kind
from davfs.errors import UnknownResource
from davfs.filesystem.archives import Archives
from davfs.filesystem.node import Node
from davfs.generated.documents import Documents
from davfs.generated.made import Made
from davfs.layout import Layout
from davfs.layout.model import Extra, ExtraFile
from davfs.orthanc.model import OrthancId

_HIDDEN = 60.0
"""Seconds after which a file is there again that was deleted, and whose folder was not."""


class Extras:
    """The further files of one layout.

    They cannot be deleted, for they are made from what is there. But who deletes a folder by deleting what is in it, as
    Finder and ``rm -r`` do, has to find it empty in the end.

    Args:
        layout: The layout.
        catalog: Knows what is below a folder.
        documents: Make the others.
        archives: Make the archives among them.
        now: Clock, in seconds.
    """

    def __init__(
        self,
        layout: Layout,
        catalog: Catalog,
        documents: Documents,
        archives: Archives,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._files = {level.resource: level.files for level in layout.levels if level.files}
        self._mark = layout.mark
        self._catalog = catalog
        self._documents = documents
        self._archives = archives
        self._now = now
        self._hidden: dict[str, float] = {}

    def asked(self, owner: Node, segment: str) -> Mapping[str, str]:
        """Return those of `names` that a name may lead to, or has to be told from."""
        if owner.level not in self._files:
            return {}
        keys = {*names.bases(segment, files=True), *names.bases(segment, files=False)}
        bases = {one: base for one, base in self._bases(owner).items() if names.key(base) in keys}
        with suppress(UnknownResource):
            return self._there(owner, bases)
        return {}

    def names(self, owner: Node) -> Mapping[str, str]:
        """Return the base names of those that there are in a folder, by identity.

        Raises:
            UnknownResource: The folder's resource is gone.
        """
        return self._there(owner, self._bases(owner)) if owner.level in self._files else {}

    def node(self, owner: Node, identity: str, name: str) -> Node:
        """Return the node of one of them.

        Args:
            owner: The folder that it is in.
            identity: Which one.
            name: Its name.
        """
        entry = Entry(name, Kind.FILE, owner.entry.modified, resource=owner.id or "")
        make = partial(self._still, owner, self._of(owner)[identity].content)
        return Node(None, None, entry, None, make, partial(self._hide, identity))

    def _hide(self, identity: str) -> None:
        now = self._now()
        self._hidden = {one: until for one, until in self._hidden.items() if until > now} | {identity: now + _HIDDEN}

    def show_all(self) -> None:
        """Show again all that was deleted: a folder was deleted itself, and may come again."""
        self._hidden = {}

    def _still(self, owner: Node, content: Extra) -> Made:
        made = self._made(owner, content)
        if made is None:
            raise UnknownResource("there is nothing any more that it could show")
        return made

    def _made(self, owner: Node, content: Extra) -> Made | None:
        if owner.level is None or owner.id is None:
            return None
        if content is Extra.ZIP:
            return self._archives.made(owner)
        documents = self._documents
        if content is Extra.JSON:
            return documents.description(owner.level, owner.id)
        instances = self._catalog.instances_below(owner.level, owner.id, fresh=True)
        return documents.picture(instances) if content is Extra.PREVIEW else documents.report(instances)

    def _there(self, owner: Node, bases: Mapping[str, str]) -> Mapping[str, str]:
        """Return those that there are; of archives and tags there always is one."""
        contents = {one: file.content for one, file in self._of(owner).items()}
        always, now = {Extra.ZIP, Extra.JSON}, self._now()
        return {
            one: base
            for one, base in bases.items()
            if self._hidden.get(one, now) <= now
            and (contents[one] in always or self._made(owner, contents[one]) is not None)
        }

    def _bases(self, owner: Node) -> Mapping[str, str]:
        if owner.id is None:
            return {}
        files, mark = self._of(owner), OrthancId(self._mark(owner.id))
        needs_tags = any(file.template.keywords for file in files.values())
        tags = self._catalog.tags(owner.id) if needs_tags else {}
        return {one: file.template.render(tags, mark) for one, file in files.items()}

    def _of(self, owner: Node) -> Mapping[str, ExtraFile]:
        """Return the files that a folder may have, by an identity that is the same in every process."""
        files = self._files.get(owner.level, ())
        texts = {f"{owner.id}/{index}/{file.content.value}": file for index, file in enumerate(files)}
        return {self._mark(_digest(text)): file for text, file in texts.items()}


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
