"""Tests of the question for Orthanc's version and settings."""

import ssl
from collections.abc import Callable

import httpx
import pytest

from davfs.errors import ConfigurationError, Unavailable
from davfs.orthanc.model import Level
from davfs.orthanc.system import ServerInfo, request_info
from tests.support.answering import AnsweringClient


def asked(answer: Callable[[httpx.Request], httpx.Response]) -> ServerInfo:
    """Ask a server that answers like this."""
    return request_info(AnsweringClient(answer, "http://pacs.example"), 1)


def test_a_new_orthanc() -> None:
    """Since 1.11 the response has the tags that Orthanc keeps; a private tag has no keyword."""
    told = {
        "Name": "pacs",
        "Version": "1.12.7",
        "MainDicomTags": {"Patient": "0010,0010;0010,0020", "Study": "0009,0010;0008,1010", "Series": "", "Other": ""},
    }
    assert asked(lambda _: httpx.Response(200, json=told)) == ServerInfo(
        name="pacs",
        version="1.12.7",
        tags={
            Level.PATIENT: frozenset({"PatientName", "PatientID"}),
            Level.STUDY: frozenset({"StationName"}),
            Level.SERIES: frozenset(),
        },
    )


@pytest.mark.parametrize("value", [True, False])
def test_a_read_only_orthanc(*, value: bool) -> None:
    """Since 1.12.5 the response says if Orthanc is read-only."""
    assert asked(lambda _: httpx.Response(200, json={"Version": "1.12.5", "ReadOnly": value})).read_only is value


def test_an_old_orthanc() -> None:
    """Before 1.11 it does not."""
    assert asked(lambda _: httpx.Response(200, json={"Name": "", "Version": "1.10.1"})) == ServerInfo(
        name="", version="1.10.1", tags={}
    )


@pytest.mark.parametrize("status", [502, 503, 504])
def test_it_may_come_later(status: int) -> None:
    """A proxy before an Orthanc that is starting says so."""
    with pytest.raises(Unavailable):
        asked(lambda _: httpx.Response(status))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(401), "does not take this user name and password"),
        (httpx.Response(403), "does not let this user in"),
        (httpx.Response(404), "is no Orthanc: it has no /system"),
        (httpx.Response(302), "Orthanc answered 302"),
        (httpx.Response(200, text="<html>"), "is no Orthanc: its /system cannot be read"),
        (httpx.Response(200, json=[]), "is no Orthanc"),
        (httpx.Response(200, json={"Version": "1", "MainDicomTags": {"Study": "x"}}), "is no Orthanc"),
    ],
)
def test_it_will_not_come_later(answer: httpx.Response, reason: str) -> None:
    """An error that will not pass is raised at once."""
    with pytest.raises(ConfigurationError, match=reason):
        asked(lambda _: answer)


def test_a_certificate_that_is_not_trusted() -> None:
    """Waiting does not make a certificate better."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise ssl.SSLCertVerificationError("self-signed certificate")

    with pytest.raises(ConfigurationError, match=r"the certificate of .* cannot be trusted"):
        asked(refuse)
