"""search/: folders that are queries, with the studies that they ask for.

1. Any query can be opened. Those that were made as folders are listed, until they are deleted.
2. A query's folder shows studies as the layout ``by-study`` does, and leads on into it.
3. A folder whose name does not even look like a query is empty, and is there for a while: see `Placeholders`.

Paths, also those in errors, are relative to search/.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime

from davfs import names
from davfs.catalog import query as language
from davfs.catalog.query import Keywords, Query, QueryError
from davfs.entry import Content, Entry, EntryKind, Opened, Path
from davfs.errors import AlreadyExists, BadName, Forbidden, IsAFolder, NotAFolder, NotFound, ParentMissing
from davfs.filesystem.search.help import TOO_MANY, help_text
from davfs.filesystem.search.placeholders import Placeholders
from davfs.filesystem.search.results import Results
from davfs.filesystem.search.saved import Searches
from davfs.filesystem.tree import Tree
from davfs.orthanc import Buffer

README = "README.txt"
MORE = "too many results.txt"
_NO_UPLOAD = "Nothing can be changed on this drive: searches can be opened, and not saved."
_MADE = "A search shows what is in the archive: nothing can be put into it, DICOM goes into inbox/."
_NOT_HERE = "Nothing can be deleted in a search: delete it in the folder of a layout."
_OWN = "The drive's own folders and files cannot be changed."


class Search:
    """The area of the drive that answers questions.

    Args:
        tree: Shows each study by its name, with all that is in it.
        results: Finds studies.
        searches: Those that are saved.
        known: What can be asked for.
        since: Date of what has no date of its own, in UTC.
        allow_changes: Whether searches can be saved and deleted.
        placeholders: Folders that wait for their name.
    """

    def __init__(  # noqa: PLR0913  what it shows, and from where
        self,
        tree: Tree,
        results: Results,
        searches: Searches,
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
            return self._listed()
        if self._text(path):
            raise NotAFolder(path, "it is a file")
        if len(path) == 1:
            return self._found(path[0])
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

    def write(self, path: Path, content: Buffer) -> Entry:  # noqa: ARG002  as `Writable` has it
        """Refuse a file.

        Raises:
            Forbidden: Always.
        """
        raise Forbidden(path, _MADE)

    def make_folder(self, path: Path, *, user: str = "") -> None:
        """Save a search, or make an empty folder that is going to be renamed.

        Raises:
            Forbidden: Nothing can be made here.
            AlreadyExists: It is saved.
            BadName: It is no query; the reason tells what is wrong.
            NoSpace: There are too many, or too many of this user.
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

    def delete(self, path: Path) -> str:
        """Forget a saved search; the studies that it shows stay where they are.

        Raises:
            Forbidden: It is no search, or nothing can be changed here.
            NotFound: It is not saved.
        """
        self._check_allowed(path)
        if len(path) != 1 or self._text(path):
            self.stat(path)
            raise Forbidden(path, _NOT_HERE if path[1:] else _OWN)
        if not self._placeholders.drop(path[0]):
            self._searches.forget(path[0])
        return ""

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """Rename a saved search; see `Movable`.

        Raises:
            Forbidden: One of the two is no search, or nothing can be changed here.
            NotFound: The search is not saved.
            AlreadyExists: Another one is, under the new name.
            BadName: The new name is no query.
        """
        self._check_changeable(target)
        if len(source) != 1 or self._text(source):
            self.stat(source)
            raise Forbidden(source, "Studies stay where they are: copy them to a disk of your own.")
        if source == target:
            raise Forbidden(target, "It has this name.")
        self._check_query(target)
        user = self._placeholders.user(source[0])
        if user is None:
            self._searches.rename(source[0], target[0], replace=replace)
            return
        self._searches.add(target[0], user, replace=replace)
        self._placeholders.drop(source[0])

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:  # noqa: ARG002  `Movable`
        """Refuse a copy.

        Raises:
            NotFound: Nothing is at the source.
            Forbidden: Something is.
        """
        self.stat(source)
        raise Forbidden(target, "Nothing can be copied within search/: make a folder whose name is the new search.")

    def _folder(self, name: str) -> Entry:
        if waiting := self._placeholders.all().get(name):
            return Entry(name, EntryKind.FOLDER, waiting)
        self._query((name,))
        made = self._searches.all().get(name)
        return Entry(name, EntryKind.FOLDER, made or self._since, implied=made is None)

    def _listed(self) -> Iterable[Entry]:
        saved = {name: made for name, made in self._searches.all().items() if self._is_query(name)}
        folders = {**saved, **self._placeholders.all()}
        return [
            self._file(README, self._help).entry,
            *(Entry(name, EntryKind.FOLDER, made) for name, made in folders.items()),
        ]

    def _found(self, name: str) -> Iterable[Entry]:
        if name in self._placeholders.all():
            return []
        found = self._results.find(self._query((name,)))
        return [*([] if found.complete else [self._file(MORE, self._more).entry]), *found.folders]

    def _study(self, path: Path) -> Entry:
        """Return the study that a path goes through.

        Raises:
            NotFound: There is none that the search finds.
        """
        query = self._query(path)
        study = self._tree.stat(path[1:2])
        if not self._results.holds(query, study.resource):
            raise NotFound(path, "this search does not find it")
        return study

    def _text(self, path: Path) -> Opened | None:
        """Return the text at a path; None where there is none."""
        if path == (README,):
            return self._file(README, self._help)
        if path[1:] != (MORE,) or self._results.find(self._query(path)).complete:
            return None
        return self._file(MORE, self._more)

    def _file(self, name: str, text: bytes) -> Opened:
        return Opened(Entry(name, EntryKind.FILE, self._since, media_type="text/plain"), nullcontext(memoryview(text)))

    def _query(self, path: Path) -> Query:
        try:
            return language.parse(path[0], self._known)
        except QueryError as error:
            raise NotFound(path, f"this is no search: {error}") from None

    def _is_query(self, name: str) -> bool:
        try:
            language.parse(name, self._known)
        except QueryError:
            return False
        return True

    def _check_query(self, path: Path) -> None:
        try:
            language.parse(path[0], self._known)
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
            raise Forbidden(path, _MADE)
