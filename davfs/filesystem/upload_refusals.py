"""Keeps uploads into layouts that were refused: davfs2 has reported a success long before, and has no other place.

They go to ``inbox/rejected/``, or to ``inbox/quarantine/`` if their patient contradicts the archive.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from davfs.entry import Path
from davfs.errors import Held, NotFound, PathError
from davfs.filesystem.beside import BesideFiles
from davfs.filesystem.temporary_names import is_temporary
from davfs.filesystem.tree import Tree
from davfs.filesystem.tree_node import TreeNode
from davfs.imports.complete_file import CompleteFile
from davfs.imports.quarantined import QuarantineFolder
from davfs.imports.rejected import RejectedFolder
from davfs.imports.upload import refusal_details, refusal_of
from davfs.spool.files import InboxFiles

_KEPT = "The file is in inbox/rejected/."


@dataclass(frozen=True, slots=True)
class CompleteUpload:
    """A complete upload.

    Attributes:
        tree: The layout.
        path: Where to.
        file: The file.
        content: Its bytes.
        user: Who wrote it.
        replace: Whether a file that the client wrote there before is replaced.
    """

    tree: Tree
    path: Path
    file: CompleteFile
    content: memoryview
    user: str
    replace: bool

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path[-1]


class UploadRefusals:
    """Keeps refused uploads.

    Args:
        spool: Keeps them.
        beside: Has the empty files that clients write first.
        refused: Told the path of an upload that was refused, the layout's title first.
    """

    def __init__(self, spool: InboxFiles, beside: BesideFiles, refused: Callable[[Path], object]) -> None:
        self._spool = spool
        self._beside = beside
        self._refused = refused
        self._rejected = RejectedFolder(spool)
        self._quarantine = QuarantineFolder(spool)

    def note(self, tree: Tree, path: Path) -> Path:
        """Note that an upload was refused; return its path on the drive."""
        full = (tree.title, *path)
        self._refused(full)
        return full

    def keep_held(self, upload: CompleteUpload, error: Held) -> PathError:
        """Keep an upload whose patient contradicts the archive in quarantine/; return the error to raise."""
        refusal = refusal_of(upload.path, error)
        if self._quarantine.keep_upload(error, upload.name, upload.file):
            self.note(upload.tree, upload.path)
            self._remove_empty(upload)
            return refusal
        return self.keep(upload, refusal, refusal_details(error))

    def keep(self, upload: CompleteUpload, error: PathError, details: tuple[str, ...]) -> PathError:
        """Keep a refused upload in rejected/, unless desktops left it; return the error to raise."""
        full = self.note(upload.tree, upload.path)
        if not upload.content or is_temporary(upload.name):
            return error
        self._remove_empty(upload)
        self._rejected.keep(type(error)(full, error.reason), upload.file, details)
        return type(error)(upload.path, f"{error.reason} {_KEPT}")

    def _remove_empty(self, upload: CompleteUpload) -> None:
        """Remove the empty file that the client has written, or locked, before it sent what was refused."""
        with suppress(NotFound):
            place = place_beside(self._beside, upload.tree, upload.path)
            found = self._beside.find(place)
            if found and not found.receipt and not found.entry.size:
                self._spool.delete(place)


def folder_key(tree: Tree, node: TreeNode) -> str:
    """Return the key of a folder: that of its resource, in whichever layout; of a layout's root its title."""
    return f"{node.level.value}/{node.id}" if node.level else f"layout/{tree.title}"


def place_beside(beside: BesideFiles, tree: Tree, path: Path) -> Path:
    """Return the place of a file beside the images of its folder; raise `NotFound` if there is no such folder."""
    return beside.path(folder_key(tree, tree.find(path[:-1])), path[-1])
