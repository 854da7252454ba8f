"""Tests of the inbox's entity tags: they are strong validators, and reveal nothing."""

import os
import stat
from pathlib import Path

import pytest

from davfs.spool.entity_tags import EntityTags
from davfs.spool.spool import Spool

CONTENT = b"content"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Where the key is kept."""
    return tmp_path / "tags.key"


def changed(status: os.stat_result, **fields: int) -> os.stat_result:
    """Return a status with other values."""
    order = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size")
    values = [fields.get(name, getattr(status, name)) for name in order]
    date = fields.get("st_mtime_ns", status.st_mtime_ns)
    return os.stat_result([*values, 0, date // 10**9, 0], {"st_mtime_ns": date})


def test_changes(key: Path, tmp_path: Path) -> None:
    """A tag changes with the date, the size, the inode and the instance, and with nothing else."""
    tags, status = EntityTags(key), tmp_path.stat()
    same = changed(status)
    others = [changed(status, **{name: getattr(status, name) + 1}) for name in ("st_mtime_ns", "st_size", "st_ino")]
    assert tags.of(same) == tags.of(changed(status, st_nlink=9))
    assert len({tags.of(same), tags.of(same, "instance"), *map(tags.of, others)}) == 5


def test_restart(key: Path, tmp_path: Path) -> None:
    """An entity tag is the same after a restart and differs with another key; only the owner can read the key."""
    tag = EntityTags(key).of(tmp_path.stat())
    assert EntityTags(key).of(tmp_path.stat()) == tag
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert EntityTags(tmp_path / "other.key").of(tmp_path.stat()) != tag


@pytest.mark.parametrize("damage", [b"", b"x", b"x" * 33])
def test_damaged_key(key: Path, damage: bytes) -> None:
    """A key that was cut off, or is none, is replaced by a new one."""
    key.write_bytes(damage)
    EntityTags(key)
    assert len(key.read_bytes()) == 32


def test_no_place_for_the_key(tmp_path: Path) -> None:
    """Without a place for the key there are tags, until the next start."""
    nowhere = tmp_path / "missing" / "tags.key"
    assert EntityTags(nowhere).of(tmp_path.stat())


def test_of_the_inbox(tmp_path: Path) -> None:
    """No number of the file system is in a tag, in any notation; a restart changes no tag, and a new content does."""
    first = Spool(tmp_path, maximum_size=0, maximum_age=0)
    written = first.write(("a.txt",), CONTENT).entry
    status = (tmp_path / "files" / "a.txt").stat()
    for number in (status.st_ino, status.st_mtime_ns, int(status.st_mtime)):
        assert not any(text in written.etag for text in (f"{number}", f"{number:x}"))
    second = Spool(tmp_path, maximum_size=0, maximum_age=0)
    assert second.stat(("a.txt",)).entry.etag == written.etag
    with second.open(("a.txt",)) as content:
        assert content.entry.etag == written.etag
    assert second.write(("a.txt",), CONTENT).entry.etag != written.etag
