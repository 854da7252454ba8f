"""Decides what becomes of a file that is written into a folder of a layout.

1. An empty file, and one that a desktop or an editor keeps for a moment, lies beside the images for a while
   (`beside`): clients write empty files first, and rename temporary ones.
2. DICOM is imported where its own tags say, if these agree with the folder (`davfs.attachments.agreement`).
3. PDF, JPEG, PNG, STL and text become DICOM of the study (`davfs.attachments`), and are shown as they were written.
4. Everything else is refused, and goes to ``inbox/rejected/`` with the reason: davfs2 has no other place for it.

Paths, including those of errors, are relative to the layout.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol, Self, TypeVar

from davfs.attachments.agreement import check_agreement, identity_of
from davfs.attachments.attacher import LARGEST, Attacher, Attachment, study_of
from davfs.attachments.kinds import detect, has_signature
from davfs.elements.walk import Walk
from davfs.entry import Entry, EntryKind, Path
from davfs.errors import (
    AlreadyExists,
    BadFile,
    Busy,
    Conflict,
    Forbidden,
    Held,
    IsAFolder,
    NoSpace,
    NotFound,
    ParentMissing,
    Refused,
    Rejected,
    StorageFull,
    UploadTooLarge,
)
from davfs.filesystem.beside import BESIDE, BesideFiles
from davfs.filesystem.temporary_names import is_temporary
from davfs.filesystem.tree import Tree
from davfs.filesystem.tree_node import TreeNode
from davfs.filesystem.upload_refusals import CompleteUpload, UploadRefusals, folder_key, place_beside
from davfs.imports.complete_file import CompleteBytes, CompleteFile
from davfs.imports.hazards import check_hazards
from davfs.imports.importer import Imported, Importer
from davfs.imports.lanes import SMALL, Lanes
from davfs.imports.queue import ImportQueue
from davfs.imports.report import report_import
from davfs.imports.sniff import FileType, looks_like_zip, sniff_head
from davfs.imports.upload import refusal_details, refusal_of
from davfs.orthanc import Buffer, InstanceFiles, Level, OrthancId, ResourceIndex
from davfs.spool.disk_errors import check_names
from davfs.spool.files import InboxFiles
from davfs.spool.items import Receipt
from davfs.spool.upload_file import UploadFile

T = TypeVar("T")


class ShownArchive(ResourceIndex, InstanceFiles, Protocol):
    """The part of Orthanc that says what is in a folder, and shows what was dropped there."""


_OF_STUDIES = (Level.STUDY, Level.SERIES)
_DROP_ON_STUDY = "Drop it on the folder of a study, to which it will belong."
_GROUP = "This folder only groups what is in it: DICOM goes into the folder of its study or into inbox/."
_TAKEN = "There is another file of that name, which cannot be replaced: choose another name."
_ANONYMISED = "This folder shows de-identified images: nothing can be put there. Use another folder or inbox/."
_ZIP = "ZIP archives of DICOM files go into inbox/."
_DICOMDIR = "The directory of a medium (DICOMDIR) is no image: it goes into inbox/, with the folders of the medium."
_TOO_LARGE = f"Files of more than {LARGEST >> 20} MB cannot be attached to a study."


class LayoutUploads:
    """Imports, attaches, keeps or refuses what is written into folders of layouts.

    Args:
        archive: The archive, as far as it is shown.
        spool: Keeps files.
        lanes: Run the imports.
        importer: Imports DICOM files.
        attacher: Attaches other files.
        refused: Told the path of an upload that was refused, the layout's title first.
    """

    def __init__(  # noqa: PLR0913  the parts of it
        self,
        archive: ShownArchive,
        spool: InboxFiles,
        lanes: Lanes,
        importer: Importer,
        attacher: Attacher,
        *,
        refused: Callable[[Path], object] = lambda _path: None,
    ) -> None:
        self.beside = BesideFiles(archive, spool)
        self._archive = archive
        self._spool = spool
        self._lanes = lanes
        self._importer = importer
        self._attacher = attacher
        self._refusals = UploadRefusals(spool, self.beside, refused)

    def write(self, tree: Tree, path: Path, content: Buffer, user: str) -> Entry:
        """See `davfs.filesystem.area.Writable`."""
        self._check(tree, path)
        return self.finish(tree, path, CompleteBytes(self._spool, content), user)

    def receive(self, tree: Tree, path: Path, size: int | None, user: str) -> "LayoutUpload":
        """See `davfs.filesystem.area.AcceptsUploads`."""
        self._check(tree, path)
        self.beside.make_folder((BESIDE,))
        return LayoutUpload(tree, path, self._spool.receive((BESIDE, path[-1]), size), user, self)

    def finish(self, tree: Tree, path: Path, file: CompleteFile, user: str, *, replace: bool = True) -> Entry:
        """Decide what becomes of a complete upload; errors are those of `davfs.filesystem.area.Writable`."""
        upload = CompleteUpload(tree, path, file, file.view(), user, replace)
        try:
            return self._placed(upload)
        except Held as error:
            raise self._refusals.keep_held(upload, error) from error
        except (Refused, BadFile, StorageFull) as error:
            raise self._refusals.keep(upload, refusal_of(path, error), refusal_details(error)) from error
        except (Forbidden, Conflict, Rejected) as error:
            raise self._refusals.keep(upload, error, ()) from error

    def place(self, tree: Tree, path: Path) -> Path:
        """Return the place in the spool of a file beside the images of a folder; raise `NotFound` if that is none."""
        return place_beside(self.beside, tree, path)

    def adopt(self, tree: Tree, place: Path, target: Path, user: str) -> None:
        """Treat a file that was kept for a moment as an upload to another path, where it is replaced."""
        self._check(tree, target)
        with self._spool.adopt(place) as file:
            self.finish(tree, target, file, user)
            self._spool.remove_adopted(place, file)

    def rename(self, place: Path, target: Path) -> None:
        """Rename a file beside images."""
        self._spool.move(place, target, replace=True)

    def remove(self, place: Path) -> None:
        """Remove a file beside images; that it has gone is no error."""
        with suppress(NotFound):
            self._spool.delete(place)

    def node(self, tree: Tree, path: Path) -> TreeNode:
        """Return the folder of a path in which a file is to be written.

        Raises:
            ParentMissing: There is none.
        """
        try:
            node = tree.find(path[:-1])
        except NotFound as error:
            raise ParentMissing(path, "its folder does not exist") from error
        if not node.entry.is_folder:
            raise ParentMissing(path, "a file is in its way")
        return node

    def _check(self, tree: Tree, path: Path) -> None:
        """Refuse at once what does not depend on the file."""
        check_names(path)
        if tree.is_anonymised:
            self._refusals.note(tree, path)
            raise Forbidden(path, _ANONYMISED)
        self.node(tree, path)

    def _placed(self, upload: CompleteUpload) -> Entry:
        node, name = self.node(upload.tree, upload.path), upload.name
        place = self.beside.path(folder_key(upload.tree, node), name)
        before = self.beside.find(place)
        shown = None if before else self._shown(upload)
        if not upload.replace and (before or shown):
            raise AlreadyExists(upload.path, "the name is taken")
        if not upload.content or is_temporary(name):
            self._keep_aside(upload, node, shown, place)
        elif self._is_dicom(name, upload.content):
            self._put_receipt(upload, self._import(upload, node, shown), shown, place)
        else:
            self._attach(upload, node, shown, place)
        found = None if shown else self.beside.find(place)
        return found.entry if found else self._stored(upload)

    @staticmethod
    def _stored(upload: CompleteUpload) -> Entry:
        """Return the entry of what is in Orthanc, or was: a router deletes what it has stored."""
        with suppress(NotFound):
            return upload.tree.stat(upload.path)
        return Entry(upload.name, EntryKind.FILE, datetime.now(UTC), len(upload.content))

    def _shown(self, upload: CompleteUpload) -> TreeNode | None:
        """Return the file that the layout itself shows at the path."""
        try:
            node = upload.tree.find(upload.path)
        except NotFound:
            return None
        if node.entry.is_folder:
            raise IsAFolder(upload.path, "there is a folder of that name")
        return node

    def _keep_aside(self, upload: CompleteUpload, node: TreeNode, shown: TreeNode | None, place: Path) -> None:
        if shown:
            raise Forbidden(upload.path, _TAKEN)
        if node.level is None:
            raise Forbidden(upload.path, _DROP_ON_STUDY)
        self.beside.keep(upload.file, place, replace=upload.replace)

    @staticmethod
    def _is_dicom(name: str, content: memoryview) -> bool:
        """Return True for DICOM; refuse what only the inbox takes."""
        if bytes(content[128:132]) != b"DICM" and has_signature(content):
            return False
        if looks_like_zip(content):
            if name.lower().endswith(".zip"):
                raise Refused(_ZIP)
            return False  # or a document that is a ZIP inside
        found = sniff_head(content, len(content))
        if found is FileType.DICOMDIR:
            raise Refused(_DICOMDIR)
        return found in (FileType.DICOM, FileType.MAYBE_DICOM)

    def _import(self, upload: CompleteUpload, node: TreeNode, shown: TreeNode | None) -> Imported:
        """Import a DICOM file if it belongs to the folder."""
        if node.level is None and len(upload.path) > 1:
            raise Forbidden(upload.path, _GROUP)
        content, walk = upload.content, Walk(upload.content)

        def job() -> Imported:
            check_hazards(content, walk)
            identity = identity_of(content)
            if node.level and node.id:
                studies = self._archive.resources(self._studies(upload.tree, node.level, node.id))
                check_agreement(identity, node.level, node.id, studies)
            if shown and identity.id(Level.INSTANCE) != shown.id:
                raise Forbidden(upload.path, _TAKEN)
            return self._importer.import_dicom(content, walk)

        imported = self._run(upload.path, self._lanes.of_dicom(content, walk), job)
        report_import("instance", [imported.id])
        return imported

    def _studies(self, tree: Tree, level: Level, resource: OrthancId) -> list[OrthancId]:
        if level is Level.PATIENT:
            return list(tree.studies_of(resource))
        return [study_of(self._archive, level, resource).id]

    def _put_receipt(self, upload: CompleteUpload, imported: Imported, shown: TreeNode | None, place: Path) -> None:
        if shown:
            return
        receipt = Receipt(imported.id, imported.size)
        if imported.altered:
            with suppress(NoSpace):
                self.beside.keep(upload.file, place, receipt)
                return
        self.beside.put_receipt(place, receipt)

    def _attach(self, upload: CompleteUpload, node: TreeNode, shown: TreeNode | None, place: Path) -> None:
        if len(upload.content) > LARGEST:
            raise UploadTooLarge(upload.path, _TOO_LARGE)
        if shown:
            if not _has_bytes(upload.tree, upload.path, upload.content):
                raise Forbidden(upload.path, _TAKEN)
            return
        kind = detect(upload.name, upload.content)
        if node.level not in _OF_STUDIES or node.id is None:
            raise Forbidden(upload.path, _DROP_ON_STUDY)
        attachment = Attachment(upload.name, upload.content, kind, upload.user)
        level, resource = node.level, node.id
        lane = self._lanes.small if len(upload.content) <= SMALL else self._lanes.large
        instance = self._run(
            upload.path, lane, lambda: self._attacher.attach(study_of(self._archive, level, resource).id, attachment)
        )
        report_import("instance", [instance], is_attachment=True)
        with suppress(NoSpace):
            self.beside.keep(upload.file, place, Receipt(instance, len(upload.content)))

    @staticmethod
    def _run(path: Path, lane: ImportQueue, job: Callable[[], T]) -> T:
        try:
            return lane.run(job)
        except Busy as error:
            raise Busy(path, f"Nothing was stored: {error.reason}. Try again later.") from error


class LayoutUpload:
    """An upload into a folder of a layout that comes in pieces: `davfs.filesystem.area.Upload`.

    Args:
        tree: The layout.
        path: Where to.
        file: Takes the bytes.
        user: Who writes it.
        uploads: Takes the complete file.
    """

    def __init__(self, tree: Tree, path: Path, file: UploadFile, user: str, uploads: LayoutUploads) -> None:
        self._tree = tree
        self._path = path
        self._file = file
        self._user = user
        self._uploads = uploads

    def write(self, block: Buffer) -> None:
        """See `Upload`."""
        self._file.write(block)

    def finish(self, *, replace: bool = True) -> Entry:
        """See `Upload`, and `LayoutUploads.finish`."""
        with self._file:
            return self._uploads.finish(self._tree, self._path, self._file, self._user, replace=replace)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)


def _has_bytes(tree: Tree, path: Path, content: memoryview) -> bool:
    """Return True if a file of a layout has exactly these bytes."""
    with tree.read(path) as file:
        if file.entry.size != len(content):
            return False
        offset = 0
        for buffer in file.buffers():
            if buffer != content[offset : offset + len(buffer)]:
                return False
            offset += len(buffer)
        return offset == len(content)
