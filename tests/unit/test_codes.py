"""Tests of the meaning of Orthanc's error codes, inside Orthanc and over HTTP."""

import json
import os
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from davfs.errors import BadFile, OrthancError, StorageFull, Unavailable, UnknownResource
from davfs.orthanc.codes import MEANINGS, Meaning, error_of, upload_error
from davfs.orthanc.http import HttpTransport
from davfs.orthanc.rest import RestOrthanc
from tests.support.answering import AnsweringClient

HEADER = Path(os.environ.get("ORTHANC_SDK_ROOT", "/usr/include")) / "orthanc" / "OrthancCPlugin.h"
CODE = re.compile(r"^ +OrthancPluginErrorCode_(\w+) = (-?\d+) ", re.MULTILINE)
TEMPORARY = {"Timeout", "Database", "DatabaseUnavailable", "DatabaseCannotSerialize", "NotEnoughMemory", "Revision"}
FULL = {"FullStorage", "CannotWriteFile", "FileStorageCannotWrite"}
CONTENT = {
    "InternalError", "NotImplemented", "ParameterOutOfRange", "BadParameterType", "InexistentItem", "BadRequest",
    "BadFileFormat", "UnknownResource", "CorruptedFile", "InexistentTag", "IncompatibleImageFormat", "UnknownDicomTag",
    "IncompatibleImageSize", "EmptyRequest", "BadRange", "CannotStoreInstance", "UnsupportedMediaType",
}  # fmt: skip


def failing(error: OrthancError) -> RestOrthanc:
    """Return an Orthanc that fails in every request."""
    return RestOrthanc(Mock(post=Mock(side_effect=error)))


def codes() -> dict[str, int]:
    """Return the error codes of the SDK that is installed."""
    found = {name: int(number) for name, number in CODE.findall(HEADER.read_text())}
    assert len(found) > 100
    return found


def answering(status: int, body: dict[str, Any] | str) -> RestOrthanc:
    """Return an Orthanc whose HTTP server gives one answer to everything."""
    text = body if isinstance(body, str) else json.dumps(body)
    return RestOrthanc(HttpTransport(AnsweringClient(lambda _: httpx.Response(status, content=text.encode()))))


def test_every_code_has_a_meaning() -> None:
    """Each error code of the SDK is in the table."""
    assert {name for name, code in codes().items() if code and code not in MEANINGS} == set()


@pytest.mark.parametrize("name", sorted(codes().keys() - {"Success"}))
def test_what_a_code_says_of_an_upload(name: str) -> None:
    """Only temporary errors, space and permissions do not depend on the content: inside Orthanc and over HTTP alike."""
    code = codes()[name]
    inside = failing(error_of("reason", code))
    outside = answering(500, {"OrthancError": "reason", "OrthancStatus": code})
    raised = []
    for orthanc in (inside, outside):
        with pytest.raises(OrthancError) as caught:
            orthanc.store(b"x")
        assert caught.value.code == code
        raised.append(type(caught.value))
    assert raised[0] is raised[1]
    if name in TEMPORARY or name.startswith("SQLite"):
        assert raised[0] is Unavailable
    elif name in FULL:
        assert raised[0] is StorageFull
    elif name in CONTENT:
        assert raised[0] is BadFile
    else:
        assert MEANINGS[code] is Meaning.DENIED or raised[0] in (BadFile, Unavailable, StorageFull)


def test_a_code_that_nobody_knows_speaks_of_the_content() -> None:
    """An unknown code counts as one about the content: plugins and newer versions of Orthanc have their own."""
    for code in (1_000_000, 999):
        with pytest.raises(BadFile):
            failing(error_of("reason", code)).store(b"x")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadFile),
        (404, BadFile),
        (413, BadFile),
        (415, BadFile),
        (500, BadFile),
        (301, OrthancError),
        (401, OrthancError),
        (403, OrthancError),
        (405, OrthancError),
        (408, Unavailable),
        (429, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (507, StorageFull),
    ],
)
@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '{"OrthancStatus": "x"}'])
def test_a_status_without_a_code(status: int, error: type[OrthancError], body: str) -> None:
    """Without a code, as with HttpDescribeErrors off or behind a proxy, the HTTP status decides."""
    with pytest.raises(OrthancError) as caught:
        answering(status, body).store(b"x")
    assert (type(caught.value), caught.value.code) == (error, status)


@pytest.mark.parametrize("code", [7, 13, 17, HTTPStatus.NOT_FOUND])
def test_what_is_gone(code: int) -> None:
    """These codes mean that there is no such resource, unless an upload is answered."""
    assert type(error_of("reason", code)) is UnknownResource
    assert type(upload_error(error_of("reason", code))) is BadFile


def test_the_reason_names_the_description_alone() -> None:
    """The reason has Orthanc's description, but not its details, which may contain values from the file."""
    orthanc = answering(400, {"OrthancError": "Bad file format", "OrthancStatus": 15, "Details": "DOE^JOHN"})
    with pytest.raises(BadFile) as caught:
        orthanc.store(b"x")
    assert caught.value.reason == "Orthanc answered 400: Bad file format"


def test_an_upload_that_is_taken_for_an_archive() -> None:
    """Orthanc takes a file that starts as a ZIP for one, and answers with a list."""
    with pytest.raises(BadFile, match="archive"):
        answering(200, "[]").store(b"x")


def test_an_error_that_is_called_a_text() -> None:
    """Some versions of Orthanc call the JSON that describes an error ``text/plain``: it is no proxy's for that."""
    body = json.dumps({"OrthancError": "Bad file format", "OrthancStatus": 15})
    client = AnsweringClient(lambda _: httpx.Response(400, text=body))
    with pytest.raises(BadFile):
        RestOrthanc(HttpTransport(client)).store(b"x")
