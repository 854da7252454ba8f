"""The trash: which deletions are one entry, what is restored, and what is deleted for good."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from davfs.audit.record import Client, Door
from davfs.errors import OrthancError, Unavailable, UnknownResource, UnreadableMark
from davfs.filesystem.trash.joining import SECONDS, DeletedFolder
from davfs.filesystem.trash.trash import LEASE, Trash
from davfs.filesystem.trash.uploads import UploadedImages
from davfs.orthanc import Level, OrthancId
from davfs.trash.marks import DEFAULT_NUMBER
from tests.support.trash import ANN, BOB, TrashBin
from tests.support.trashing import without

SOON, LATE = timedelta(seconds=SECONDS), timedelta(seconds=SECONDS + 1)


def folder(*path: str) -> DeletedFolder:
    """Return a folder of the layout "all"."""
    return DeletedFolder("all", path, 1)


# --- what is one entry ------------------------------------------------------------------------------------------------


def test_one_folder() -> None:
    """A deleted folder is one entry, with all that was in it."""
    bin_ = TrashBin()
    one, two = bin_.store("p"), bin_.store("p", 2)
    bin_.delete(("P",), one, two)
    assert bin_.entries() == {("P",): {one, two}}
    entry = bin_.only()
    assert (entry.user, entry.address, entry.door, entry.layout) == ("ann", "192.0.2.1", "drive", "all")
    assert (len(entry.deletions), entry.series, entry.images) == (2, 2, 2)


@pytest.mark.parametrize("nodes", [1, 2])
def test_file_by_file(nodes: int) -> None:
    """A client that deletes files, then their folders, ends with the entry of one deletion of the topmost folder.

    Through several drives too, each of which knows only what is in Orthanc.
    """
    bin_ = TrashBin()
    drives = [bin_.trash, *(bin_.other(f"node {number}") for number in range(1, nodes))]
    images: dict[tuple[str, ...], OrthancId] = {
        ("P", f"S{study}", f"R{series}", f"{number}.dcm"): bin_.store("p", study, series, number)
        for study in (1, 2)
        for series in (1, 2)
        for number in (1, 2)
    }
    for number, (path, image) in enumerate(images.items()):
        bin_.delete(path, image, trash=drives[number % nodes])
        bin_.time += SOON
    folders = {path[:depth] for path in images for depth in (1, 2, 3)}
    for number, path in enumerate(sorted(folders, key=len, reverse=True)):
        assert drives[number % nodes].add_folder(folder(*path), ANN)
    assert bin_.entries() == {("P",): set(images.values())}
    assert not bin_.trash.add_folder(folder("Q"), ANN)
    assert not bin_.trash.add_folder(folder("P"), BOB)


def test_some_files() -> None:
    """Files of two series are an entry of the study that has both."""
    bin_ = TrashBin()
    one, two = bin_.store("p"), bin_.store("p", 1, 2)
    bin_.store("p", 1, 3)
    bin_.delete(("P", "S", "R1", "1.dcm"), one)
    assert bin_.entries() == {("P", "S", "R1", "1.dcm"): {one}}
    bin_.delete(("P", "S", "R2", "1.dcm"), two)
    assert bin_.entries() == {("P", "S"): {one, two}}


@pytest.mark.parametrize(
    "by", [BOB, replace(ANN, user="eve"), replace(ANN, address="192.0.2.9"), replace(ANN, door=Door.ORTHANC)]
)
def test_other_clients(by: Client) -> None:
    """What another user, address or door deletes is another entry."""
    bin_ = TrashBin()
    one, two = bin_.store("p"), bin_.store("p", 1, 2)
    bin_.delete(("P", "S", "R1"), one)
    bin_.delete(("P", "S", "R2"), two, by=by)
    assert bin_.entries() == {("P", "S", "R1"): {one}, ("P", "S", "R2"): {two}}


def test_another_time_or_patient() -> None:
    """What is deleted more than two minutes later, or in another patient folder, is another entry."""
    bin_ = TrashBin()
    one, two, other = bin_.store("p"), bin_.store("p", 1, 2), bin_.store("q")
    bin_.delete(("P", "S", "R1"), one)
    bin_.delete(("Q",), other)
    bin_.time += LATE
    fresh = bin_.other("here")  # whose clock of what is recent does not run with this one
    bin_.delete(("P", "S", "R2"), two, trash=fresh)
    assert bin_.entries() == {("P", "S", "R1"): {one}, ("P", "S", "R2"): {two}, ("Q",): {other}}


def test_restored_entries_are_closed() -> None:
    """What is deleted again after it was restored is an entry of its own; the rest stays where it is."""
    bin_ = TrashBin()
    one, two = bin_.store("p"), bin_.store("p", 1, 2)
    bin_.delete(("P", "S", "R1"), one)
    bin_.trash.restore(bin_.only())
    assert bin_.entries() == {}
    assert bin_.marks.all() == {}
    bin_.delete(("P", "S", "R2"), two)
    assert bin_.entries() == {("P", "S", "R2"): {two}}


def test_an_image_is_in_one_entry() -> None:
    """Two clients that delete the same at the same time make one entry of it, so that restoring it shows it."""
    bin_ = TrashBin()
    one = bin_.store("p")
    bin_.delete(("P",), one)
    bin_.delete(("P",), one, by=BOB)
    bin_.trash.restore(bin_.only())
    assert bin_.marks.all() == {}


def test_what_is_gone() -> None:
    """What was deleted in Orthanc meanwhile is left out, and an error if it was all."""
    bin_ = TrashBin()
    images = bin_.images(bin_.store("p"), two := bin_.store("p", 2))
    bin_.orthanc.delete(Level.STUDY, bin_.orthanc.studies_of([two])[0])
    bin_.trash.add(folder("P"), images, ANN)
    bin_.orthanc.delete(Level.PATIENT, bin_.orthanc.ids(Level.PATIENT)[0])
    with pytest.raises(UnknownResource):
        bin_.trash.add(folder("P"), images, ANN)


def test_marks_that_cannot_be_read() -> None:
    """A mark of a newer version is neither changed nor shown."""
    bin_ = TrashBin()
    one = bin_.store("p")
    (study,) = bin_.orthanc.ids(Level.STUDY)
    bin_.orthanc.set_metadata(study, DEFAULT_NUMBER, b'{"davfs-trash":2}', None)
    with pytest.raises(UnreadableMark):
        bin_.delete(("P",), one)
    assert bin_.trash.entries() == {}
    bin_.trash.purge_expired()
    assert bin_.orthanc.exists(Level.INSTANCE, one)


# --- restoring and deleting for good ----------------------------------------------------------------------------------


def test_parts() -> None:
    """Parts of an entry are restored, and deleted for good; the rest stays."""
    bin_ = TrashBin()
    images = [bin_.store("p", 1, 1, number) for number in range(1, 5)]
    bin_.delete(("P",), *images)
    bin_.trash.restore(bin_.only(), bin_.images(images[0]))
    bin_.trash.purge(bin_.only(), bin_.images(images[1]))
    assert bin_.entries() == {("P",): set(images[2:])}
    assert set(bin_.orthanc.ids(Level.INSTANCE)) == {images[0], *images[2:]}
    bin_.trash.purge(bin_.only())
    assert bin_.orthanc.ids(Level.INSTANCE) == [images[0]]
    assert bin_.marks.all() == {}


def test_new_images_stay() -> None:
    """Deleting an entry for good deletes what it lists, and nothing that has come since."""
    bin_ = TrashBin()
    old = [bin_.store("p", 1, 1, number) for number in range(1, 251)]
    bin_.delete(("P",), *old)
    new = [bin_.store("p", 1, 1, 999), bin_.store("p", 1, 2, 1), bin_.store("p", 2, 1, 1)]
    assert sorted(bin_.trash.purge(bin_.only())) == sorted(bin_.orthanc.studies_of([new[0]]))
    assert sorted(bin_.orthanc.ids(Level.INSTANCE)) == sorted(new)


class Stubborn:
    """Orthanc, which fails to delete for good, once some images are gone."""

    def __init__(self, bin_: TrashBin) -> None:
        self._bin = bin_
        self.delete, self.existing = bin_.orthanc.delete, bin_.orthanc.existing
        self.instances, self.series_of = bin_.orthanc.instances, bin_.orthanc.series_of

    def delete_instances(self, instances: Sequence[OrthancId]) -> None:
        """See `Orthanc`."""
        self._bin.orthanc.delete_instances(instances[:1])
        raise Unavailable("Orthanc ends")


def half_purged(bin_: TrashBin) -> list[OrthancId]:
    """Begin to delete an entry for good, as a drive does that ends meanwhile; return the ids of its images."""
    images = [bin_.store("p", 1, 1, number) for number in range(1, 4)]
    bin_.delete(("P",), *images)
    with pytest.raises(OrthancError):
        Trash(bin_.marks, Stubborn(bin_), "here", now=lambda: bin_.time).purge(bin_.only())
    assert len(bin_.orthanc.ids(Level.INSTANCE)) == 2
    return images


def test_half_purged_entries_cannot_be_restored() -> None:
    """An entry of which some images are gone is not in the trash any more, and what it lists stays hidden."""
    bin_ = TrashBin()
    images = half_purged(bin_)
    assert bin_.trash.entries() == {}
    (mark,) = bin_.marks.all().values()
    assert {one for ids in mark.instances.values() for one in ids} == set(images)


def test_purging_goes_on() -> None:
    """The drive that ended goes on when it starts again, another one after a while."""
    for same in (True, False):
        bin_ = TrashBin()
        half_purged(bin_)
        there = bin_.other("here" if same else "there")
        there.resume()
        assert (bin_.orthanc.ids(Level.INSTANCE) == []) is same
        there.purge_expired()
        bin_.time += timedelta(seconds=LEASE + 1)
        there.purge_expired()
        assert bin_.orthanc.ids(Level.INSTANCE) == []


def test_retention() -> None:
    """What is in the trash for the configured time is deleted for good; without one, nothing is."""
    for days in (30, 0):
        bin_ = TrashBin(retention=timedelta(days=days))
        one = bin_.store("p")
        bin_.delete(("P",), one)
        two = bin_.store("q")
        bin_.time += timedelta(days=20)
        bin_.delete(("Q",), two)
        bin_.time += timedelta(days=9)
        bin_.trash.purge_expired()
        assert len(bin_.orthanc.ids(Level.INSTANCE)) == 2
        bin_.time += timedelta(days=1)
        bin_.trash.purge_expired()
        assert bin_.orthanc.ids(Level.INSTANCE) == ([two] if days else [one, two])


# --- uploads ----------------------------------------------------------------------------------------------------------


def test_uploaded_again() -> None:
    """An image in the trash that is uploaded again is out of it, alone."""
    bin_ = TrashBin()
    one, two = bin_.store("p"), bin_.store("p", 1, 1, 2)
    bin_.delete(("P",), one, two)
    uploads = UploadedImages(bin_.marks, bin_.orthanc)
    assert uploads.show(one, was_there=True)
    assert bin_.entries() == {("P",): {two}}
    assert uploads.show(one, was_there=True)
    assert uploads.show(OrthancId("gone"), was_there=True)


def test_uploaded_while_it_is_deleted_for_good() -> None:
    """An image that is being deleted for good is uploaded once it is gone, or not at all."""
    bin_ = TrashBin()
    images = half_purged(bin_)
    left = bin_.orthanc.ids(Level.INSTANCE)
    with pytest.raises(Unavailable):
        UploadedImages(bin_.marks, bin_.orthanc, lambda _seconds: None).show(left[0], was_there=True)
    uploads = UploadedImages(bin_.marks, bin_.orthanc, lambda _seconds: bin_.trash.resume())
    assert not uploads.show(left[0], was_there=True)
    assert bin_.orthanc.ids(Level.INSTANCE) == []
    assert bin_.store("p", 1, 1, 1) in images
    assert uploads.show(images[0], was_there=False)


def test_copied_mark() -> None:
    """A mark that was copied to another study deletes nothing: what it lists is shown, or is in another entry."""
    bin_ = TrashBin()
    one, other = bin_.store("p"), bin_.store("q")
    bin_.delete(("P",), one)
    entry = bin_.only()
    (study,), (copied,) = (bin_.orthanc.studies_of([each]) for each in (one, other))
    mark = bin_.orthanc.metadata(study, DEFAULT_NUMBER)
    assert mark
    bin_.orthanc.set_metadata(copied, DEFAULT_NUMBER, mark.value, None)
    bin_.marks.change(study, partial(without, entry.id))
    bin_.trash.purge(bin_.only())
    assert bin_.orthanc.files.keys() == {one, other}
    assert not bin_.trash.entries()


def test_came_again_unnoticed() -> None:
    """An image that came to Orthanc after its deletion is not deleted for good, though no drive has read of it."""
    bin_ = TrashBin()
    one, two = bin_.store("p"), bin_.store("p", number=2)
    bin_.delete(("P",), one, two)
    bin_.time += timedelta(days=1)
    bin_.orthanc.delete(Level.INSTANCE, one)
    assert bin_.store("p") == one
    bin_.time += timedelta(days=30)
    bin_.trash.purge_expired()
    assert bin_.orthanc.files.keys() == {one}
    assert not bin_.trash.entries()
