"""Makes lists of checksums in the format of ``md5sum``, which ``md5sum --check`` reads, while they are read.

A line is as long whatever the MD5 is, so the size follows from the names. Orthanc is asked for the MD5s in batches;
where it keeps none (``StoreMD5ForAttachments``), the file is read.

Source: GNU coreutils, md5sum invocation: a backslash before the digest says that the name is escaped.
"""

import hashlib
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

from davfs.checksums import Algorithm
from davfs.derived.checksums import StoredChecksums
from davfs.derived.file import DerivedFile
from davfs.derived.streams import ForwardStream, StreamedFile, StreamPool
from davfs.entry import Path
from davfs.errors import Unavailable
from davfs.orthanc import InstanceFiles
from davfs.orthanc.model import Instance

_BATCH = 200
"""Files whose MD5s are looked up at once."""
_UNKNOWN = "0" * 32
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
"""Characters of a name that are escaped."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A stored file in a list.

    Attributes:
        path: Its path, as seen from the folder of the list.
        instance: The instance whose file it is.
    """

    path: Path
    instance: Instance


class ChecksumLister:
    """Makes lists of the MD5s of stored files.

    Args:
        orthanc: Has the files.
        checksums: Those that Orthanc keeps.
        streams: Where unfinished lists wait between two ranges.
    """

    def __init__(self, orthanc: InstanceFiles, checksums: StoredChecksums, streams: StreamPool) -> None:
        self._orthanc = orthanc
        self._checksums = checksums
        self._streams = streams

    def list(self, files: Sequence[ListedFile]) -> DerivedFile:
        """Return the list of some files, sorted by path.

        Reading raises `Unavailable` if a file was replaced since then, and the errors of reading a file.
        """
        files = sorted(files, key=lambda file: file.path)
        size = sum(len(_line(file, _UNKNOWN)) for file in files)
        etag = _etag(files)

        def stream() -> ForwardStream:
            return ForwardStream(self._blocks(files), size)

        newest = max((file.instance.received for file in files if file.instance.received), default=None)
        return DerivedFile(size, etag, "text/plain", partial(StreamedFile, size, etag, self._streams, stream), newest)

    def _blocks(self, files: Sequence[ListedFile]) -> Generator[bytes, None, None]:
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            kept = self._checksums.look_up([(file.instance.id, file.instance.uuid) for file in batch])
            digests = ((file, kept.get(file.instance.uuid, {}).get(Algorithm.MD5)) for file in batch)
            yield b"".join(_line(file, (digest or self._computed(file.instance)).hex()) for file, digest in digests)

    def _computed(self, instance: Instance) -> bytes:
        """Return the MD5 of a file of which Orthanc keeps none."""
        digest = hashlib.md5(usedforsecurity=False)
        with self._orthanc.open_instance(instance.id) as file:
            for block in file.buffers():
                digest.update(block)
        if [each.uuid for each in self._orthanc.instances([instance.id])] != [instance.uuid]:
            raise Unavailable("an image was replaced while its checksum was listed")
        return digest.digest()


def _line(file: ListedFile, digest: str) -> bytes:
    name = "/".join(file.path)
    name = "./-" if name == "-" else name  # which is the standard input to md5sum
    escaped = "".join(_ESCAPES.get(character, character) for character in name)
    mark = "" if escaped == name else "\\"
    return f"{mark}{digest}  {escaped}\n".encode()


def _etag(files: Sequence[ListedFile]) -> str:
    digest = hashlib.sha256(b"md5sum")
    for file in files:
        digest.update(json.dumps([file.path, file.instance.uuid]).encode())
    return digest.hexdigest()[:32]
