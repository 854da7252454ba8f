"""Images that are sent to Orthanc again come out of the trash, and are never deleted for good unseen."""

import json
import logging
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from davfs.errors import Unavailable
from davfs.filesystem.trash.sent_again import POSTPONED, SentAgain, ShownAgain
from davfs.orthanc import Level, OrthancId
from davfs.trash.known_marks import KnownMarks
from davfs.trash.marks import DEFAULT_NUMBER
from tests.support.trash import TrashBin
from tests.support.trashing import MemoryMarks

PATH = ("P", "S", "R1")


class Queue:
    """The queue in C, in memory."""

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.missed = 0
        self.closed = threading.Event()

    def wait(self, seconds: float) -> None:
        """See `SentAgainQueue`."""
        if not self.waiting:
            self.closed.wait(min(seconds, 0.01))

    def take(self) -> list[str]:
        """See `SentAgainQueue`."""
        taken, self.waiting[:2] = self.waiting[:2], []
        return taken

    def lost(self) -> int:
        """See `SentAgainQueue`."""
        missed, self.missed = self.missed, 0
        return missed

    def close(self) -> None:
        """See `SentAgainQueue`."""
        self.closed.set()


class Bin(TrashBin):
    """A trash that spares what was sent again."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file
        self.queue = Queue()
        self.fails = False
        self.deleted: set[OrthancId] = set()
        self.restart()

    def restart(self) -> None:
        """Start the drive again."""
        self.sent_again = SentAgain(self.queue, self._show, self.file, self._seconds)
        self.trash = self.other("here")
        self.trash.spare(self.sent_again, self.deleted.update)

    def _seconds(self) -> float:
        return self.time.timestamp()

    def _show(self, instances: Sequence[OrthancId]) -> None:
        if self.fails:
            raise Unavailable("Orthanc does not answer")
        known = KnownMarks(self.orthanc, storage := MemoryMarks(), DEFAULT_NUMBER)
        known.read(self.orthanc.ids(Level.STUDY))
        storage.is_complete = True
        shown = ShownAgain(lambda: None, known, self.marks, self.orthanc)
        shown.note_deleted(list(self.deleted))
        shown.show(instances)


@pytest.fixture
def bin_(tmp_path: Path) -> Iterator[Bin]:
    """A trash, whose thread does not run."""
    made = Bin(tmp_path / "sent-again.json")
    yield made
    made.sent_again.interrupt()


def test_exactly_these(bin_: Bin) -> None:
    """What was sent again leaves the trash, in each study; what was not stays there."""
    images = [bin_.store("p", study, 1, number) for study in (1, 2) for number in (1, 2)]
    other = bin_.store("q")
    bin_.delete(PATH, *images)
    bin_.queue.waiting += [images[0], images[2], other, "no id"]
    bin_.sent_again.settle()
    assert bin_.entries() == {PATH: {images[1], images[3]}}
    assert not bin_.file.exists()


def test_nothing_in_the_trash(bin_: Bin) -> None:
    """Without a trash, what is sent again is looked up nowhere."""
    bin_.queue.waiting += [bin_.store("p")]
    bin_.sent_again.settle()
    assert not bin_.queue.waiting


def test_before_it_is_too_old(bin_: Bin) -> None:
    """What was sent again a moment ago is not deleted because its time has come."""
    one, two = bin_.store("p"), bin_.store("p", number=2)
    bin_.delete(PATH, one, two)
    bin_.time += timedelta(days=31)
    bin_.queue.waiting += [one]
    bin_.trash.purge_expired()
    assert bin_.orthanc.existing([one, two]) == {one}
    assert bin_.marks.all() == {}


def test_while_it_is_deleted_for_good(bin_: Bin) -> None:
    """What is sent again after the entry was claimed, and before its turn, is spared."""
    images = [bin_.store("p", number=number) for number in range(150)]
    bin_.delete(PATH, *images)
    delete, last = bin_.orthanc.delete_instances, max(images)

    def send_again(instances: Sequence[OrthancId]) -> None:
        bin_.queue.waiting += [last]
        delete(instances)

    bin_.orthanc.delete_instances = send_again  # type: ignore[method-assign]
    bin_.trash.purge(bin_.only())
    assert bin_.orthanc.existing(images) == {last}
    assert bin_.marks.all() == {}


def test_too_late(bin_: Bin, caplog: pytest.LogCaptureFixture) -> None:
    """What was deleted when it had just been sent again is in the log."""
    one, two = bin_.store("p"), bin_.store("p", number=2)
    bin_.delete(PATH, one, two)
    bin_.orthanc.delete_instances([one])
    bin_.queue.waiting += [one]
    bin_.sent_again.settle()
    assert "1 images were deleted when they had just been sent again" in caplog.text


def test_in_the_moment_of_its_deletion(bin_: Bin, caplog: pytest.LogCaptureFixture) -> None:
    """So is what Orthanc deleted in that moment, also if nothing is left in the trash."""
    one = bin_.store("p")
    bin_.delete(PATH, one)
    bin_.trash.purge(bin_.only())
    bin_.queue.waiting += [one]
    bin_.sent_again.settle()
    assert "1 images were deleted when they had just been sent again" in caplog.text


def test_orthanc_does_not_answer(bin_: Bin) -> None:
    """Nothing is deleted for good until it is known what was sent again."""
    one = bin_.store("p")
    bin_.delete(PATH, one)
    entry = bin_.only()
    bin_.time += timedelta(days=31)
    bin_.queue.waiting += [one]
    bin_.fails = True
    for purge in (bin_.trash.purge_expired, lambda: bin_.trash.purge(entry)):
        with pytest.raises(Unavailable):
            purge()
    bin_.fails = False
    bin_.trash.purge_expired()
    assert bin_.orthanc.existing([one]) == {one}
    assert bin_.marks.all() == {}


def test_a_restart(bin_: Bin) -> None:
    """What is left when the drive ends is looked up when it starts again."""
    images = [bin_.store("p", number=number) for number in range(5)]
    bin_.delete(PATH, *images)
    bin_.fails = True
    bin_.queue.waiting += images[:4]
    assert bin_.sent_again.stop(0)
    assert stat.S_IMODE(bin_.file.stat().st_mode) == 0o600
    bin_.restart()
    bin_.fails = False
    bin_.sent_again.settle()
    assert bin_.entries() == {PATH: {images[4]}}
    assert not bin_.file.exists()


@pytest.mark.parametrize("restart", [False, True])
def test_no_room(bin_: Bin, caplog: pytest.LogCaptureFixture, *, restart: bool) -> None:
    """If it is not known what was sent again, nothing is deleted for good by itself for a week; the log says so."""
    one = bin_.store("p")
    bin_.delete(PATH, one)
    bin_.time += timedelta(days=31)
    bin_.queue.missed = 7
    for _ in range(2):
        bin_.trash.purge_expired()
        if restart:
            bin_.restart()
        bin_.time += timedelta(seconds=POSTPONED - 1)
        bin_.trash.purge_expired()
        assert bin_.entries() == {PATH: {one}}
        bin_.time -= timedelta(seconds=POSTPONED - 1)
    assert caplog.text.count("7 images were sent again") == 1
    bin_.time += timedelta(seconds=POSTPONED)
    bin_.trash.purge_expired()
    assert bin_.entries() == {}


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", json.dumps({"instances": 1, "lost": 0}).encode()])
def test_a_damaged_file(bin_: Bin, content: bytes) -> None:
    """A file that cannot be read does not keep the drive from starting."""
    bin_.file.write_bytes(content)
    bin_.restart()
    bin_.sent_again.settle()


def test_marks_that_cannot_be_read(bin_: Bin) -> None:
    """A mark that cannot be read is left alone, and keeps no others waiting."""
    one, two = bin_.store("p"), bin_.store("q")
    bin_.delete(PATH, two)
    bin_.orthanc.set_metadata(bin_.orthanc.studies_of([one])[0], DEFAULT_NUMBER, b"?", None)
    bin_.queue.waiting += [one, two]
    bin_.sent_again.settle()
    assert bin_.entries() == {}


def test_the_thread(bin_: Bin, caplog: pytest.LogCaptureFixture) -> None:
    """It looks up what comes, also after an error, and ends at once."""
    caplog.set_level(logging.INFO)
    one = bin_.store("p")
    bin_.delete(PATH, one)
    bin_.fails = True
    bin_.queue.waiting += [one]
    bin_.sent_again.start()
    _until(lambda: "tried once more" in caplog.text)
    bin_.fails = False
    _until(lambda: not bin_.marks.all())
    assert bin_.sent_again.stop(1)


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_sent_again_before_the_deletion(bin_: Bin) -> None:
    """What was sent again before it was deleted is deleted as a whole, though nobody has looked at the queue yet."""
    images = [bin_.store("p", number=number) for number in (1, 2, 3)]
    bin_.queue.waiting += images[1:]
    bin_.delete(PATH, *images)
    bin_.sent_again.settle()
    assert bin_.entries() == {PATH: set(images)}
