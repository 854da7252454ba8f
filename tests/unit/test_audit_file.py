"""The audit file: complete lines whatever happens to the disk, and nothing is lost when a new file begins."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from davfs.audit.audit_file import AuditFile, FileLimits
from davfs.audit.record import NOBODY, AuditAction, AuditRecord, Client, Door
from davfs.audit.rotation import rotated_files

START = datetime(2026, 11, 30, 14, tzinfo=UTC)


def record(number: int, time: datetime = START) -> AuditRecord:
    """A record that is told from others by its resource."""
    return AuditRecord(client=NOBODY, action=AuditAction.READ, resource=str(number), time=time)


def lines(*files: Path) -> list[dict[str, Any]]:
    """Parse files."""
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def numbers(*files: Path) -> list[int]:
    """Return the numbers of the records in files."""
    return [int(line["resource"]) for line in lines(*files) if "resource" in line]


def test_rotation_by_size(tmp_path: Path) -> None:
    """A file that would become too long gets the time in its name; all records are in one of the files, in order."""
    path = tmp_path / "audit.jsonl"
    file = AuditFile(path, FileLimits(size=2000), lambda: START)
    for number in range(100):
        file.write([record(number)])
    full = rotated_files(path)
    assert [each.name for each in full[:2]] == ["audit-20261130T140000Z.jsonl", "audit-20261130T140000Z-2.jsonl"]
    assert numbers(*full, path) == list(range(100))
    assert all(each.stat().st_size <= 2000 and each.stat().st_mode & 0o777 == 0o600 for each in (*full, path))


def test_rotation_by_age(tmp_path: Path) -> None:
    """A file ends when its first record is too old, also if the process was started again meanwhile."""
    path, now = tmp_path / "audit.jsonl", START
    for hour in range(5):
        now = START + timedelta(hours=hour)
        AuditFile(path, FileLimits(age=7200), lambda: now).write([record(hour, now)])  # noqa: B023  it is called at once
    assert [each.name for each in rotated_files(path)] == [
        "audit-20261130T160000Z.jsonl",
        "audit-20261130T180000Z.jsonl",
    ]
    assert numbers(*rotated_files(path), path) == list(range(5))


def test_clock_put_back(tmp_path: Path) -> None:
    """Where the clock jumps back, names continue from the latest, so that the order and what is deleted stay right."""
    path = tmp_path / "audit.jsonl"
    times = iter([START, START - timedelta(days=400), START + timedelta(days=1), START - timedelta(days=4000)])
    file = AuditFile(path, FileLimits(size=1, files=3), lambda: next(times))
    for number in range(5):
        file.write([record(number)])
    assert numbers(*rotated_files(path), path) == [1, 2, 3, 4]


def test_oldest_are_deleted(tmp_path: Path) -> None:
    """Of the full files so many are kept, compressed ones too; other files in the folder are left alone."""
    path = tmp_path / "audit.jsonl"
    others = [
        tmp_path / name for name in ("audit-old.jsonl", "audit-20200101T000000Z.txt", "xaudit-20200101T000000Z.jsonl")
    ]
    old = tmp_path / "audit-20200101T000000Z.jsonl.gz"
    for each in (*others, old):
        each.touch()
    file = AuditFile(path, FileLimits(size=1, files=2))
    for number in range(4):
        file.write([record(number)])
    assert numbers(*rotated_files(path), path) == [1, 2, 3]
    assert all(each.exists() for each in others)
    assert not old.exists()


def test_moved_away(tmp_path: Path) -> None:
    """After somebody else moved the file away, as logrotate does, the next record begins a new one."""
    path = tmp_path / "audit.jsonl"
    file = AuditFile(path)
    file.write([record(0)])
    path.rename(tmp_path / "audit.jsonl.1")
    file.write([record(1)])
    assert numbers(tmp_path / "audit.jsonl.1", path) == [0, 1]


def test_torn_line(tmp_path: Path) -> None:
    """A line that a power failure cut off spoils no other line."""
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"time":"2026-11-30T1')
    AuditFile(path).write([record(1)])
    assert path.read_bytes().splitlines()[0] == b'{"time":"2026-11-30T1'
    assert json.loads(path.read_bytes().splitlines()[1])["resource"] == "1"


def test_unwritable_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is kept, with one warning; of what there is no room for, the number is recorded."""
    folder, moment = tmp_path / "folder", 1000.0
    monkeypatch.setattr("davfs.audit.audit_file.time.monotonic", lambda: moment)
    file = AuditFile(folder / "audit.jsonl")
    for number in range(12_000):
        file.write([record(number)])
    assert caplog.text.count("cannot be written") == 1
    folder.mkdir()
    moment += 1
    file.write([])
    found = lines(folder / "audit.jsonl")
    assert numbers(folder / "audit.jsonl") == list(range(10_000))
    assert found[-1]["action"] == "alert"
    assert found[-1]["lost"] == 2000
    assert "can be written again" in caplog.text


