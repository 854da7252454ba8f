"""Five images of two patients, which the tests of an Orthanc store."""

from davfs.orthanc import Level, Orthanc, OrthancId, StoreStatus
from tests.support import dicom

FIRST = dicom.instance("p1", study=1, series=1, number=1)
SAME_SERIES = dicom.instance("p1", study=1, series=1, number=2)
NEXT_SERIES = dicom.instance("p1", study=1, series=2, number=1)
NEXT_STUDY = dicom.instance("p1", study=2, series=1, number=1)
OTHER = dicom.instance("p2", study=1, series=1, number=1, pixels=2048)
ALL = (FIRST, SAME_SERIES, NEXT_SERIES, NEXT_STUDY, OTHER)
UNKNOWN = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")


def path(content: bytes) -> dict[Level, OrthancId]:
    """Return Orthanc's ids of an instance and of all above it."""
    ids = dicom.ids(content)
    return dict(zip(Level, map(OrthancId, (ids.patient, ids.study, ids.series, ids.instance)), strict=True))


def instance(content: bytes) -> OrthancId:
    """Return the id of an instance."""
    return path(content)[Level.INSTANCE]


def stored_file(orthanc: Orthanc, one: OrthancId) -> bytes:
    """Return the whole DICOM file of an instance."""
    with orthanc.open_instance(one) as file:
        return b"".join(file.buffers())


def fill(orthanc: Orthanc) -> None:
    """Store five instances: two patients, three studies, four series."""
    for content in ALL:
        assert orthanc.store(content).status is StoreStatus.SUCCESS
