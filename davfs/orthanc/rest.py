"""Calls Orthanc's REST API over any transport, and parses its JSON into the values of `davfs.orthanc.model`.

Source: https://orthanc.uclouvain.be/api/; the routes behave alike on Orthanc 1.10.1 and 1.12.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any

from davfs.entry import Readable
from davfs.errors import BadFile, OrthancError, Unavailable, UnknownResource
from davfs.orthanc import Buffer
from davfs.orthanc.codes import is_lost, upload_error
from davfs.orthanc.description import (
    parse_changes,
    parse_ids,
    parse_instance,
    parse_resources,
    parse_with_children,
)
from davfs.orthanc.metadata import RestMetadata
from davfs.orthanc.model import (
    Changes,
    Counts,
    Instance,
    Level,
    OrthancId,
    Resource,
    StoreResult,
    StoreStatus,
    WithChildren,
)
from davfs.orthanc.response_cache import ResponseCache
from davfs.orthanc.responses import as_list, parse_errors
from davfs.orthanc.transport import Transport

_LISTS = 2 << 20
"""Bytes of cached responses about many resources."""
_UNCOMPRESSED = "1.2.840.10008.1.2.1"
_IDENTIFIERS = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
_DOCUMENT, _ROWS, _COLUMNS = "0042-0011", "0028-0010", "0028-0011"
"""The tags EncapsulatedDocument, Rows and Columns."""
_LARGEST_PICTURE = 150_000_000
"""Pixels of the largest image that is rendered: Orthanc allocates what an image claims to have, which a file of 1 KB
can claim to be 4 GB, and parses no other file meanwhile."""
_NO_SUCH_FORM = {HTTPStatus.UNSUPPORTED_MEDIA_TYPE, 3000}
"""Orthanc's codes if it cannot render an instance: the HTTP status, or ``OrthancPluginErrorCode`` inside Orthanc 1.12.9
and newer. Inside older ones, and if an instance has no PDF, the code is that for an unknown resource."""


class RestOrthanc(RestMetadata):
    """`davfs.orthanc.Orthanc` over a transport."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._responses = ResponseCache()
        self._list_responses = ResponseCache(_LISTS)  # most of them are requested once, and would fill the other cache

    @parse_errors()
    def is_read_only(self) -> bool:
        """Return True if Orthanc refuses all that would change anything (``ReadOnly``, since 1.12.5)."""
        return bool(self._json("/system").get("ReadOnly", False))

    @parse_errors()
    def plugins(self) -> frozenset[str]:
        """Return the names of Orthanc's plugins, this one included."""
        return frozenset(as_list(self._json("/plugins")))

    @parse_errors()
    def last_change(self) -> int:
        """See `davfs.orthanc.Orthanc`."""
        return int(self._json("/changes?last")["Last"])

    def changes(self, since: int, limit: int = 1000) -> Changes:
        """See `davfs.orthanc.Orthanc`; the same object if the response has not changed."""
        body = self._transport.get(f"/changes?since={since}&limit={limit}")
        return self._responses.read("/changes", body, parse_changes)

    @parse_errors()
    def counts(self) -> Counts:
        """See `davfs.orthanc.Orthanc`."""
        found = self._json("/statistics")
        return Counts(*(found[f"Count{name}"] for name in ("Patients", "Studies", "Series", "Instances")))

    def ids(self, level: Level) -> Sequence[OrthancId]:
        """See `davfs.orthanc.Orthanc`; the same object if the response has not changed."""
        path = f"/{level.value}"
        return self._responses.read(path, self._transport.get(path), parse_ids)

    def id_page(self, level: Level, since: int, limit: int) -> Sequence[OrthancId]:
        """See `davfs.orthanc.Orthanc`."""
        return parse_ids(self._transport.get(f"/{level.value}?since={since}&limit={limit}"))

    @parse_errors()
    def has_count(self, level: Level, count: int) -> bool:
        """See `davfs.orthanc.Orthanc`."""
        last = max(count - 1, 0)  # the last one of them, and none behind it
        return len(as_list(self._json(f"/{level.value}?since={last}&limit=2"))) == count - last

    def with_children(self, level: Level, resource: OrthancId) -> WithChildren:
        """See `davfs.orthanc.Orthanc`; the same object if the response has not changed."""
        path = f"/{level.value}/{resource}"
        return self._responses.read(path, self._transport.get(path), parse_with_children)

    @parse_errors()
    def exists(self, level: Level, resource: OrthancId) -> bool:
        """See `davfs.orthanc.Orthanc`."""
        try:
            as_list(self._json(f"/{level.value}/{resource}/metadata"))
        except UnknownResource:
            return False
        return True

    @parse_errors()
    def existing(self, ids: Sequence[OrthancId]) -> set[OrthancId]:
        """See `davfs.orthanc.Orthanc`."""
        return {OrthancId(item["ID"]) for item in self._bulk(ids, metadata=False)}

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `davfs.orthanc.Orthanc`; the same objects if the response has not changed."""
        found: list[Resource] = []
        for request, body in self._bulk_responses(list(ids), metadata=False):
            found += self._list_responses.read(request, body, parse_resources)
        return found

    def page(self, level: Level, since: int, limit: int) -> Sequence[Resource]:
        """See `davfs.orthanc.Orthanc`."""
        return parse_resources(self._transport.get(f"/{level.value}?expand&since={since}&limit={limit}"))

    @parse_errors()
    def instances(self, ids: Sequence[OrthancId]) -> list[Instance]:
        """See `davfs.orthanc.Orthanc`."""
        return [parse_instance(item) for item in self._bulk(ids, metadata=True) if item["Type"] == "Instance"]

    @parse_errors()
    def instance(self, instance: OrthancId) -> Instance:
        """See `davfs.orthanc.Orthanc`."""
        return parse_instance(self._json(f"/instances/{instance}"))

    @parse_errors()
    def instance_size(self, instance: OrthancId) -> int:
        """See `davfs.orthanc.Orthanc`."""
        return int(self._transport.get(f"/instances/{instance}/attachments/dicom/size"))

    @parse_errors()
    def instance_md5(self, instance: OrthancId) -> str:
        """See `davfs.orthanc.Orthanc`."""
        found = self._transport.get(f"/instances/{instance}/attachments/dicom/md5").decode("ascii")
        int(found, 16)
        return found

    def is_intact(self, instance: OrthancId) -> bool:
        """See `davfs.orthanc.Orthanc`."""
        try:
            self._transport.post(f"/instances/{instance}/attachments/dicom/verify-md5", b"")
        except OrthancError as error:
            if not is_lost(error):
                raise
            if not self.exists(Level.INSTANCE, instance):
                raise UnknownResource("the instance does not exist any more") from error
            return False
        return True

    def open_instance(self, instance: OrthancId, start: int = 0) -> AbstractContextManager[Readable]:
        """See `davfs.orthanc.Orthanc`."""
        return self._transport.open_file(instance, start)

    def description(self, level: Level, resource: OrthancId) -> bytes:
        """See `davfs.orthanc.Orthanc`."""
        return self._transport.get(f"/{level.value}/{resource}")

    def picture(self, instance: OrthancId) -> bytes | None:
        """See `davfs.orthanc.Orthanc`."""
        if self._number(instance, _ROWS) * self._number(instance, _COLUMNS) > _LARGEST_PICTURE:
            return None
        return self._rendition(instance, "preview")

    def report(self, instance: OrthancId) -> bytes | None:
        """See `davfs.orthanc.Orthanc`."""
        found = self._rendition(instance, "pdf")
        if found is None or len(found) % 2 == 0:
            return found or None
        # The length of an element is even. Orthanc takes a last byte that ends no line for padding, and cuts it off.
        element = self._transport.get(f"/instances/{instance}/content/{_DOCUMENT}")
        return found if element.endswith(b"\0") else element

    @parse_errors()
    def all_tags(self, instance: OrthancId) -> Mapping[str, Any]:
        """See `davfs.orthanc.Orthanc`."""
        found: dict[str, Any] = self._json(f"/instances/{instance}/tags?short")
        return found

    def uncompressed(self, content: Buffer, instance: OrthancId | None) -> bytes:
        """See `davfs.orthanc.Orthanc`."""
        try:
            return self._transport.transcoded(content, _UNCOMPRESSED)
        except OrthancError:
            if instance is None:
                raise
        request = {"Keep": _IDENTIFIERS, "Force": True, "Transcode": _UNCOMPRESSED}
        return self._transport.post(f"/instances/{instance}/modify", json.dumps(request).encode())

    @parse_errors()
    def store(self, content: Buffer) -> StoreResult:
        """See `davfs.orthanc.Orthanc`."""
        try:
            response = json.loads(self._transport.post("/instances", content))
        except OrthancError as error:
            raise upload_error(error) from error
        if isinstance(response, list):
            raise BadFile("Orthanc took the file for an archive")
        return StoreResult(OrthancId(response["ID"]), StoreStatus(response["Status"]), response.get("ParentStudy", ""))

    @parse_errors()
    def create_dicom(self, tags: Mapping[str, str], content: str) -> StoreResult:
        """See `davfs.orthanc.Orthanc`."""
        request = json.dumps({"Tags": tags, "Force": True, "Content": content}).encode()
        try:
            response = json.loads(self._transport.post("/tools/create-dicom", request))
        except OrthancError as error:
            raise upload_error(error) from error
        return StoreResult(OrthancId(response["ID"]), StoreStatus(response.get("Status", "Success")))

    def delete(self, level: Level, resource: OrthancId) -> None:
        """See `davfs.orthanc.Orthanc`."""
        self._transport.delete(f"/{level.value}/{resource}")

    def delete_instances(self, instances: Sequence[OrthancId]) -> None:
        """See `davfs.orthanc.Orthanc`."""
        there = sorted(self.existing(instances))
        if there:
            self._transport.post("/tools/bulk-delete", json.dumps({"Resources": there}).encode())
            if self.existing(there):  # the response is empty, so that it proves nothing
                raise Unavailable("instances were not deleted")

    def _rendition(self, instance: OrthancId, form: str) -> bytes | None:
        """Return an instance in another form, None if it has no such form."""
        try:
            return self._transport.get(f"/instances/{instance}/{form}")
        except OrthancError as error:
            if not isinstance(error, UnknownResource) and error.code not in _NO_SUCH_FORM:
                raise
        if not self.exists(Level.INSTANCE, instance):
            raise UnknownResource("the instance does not exist any more")
        return None

    def _number(self, instance: OrthancId, tag: str) -> int:
        """Return the value of an attribute of representation US, 0 if there is none or the file is lost."""
        try:
            value = self._rendition(instance, f"content/{tag}")
        except OrthancError as error:
            if not is_lost(error):
                raise
            return 0
        return int.from_bytes((value or b"")[:2], "little")

    def _json(self, path: str) -> Any:
        return json.loads(self._transport.get(path))

    def _bulk(self, ids: Sequence[OrthancId], *, metadata: bool) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for _, body in self._bulk_responses(ids, metadata=metadata):
            found += as_list(json.loads(body))
        return found

    def _bulk_responses(self, ids: Sequence[OrthancId], *, metadata: bool) -> Iterator[tuple[str, bytes]]:
        """Request many resources in batches; yield the body of each request, and of its response."""
        for batch in self._batches.split(ids):
            request = json.dumps({"Resources": list(batch), "Metadata": metadata})
            yield request, self._transport.post("/tools/bulk-content", request.encode())
