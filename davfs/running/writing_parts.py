"""Puts together what takes uploads and deletions."""

from collections.abc import Callable
from dataclasses import dataclass

from davfs.attachments.attacher import Attacher
from davfs.cache import LruSet
from davfs.comparison.images import Decoder
from davfs.derived.checksums import StoredChecksums
from davfs.entry import Path
from davfs.filesystem.deletions import Deletions
from davfs.filesystem.drive import PROTECTED_SECONDS, PROTECTED_UPLOADS, RefusedUploads
from davfs.filesystem.forwarded import ForwardedImages
from davfs.filesystem.inbox import Inbox
from davfs.filesystem.layout_uploads import LayoutUploads
from davfs.filesystem.receipts import TrashLookup
from davfs.imports.importer import Importer
from davfs.imports.lanes import Lanes
from davfs.imports.same_image import SameImage
from davfs.orthanc import Orthanc
from davfs.orthanc.ranges import RangeCache
from davfs.running.quarantining import Quarantine
from davfs.running.trash_parts import TrashParts
from davfs.settings.setup import Setup
from davfs.shared.database import SharedDatabase
from davfs.shared.refused_uploads import SharedRefusedUploads
from davfs.spool.files import InboxFiles
from davfs.trash.hidden import VisibleOrthanc


@dataclass(frozen=True, slots=True)
class WritingParts:
    """What takes uploads and deletions.

    Attributes:
        inbox: The inbox.
        uploads: Takes what is dropped on studies in layouts; None if nothing can be dropped there.
        deletions: Deletes in layouts; None if nothing can be deleted there.
        refused: Paths whose upload was refused a moment ago, of all nodes.
    """

    inbox: Inbox
    uploads: LayoutUploads | None
    deletions: Deletions | None
    refused: RefusedUploads


def make_writing(  # noqa: PLR0913  what it is made of
    checked: Setup,
    orthanc: Orthanc,
    visible: VisibleOrthanc,
    *,
    spool: InboxFiles,
    lanes: Lanes,
    ranges: RangeCache,
    checksums: StoredChecksums,
    trash: TrashParts,
    refresh: Callable[[], None],
    decode: Decoder | None,
    quarantine: Quarantine | None,
    shared: SharedDatabase | None,
) -> WritingParts:
    """Make what takes uploads and deletions.

    Args:
        checked: The configuration.
        orthanc: Has all images, also those in the trash.
        visible: The archive as the drive shows it.
        spool: Keeps the files of the inbox.
        lanes: Run imports and deletions.
        ranges: Reads images in ranges.
        checksums: Looks up the checksums that Orthanc keeps.
        trash: The trash.
        refresh: Reads Orthanc's log of changes.
        decode: Decodes compressed pixels that Orthanc does not; None for none.
        quarantine: The filters of arriving instances; None if there are none.
        shared: The database of several Orthancs; None for one.
    """
    settings, refused = checked.settings, _refused(shared)
    importer = Importer(
        orthanc,
        SameImage(orthanc, decode, spool.scratch),
        may_alter=checked.may_alter,
        import_filter=quarantine,
        shown=trash.uploads.show,
    )
    inbox = Inbox(
        ranges,
        spool,
        lanes,
        importer,
        allow_upload=settings.allow_upload,
        forwarded=ForwardedImages(expected=checked.has_scripts),
        stored=checksums,
        accepting=quarantine is not None,
        trash=TrashLookup(refresh, visible.in_trash),
    )
    attacher = Attacher(visible, orthanc, storing=importer.store_past_filter)
    uploads = LayoutUploads(visible, spool, lanes, importer, attacher, refused=refused.add)
    deletions = Deletions(orthanc, visible, lanes.deletions.run, trash.trash, settings.delete_for_good)
    may_delete = settings.allow_delete and not checked.read_only
    return WritingParts(inbox, uploads if settings.allow_attach else None, deletions if may_delete else None, refused)


def _refused(shared: SharedDatabase | None) -> RefusedUploads:
    if shared:
        return SharedRefusedUploads(shared, PROTECTED_SECONDS)
    return LruSet[Path](PROTECTED_UPLOADS, lifetime=PROTECTED_SECONDS)
