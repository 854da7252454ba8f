"""The digest beside the index's file."""

from pathlib import Path

from davfs.catalog import file_digest
from davfs.catalog.file_digest import DigestCheck


def test_digest(tmp_path: Path) -> None:
    """A digest is valid once, and for the same bytes only; a file that takes too long gets none."""
    file = tmp_path / "file"
    file.write_bytes(b"a" * 3_000_000)
    assert file_digest.check(file) is DigestCheck.MISSING
    file_digest.write(file)
    assert [file_digest.check(file), file_digest.check(file)] == [DigestCheck.SAME, DigestCheck.MISSING]
    file_digest.write(file)
    file.write_bytes(b"a" * 2_999_999 + b"b")
    assert file_digest.check(file) is DigestCheck.DIFFERENT
    clock = iter([0.0, 1.0, 2.0])
    file_digest.write(file, lambda: next(clock))
    assert file_digest.check(file) is DigestCheck.MISSING
