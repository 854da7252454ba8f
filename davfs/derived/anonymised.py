"""Makes anonymised DICOM files while they are read.

A drive needs to know the size of a file before it is made, and the same bytes whenever it is read. So

1. the data set before the pixels is read, and de-identified (`davfs.derived.deidentifier`),
2. the pixels are passed on as they come from Orthanc, never as a whole in memory, and nothing behind them,
3. the file is padded to a size that follows from the original's (`davfs.derived.sizes`).

The pixels are never looked at: text that is burned into them stays. Images of kinds that usually have such text are not
served, unless their attributes say that they have none (`davfs.confidentiality.pixels`).
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from davfs import __version__
from davfs.cache import LruCache, LruSet
from davfs.confidentiality import pixels
from davfs.confidentiality.options import PROFILE_ALONE, Options
from davfs.confidentiality.table import EDITION, AttributePlace
from davfs.confidentiality.uids import class_name
from davfs.derived import part10
from davfs.derived.deidentifier import Deidentifier, Person
from davfs.derived.file import DerivedFile
from davfs.derived.identity import Identity
from davfs.derived.pseudonyms import Pseudonyms
from davfs.derived.readers import PrefixReader
from davfs.derived.sizes import padded
from davfs.derived.stored_elements import StoredElement, stored_text
from davfs.derived.streams import ForwardStream, StreamedFile, StreamPool
from davfs.derived.work_limit import WorkLimit
from davfs.entry import DICOM, InMemory, Readable
from davfs.errors import NotAnonymised, OrthancError, Unavailable, UnknownResource
from davfs.layout.subject import subject
from davfs.layout.tags import SUBJECT
from davfs.layout.text import HashKey
from davfs.orthanc import DerivedContent
from davfs.orthanc.file_cache import FileCache
from davfs.orthanc.model import Instance

_CACHED_REFUSALS = 100_000
"""Number of files for which a refusal is cached."""
_REPEATING, _OVERLAYS, _BIT_POSITION = 0xFF00, 0x6000, 0x0102
_IDENTIFIERS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


class AnonymisedFiles:
    """Makes anonymised files, and caches them for a while: mounted drives read them in many small ranges.

    Args:
        orthanc: Has the instances.
        key: The key of pseudonyms.
        options: What is kept, or cleaned.
        largest: Bytes of the largest file that is cached.
        capacity: Bytes of all cached files.
        idle: Seconds after which an unused file is evicted, or a little later.
        now: Clock, in seconds.
    """

    def __init__(  # noqa: PLR0913  limits, each with its default
        self,
        orthanc: DerivedContent,
        key: HashKey,
        options: Options = PROFILE_ALONE,
        *,
        largest: int = 32 << 20,
        capacity: int = 64 << 20,
        idle: float = 10.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._orthanc = orthanc
        self._key = key
        self._options = options
        self._pseudonyms = Pseudonyms(key)
        self._files = FileCache("davfs-anonymised", largest, capacity, idle, now)
        self._streams = StreamPool(idle=idle, now=now)
        self._refusals: LruCache[str, str] = LruCache(_CACHED_REFUSALS)
        self._begun = LruSet[str](_CACHED_REFUSALS)

    def file(self, instance: Instance, tags: Mapping[str, str]) -> DerivedFile:
        """Return the anonymised file of an instance; no request is sent to Orthanc before it is opened.

        Opening it raises `NotAnonymised` if the file cannot be anonymised.

        Args:
            instance: The original.
            tags: Main DICOM tags of the instance, its series, its study and its patient, by keyword.
        """
        size = padded(instance.size, is_image=_is_image(instance.sop_class))
        version = f"{__version__}:{EDITION}:{self._options}:{instance.uuid}:{_subject(tags)}"
        etag = self._key.digest(f"etag:{version}")[:32]
        opened, check = partial(self._open, instance, tags, size, etag), partial(self._check_refusal, instance)
        return DerivedFile(size, etag, DICOM, opened, check=check)

    def can_anonymise(self, instance: Instance, modality: str) -> bool:
        """Return True for an instance that can be anonymised, by its index entry.

        Its tags are requested only if images of its kind usually have text in their pixels.

        Args:
            instance: The original.
            modality: Its series' Modality.

        Raises:
            Unavailable: Orthanc does not answer.
        """
        if pixels.unsupported_reason(instance.sop_class):
            return False
        if self._options.pixels_as_they_are or not pixels.may_show_text(instance.sop_class, modality):
            return True
        try:
            return not self._refusal(instance)
        except Unavailable:
            raise
        except OrthancError:
            return False  # it was just deleted, or its file cannot be read

    def close(self) -> None:
        """Evict all files, and stop the timers, for good."""
        self._files.close()
        self._streams.close()

    @contextmanager
    def _open(self, instance: Instance, tags: Mapping[str, str], size: int, etag: str) -> Iterator[Readable]:
        make = partial(self._blocks, instance, tags, size)
        version = replace(instance, size=size, uuid=etag)
        cached = self._files.get(version, lambda: memoryview(b"".join(make())))
        self._check_unchanged(instance)
        content = self._streamed(size, etag, make) if cached is None else InMemory(nullcontext(cached))
        with content as file:
            yield file

    def _streamed(
        self, size: int, etag: str, blocks: Callable[[], Generator[bytes, None, None]]
    ) -> AbstractContextManager[Readable]:
        def make() -> ForwardStream:
            return ForwardStream(blocks(), size)

        if etag not in self._begun:
            with self._streams.at(etag, 0, make) as stream:
                stream.begin()  # what cannot be anonymised raises here
            self._begun.add(etag)
        return StreamedFile(size, etag, self._streams, make)

    def _check_unchanged(self, instance: Instance) -> None:
        """Raise an error if Orthanc does not have this very file any more."""
        found = self._orthanc.instances([instance.id])
        if found and found[0].uuid == instance.uuid:
            return
        self._files.forget(instance.id)
        raise UnknownResource("an instance was replaced or deleted while it was opened")

    def _check_refusal(self, instance: Instance) -> None:
        if reason := self._refusal(instance):
            raise NotAnonymised(reason)

    def _refusal(self, instance: Instance) -> str:
        """Return the reason if an instance cannot be served, from the cache or by its tags; empty if it can."""
        known = self._refusals.get(instance.uuid)
        if known is None:
            seen = _read_by_orthanc(self._orthanc.all_tags(instance.id))
            known = pixels.refusal_reason(seen, as_they_are=self._options.pixels_as_they_are)
            self._refusals.put(instance.uuid, known)
        return known

    def _blocks(self, instance: Instance, tags: Mapping[str, str], size: int) -> Generator[bytes, None, None]:
        with self._orthanc.open_instance(instance.id) as file:
            if file.size != instance.size:
                raise UnknownResource("an instance was replaced while it was opened")
            try:
                yield from self._anonymised(PrefixReader(file.buffers(), file.size), tags, size)
            except OrthancError:
                raise
            except Exception:  # noqa: BLE001  pydicom raises errors of many kinds where a file is damaged
                raise NotAnonymised("an anonymised file cannot be read") from None  # the cause may tell values

    def _anonymised(self, prefix: PrefixReader, tags: Mapping[str, str], size: int) -> Generator[bytes, None, None]:
        head = part10.read_head(prefix)
        self._deidentify(head.dataset, tags)
        first = head.written()
        left = size - len(first)
        yield first
        for block in part10.pixels(prefix.rest(), head):
            left -= len(block)
            yield block
        yield from head.padding(left)

    def _deidentify(self, dataset: Dataset, tags: Mapping[str, str]) -> None:
        if missing := [keyword for keyword in _IDENTIFIERS if keyword not in dataset]:
            raise ValueError(f"a data set lacks {missing[0]}")
        if reason := pixels.refusal_reason(_read_by_pydicom(dataset), as_they_are=self._options.pixels_as_they_are):
            raise NotAnonymised(reason)
        if _has_graphics_in_pixels(dataset) and not self._options.pixels_as_they_are:
            raise NotAnonymised("an image with graphics in unused bits of its pixels cannot be anonymised")
        who = _subject(tags)
        work = WorkLimit()
        person = Person(self._pseudonyms.patient(who), self._key.days(who), Identity.of(dataset, tags, work))
        place = AttributePlace(stored_text(dataset, "SOPClassUID"))
        Deidentifier(self._options, person, self._pseudonyms.uid, place, work=work).deidentify(dataset)


def _has_graphics_in_pixels(dataset: Dataset) -> bool:
    """Return True for overlays in unused bits of the pixels, a form that was retired in 2004."""
    places = (tag for tag in dataset.keys() if tag.group & _REPEATING == _OVERLAYS and tag.element == _BIT_POSITION)  # noqa: SIM118  a data set iterates over its elements
    return any(any(StoredElement(dataset, tag).value) for tag in places)


def _subject(tags: Mapping[str, str]) -> str:
    return tags.get(SUBJECT) or subject(tags)


def _is_image(sop_class: str) -> bool:
    return "Image" in class_name(sop_class)


def _read_by_pydicom(dataset: Dataset) -> dict[str, str]:
    return {keyword: stored_text(dataset, keyword) for keyword in pixels.ATTRIBUTES if keyword in dataset}


def _read_by_orthanc(tags: Mapping[str, Any]) -> dict[str, str]:
    """Return the same as `_read_by_pydicom` from tags in the form of `davfs.orthanc.DerivedContent.all_tags`."""
    numbers = {keyword: tag_for_keyword(keyword) or 0 for keyword in pixels.ATTRIBUTES}
    names = {keyword: f"{number >> 16:04x},{number & 0xFFFF:04x}" for keyword, number in numbers.items()}
    return {keyword: str(tags[name] or "") for keyword, name in names.items() if name in tags}
