"""An Orthanc whose instances are anonymised."""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pydicom
from pydicom import Dataset

from davfs.confidentiality.options import Options
from davfs.demo.process import OrthancProcess
from davfs.derived.anonymised import AnonymisedFiles
from davfs.layout.text import HashKey
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.model import Instance, OrthancId
from davfs.orthanc.rest import RestOrthanc
from tests.support import dicom
from tests.support.drive import import_by_rest, rest_client

SECRET = b"a key for tests only"
AS_THEY_ARE = Options(pixels_as_they_are=True)


@dataclass(frozen=True, slots=True)
class Served:
    """An instance, and what is made of it."""

    instance: Instance
    tags: Mapping[str, str]
    original: bytes
    content: bytes

    @property
    def before(self) -> Dataset:
        """The original's data set."""
        return pydicom.dcmread(io.BytesIO(self.original))

    @property
    def after(self) -> Dataset:
        """The anonymised data set."""
        return pydicom.dcmread(io.BytesIO(self.content))


@dataclass(frozen=True, slots=True)
class Archive:
    """An Orthanc, and what anonymises its instances."""

    url: str
    rest: httpx.Client
    orthanc: RestOrthanc
    maker: AnonymisedFiles

    def serve(self, one: OrthancId) -> Served:
        """Return an instance with its anonymised file."""
        (instance,) = self.orthanc.instances([one])
        tags = dict(instance.tags)
        above: OrthancId | None = instance.series
        while above:
            (resource,) = self.orthanc.resources([above])
            tags |= resource.tags
            above = resource.parent
        made = self.maker.file(instance, tags)
        with made.open() as file:
            content = b"".join(file.buffers())
        assert (len(content), file.size, made.media_type) == (made.size, made.size, "application/dicom")
        return Served(instance, tags, self.rest.get(f"/instances/{one}/file").content, content)

    def add(self, content: bytes) -> Served:
        """Import a file, and return it with its anonymised one."""
        import_by_rest(self.rest, content)
        return self.serve(OrthancId(dicom.ids(content).instance))


def flat(dataset: Dataset) -> Iterator[tuple[Any, Any]]:
    """Yield tags and values of all elements, those in sequences too."""
    for element in dataset.iterall():
        if element.VR != "SQ":
            yield element.tag, element.value


@contextmanager
def anonymising(run_orthanc: Callable[..., AbstractContextManager[OrthancProcess]]) -> Iterator[Archive]:
    """Start an Orthanc without the plugin."""
    with run_orthanc(plugins=[]) as server, rest_client(server) as rest, http_client(server.url) as client:
        orthanc = RestOrthanc(HttpTransport(client))
        maker = AnonymisedFiles(orthanc, HashKey(SECRET), AS_THEY_ARE)
        yield Archive(server.url, rest, orthanc, maker)
        maker.close()
