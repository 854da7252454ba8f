"""Tests of the import of a ZIP's members."""

import random
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.errors import Refused, StorageFull, Unavailable
from davfs.imports import zip_members as module
from davfs.imports.importer import Imported, Importer
from davfs.imports.zip_import import ZipImporter, ZipLimits
from tests.support import dicom
from tests.support import inbox as inboxes
from tests.support.inbox import BROKEN, CHANGED, CT, MR, NO_PREAMBLE, TEST_FILES
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.zips import streamed, zipped

# pytest finds fixtures by the names in a module.
orthanc = inboxes.orthanc

SMALL = dicom.instance("p1")


def test_a_zip_is_imported_member_by_member(orthanc: MemoryOrthanc) -> None:
    """DICOM goes in, in any folder; everything else is ignored, directories of media included."""
    members = {"a/": b"", "a/1": CT, "a/b/2.dcm": MR, "readme.txt": b"text", "x.zip": zipped({"1": b"x"})}
    members |= {"DICOMDIR": (TEST_FILES / "dicomdirtests/DICOMDIR").read_bytes(), "__MACOSX/._1": CT}
    result = ZipImporter(Importer(orthanc)).import_zip(zipped(members))
    assert {each.id for each in result.imported} == {identify(CT), identify(MR)}
    assert (result.refused, result.ignored) == ((), 6)
    assert ZipImporter(Importer(MemoryOrthanc())).import_zip(zipped({"raw": NO_PREAMBLE})).imported == (
        Imported(identify(CT), len(NO_PREAMBLE)),
    )
    assert orthanc.files[identify(MR)] == MR


def test_importing_a_zip_again_is_a_success(orthanc: MemoryOrthanc) -> None:
    """A client can send a ZIP again after some of its images were imported."""
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
    """The details of a thousand refused files name a hundred."""
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


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_all_ways_to_pack(orthanc: MemoryOrthanc, compression: int) -> None:
    """Images come out of each as they went in, and damage is found."""
    content = zipped({"1": CT, "2": MR, "3.txt": b"text"}, compression)
    ZipImporter(Importer(orthanc)).import_zip(content)
    assert orthanc.files == {identify(CT): CT, identify(MR): MR}
    changed = bytearray(content)
    changed[content.index(b"PK\x03\x04", 40) - 200] ^= 0xFF
    with pytest.raises(Refused, match="1 of the 2 files to import were refused: The member cannot be read: damaged"):
        ZipImporter(Importer(orthanc)).import_zip(bytes(changed))


@pytest.mark.parametrize(("method", "name"), [(9, "Deflate64"), (93, "Zstandard"), (42, "method 42")])
def test_ways_to_pack_that_are_not_read(orthanc: MemoryOrthanc, method: int, name: str) -> None:
    """A member with an unsupported compression is refused with the method's name; the others are imported."""
    content = bytearray(zipped({"1": CT, "2": MR}))
    for place in (8, content.index(b"PK\x01\x02") + 10):
        content[place : place + 2] = method.to_bytes(2, "little")
    with pytest.raises(Refused, match=f"compressed by {name}"):
        ZipImporter(Importer(orthanc)).import_zip(bytes(content))
    assert set(orthanc.files) == {identify(MR)}


def test_zips_in_a_zip(orthanc: MemoryOrthanc) -> None:
    """Two levels are imported, one more is refused by name where it may hold DICOM; names lead through all of them."""
    inner = zipped({"1": CT, "bad": BROKEN})
    outer = zipped({"a.zip": zipped({"b.zip": inner}), "2": MR, "c.zip": zipped({"x.txt": b"x"})})
    with pytest.raises(Refused) as caught:
        ZipImporter(Importer(orthanc)).import_zip(outer)
    assert caught.value.details == ("a.zip/b.zip/bad: Orthanc cannot read it as a DICOM file.",)
    assert orthanc.files == {identify(CT): CT, identify(MR): MR}
    deep = zipped({"a.zip": zipped({"b.zip": zipped({"c.zip": inner, "d.zip": zipped({"x.txt": b"x"})})})})
    with pytest.raises(Refused) as caught:
        ZipImporter(Importer(MemoryOrthanc())).import_zip(deep)
    assert caught.value.details == ("a.zip/b.zip/c.zip: It lies in more than 2 other ZIPs.",)


