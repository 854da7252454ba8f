"""Makes the files that describe a folder: tags in JSON, a picture, a report."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice

from pydicom.uid import EncapsulatedPDFStorage

from davfs.derived.file import DerivedFile
from davfs.derived.rendition_cache import RenditionCache
from davfs.entry import InMemory
from davfs.errors import OrthancError, Unavailable, UnknownResource
from davfs.orthanc import DerivedContent, Instance, Level, OrthancId, Resource
from davfs.orthanc.description import agreed, described, parse_date

_TRIED = 3
"""Series from which an image is tried: a study of reports only must not cost a request for each."""


@dataclass(frozen=True, slots=True)
class _Form:
    """A rendition of an instance by Orthanc: its name, its media type, and the function that requests it."""

    name: str
    media_type: str
    ask: Callable[[OrthancId], bytes | None]


class Documents:
    """Makes descriptions, pictures and reports; the latter two are cached by the name of the stored file.

    Args:
        orthanc: Renders them.
        renditions: The cache of what it rendered.
    """

    def __init__(self, orthanc: DerivedContent, renditions: RenditionCache | None = None) -> None:
        self._orthanc = orthanc
        self._renditions = renditions or RenditionCache()
        self._picture = _Form("picture", "image/png", orthanc.picture)
        self._report = _Form("report", "application/pdf", orthanc.report)

    def description(self, level: Level, resource: OrthancId) -> DerivedFile:
        """Return Orthanc's description of a study or series, as it is now.

        Raises:
            UnknownResource: It does not exist any more.
        """
        return _description(self._orthanc.description(level, resource))

    def patient(self, patient: OrthancId, studies: Sequence[OrthancId]) -> DerivedFile:
        """Return a description of a patient by some of the patient's studies, in the form of Orthanc's own.

        Orthanc's describes all studies with the same PatientID, and has the name of the first person among them.

        Args:
            patient: Orthanc's id of the patient.
            studies: The studies.
        """
        found = self._orthanc.resources(studies)
        tags, updated = agreed([one.patient for one in found]), [one.updated for one in found if one.updated]
        told = Resource(patient, Level.PATIENT, None, tags, max(updated, default=None))
        return _description(described(told, sorted(one.id for one in found)))

    def picture(self, instances: Iterable[Mapping[OrthancId, Instance]]) -> DerivedFile | None:
        """Return a picture of the image in the middle of the first series that can be rendered.

        Args:
            instances: The instances of each series; one instance of each of the first three series is tried.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        series = islice((one for one in instances if one), _TRIED)
        return self._first(self._picture, (_in_order(one.values())[len(one) // 2] for one in series))

    def report(self, instances: Iterable[Mapping[OrthancId, Instance]]) -> DerivedFile | None:
        """Return the first PDF that is encapsulated in an instance.

        Args:
            instances: The instances of each series.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        kind = EncapsulatedPDFStorage
        series = ([each for each in one.values() if each.sop_class == kind] for one in instances)
        return self._first(self._report, (each for one in series for each in _in_order(one)))

    def _first(self, form: _Form, instances: Iterable[Instance]) -> DerivedFile | None:
        return next((made for one in instances if (made := self._made(form, one))), None)

    def _made(self, form: _Form, instance: Instance) -> DerivedFile | None:
        try:
            size = self._renditions.size((form.name, instance.id, instance.uuid), lambda: form.ask(instance.id))
        except Unavailable:
            raise
        except OrthancError:
            return None  # just deleted, or unreadable: no reason not to list the folder
        if not size:
            return None
        opened = partial(self._content, form, instance, size)
        return DerivedFile(
            size, f"{instance.uuid}-{form.name}", form.media_type, lambda: InMemory(opened()), instance.received
        )

    @contextmanager
    def _content(self, form: _Form, instance: Instance, size: int) -> Iterator[memoryview]:
        content = self._renditions.content((form.name, instance.id, instance.uuid), lambda: form.ask(instance.id))
        if len(content) != size:
            raise UnknownResource("a file was replaced while it was opened")
        yield memoryview(content)


def _description(content: bytes) -> DerivedFile:
    etag = hashlib.blake2b(content, digest_size=16).hexdigest()
    updated = parse_date(json.loads(content).get("LastUpdate"))
    return DerivedFile(
        len(content), etag, "application/json", lambda: InMemory(nullcontext(memoryview(content))), updated
    )


def _in_order(instances: Iterable[Instance]) -> list[Instance]:
    """Sort by InstanceNumber, those without one after the others, then by id."""
    return sorted(instances, key=lambda one: (*_number(one), one.id))


def _number(instance: Instance) -> tuple[bool, int]:
    try:
        return False, int(instance.tags.get("InstanceNumber", ""))
    except ValueError:
        return True, 0
