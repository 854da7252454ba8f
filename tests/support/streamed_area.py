"""An additional area of generated files of any size, for the drive in a real Orthanc.

`python_with_area` makes a virtual environment for ``Davfs.Python`` in which `add_area` runs before the plugin starts.
"""

import sysconfig
import venv
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path as DiskPath
from typing import Any

from davfs.doors.collection.memory_limit import LARGEST
from davfs.entry import DICOM, Content, Entry, EntryKind, Path, Streamed
from davfs.errors import IsAFolder, NotAFolder, NotFound
from davfs.running import assembly

AREA = "made"
BLOCK = bytes(range(256)) * 4096
"""The content of the files, repeated: 1 MB."""
_ROOT = DiskPath(__file__).parents[2]
_SINCE = datetime(2024, 2, 29, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Blocks:
    """`davfs.entry.Readable` bytes in many buffers.

    Attributes:
        size: Announced number of bytes.
        made: Number of bytes that are sent; None if reading the file is an error.
    """

    size: int
    made: int | None

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `Readable`; of the whole file only, as Orthanc's core reads it."""
        assert self.made is not None
        assert (start, stop) == (0, None)
        for done in range(0, self.made, len(BLOCK)):
            yield memoryview(bytearray(BLOCK))[: self.made - done]  # each in memory of its own


FILES = {
    "gigantic.zip": Blocks(10 << 30, None),
    "gigantic.dcm": Blocks(10 << 30, None),  # of no resource, so not one that Orthanc holds
    "instance.dcm": Blocks(5 << 30, None),
    "between.zip": Blocks(LARGEST + 1, None),
    "large.zip": Blocks(300 << 20, 300 << 20),
    "odd.bin": Blocks((5 << 20) + 321, (5 << 20) + 321),
    "one-buffer.bin": Blocks(4321, 4321),
    "empty.bin": Blocks(0, 0),
    "short.zip": Blocks(5 << 20, (5 << 20) - 1),
    "long.zip": Blocks(5 << 20, (5 << 20) + 1),
    "longer.zip": Blocks(1 << 20, 3 << 20),
}
"""The area's files."""


class StreamedArea:
    """`davfs.filesystem.area.Area` with one folder.

    Besides `FILES` there is, for each instance, a text ``{id}.txt`` that claims to be steady.
    """

    def stat(self, path: Path) -> Entry:
        """See `Area`."""
        if not path:
            return Entry("", EntryKind.FOLDER, _SINCE)
        if len(path) > 1:
            raise NotFound(path, "there is nothing below a file")
        return _entry(path[0])

    def list(self, path: Path) -> Iterable[Entry]:
        """See `Area`."""
        if path:
            raise NotAFolder(path, "it is a file")
        return [_entry(name) for name in FILES]

    def read(self, path: Path) -> Content:
        """See `Area`."""
        entry = self.stat(path)
        if entry.is_folder:
            raise IsAFolder(path, "it is a folder")
        return Streamed(entry, nullcontext(FILES.get(path[0], Blocks(entry.size, entry.size))))


def _entry(name: str) -> Entry:
    if name in FILES:
        media_type = DICOM if name.endswith(".dcm") else ""
        resource = "an instance" if name == "instance.dcm" else ""
        return Entry(
            name,
            EntryKind.FILE,
            _SINCE,
            FILES[name].size,
            media_type=media_type,
            resource=resource,
            steady=bool(resource),
        )
    instance, dot, _ = name.partition(".txt")
    if not dot:
        raise NotFound((name,), "there is no such file")
    return Entry(name, EntryKind.FILE, _SINCE, 100, media_type="text/plain", resource=instance, steady=True)


def add_area() -> None:
    """Add the area to every drive that is assembled afterwards."""
    assemble = assembly.assemble

    def with_area(*arguments: Any, **options: Any) -> assembly.Assembly:
        parts = assemble(*arguments, **options)
        parts.drive._areas = {**parts.drive._areas, AREA: StreamedArea()}
        return replace(parts)

    assembly.assemble = with_area


def python_with_area(folder: DiskPath) -> DiskPath:
    """Create a virtual environment with this one's packages and the area; return its interpreter."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "area.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
        f"{_ROOT}\n"
        "import tests.support.streamed_area; tests.support.streamed_area.add_area()\n"
    )
    return folder / "bin" / "python3"
