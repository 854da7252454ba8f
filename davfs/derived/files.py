"""Makes derived files, for all layouts of a drive."""

from collections.abc import Sequence

from davfs.confidentiality.options import Options
from davfs.derived.anonymised import AnonymisedFiles
from davfs.derived.archive import ArchiveMember, archive
from davfs.derived.checksum_list import ChecksumLister, ListedFile
from davfs.derived.checksums import StoredChecksums
from davfs.derived.documents import Documents
from davfs.derived.file import DerivedFile
from davfs.derived.streams import StreamPool
from davfs.layout.text import HashKey
from davfs.orthanc import DerivedContent, Instance


class DerivedFiles:
    """Makes derived files, and caches the expensive ones for a while.

    Args:
        orthanc: Has the originals.

    Attributes:
        documents: Tags, pictures and reports.
        checksums: Those of the originals.
    """

    def __init__(self, orthanc: DerivedContent) -> None:
        self.checksums = StoredChecksums(orthanc)
        self.documents = Documents(orthanc)
        self._orthanc = orthanc
        self._streams = StreamPool()
        self._lister = ChecksumLister(orthanc, self.checksums, self._streams)
        self._anonymised: dict[tuple[HashKey, Options], AnonymisedFiles] = {}

    def archive(self, members: Sequence[ArchiveMember]) -> DerivedFile:
        """Return an archive of DICOM files."""
        return archive(members, self._streams, self._unchanged)

    def checksum_list(self, files: Sequence[ListedFile]) -> DerivedFile:
        """Return the list of the MD5s of DICOM files."""
        return self._lister.list(files)

    def _unchanged(self, instances: Sequence[Instance]) -> bool:
        now = {one.id: one.uuid for one in self._orthanc.instances([one.id for one in instances])}
        return all(now.get(one.id) == one.uuid for one in instances)

    def anonymised(self, key: HashKey, options: Options) -> AnonymisedFiles:
        """Return the anonymised files for a key and options.

        Args:
            key: The key of pseudonyms.
            options: The options of the profile.
        """
        return self._anonymised.setdefault((key, options), AnonymisedFiles(self._orthanc, key, options))

    def close(self) -> None:
        """Evict everything from the caches."""
        self._streams.close()
        for one in self._anonymised.values():
            one.close()
