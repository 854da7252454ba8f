"""What Orthanc's answers to an upload mean."""

import pytest

from davfs.errors import BadFile, Contradiction, Refused, StorageFull, Unavailable, UnknownResource
from davfs.imports.importer import Imported, Importer
from davfs.orthanc import OrthancId, StoreStatus
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CHANGED, CT, NO_PREAMBLE
from tests.support.memory_orthanc import MemoryOrthanc, identify

# pytest finds fixtures by the names in a module.
orthanc = inboxes.orthanc


def test_a_new_file_is_imported(orthanc: MemoryOrthanc) -> None:
    """The answer names the instance, and the size that Orthanc serves."""
    assert Importer(orthanc).import_dicom(memoryview(CT)) == Imported(identify(CT), len(CT))
    assert orthanc.files == {identify(CT): CT}


def test_the_size_is_that_of_what_orthanc_stores(orthanc: MemoryOrthanc) -> None:
    """Where Orthanc transcodes, its file differs from the upload."""
    orthanc.transcoded = CT[:5000]
    assert Importer(orthanc, transcodes=True).import_dicom(CT).size == 5000


@pytest.mark.parametrize("keeps_md5", [True, False])
def test_importing_again_is_a_success(orthanc: MemoryOrthanc, *, keeps_md5: bool) -> None:
    """The same bytes are no conflict, also where Orthanc keeps no MD5 ("StoreMD5ForAttachments")."""
    orthanc.keeps_md5 = keeps_md5
    importer = Importer(orthanc)
    assert importer.import_dicom(CT) == importer.import_dicom(CT)


@pytest.mark.parametrize("keeps_md5", [True, False])
def test_another_file_of_the_same_instance_is_a_contradiction(orthanc: MemoryOrthanc, *, keeps_md5: bool) -> None:
    """Orthanc keeps the first one and would say nothing: the importer compares."""
    orthanc.keeps_md5 = keeps_md5
    Importer(orthanc).import_dicom(CT)
    with pytest.raises(Contradiction, match="different file"):
        Importer(orthanc).import_dicom(CHANGED)
    assert orthanc.files[identify(CT)] == CT


def test_transcoded_files_are_not_compared(orthanc: MemoryOrthanc) -> None:
    """With IngestTranscoding the stored bytes always differ."""
    importer = Importer(orthanc, transcodes=True)
    importer.import_dicom(CT)
    assert importer.import_dicom(CHANGED).size == len(CT)


@pytest.mark.parametrize(
    ("status", "reason"), [(StoreStatus.FILTERED_OUT, "filter"), (StoreStatus.FAILURE, "failed to store")]
)
def test_refusals_of_orthanc_are_errors(orthanc: MemoryOrthanc, status: StoreStatus, reason: str) -> None:
    """They carry a sentence for the user."""
    orthanc.answer = status
    with pytest.raises(Refused, match=reason):
        Importer(orthanc).import_dicom(CT)


@pytest.mark.parametrize("error", [Unavailable("down"), StorageFull("full"), BadFile("bad")])
def test_errors_of_orthanc_pass(orthanc: MemoryOrthanc, error: Unavailable | StorageFull | BadFile) -> None:
    """Whoever asked decides what they mean."""
    orthanc.failure = error
    with pytest.raises(type(error)):
        Importer(orthanc).import_dicom(CT)


def test_what_may_be_dicom_may_be_none(orthanc: MemoryOrthanc) -> None:
    """Orthanc has the last word on files without preamble."""
    importer = Importer(orthanc)
    assert importer.import_maybe(NO_PREAMBLE) == Imported(identify(NO_PREAMBLE), len(NO_PREAMBLE))
    assert importer.import_maybe(BROKEN) is None
    orthanc.failure = Unavailable("down")
    with pytest.raises(Unavailable):
        importer.import_maybe(BROKEN)


class Vanishing(MemoryOrthanc):
    """An Orthanc from which everything is deleted at once."""

    def instance_size(self, instance: OrthancId) -> int:
        """Fail as for an instance that is gone."""
        raise UnknownResource(f"{instance} is gone", 404)


def test_a_deletion_right_after_the_import_does_not_undo_its_success() -> None:
    """It was stored; a copy that lost to one that is gone now was not."""
    orthanc = Vanishing()
    assert Importer(orthanc).import_dicom(CT) == Imported(identify(CT), len(CT))
    with pytest.raises(Unavailable):
        Importer(orthanc).import_dicom(CT)