def test_the_limits_hold_for_zips_in_a_zip(orthanc: MemoryOrthanc) -> None:
    """Members of nested ZIPs are counted before they are unpacked."""
    inner = zipped({str(number): CT for number in range(10)})
    limits = ZipLimits(total_size=len(inner) + 5 * len(CT))
    with pytest.raises(Refused, match="unpacks to more") as caught:
        ZipImporter(Importer(orthanc), limits=limits).import_zip(zipped({"a.zip": inner}))
    assert caught.value.details == ("a.zip: The ZIP unpacks to more than is allowed.",)
    limits = ZipLimits(members=10)
    with pytest.raises(Refused, match="more than 10 members"):
        ZipImporter(Importer(orthanc), limits=limits).import_zip(zipped({"a.zip": inner}))
    assert orthanc.files == {}


def test_elements_are_counted_by_the_bytes_that_were_sent(orthanc: MemoryOrthanc) -> None:
    """A ZIP of zeros in a ZIP has few packed bytes, whatever the inner one says of itself."""
    inner = zipped({"1": CT + bytes(8 << 20)}, zipfile.ZIP_STORED)
    with pytest.raises(Refused, match="far more data elements"):
        ZipImporter(Importer(orthanc)).import_zip(zipped({"a.zip": inner}))


@pytest.mark.parametrize("cut", [10, 30, 60, 200, 5000])
def test_a_zip_that_was_cut_off(orthanc: MemoryOrthanc, cut: int) -> None:
    """Complete members are imported, and the error says that the ZIP was cut off."""
    content = zipped({"1": CT, "2.txt": b"text", "3": MR})
    with pytest.raises(Refused, match="cannot be imported as a whole"):
        ZipImporter(Importer(orthanc)).import_zip(content[:-cut])
    assert orthanc.files.get(identify(CT)) == CT
    assert (identify(MR) in orthanc.files) == (cut < 200)


@pytest.mark.parametrize("cut", [1, 30, 5000])
def test_a_zip_that_was_written_as_a_stream_and_cut_off(orthanc: MemoryOrthanc, cut: int) -> None:
    """Sizes stand behind the members: they are where the packed bytes end."""
    content = streamed({"1": CT, "3": MR})
    with pytest.raises(Refused, match="cannot be imported as a whole"):
        ZipImporter(Importer(orthanc)).import_zip(content[: content.index(b"PK\x01\x02")][: -cut or None])
    assert orthanc.files.get(identify(CT)) == CT


@pytest.mark.parametrize("raw", [b"\xff\xfe\xe4", b"\xc0\xaf/", b"a\0b"])
def test_names_that_are_no_utf_8(orthanc: MemoryOrthanc, raw: bytes) -> None:
    """A name that is not valid UTF-8 is no error."""
    content = bytearray(zipped({"abc": CT}).replace(b"abc", raw))
    for place in (6, content.index(b"PK\x01\x02") + 8):
        content[place + 1] |= 0x08
    ZipImporter(Importer(orthanc)).import_zip(bytes(content))
    assert set(orthanc.files) == ({identify(CT)} if not raw.endswith(b"/") else set())


@given(st.integers(0, 2**32), st.integers(1, 20), st.sampled_from([8, 12, 14]))
def test_damaged_zips(seed: int, changes: int, compression: int) -> None:
    """An image from a damaged ZIP is either imported unchanged or not at all."""
    chance = random.Random(seed)  # noqa: S311  reproducible damage, no secret
    content = bytearray(zipped({"a/1": SMALL, "b.txt": b"text" * 100, "c.zip": zipped({"d": SMALL})}, compression))
    for _ in range(changes):
        content[chance.randrange(4, len(content))] = chance.randrange(256)
    orthanc = MemoryOrthanc()
    with suppress(Refused):
        ZipImporter(Importer(orthanc)).import_zip(bytes(content))
    assert set(orthanc.files.values()) <= {SMALL}


def test_encrypted_members_are_refused(orthanc: MemoryOrthanc) -> None:
    """Encrypted members are refused, since they may be DICOM."""
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
    """Large members are imported whole through temporary files, which are removed."""
    monkeypatch.setattr(module, "_IN_MEMORY", 1000)
    ZipImporter(Importer(orthanc), scratch=tmp_path).import_zip(zipped({"1": CT, "2": MR}))
    assert (orthanc.files[identify(CT)], orthanc.files[identify(MR)]) == (CT, MR)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_zip_is_refused(orthanc: MemoryOrthanc) -> None:
    """A file that is no valid ZIP is a `Refused` error."""
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
