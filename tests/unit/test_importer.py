"""Tests of the meaning of Orthanc's responses to an upload."""

import mmap

import pytest

from davfs.errors import BadFile, Contradiction, Refused, StorageFull, Unavailable
from davfs.imports import same_image
from davfs.imports.importer import LARGEST_FILE, Imported, Importer
from davfs.orthanc import Level, OrthancId, StoreStatus
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CHANGED, CT, NO_PREAMBLE
from tests.support.memory_orthanc import MemoryOrthanc, identify

# pytest finds fixtures by the names in a module.
orthanc = inboxes.orthanc


def test_a_new_file_is_imported(orthanc: MemoryOrthanc) -> None:
    """The result has the instance, and the size that Orthanc serves."""
    assert Importer(orthanc).import_dicom(memoryview(CT)) == Imported(identify(CT), len(CT))
    assert orthanc.files == {identify(CT): CT}


@pytest.mark.parametrize("stored", [CT[:5000], CHANGED])
def test_orthanc_may_store_other_bytes(orthanc: MemoryOrthanc, stored: bytes) -> None:
    """If Orthanc transcodes, or a plugin changes images, size or MD5 differ from the upload's."""
    orthanc.transcoded = stored
    assert Importer(orthanc).import_dicom(CT) == Imported(identify(CT), len(stored), altered=True, uuid="0")


def test_what_cannot_be_altered_is_not_hashed(orthanc: MemoryOrthanc) -> None:
    """If nothing changes images, only the size is compared."""
    orthanc.transcoded = CHANGED
    assert Importer(orthanc, may_alter=False).import_dicom(CT) == Imported(identify(CT), len(CT), uuid="0")
    orthanc.delete(Level.INSTANCE, identify(CT))
    orthanc.transcoded = CT[:5000]
    assert Importer(orthanc, may_alter=False).import_dicom(CT).altered


def test_without_md5_another_size_tells(orthanc: MemoryOrthanc) -> None:
    """With "StoreMD5ForAttachments" off only the size of what is stored is known."""
    orthanc.keeps_md5, orthanc.transcoded = False, CT[:5000]
    assert Importer(orthanc).import_dicom(CT) == Imported(identify(CT), 5000, altered=True, uuid="0")


@pytest.mark.parametrize("keeps_md5", [True, False])
def test_importing_again_is_a_success(orthanc: MemoryOrthanc, *, keeps_md5: bool) -> None:
    """The same bytes are no conflict, also where Orthanc keeps no MD5 ("StoreMD5ForAttachments")."""
    orthanc.keeps_md5 = keeps_md5
    importer = Importer(orthanc)
    for _ in range(2):
        imported = importer.import_dicom(CT)
        assert (imported.id, imported.size, imported.altered) == (identify(CT), len(CT), False)


@pytest.mark.parametrize("keeps_md5", [True, False])
def test_another_file_of_the_same_instance_is_a_contradiction(orthanc: MemoryOrthanc, *, keeps_md5: bool) -> None:
    """Orthanc keeps the first one and would say nothing: the importer compares."""
    orthanc.keeps_md5 = keeps_md5
    Importer(orthanc).import_dicom(CT)
    with pytest.raises(Contradiction, match="different file"):
        Importer(orthanc).import_dicom(CHANGED)
    assert orthanc.files[identify(CT)] == CT


@pytest.mark.parametrize("keeps_md5", [True, False])
def test_the_same_image_in_another_form_is_a_success(orthanc: MemoryOrthanc, *, keeps_md5: bool) -> None:
    """An image that came by C-STORE has another meta header than the file that is dropped then."""
    orthanc.keeps_md5 = keeps_md5
    importer = Importer(orthanc)
    importer.import_dicom(CT)
    assert importer.import_dicom(NO_PREAMBLE) == Imported(identify(CT), len(CT), altered=True, uuid="0")


def test_what_has_very_many_elements_is_not_compared(orthanc: MemoryOrthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes fifty times its size in memory; the very same bytes are the same image all the same."""
    monkeypatch.setattr(same_image, "_MOST", 20)
    importer = Importer(orthanc)
    importer.import_dicom(CT)
    with pytest.raises(Contradiction, match="too many data elements"):
        importer.import_dicom(NO_PREAMBLE)
    assert not importer.import_dicom(CT).altered


def test_an_image_whose_file_is_lost_is_an_error(orthanc: MemoryOrthanc) -> None:
    """Orthanc has the image in its index, but cannot read its file, and does not store the image again."""
    Importer(orthanc).import_dicom(CT)
    orthanc.lost.add(identify(CT))
    for content in (CT, NO_PREAMBLE):
        with pytest.raises(Contradiction, match="lost or damaged"):
            Importer(orthanc).import_dicom(content)


@pytest.mark.parametrize(
    ("status", "reason"), [(StoreStatus.FILTERED_OUT, "filter"), (StoreStatus.FAILURE, "failed to store")]
)
def test_refusals_of_orthanc_are_errors(orthanc: MemoryOrthanc, status: StoreStatus, reason: str) -> None:
    """A refusal by Orthanc is a `Refused` error with a reason for the user."""
    orthanc.answer = status
    with pytest.raises(Refused, match=reason):
        Importer(orthanc).import_dicom(CT)


@pytest.mark.parametrize("error", [Unavailable("down"), StorageFull("full"), BadFile("bad")])
def test_errors_of_orthanc_pass(orthanc: MemoryOrthanc, error: Unavailable | StorageFull | BadFile) -> None:
    """Errors of Orthanc's client are raised unchanged."""
    orthanc.failure = error
    with pytest.raises(type(error)):
        Importer(orthanc).import_dicom(CT)


def test_what_may_be_dicom_may_be_none(orthanc: MemoryOrthanc) -> None:
    """Orthanc has the last word on files without preamble."""
    importer = Importer(orthanc)
    assert importer.import_if_readable(NO_PREAMBLE) == Imported(identify(NO_PREAMBLE), len(NO_PREAMBLE))
    assert importer.import_if_readable(BROKEN) is None
    orthanc.failure = Unavailable("down")
    with pytest.raises(Unavailable):
        importer.import_if_readable(BROKEN)


def test_a_deletion_right_after_the_import_does_not_undo_its_success(orthanc: MemoryOrthanc) -> None:
    """A router deletes an image after it has stored and forwarded it."""
    orthanc.deletes = True
    assert Importer(orthanc).import_dicom(CT) == Imported(identify(CT), len(CT))


class Vanishing(MemoryOrthanc):
    """An Orthanc from which a file is deleted when it is compared with another."""

    def instance_md5(self, instance: OrthancId) -> str:
        """Delete the file, once."""
        if self.uploads > 1:
            self.files.pop(instance, None)
        return super().instance_md5(instance)


def test_what_lost_to_an_image_that_is_gone_is_stored_once_more() -> None:
    """Orthanc dropped it in favour of an image that was deleted then: the second attempt is a success."""
    orthanc = Vanishing()
    importer = Importer(orthanc)
    importer.import_dicom(CT)
    assert importer.import_dicom(CT) == Imported(identify(CT), len(CT))
    assert orthanc.uploads == 3


def test_a_file_beyond_32_bits_is_refused(orthanc: MemoryOrthanc) -> None:
    """Plugins cannot hand it to Orthanc; its pages are never touched here."""
    with mmap.mmap(-1, LARGEST_FILE + 1) as content, memoryview(content) as view:
        content[: len(CT)] = CT
        with pytest.raises(Refused, match="larger than 4,294,967,295 bytes"):
            Importer(orthanc).import_dicom(view)
    assert not orthanc.uploads
