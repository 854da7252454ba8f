"""What becomes of the members of a ZIP."""

import zipfile
from pathlib import Path

import pytest

from davfs.errors import Refused, StorageFull, Unavailable
from davfs.imports import zip_import as module
from davfs.imports.importer import Imported, Importer
from davfs.imports.zip_import import ZipImporter, ZipLimits
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CHANGED, CT, MR, NO_PREAMBLE, TEST_FILES
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.zips import zipped

# pytest finds fixtures by the names in a module.
orthanc = inboxes.orthanc


def test_a_zip_is_imported_member_by_member(orthanc: MemoryOrthanc) -> None:
    """DICOM goes in, in any folder; everything else is ignored, ZIPs and directories of media included."""
    members = {"a/": b"", "a/1": CT, "a/b/2.dcm": MR, "readme.txt": b"text", "x.zip": zipped({"1": CT})}
    members |= {"DICOMDIR": (TEST_FILES / "dicomdirtests/DICOMDIR").read_bytes(), "__MACOSX/._1": CT}
    result = ZipImporter(Importer(orthanc)).import_zip(zipped(members))
    assert {each.id for each in result.imported} == {identify(CT), identify(MR)}
    assert (result.refused, result.ignored) == ((), 5)
    assert ZipImporter(Importer(MemoryOrthanc())).import_zip(zipped({"raw": NO_PREAMBLE})).imported == (
        Imported(identify(CT), len(NO_PREAMBLE)),
    )
    assert orthanc.files[identify(MR)] == MR


def test_importing_a_zip_again_is_a_success(orthanc: MemoryOrthanc) -> None:
    """A client that retries is not punished for what went in the first time."""
    content = zipped({"1": CT, "2": MR})
    assert ZipImporter(Importer(orthanc)).import_zip(content) == ZipImporter(Importer(orthanc)).import_zip(content)


def test_a_zip_with_a_refused_member_is_refused(orthanc: MemoryOrthanc) -> None:
    """The reason counts; names stand in the details only; the other members are imported."""
    orthanc.files[identify(CT)] = CHANGED
    with pytest.raises(Refused) as caught:
        ZipImporter(Importer(orthanc)).import_zip(
            zipped({"Doe John\n/1": CT, "Doe John/2": BROKEN, "3": MR, "4": b"text"})
        )
    assert caught.value.reason.startswith("2 of the 3 files to import were refused: Orthanc already holds")
    assert "Doe" not in str(caught.value)
    assert caught.value.details[0].startswith("Doe John?/1: Orthanc already holds")
    assert orthanc.files[identify(MR)] == MR


def test_the_details_are_bounded(orthanc: MemoryOrthanc) -> None:
    """A ZIP of a thousand bad files does not make a book."""
    with pytest.raises(Refused) as caught:
        ZipImporter(Importer(orthanc)).import_zip(zipped({str(number): BROKEN for number in range(1000)}))
    assert len(caught.value.details) == 101
    assert caught.value.details[-1] == "… and 900 more"


def test_members_that_cannot_be_read_are_refused(orthanc: MemoryOrthanc) -> None:
    """Damaged or oddly compressed members may be DICOM: they are reported, not passed over."""
    content = bytearray(zipped({"1": CT, "2": MR}, zipfile.ZIP_STORED))
    content[content.index(CT) + 20_000] ^= 1
    with pytest.raises(Refused, match="1 of the 2") as caught:
        ZipImporter(Importer(orthanc)).import_zip(bytes(content))
    assert "1: The member cannot be read: damaged" in caught.value.details[0]
    assert set(orthanc.files) == {identify(MR)}
    with pytest.raises(Refused, match="method other than deflate"):
        ZipImporter(Importer(orthanc)).import_zip(zipped({"1": CT}, zipfile.ZIP_BZIP2))


def test_encrypted_members_are_refused(orthanc: MemoryOrthanc) -> None:
    """Nobody can tell whether they are DICOM."""
    content = bytearray(zipped({"1": CT}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(Refused, match="encrypted"):
        ZipImporter(Importer(orthanc)).import_zip(bytes(content))


@pytest.mark.parametrize("error", [Unavailable("down"), StorageFull("full")])
def test_a_zip_ends_where_orthanc_does(orthanc: MemoryOrthanc, error: Unavailable | StorageFull) -> None:
    """Where Orthanc can take nothing more, the rest is not tried."""
    orthanc.failure = error
    with pytest.raises(type(error)):
        ZipImporter(Importer(orthanc)).import_zip(zipped({"1": CT, "2": MR}))
    assert orthanc.uploads == 1


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (ZipLimits(members=1), "more than 1 members"),
        (ZipLimits(total_size=49_000), "unpacks to more"),
        (ZipLimits(ratio=1, spare=0), "unpacks to more"),
        (ZipLimits(member_size=1000), "larger than 1000"),
    ],
)
def test_a_zip_that_asks_for_too_much_is_refused(orthanc: MemoryOrthanc, limits: ZipLimits, reason: str) -> None:
    """Members, sizes and the ratio are bounded, and nothing is unpacked beyond that."""
    with pytest.raises(Refused, match=reason):
        ZipImporter(Importer(orthanc), limits=limits).import_zip(zipped({"1": CT, "2": MR}))
    assert orthanc.files == {}


def test_a_member_that_lies_about_its_size_is_damaged(orthanc: MemoryOrthanc) -> None:
    """No more is unpacked than the ZIP's directory says."""
    content = bytearray(zipped({"1": CT}))
    entry = content.index(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = (10_000).to_bytes(4, "little")
    with pytest.raises(Refused, match="damaged"):
        ZipImporter(Importer(orthanc)).import_zip(bytes(content))
    assert orthanc.files == {}


def test_large_members_go_through_the_disk(
    orthanc: MemoryOrthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They arrive whole, and leave nothing behind."""
    monkeypatch.setattr(module, "_IN_MEMORY", 1000)
    ZipImporter(Importer(orthanc), scratch=tmp_path).import_zip(zipped({"1": CT, "2": MR}))
    assert (orthanc.files[identify(CT)], orthanc.files[identify(MR)]) == (CT, MR)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_zip_is_refused(orthanc: MemoryOrthanc) -> None:
    """It is an error of the file, not of the program."""
    with pytest.raises(Refused, match="cannot be imported"):
        ZipImporter(Importer(orthanc)).import_zip(b"PK\x03\x04" + bytes(100))


def test_a_member_that_would_cost_too_much_is_refused(orthanc: MemoryOrthanc) -> None:
    """Zeros behind a DICOM file pack to nothing, and Orthanc's parser needs seconds for them: they never reach it."""
    content = zipped({"1": MR, "2": CT + bytes(24 << 20), "3": MR})
    assert len(content) < 100_000
    with pytest.raises(Refused, match="1 of the 3") as caught:
        ZipImporter(Importer(orthanc)).import_zip(content)
    assert caught.value.details[0].startswith("2: It unpacks to far more data elements")
    assert set(orthanc.files) == {identify(MR)}
