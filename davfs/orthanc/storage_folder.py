"""Opens DICOM files in Orthanc's storage folder, where that is readable beside this process (docs/adr/0025).

The kernel then sends a file from its cache to the network, and no program copies it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from davfs.errors import ConfigurationError
from davfs.orthanc import InstanceFiles
from davfs.orthanc.model import OrthancId

_UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PREAMBLE = 128
_BLOCK = 1 << 18


class StoredFile:
    """`davfs.entry.Readable` file on a disk; a context manager that closes it.

    Args:
        descriptor: The open file.
        size: Its size in bytes.

    Attributes:
        descriptor, size: See the arguments.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.size = size

    def buffers(self, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
        """See `davfs.entry.Readable`."""
        stop = self.size if stop is None else min(stop, self.size)
        while start < stop and (block := os.pread(self.descriptor, min(_BLOCK, stop - start), start)):
            start += len(block)
            yield memoryview(block)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


class StorageFolder:
    """Orthanc's storage folder.

    Args:
        folder: The folder, ``StorageDirectory`` of Orthanc.
        orthanc: The Orthanc.

    Raises:
        ConfigurationError: The folder cannot be read.
    """

    def __init__(self, folder: Path, orthanc: InstanceFiles) -> None:
        self._folder = str(folder)
        self._orthanc = orthanc
        try:
            os.scandir(folder).close()
        except OSError as error:
            raise ConfigurationError(f"Davfs.StorageFolder: '{folder}' cannot be read: {error.strerror}") from error

    def open(self, instance: OrthancId, uuid: str, size: int) -> StoredFile | None:
        """Open the file of an instance; None if it has to be asked of Orthanc.

        Orthanc is asked whether the instance is still there with that size: deleted files can be left in the folder for
        a while. A compressed or encrypted file has another size, and does not begin like DICOM.

        Args:
            instance: The instance.
            uuid: The name of its stored file, as Orthanc had it when this request had come.
            size: Its size in bytes.

        Raises:
            UnknownResource: There is no such instance any more.
        """
        if not _UUID.fullmatch(uuid) or self._orthanc.instance_size(instance) != size:
            return None
        try:
            descriptor = os.open(f"{self._folder}/{uuid[:2]}/{uuid[2:4]}/{uuid}", os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return None
        if os.fstat(descriptor).st_size == size and os.pread(descriptor, 4, _PREAMBLE) == b"DICM":
            return StoredFile(descriptor, size)
        os.close(descriptor)
        return None
