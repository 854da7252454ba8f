"""Orthanc's REST API: what its answers are taken for, in each of its versions."""

import json
from typing import Any, Never

import pytest

from davfs.errors import OrthancError, UnknownResource
from davfs.orthanc import Buffer, OrthancId
from davfs.orthanc.rest import RestOrthanc
from davfs.orthanc.transport import Method

ONE = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")


class Answering:
    """A `davfs.orthanc.transport.Transport` with one answer to all requests, in bytes that are not the same object.

    Args:
        answer: What JSON is made of.
    """

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def get(self, path: str) -> bytes:  # noqa: ARG002  Transport's form
        """See `davfs.orthanc.transport.Transport`."""
        return json.dumps(self.answer).encode()

    def post(self, path: str, body: Buffer) -> bytes:  # noqa: ARG002  Transport's form
        """See `davfs.orthanc.transport.Transport`."""
        return json.dumps(self.answer).encode()

    def call(self, method: Method, path: str, body: bytes = b"", match: str = "") -> Never:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def open_file(self, instance: OrthancId, start: int) -> Never:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError


def test_same_log() -> None:
    """The log is parsed once, and again as soon as it has changed."""
    entry = {"Seq": 3, "ChangeType": "NewStudy", "ResourceType": "Study", "ID": ONE, "Date": "20240229T120000"}
    transport = Answering({"Changes": [entry], "Last": 3, "Done": True})
    orthanc = RestOrthanc(transport)
    first = orthanc.changes(2)
    assert orthanc.changes(2) is first
    transport.answer = {"Changes": [entry, {**entry, "Seq": 4}], "Last": 4, "Done": True}
    assert [change.seq for change in orthanc.changes(2).entries] == [3, 4]


def test_same_resources() -> None:
    """Each is read once, for as long as nothing changes in any of those that were asked for."""
    study = {"ID": ONE, "Type": "Study", "ParentPatient": "p", "MainDicomTags": {"StudyDescription": "first"}}
    transport = Answering([study, {**study, "ID": "other"}])
    orthanc = RestOrthanc(transport)
    first = orthanc.resources([ONE])
    assert all(one is other for one, other in zip(first, orthanc.resources([ONE]), strict=True))
    transport.answer = [{**study, "MainDicomTags": {"StudyDescription": "second"}}]
    assert [one.tags for one in orthanc.resources([ONE])] == [{"StudyDescription": "second"}]


class Unrenderable:
    """`davfs.orthanc.transport.Transport`: has an instance, or has no more, and refuses to render it.

    Args:
        refusal: How.
        gone: Whether the instance does not exist any more.
    """

    def __init__(self, refusal: OrthancError, *, gone: bool = False) -> None:
        self._refusal = refusal
        self._gone = gone

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        if path == f"/instances/{ONE}/metadata" and not self._gone:
            return b"[]"
        raise UnknownResource("Orthanc answered 404") if path.endswith("metadata") else self._refusal

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def call(self, method: Method, path: str, body: bytes = b"", match: str = "") -> Never:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def open_file(self, instance: OrthancId, start: int) -> Never:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError


@pytest.mark.parametrize(
    "refusal",
    [
        OrthancError("Orthanc answered 415", 415),
        OrthancError("Unsupported media type", 3000),
        UnknownResource("Unknown resource", 17),
    ],
    ids=["over HTTP", "inside", "inside before 1.12.9"],
)
def test_no_picture(refusal: OrthancError) -> None:
    """An instance that cannot be rendered has no picture; a deleted one is unknown."""
    assert RestOrthanc(Unrenderable(refusal)).picture(ONE) is None
    with pytest.raises(UnknownResource):
        RestOrthanc(Unrenderable(refusal, gone=True)).picture(ONE)


def test_picture_that_cannot_be_had_now() -> None:
    """Another error says nothing about the image."""
    with pytest.raises(OrthancError, match="answered 500"):
        RestOrthanc(Unrenderable(OrthancError("Orthanc answered 500", 500))).picture(ONE)


class Newer:
    """`davfs.orthanc.transport.Transport` of an Orthanc that finds studies by metadata, from 1.12.5 on.

    Args:
        capable: Whether its database does.
    """

    def __init__(self, *, capable: bool) -> None:
        self._capable = capable
        self.requests = list[tuple[str, Any]]()

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        if path == "/system":
            return json.dumps({"Version": "1.12.7", "Capabilities": {"HasExtendedFind": self._capable}}).encode()
        assert path == f"/studies/{ONE}/metadata?expand"
        return json.dumps({"LastUpdate": "20240229T120000", "the-trash": "a mark"}).encode()

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        request = json.loads(bytes(body))
        self.requests.append((path, request))
        found = {"ID": ONE, "Metadata": {"the-trash": "a mark"}}
        return json.dumps([ONE] if path == "/tools/find" else [found]).encode()

    def call(self, method: Method, path: str, body: bytes = b"", match: str = "") -> Never:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError

    def open_file(self, instance: OrthancId, start: int) -> Never:
        """See `davfs.orthanc.transport.Transport`."""
        raise NotImplementedError


def test_metadata_are_found() -> None:
    """Where Orthanc finds studies by metadata it is asked to; another one would answer with all studies."""
    newer, older = Newer(capable=True), Newer(capable=False)
    assert RestOrthanc(newer).studies_with_metadata(4242) == frozenset([ONE])
    wanted = {"Level": "Study", "Query": {}, "MetadataQuery": {"4242": "*"}, "Expand": False}
    assert newer.requests == [("/tools/find", wanted)]
    assert RestOrthanc(older).studies_with_metadata(4242) is None
    assert RestOrthanc(Answering({"Version": "1.10.1"})).studies_with_metadata(4242) is None
    assert not older.requests


@pytest.mark.parametrize("capable", [True, False])
def test_metadata_with_a_name(*, capable: bool) -> None:
    """A value whose number has a name is known by how it begins, one by one and in bulk."""
    orthanc = RestOrthanc(Newer(capable=capable))
    for studies in ([ONE], [ONE] * 5):
        assert orthanc.metadata_of(studies, 4242, "a m") == {ONE: b"a mark"}
        assert orthanc.metadata_of(studies, 4242, "b") == {ONE: None}
