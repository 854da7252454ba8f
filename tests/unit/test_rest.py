"""Orthanc's REST API: what its answers are taken for, in each of its versions."""

from typing import Never

import pytest

from davfs.errors import OrthancError, UnknownResource
from davfs.orthanc import Buffer, OrthancId
from davfs.orthanc.rest import RestOrthanc

ONE = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")


class Unrenderable:
    """`davfs.orthanc.rest.Transport`: has an instance, or has no more, and refuses to render it.

    Args:
        refusal: How.
        gone: Whether the instance does not exist any more.
    """

    def __init__(self, refusal: OrthancError, *, gone: bool = False) -> None:
        self._refusal = refusal
        self._gone = gone

    def get(self, path: str) -> bytes:
        """See `davfs.orthanc.rest.Transport`."""
        if path == f"/instances/{ONE}/metadata" and not self._gone:
            return b"[]"
        raise UnknownResource("Orthanc answered 404") if path.endswith("metadata") else self._refusal

    def post(self, path: str, body: Buffer) -> bytes:
        """See `davfs.orthanc.rest.Transport`."""
        raise NotImplementedError

    def transcoded(self, content: Buffer, syntax: str) -> bytes:
        """See `davfs.orthanc.rest.Transport`."""
        raise NotImplementedError

    def delete(self, path: str) -> None:
        """See `davfs.orthanc.rest.Transport`."""
        raise NotImplementedError

    def open_file(self, instance: OrthancId, start: int) -> Never:
        """See `davfs.orthanc.rest.Transport`."""
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
    """What cannot be rendered has no picture; what was deleted meanwhile is gone."""
    assert RestOrthanc(Unrenderable(refusal)).picture(ONE) is None
    with pytest.raises(UnknownResource):
        RestOrthanc(Unrenderable(refusal, gone=True)).picture(ONE)


def test_picture_that_cannot_be_had_now() -> None:
    """Another error says nothing about the image."""
    with pytest.raises(OrthancError, match="answered 500"):
        RestOrthanc(Unrenderable(OrthancError("Orthanc answered 500", 500))).picture(ONE)
