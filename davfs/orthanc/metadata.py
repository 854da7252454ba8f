"""Reads and writes metadata of studies, which Orthanc keeps for other programs (``/studies/{id}/metadata``).

Orthanc compares the entity tag in ``If-Match`` within the transaction that writes: with an SQLite index too, and
whether or not ``CheckRevisions`` is set. It ignores the tag where there is no value yet, so that a tag that no value
has means "only if there is none". Each change is in the log of changes, as ``UpdatedMetadata``, and is an event.

Source: https://orthanc.uclouvain.be/book/users/rest.html (metadata), and run on 1.10.1.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from davfs.errors import OrthancError, UnknownResource, ValueChanged
from davfs.orthanc.batches import Batches
from davfs.orthanc.description import read_with_children
from davfs.orthanc.model import MetadataValue, OrthancId, WithChildren
from davfs.orthanc.responses import as_list, parse_errors
from davfs.orthanc.transport import Method, Tagged, Transport

_NO_VALUE = '"0-none"'
"""An entity tag that no value has: in it, the MD5 of the value stands behind the dash."""
_FEW = 3
"""Studies whose values are read one by one. Of many, that takes twice as long as ``/tools/bulk-content`` on 1.10.1, and
far less on 1.12.7 with an SQLite index."""
_CHANGED = {43, HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED}
"""Orthanc's code ``Revision``, and the statuses for it."""


class RestMetadata:
    """`davfs.orthanc.StudyMetadata` over a transport.

    Args:
        transport: Sends the requests.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._batches = Batches()
        self._has_extended_find: bool | None = None

    def metadata(self, study: OrthancId, number: int) -> MetadataValue | None:
        """See `davfs.orthanc.StudyMetadata`."""
        self._all_metadata(study)  # a response of 404 alone does not prove that Orthanc has sent it
        try:
            found = self._transport.call("GET", _path(study, number))
        except UnknownResource:
            return None
        return MetadataValue(found.body, found.tag)

    def set_metadata(self, study: OrthancId, number: int, value: bytes, expected: MetadataValue | None) -> None:
        """See `davfs.orthanc.StudyMetadata`."""
        self._change("PUT", _path(study, number), value, expected)

    def delete_metadata(self, study: OrthancId, number: int, expected: MetadataValue) -> None:
        """See `davfs.orthanc.StudyMetadata`."""
        try:
            self._change("DELETE", _path(study, number), b"", expected)
        except UnknownResource as error:
            self._all_metadata(study)
            raise ValueChanged("the value has been deleted") from error

    def metadata_of(self, studies: Sequence[OrthancId], number: int, prefix: str) -> Mapping[OrthancId, bytes | None]:
        """See `davfs.orthanc.StudyMetadata`."""
        if len(studies) > _FEW and not self._finds_metadata():
            with parse_errors():
                in_bulk = self._in_bulk(studies, Metadata=True)
                return {OrthancId(one["ID"]): _value(one["Metadata"], number, prefix) for one in in_bulk}
        found: dict[OrthancId, bytes | None] = {}
        for study in studies:
            try:
                found[study] = _value(self._all_metadata(study), number, prefix)
            except UnknownResource:
                continue
        return found

    def studies_of(self, ids: Sequence[OrthancId]) -> Sequence[OrthancId]:
        """See `davfs.orthanc.StudyMetadata`."""
        return list(dict.fromkeys(OrthancId(one["ID"]) for one in self._at_level("Study", ids)))

    def series_of(self, studies: Sequence[OrthancId]) -> Sequence[WithChildren]:
        """See `davfs.orthanc.StudyMetadata`."""
        return list(map(read_with_children, self._at_level("Series", studies)))

    def studies_with_metadata(self, number: int) -> frozenset[OrthancId] | None:
        """See `davfs.orthanc.StudyMetadata`."""
        if not self._finds_metadata():
            return None
        request = {"Level": "Study", "Query": {}, "MetadataQuery": {str(number): "*"}, "Expand": False}
        with parse_errors():
            found = as_list(json.loads(self._transport.post("/tools/find", json.dumps(request).encode())))
        return frozenset(map(OrthancId, found))

    def _finds_metadata(self) -> bool:
        """Return True if Orthanc finds resources by metadata, and otherwise would ignore that it was asked to."""
        if self._has_extended_find is None:
            with parse_errors():
                capabilities = json.loads(self._transport.get("/system")).get("Capabilities", {})
                self._has_extended_find = bool(capabilities.get("HasExtendedFind", False))
        return self._has_extended_find

    def _at_level(self, level: str, ids: Sequence[OrthancId]) -> list[dict[str, Any]]:
        """Return the resources of a level above or below others; one that is above several of them can come again."""
        return self._in_bulk(ids, Level=level, Metadata=False)

    @parse_errors()
    def _in_bulk(self, ids: Sequence[OrthancId], **options: Any) -> list[dict[str, Any]]:
        found = list[dict[str, Any]]()
        for batch in self._batches.split(ids):
            request = {"Resources": list(batch), **options}
            found += as_list(json.loads(self._transport.post("/tools/bulk-content", json.dumps(request).encode())))
        return found

    def _all_metadata(self, study: OrthancId) -> Mapping[str, Any]:
        with parse_errors():
            found: Mapping[str, Any] = json.loads(self._transport.get(f"/studies/{study}/metadata?expand"))
            found.keys()
            return found

    def _change(self, method: Method, path: str, value: bytes, expected: MetadataValue | None) -> Tagged:
        try:
            return self._transport.call(method, path, value, expected.tag if expected else _NO_VALUE)
        except OrthancError as error:
            if error.code in _CHANGED:
                raise ValueChanged("the value has been changed meanwhile") from error
            raise


def _value(found: Mapping[str, Any], number: int, prefix: str) -> bytes | None:
    """Return the value with a number; where it has a name (``UserMetadata``), one that begins with the prefix."""
    value = found.get(str(number))
    if value is None:
        value = next((each for each in found.values() if prefix and str(each).startswith(prefix)), None)
    return None if value is None else str(value).encode()


def _path(study: OrthancId, number: int) -> str:
    return f"/studies/{study}/metadata/{number}"
