"""Compares an uploaded file with the image that Orthanc holds under the same SOPInstanceUID."""

import hashlib
import mmap
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path as DiskPath

from davfs.comparison.images import Decoder, difference
from davfs.comparison.parsing import ParsedFile, parse_file
from davfs.comparison.pixels import NotDecodedError, are_compressed, decoded_size
from davfs.elements.files import is_deflated
from davfs.elements.headers import SHORTEST_HEADER
from davfs.elements.walk import Walk
from davfs.errors import Contradiction, OrthancError, Unavailable, UnknownResource
from davfs.orthanc import Buffer, ImportTarget, Level, OrthancId
from davfs.orthanc.codes import is_lost

DIFFERENT = "Orthanc already holds a different file with this SOP instance UID: nothing was changed."
LOST = (
    "Orthanc lists this image, but the file of it in Orthanc's storage is lost or damaged: nothing was changed. Once an"
    " administrator has deleted the image in Orthanc, or restored its file, this file can be uploaded again."
)


_QUICK = 32 << 20
"""Bytes of decoded pixels that can be compared within half a second."""

_MOST = 500_000
"""Data elements of a file that is compared: each takes up to 400 bytes of memory."""


class SlowComparison(Exception):
    """The comparison of two images would take seconds; nothing is wrong with them."""


class SameImage:
    """Compares files with images in Orthanc; thread-safe.

    Args:
        orthanc: Holds the images.
        decode: Decodes compressed pixels that Orthanc cannot decode; None for no further decoder.
        scratch: Folder for temporary files; None for the system's own.
    """

    def __init__(self, orthanc: ImportTarget, decode: Decoder | None = None, scratch: DiskPath | None = None) -> None:
        self._orthanc = orthanc
        self._decode = decode
        self._scratch = scratch

    def is_copy(self, content: Buffer, instance: OrthancId) -> bool:
        """Return True if Orthanc holds exactly these bytes, by the MD5 that it keeps.

        Raises:
            UnknownResource: The instance is gone, or Orthanc keeps no MD5.
        """
        return md5([content]) == self._orthanc.instance_md5(instance).lower()

    def check(self, content: Buffer, instance: OrthancId, *, quick: bool = False) -> bool:
        """Check that Orthanc holds the image of a file; return True if it holds exactly these bytes.

        Args:
            content: The file.
            instance: Orthanc's identifier of the image.
            quick: Whether to give up if large images have to be decoded.

        Raises:
            SlowComparison: It was given up.
            Contradiction: It holds another image, or cannot read the one that it holds.
            UnknownResource: The instance is gone.
        """
        try:
            if self.is_copy(content, instance):
                if not self._orthanc.is_intact(instance):
                    raise Contradiction(LOST)
                return True
        except UnknownResource:  # gone, or merely not kept: "StoreMD5ForAttachments" may be off
            if not self._orthanc.exists(Level.INSTANCE, instance):
                raise
        with self._stored_bytes(instance) as held:
            return self._check_content(memoryview(content), held, instance, quick=quick)

    def _check_content(self, sent: memoryview, held: memoryview, instance: OrthancId, *, quick: bool) -> bool:
        if len(sent) == len(held) and md5([sent]) == md5([held]):
            return True

        if has_too_many_elements(sent) or has_too_many_elements(held):
            raise Contradiction(f"{DIFFERENT} They have too many data elements to be compared.")

        def decode(content: memoryview, file: ParsedFile) -> ParsedFile:
            if quick and decoded_size(file.data) > _QUICK:
                raise SlowComparison
            return self._decoded(content, file, instance if content is held else None)

        found = difference(sent, held, decode, decode)
        if found:
            raise Contradiction(f"{DIFFERENT} {found}")
        return False

    def _decoded(self, content: memoryview, file: ParsedFile, instance: OrthancId | None) -> ParsedFile:
        if not are_compressed(file):
            return file
        try:
            return parse_file(memoryview(self._orthanc.uncompressed(content, instance)))
        except Unavailable:
            raise
        except OrthancError as error:
            if self._decode is None:
                raise NotDecodedError from error
        return self._decode(content, file)

    @contextmanager
    def _stored_bytes(self, instance: OrthancId) -> Iterator[memoryview]:
        """Yield the bytes that Orthanc holds: in its own memory, or in a temporary file."""
        try:
            with self._orthanc.open_instance(instance) as file, tempfile.TemporaryFile(dir=self._scratch) as copy:
                blocks = file.buffers()
                first = next(blocks, memoryview(b""))
                if len(first) == file.size:
                    yield first
                    return
                for block in (first, *blocks):
                    copy.write(block)
                copy.flush()
                yield memoryview(mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ))
        except OrthancError as error:
            if not is_lost(error):
                raise
            if not self._orthanc.exists(Level.INSTANCE, instance):
                raise UnknownResource("the instance does not exist any more") from error
            raise Contradiction(LOST) from error


def has_too_many_elements(content: memoryview) -> bool:
    """Return True if a file has more data elements than are compared in bounded memory."""
    may_have = is_deflated(content) or len(content) > _MOST * SHORTEST_HEADER
    return may_have and Walk(content).count(_MOST) == _MOST


def md5(blocks: Iterable[Buffer]) -> str:
    """Return the MD5 of some bytes, as Orthanc keeps it; it protects against nothing that was made on purpose."""
    digest = hashlib.md5(usedforsecurity=False)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
