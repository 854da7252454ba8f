"""``davfs audit`` prints the audit trail: of a user, of a study, of a time; from all files, whatever is in them."""

import gzip
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from davfs.audit.audit_file import AuditFile, FileLimits
from davfs.audit.record import AuditAction, AuditRecord, Client, Door, Outcome, lost_records
from davfs.audit.rotation import rotate, rotated_files
from davfs.commands.application import app

START = datetime(2026, 11, 30, 14, tzinfo=UTC)
ALICE, BOB = (Client(user, "10.0.0.7", Door.DRIVE, "webdav", "davfs2/1.6") for user in ("alice", "bob"))


def run(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["audit", *map(str, arguments)])


@pytest.fixture(autouse=True)
def _utc() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An audit file with ten older ones, one of which is compressed: a record an hour."""
    path, now = tmp_path / "audit.jsonl", START
    written = AuditFile(path, FileLimits(size=1), lambda: now)
    for hour in range(11):
        now = START + timedelta(hours=hour)
        client, study = (ALICE, "1.2.3") if hour % 2 else (BOB, "1.2.34")
        read = AuditRecord(
            client=client,
            action=AuditAction.READ,
            time=now,
            level="study",
            resource=f"id{hour}",
            study_instance_uid=study,
        )
        written.write([read])
    oldest = rotated_files(path)[0]
    oldest.with_name(f"{oldest.name}.gz").write_bytes(gzip.compress(oldest.read_bytes()))
    oldest.unlink()
    return path


def test_all(file: Path) -> None:
    """All records are printed, of all files, oldest first, each on a line."""
    result = run(file)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert len(lines) == 11
    first = "2026-11-30 14:00:00  bob  10.0.0.7  read  study id0 study 1.2.34  done  drive webdav davfs2/1.6"
    assert lines[0] == first
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        (["--user", "alice"], [1, 3, 5, 7, 9]),
        (["--study", "1.2.3", "--since", "2026-11-30T18:00"], [5, 7, 9]),
        (["--study", "id4"], [4]),
        (["--since", "2026-12-01"], [10]),
        (["--until", "2026-11-30T16:00"], [0, 1]),
        (["--until", "2026-11-30"], list(range(10))),
        (["--since", "2026-11-30T15:00+01:00", "--until", "2026-11-30T16:00+01:00"], [0]),
        (["--action", "delete"], []),
        (["--user", "carol"], []),
    ],
)
def test_filters(file: Path, options: list[str], hours: list[int]) -> None:
    """Only what was asked for is printed."""
    result = run(file, "--json", *options)
    assert [json.loads(line)["resource"] for line in result.stdout.splitlines()] == [f"id{hour}" for hour in hours]


def test_hostile_names(tmp_path: Path) -> None:
    """Control characters of users' names do not reach the terminal; lines that are no records are counted."""
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b'{"time":"2026-11-3\n[]\n{"time":3}\n\xff\n' + b"[" * 100_000 + b"\n")
    client = Client("a\x1b[2J\nb\u202e", "::1", Door.DRIVE, "webdav", "\r\x9b")
    AuditFile(file).write([AuditRecord(client=client, action=AuditAction.LOGIN_REFUSED, outcome=Outcome.REFUSED)])
    result = run(file)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.strip().isprintable()
    assert result.stderr == "lines that are no records, and were left out: 5\n"


def test_amounts(tmp_path: Path) -> None:
    """A line tells how many images, bytes and requests it stands for, and how many records were lost."""
    file = tmp_path / "audit.jsonl"
    known: dict[str, Any] = {"sop_instances": 3, "bytes": 5 << 20, "requests": 40}
    read = AuditRecord(client=ALICE, action=AuditAction.READ, reason="Gone", **known)
    AuditFile(file).write([read, lost_records(12)])
    lines = run(file).stdout.splitlines()
    assert "(3 instances, 40 requests, 5.0 MB)  done (Gone)" in lines[0]
    assert "alert  (12 lost records)" in lines[1]