def test_file_that_cannot_be_renamed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where no new file can begin, the old one becomes longer than it should, and nothing is lost."""
    path = tmp_path / "audit.jsonl"
    file = AuditFile(path, FileLimits(size=1), now=lambda: START)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        for number in range(10):
            file.write([record(number)])
    assert numbers(path) == list(range(10))
    assert caplog.text.count("cannot be renamed") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    subprocess.run(command, check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.packages
def test_full_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk there are complete lines only; the others follow when there is room again."""
    moment = 1000.0
    monkeypatch.setattr("davfs.audit.audit_file.time.monotonic", lambda: moment)
    path = small_disk / "audit.jsonl"
    file = AuditFile(path)
    for number in range(1500):
        moment += 2
        file.write([record(number)])
    written = len(numbers(path))
    assert 100 < written < 1500
    kept = path.read_bytes()
    path.unlink()
    moment += 2
    file.write([])
    later = path.read_bytes()
    found = [json.loads(line)["resource"] for line in (kept + later).splitlines()]
    assert found == [str(number) for number in range(len(found))]


HOSTILE = 'a"b\n{"action":"read"}\r\x00\x1b[2J\u2028\ud800\U0001f600'


def test_texts_of_clients(tmp_path: Path) -> None:
    """Line breaks, quotes and control characters in a user's name or agent stay in the record's own line."""
    path = tmp_path / "audit.jsonl"
    client = Client(HOSTILE, "::1", Door.DRIVE, "webdav", HOSTILE)
    AuditFile(path).write([AuditRecord(client=client, action=AuditAction.LOGIN_REFUSED)])
    (line,) = path.read_bytes().splitlines()
    assert json.loads(line)["user"] == json.loads(line)["agent"] == HOSTILE
    assert line.isascii()
    assert line.decode().isprintable()


PROCESS = """
import sys
from pathlib import Path
from davfs.audit.audit_file import AuditFile, FileLimits
from davfs.audit.record import NOBODY, AuditAction, AuditRecord
file = AuditFile(Path(sys.argv[1]), FileLimits(size=4000))
for number in range(500):
    file.write([AuditRecord(client=NOBODY, action=AuditAction.READ, resource=f"{sys.argv[2]}{number:04}")])
sys.exit(not file.close(5.0))
"""


def test_two_processes(tmp_path: Path) -> None:
    """Two processes with one file lose no record, and tear no line, while both begin new files."""
    path = tmp_path / "audit.jsonl"
    running = [subprocess.Popen([sys.executable, "-c", PROCESS, str(path), name]) for name in "12"]
    assert [process.wait(60) for process in running] == [0, 0]
    found = [line["resource"] for line in lines(*rotated_files(path), path)]
    for name in "12":
        assert [each for each in found if each[0] == name] == [f"{name}{number:04}" for number in range(500)]
    assert len(rotated_files(path)) > 10
