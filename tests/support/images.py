"""Real DICOM files: those that pydicom ships for its own tests."""

from pathlib import Path

from pydicom.data import get_testdata_file

FILES = Path(str(get_testdata_file("CT_small.dcm", download=False))).parent
PATIENTS = (FILES / "dicomdirtests" / "77654033", FILES / "dicomdirtests" / "98892003")
"""Two patients with 24 images of CR, CT and MR."""


def contents(folder: Path) -> list[bytes]:
    """Return all files of a folder and of those below it, in the order of their paths."""
    return [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