def test_no_file(tmp_path: Path) -> None:
    """Without a file, the command says which one it looked for; with a wrong time, what it expects."""
    result = run("--config", "/nowhere")
    assert result.exit_code == 2
    result = run(tmp_path / "none.jsonl")
    assert result.exit_code == 1
    assert "none.jsonl' cannot be read: No such file or directory" in result.stderr
    assert run("--since", "yesterday").exit_code == 2


def test_file_of_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a file, that of the configuration is read."""
    (tmp_path / "davfs.toml").write_text('[Audit]\nFile = "trail.jsonl"\n')
    AuditFile(tmp_path / "trail.jsonl").write([AuditRecord(client=ALICE, action=AuditAction.LOGIN)])
    monkeypatch.setenv("DAVFS_CONFIG", str(tmp_path / "davfs.toml"))
    assert "alice" in run().stdout


def test_file_by_the_variables_of_serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables with which `davfs serve` runs name the file, and no password is needed."""
    AuditFile(tmp_path / "audit.jsonl").write([AuditRecord(client=ALICE, action=AuditAction.LOGIN)])
    AuditFile(tmp_path / "trail.jsonl").write([AuditRecord(client=BOB, action=AuditAction.LOGIN)])
    variables = {"USERNAME": "drive", "PASSWORD": "secret", "CATALOG": str(tmp_path / "catalog.sqlite")}
    for name, value in variables.items():
        monkeypatch.setenv(f"DAVFS_{name}", value)
    assert "alice" in run().stdout
    monkeypatch.delenv("DAVFS_PASSWORD")
    monkeypatch.setenv("DAVFS_AUDIT_FILE", str(tmp_path / "trail.jsonl"))
    assert "bob" in run().stdout


def test_file_that_is_moved_away(file: Path) -> None:
    """After somebody moved the file away, the older ones are read."""
    file.unlink()
    assert len(run(file).stdout.splitlines()) == 10


def test_file_that_becomes_full(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the file gets its final name while it is read, no record is printed twice or left out."""
    listed = rotated_files

    def rotated_meanwhile(path: Path) -> list[Path]:
        rotate(path, START + timedelta(days=1))
        return listed(path)

    monkeypatch.setattr("davfs.audit.reading.rotated_files", rotated_meanwhile)
    assert len(run(file).stdout.splitlines()) == 11


@pytest.mark.parametrize("option", ["--since", "--until"])
@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00+14:00"])
def test_ends_of_the_calendar(file: Path, option: str, moment: str) -> None:
    """Times at the ends of the calendar are refused in one line, or mean what they say."""
    result = run(file, option, moment)
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (2, True) or result.exit_code == 0


@pytest.mark.parametrize("day", ["2026-11-30", "20261130", "2026-W49-1"])
def test_days(file: Path, day: str) -> None:
    """A day is meant as a whole in each form of ISO 8601."""
    assert len(run(file, "--until", day).stdout.splitlines()) == 10


def test_records_at_the_ends_of_the_calendar(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record with a time that this time zone cannot have is none, and costs no other."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    with file.open("ab") as written:
        written.write(
            b'{"time":"0001-01-01T00:00:00+00:00","action":"read","outcome":"done","user":"a","address":"1"}\n'
        )
    result = run(file)
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 11)
    assert result.stderr == "lines that are no records, and were left out: 1\n"


@pytest.mark.parametrize("damage", ["cut off", "no gzip", "damaged inside", "unreadable"])
def test_damaged_older_file(file: Path, damage: str) -> None:
    """An older file that cannot be read costs no record of the others, and is told."""
    oldest = rotated_files(file)[0]
    content = oldest.read_bytes()
    made = {"cut off": content[:-12], "no gzip": b"{}\n", "damaged inside": content[:20] + b"\xff" * 60}
    if damage == "unreadable":
        oldest.unlink()
        oldest.mkdir()
    else:
        oldest.write_bytes(made[damage])
    result = run(file)
    lines = result.stdout.splitlines()
    assert len([line for line in lines if "id0 " not in line]) == 10
    assert result.exit_code == 1
    assert f"'{oldest}' cannot be read, or not to its end: records are missing" in result.stderr
