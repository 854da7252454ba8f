"""trash/: a folder for each entry, newest first by name, in it the tree as it was, and ``deleted.txt``.

1. Files can be read.
2. What is moved out of it into a layout is restored (`restore`).
3. What is deleted in it is deleted for good.

Paths, including those of errors, are relative to trash/.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta

from davfs.audit.record import NOBODY, Client
from davfs.cache import LruSet
from davfs.derived.checksums import StoredChecksums
from davfs.entry import Content, Entry, EntryKind, Opened, Path
from davfs.errors import IsAFolder, NotAFolder, NotFound, Unavailable
from davfs.filesystem.trash.entry import TrashEntry, description, named, resolved
from davfs.filesystem.trash.entry_images import EntryImages
from davfs.filesystem.trash.entry_trees import EntryTree, EntryTrees
from davfs.filesystem.trash.trash import Trash
from davfs.layout import Layout
from davfs.orthanc.model import Level, OrthancId
from davfs.trash.mark import EntryId

TEXT = "deleted.txt"
_PATHS, _SECONDS = 10_000, 60.0
"""Paths that are remembered for so many seconds, in which a client comes to delete the folder, too."""


class TrashArea:
    """`davfs.filesystem.area.Area` over the trash.

    Args:
        trash: The trash.
        trees: Makes the trees of its entries.
        layouts: Returns the layouts of the drive.
        refresh: Takes note of all marks that were written before.
        run: Runs a deletion on a worker thread, and waits for it.
        since: Date of trash/ itself, in UTC.
    """

    def __init__(  # noqa: PLR0913, PLR0917  what it is made of
        self,
        trash: Trash,
        trees: EntryTrees,
        layouts: Callable[[], Sequence[Layout]],
        refresh: Callable[[], object],
        run: Callable[[Callable[[], None]], None],
        since: datetime,
    ) -> None:
        self._refresh = refresh
        self._trash = trash
        self._trees = trees
        self._layouts = layouts
        self._run = run
        self._since = since
        self._shown: tuple[object, tuple[object, Mapping[str, TrashEntry]]] = None, (None, {})
        self._emptied, self._texts = (LruSet[Path](_PATHS, lifetime=_SECONDS) for _ in range(2))

    # Reading

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        if not path:
            return Entry("", EntryKind.FOLDER, self._since)
        entry = self._entry(path)
        if not path[1:]:
            return _folder(path[0], entry)
        if text := self._text(path, entry):
            return text.entry
        with self._opened(entry, path) as (tree, below):
            return tree.tree.stat(below)

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        if not path:
            return [_folder(name, entry) for name, entry in self.named().items()]
        entry = self._entry(path)
        if self._text(path, entry):
            raise NotAFolder(path, "it is a file")
        with self._opened(entry, path) as (tree, below):
            if path[1:]:
                return tree.tree.list(below)
            text, images = self._text((path[0], TEXT), entry), list[Entry]()
            with suppress(NotFound):  # Orthanc was asked to delete all of them
                images += tree.tree.list(below)
            return [*([text.entry] if text else []), *images]

    def read(self, path: Path) -> Content:
        """See `Area`."""
        if not path[1:]:
            self.stat(path)
            raise IsAFolder(path, "it is a folder")
        entry = self._entry(path)
        if text := self._text(path, entry):
            return text
        with self._opened(entry, path) as (tree, below):
            return tree.tree.read(below)

    def named(self) -> Mapping[str, TrashEntry]:
        """Return the entries that this drive shows by the names of their folders, as far as Orthanc has their studies.

        A drive on which all layouts are anonymised shows those that were deleted in one of these.
        """
        found = self._named()
        there = self._existing(found.values())
        return {name: left for name, entry in found.items() if (left := entry.only(there))}

    def stored(self) -> StoredChecksums:
        """Return the checksums of all stored files; see `davfs.filesystem.area.HasStoredFiles`."""
        return self._trees.derived_files.checksums

    @property
    def retention(self) -> timedelta:
        """For how long images are kept; 0 for ever."""
        return self._trash.retention

    def find(self, entry: EntryId) -> TrashEntry | None:
        """Return an entry that this drive shows, by its id; None if there is none."""
        return next((each for each in self._named().values() if each.id == entry and self._existing([each])), None)

    def _named(self) -> Mapping[str, TrashEntry]:
        """Return the entries that this drive shows; some may be gone, which changes no name of the others."""
        self._refresh()
        entries = self._trash.entries()
        titles = tuple(each.title for each in self._layouts() if each.anonymised)
        is_open = len(titles) < len(self._layouts())
        known, shown = self._shown
        if known != (titles, is_open) or shown[0] is not entries:
            shown = entries, named(each for each in entries.values() if is_open or each.layout in titles)
            self._shown = (titles, is_open), shown
        return shown[1]

    def _existing(self, entries: Iterable[TrashEntry]) -> set[OrthancId]:
        """Return those of the studies of entries that Orthanc has: it logs no deletions."""
        return self._trash.existing(sorted({study for each in entries for study in each.deletions}))

    def _entry(self, path: Path) -> TrashEntry:
        shown = self._named()
        found = shown.get(path[0]) or resolved(path[0], shown.values())
        entry = found.only(self._existing([found])) if found else None
        if entry is None:
            raise NotFound(path, "there is nothing of that name")
        return entry

    def _text(self, path: Path, entry: TrashEntry) -> Opened | None:
        """Return ``deleted.txt`` if it is at the path, and was not deleted a moment ago."""
        if path[1:] != (TEXT,) or (entry.id,) in self._texts:
            return None
        text = memoryview(description(entry, self._trash.retention).encode())
        etag = hashlib.sha256(text).hexdigest()[:32]
        file = Entry(TEXT, EntryKind.FILE, entry.time, len(text), etag, "text/plain")
        return Opened(file, nullcontext(text))

    @contextmanager
    def _opened(self, entry: TrashEntry, path: Path) -> Iterator[tuple[EntryTree, Path]]:
        """Provide the tree of an entry, and the path in it that a path in trash/ leads to."""
        with self._trees.open(entry) as tree:
            yield tree, (*tree.root, *path[1:])

    # Restoring

    def restore(self, path: Path) -> tuple[Sequence[OrthancId], Path]:
        """Restore an entry, or a part of it; see `davfs.filesystem.area.Restorable`."""
        entry = self._entry(path)
        if not path[1:]:
            return self.restore_entry(entry), (entry.layout, *entry.path)
        with self._opened(entry, path) as (tree, below):
            part = tree.part(self._trash.images(entry), below)
        if not part.by_study:
            raise NotFound(path, "there is no image below it")
        return self._trash.restore(entry, part), (entry.layout, *below)

    def former(self, path: Path) -> Path:
        """Return the path on the drive where something was; see `davfs.filesystem.area.Restorable`."""
        entry = self._entry(path)
        with self._opened(entry, path) as (_, below):
            return (entry.layout, *below)

    def restore_entry(self, entry: TrashEntry) -> Sequence[OrthancId]:
        """Restore a whole entry; return its studies."""
        restored = list[OrthancId]()
        self._run(lambda: restored.extend(self._trash.restore(entry)))
        return restored

    # Deleting

    def delete(self, path: Path, *, by: Client = NOBODY) -> str:  # noqa: ARG002  as `Deletable` has it
        """Delete an entry, or a part of it, for good; see `Deletable`."""
        try:
            return ",".join(self._delete(path))
        except NotFound:
            if path not in self._emptied:
                raise
            return ""  # the folder went with the last of its content

    def _delete(self, path: Path) -> Sequence[OrthancId]:
        entry = self._entry(path)
        if self._text(path, entry):
            self._texts.add((entry.id,))
            self._note(path)
            return []
        if not path[1:]:
            return self.purge_entry(entry)
        with self._opened(entry, path) as (tree, below):
            part = tree.part(self._trash.images(entry), below)
        if not part.by_study:
            raise NotFound(path, "there is no image below it")
        self._run(lambda: self._purge(entry, part))
        self._note(path)
        return [*part.by_study]

    def purge_entry(self, entry: TrashEntry) -> Sequence[OrthancId]:
        """Delete a whole entry for good; return its studies."""
        self._run(lambda: self._purge(entry))
        return [*entry.deletions]

    def _purge(self, entry: TrashEntry, images: EntryImages | None = None) -> None:
        try:
            self._trash.purge(entry, images)
        except Unavailable:  # some may have come again at the moment when they were deleted, which Orthanc's log tells
            self._refresh()
            self._trash.resume()

    def _note(self, path: Path) -> None:
        for depth in range(1, len(path)):
            self._emptied.add(path[:depth])

    def close(self) -> None:
        """Delete the indices of the trees."""
        self._trees.close()


def _folder(name: str, entry: TrashEntry) -> Entry:
    return Entry(
        name, EntryKind.FOLDER, entry.time, resource=",".join(sorted(entry.deletions)), level=Level.STUDY.label
    )
