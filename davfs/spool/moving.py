"""Renames and copies files and folders within the spool: in full, or not at all.

A copy is made in incoming/ and is renamed to its path when it is complete. A copied file is a second name of the same
inode, and so is the copy of a receipt: no file is ever changed in place. It has the source's date, and expires with it.

If a folder is replaced, or replaces something, the two are exchanged in one step, so that the target is missing at no
moment. The old one is at the source of the move until it is removed. A process that is killed just then leaves it
there.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from davfs.entry import Path
from davfs.errors import Forbidden, NoSpace, NotFound, ParentMissing
from davfs.spool.descriptors import closing, open_folder, walk
from davfs.spool.disk_errors import check_names, disk_errors, missing
from davfs.spool.items import Item, is_name
from davfs.spool.reading import SpoolReader
from davfs.spool.renaming import Location

_log = logging.getLogger(__name__)


class SpoolMover(SpoolReader):
    """A spool in which files and folders can be renamed and copied, without hidden ones."""

    def move(self, source: Path, target: Path, *, replace: bool) -> None:
        """Rename a file, a receipt, or a folder with all in it.

        Args:
            source: Its path.
            target: Its new path.
            replace: Whether the target is replaced, a folder with all in it.

        Raises:
            NotFound: Nothing is at the source.
            BadName: Such a name cannot be kept.
            ParentMissing: There is no folder to hold it.
            AlreadyExists: The name is taken and must not be replaced.
            Forbidden: One is inside the other, or this disk cannot exchange them.
        """
        with self._disk.parent(source, NotFound) as parent:
            self._check(parent, source, target, replace=replace, deep=True)
            with disk_errors(target), self._disk.parent(target, ParentMissing) as target_parent:
                self.remove_hidden(target_parent, target)
                self._disk.move((parent, source), (target_parent, target), replace=replace)
                os.fsync(target_parent)
                os.fsync(parent)
        self._disk.properties.shrink()

    def copy(self, source: Path, target: Path, *, replace: bool, deep: bool = True) -> None:
        """Copy a file, a receipt or a folder, without hidden files.

        Args:
            source: Its path.
            target: The path of the copy.
            replace: Whether the target is replaced, a folder with all in it.
            deep: Whether a folder is copied with all in it, or empty.

        Raises:
            NoSpace: The quota, or the disk, does not allow it.
            PathError: As for `move`.
        """
        with self._reserved_properties(source, target, deep=deep) as with_properties:
            self._copy(source, target, replace=replace, deep=deep, with_properties=with_properties)
        self._disk.properties.shrink()

    def copy_properties(self, source: Path, target: Path) -> None:
        """Give a file the dead properties of another one, if there is room for them."""
        with self._reserved_properties(source, target, deep=False) as with_properties:
            if with_properties:
                self._disk.copy_properties(source, target)

    @contextmanager
    def _reserved_properties(self, source: Path, target: Path, *, deep: bool) -> Iterator[bool]:
        """Reserve room for copies of dead properties; yields False if there is none: the copy is made without them."""
        with ExitStack() as reserved:
            try:
                growth = self._disk.properties.growth_by_copy(source, target, deep=deep)
                reserved.enter_context(self._quota.reserve(target, growth))
            except NoSpace:
                _log.info("a copy in the inbox was made without dead properties: there was no room for them")
                yield False
            else:
                yield True

    def _copy(self, source: Path, target: Path, *, replace: bool, deep: bool, with_properties: bool) -> None:
        with self._disk.parent(source, NotFound) as parent:
            is_folder = self._check(parent, source, target, replace=replace, deep=deep)
            with (
                disk_errors(target),
                self._disk.parent(target, ParentMissing) as target_parent,
                self._disk.temporary() as temporary,
            ):
                draft: Location = (None, (str(temporary),))
                if is_folder:
                    self._copy_folder((parent, source), draft, deep=deep)
                else:
                    self._disk.duplicate((parent, source), draft)
                self.remove_hidden(target_parent, target)
                self._disk.move(
                    draft, (target_parent, target), replace=replace, copied=source if with_properties else (), deep=deep
                )
                os.fsync(target_parent)

    def _check(self, parent: int, source: Path, target: Path, *, replace: bool, deep: bool) -> bool:
        """Check the paths before anything is changed; return True if the source is a folder."""
        is_folder = self.find(parent, source).entry.is_folder
        if target[: len(source)] == source or (replace and source[: len(target)] == target):
            raise Forbidden(target, "It cannot be put into itself, or in the place of a folder that it lies in.")
        deeper = is_folder and deep and len(target) > len(source)
        check_names(target, self._height(parent, source) if deeper else 0)
        return is_folder

    def _height(self, parent: int, source: Path) -> int:
        with missing(source, NotFound):
            folder = open_folder(source[-1], parent)
        with closing(folder):
            return max((len(path) for _, path, _ in walk(folder)), default=0)

    def _copy_folder(self, source: Location, target: Location, *, deep: bool) -> None:
        (parent, path), (target_parent, target_path) = source, target
        self._disk.make_draft_folder(path, target)
        if not deep:
            return
        with missing(path, NotFound):
            folder = open_folder(path[-1], parent)
        with closing(folder), closing(open_folder(target_path[-1], target_parent)) as copied:
            for name in filter(is_name, os.listdir(folder)):  # noqa: PTH208  pathlib knows no descriptors
                found = self.item(folder, name)
                if found:
                    with suppress(NotFound):  # removed meanwhile, and so not in the copy
                        self._copy_one(found, (folder, (*path, name)), (copied, (*target_path, name)))

    def _copy_one(self, found: Item, source: Location, target: Location) -> None:
        if found.entry.is_folder:
            self._copy_folder(source, target, deep=True)
        else:
            self._disk.duplicate(source, target)
