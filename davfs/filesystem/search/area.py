"""search/: folders that are queries, with the studies that match.

1. Any query can be opened as a folder. Creating the folder saves the query: it is listed until it is deleted.
2. The folder shows studies, and what is in them, as the layout ``by-study`` does.
3. A new folder whose name is no query stays empty for an hour, see `davfs.filesystem.search.placeholders`.

Paths, including those of errors, are relative to search/.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime

from davfs import names
from davfs.audit.record import NOBODY, Client
from davfs.catalog import query as language
from davfs.catalog.query import Keywords, Query, QueryError
from davfs.entry import Content, Entry, EntryKind, Opened, Path
from davfs.errors import AlreadyExists, BadName, Forbidden, IsAFolder, NotAFolder, NotFound, ParentMissing
from davfs.filesystem.area import Area
from davfs.filesystem.search.help import TOO_MANY, help_text
from davfs.filesystem.search.placeholders import Placeholders
from davfs.filesystem.search.results import SearchResults
from davfs.filesystem.search.saved_searches import SavedSearches
from davfs.orthanc import Buffer

README = "README.txt"
MORE = "too many results.txt"
_NO_UPLOAD = "Nothing can be changed on this drive: searches can be opened, and not saved."
_FROM_ARCHIVE = "A search shows what is in the archive: nothing can be put into it, DICOM goes into inbox/."
_NOT_HERE = "Nothing can be deleted in a search: delete it in the folder of a layout."
_OWN = "The drive's own folders and files cannot be changed."


class SearchArea:
    """The area of the drive whose folders are queries.

    Args:
        tree: The layout ``by-study``.
        results: Finds studies.
        searches: The saved searches.
        known: The keywords that can be searched.
        since: Date of entries that have no date of their own, in UTC.
        allow_changes: Whether searches can be saved and deleted.
        placeholders: New folders that are no queries yet.
    """

    def __init__(  # noqa: PLR0913  what it is made of
        self,
        tree: Area,
        results: SearchResults,
        searches: SavedSearches,
        known: Keywords,
        since: datetime,
        *,
        allow_changes: bool,
        placeholders: Placeholders | None = None,
    ) -> None:
        self._tree = tree
        self._results = results
        self._searches = searches
        self._known = known
        self._since = since
        self._allow_changes = allow_changes
        self._placeholders = placeholders or Placeholders()
        self._help = help_text(known).encode()
        self._more = TOO_MANY.format(most=f"{results.most:,}").encode()

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        if not path:
            return Entry("", EntryKind.FOLDER, self._since)
        if text := self._text(path):
            return text.entry
        if len(path) == 1:
            return self._folder(path[0])
        study = self._study(path)
        return self._tree.stat(path[1:]) if path[2:] else study

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        if not path:
            return self._root_entries()
        if self._text(path):
            raise NotAFolder(path, "it is a file")
        if len(path) == 1:
            return self._matches(path[0])
        self._study(path)
        return self._tree.list(path[1:])

    def read(self, path: Path) -> Content:
        """See `Area`."""
        if text := self._text(path):
            return text
        if len(path) <= 1:
            self.stat(path)
            raise IsAFolder(path, "it is a folder")
        self._study(path)
        return self._tree.read(path[1:])

    def write(self, path: Path, content: Buffer, *, user: str = "") -> Entry:  # noqa: ARG002  as `Writable` has it
        """Raise `Forbidden`."""
        raise Forbidden(path, _FROM_ARCHIVE)

    def make_folder(self, path: Path, *, user: str = "") -> None:
        """Save a search, or create an empty folder that is renamed next.

        Raises:
            Forbidden: No folder can be created here.
            AlreadyExists: The name is taken.
            BadName: It is no query; the reason says what is wrong.
            NoSpace: Too many searches are saved, in all or by this user.
        """
        self._check_changeable(path)
        if "=" in path[0]:
            self._check_query(path)
            self._searches.add(path[0], user)
            return
        if names.safe(path[0]) != path[0]:
            raise BadName(path, "Such a name cannot be kept.")
        if not self._placeholders.add(path[0], user):
            raise AlreadyExists(path, "it exists")

    def delete(self, path: Path, *, by: Client = NOBODY) -> str:  # noqa: ARG002  as `Deletable` has it
        """Remove a saved search; the studies that it finds stay in Orthanc.

        Raises:
            Forbidden: It is no search, or nothing can be changed on this drive.
            NotFound: It is not saved.
        """
        self._check_allowed(path)
        if len(path) != 1 or self._text(path):
            self.stat(path)
            raise Forbidden(path, _NOT_HERE if path[1:] else _OWN)
        if not self._placeholders.drop(path[0]):
            self._searches.remove(path[0])
        return ""

    def move(self, source: Path, target: Path, *, replace: bool, user: str = "") -> None:  # noqa: ARG002  `Movable`
        """Rename a saved search; see `Movable`.

        Raises:
            Forbidden: The source or target is no search, or nothing can be changed on this drive.
            NotFound: The search is not saved.
            AlreadyExists: Another search has the new name.
            BadName: The new name is no query.
        """
        self._check_changeable(target)
        if len(source) != 1 or self._text(source):
            self.stat(source)
            raise Forbidden(source, "Studies stay where they are: copy them to a disk of your own.")
        if source == target:
            raise Forbidden(target, "It has this name.")
        self._check_query(target)
        creator = self._placeholders.user(source[0])
        if creator is None:
            self._searches.rename(source[0], target[0], replace=replace)
            return
        self._searches.add(target[0], creator, replace=replace)
        self._placeholders.drop(source[0])

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:  # noqa: ARG002  `Movable`
        """Raise `Forbidden`, or `NotFound` if nothing is at the source."""
        self.stat(source)
        raise Forbidden(target, "Nothing can be copied within search/: make a folder whose name is the new search.")

    def _folder(self, name: str) -> Entry:
        if created := self._placeholders.all().get(name):
            return Entry(name, EntryKind.FOLDER, created)
        self._query((name,))
        saved = self._searches.all().get(name)
        return Entry(name, EntryKind.FOLDER, saved or self._since, implied=saved is None)

    def _root_entries(self) -> Iterable[Entry]:
        saved = {name: date for name, date in self._searches.all().items() if self._is_query(name)}
        folders = {**saved, **self._placeholders.all()}
        return [
            self._file(README, self._help).entry,
            *(Entry(name, EntryKind.FOLDER, date) for name, date in folders.items()),
        ]

    def _matches(self, name: str) -> Iterable[Entry]:
        if name in self._placeholders.all():
            return []
        found = self._results.find(self._query((name,)))
        return [*([] if found.complete else [self._file(MORE, self._more).entry]), *found.folders]

    def _study(self, path: Path) -> Entry:
        """Return the study in a path, if it matches the query.

        Raises:
            NotFound: The query does not find it.
        """
        query = self._query(path)
        study = self._tree.stat(path[1:2])
        if not self._results.matches(query, study.resource):
            raise NotFound(path, "this search does not find it")
        return study

    def _text(self, path: Path) -> Opened | None:
        """Return the text file at a path; None if there is none."""
        if path == (README,):
            return self._file(README, self._help)
        if path[1:] != (MORE,) or self._results.find(self._query(path)).complete:
            return None
        return self._file(MORE, self._more)

    def _file(self, name: str, text: bytes) -> Opened:
        return Opened(Entry(name, EntryKind.FILE, self._since, media_type="text/plain"), nullcontext(memoryview(text)))

    def _query(self, path: Path) -> Query:
        try:
            return language.parse_query(path[0], self._known)
        except QueryError as error:
            raise NotFound(path, f"this is no search: {error}") from None

    def _is_query(self, name: str) -> bool:
        try:
            language.parse_query(name, self._known)
        except QueryError:
            return False
        return True

    def _check_query(self, path: Path) -> None:
        try:
            language.parse_query(path[0], self._known)
        except QueryError as error:
            raise BadName(path, f"This cannot be searched: {error}.") from None

    def _check_allowed(self, path: Path) -> None:
        if not self._allow_changes:
            raise Forbidden(path, _NO_UPLOAD)

    def _check_changeable(self, path: Path) -> None:
        self._check_allowed(path)
        if not path or names.folded(path[0]) == names.folded(README):
            raise Forbidden(path, _OWN)
        if path[1:]:
            try:
                self.stat(path[:-1])
            except NotFound:
                raise ParentMissing(path, "the folder that should hold it does not exist") from None
            raise Forbidden(path, _FROM_ARCHIVE)
