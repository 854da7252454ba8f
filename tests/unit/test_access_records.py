"""Tests of the middleware that records what became of a request at the drive's own port."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from davfs.audit.record import AuditRecord, Door
from davfs.doors.webdav.access_records import AccessRecords
from davfs.doors.webdav.context import access_of
from davfs.doors.webdav.file_range import FileRange
from davfs.doors.webdav.http_errors import HttpError
from davfs.entry import Entry
from davfs.errors import AlreadyExists, Forbidden, NoSpace
from tests.support.audit import KeptTrail
from tests.unit.test_access_report import IMAGE, opened

Answer = Callable[[dict[str, Any]], Iterator[bytes]]


class Asked:
    """One request, and what was recorded of it.

    Args:
        answer: The application behind the middleware.
        method: Method of the request.
        path: Its path.
        headers: Further keys of its environment.
    """

    def __init__(self, answer: Answer, method: str = "GET", path: str = "/by-study/1.dcm", **headers: str) -> None:
        self._trail = KeptTrail()
        login = SimpleNamespace(trusted_proxies=(ip_network("10.0.0.0/8"),))
        context = SimpleNamespace(audit=self._trail, door=Door.SERVE, login=login)
        self._environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "REMOTE_ADDR": "10.0.0.7", **headers}
        self._application = AccessRecords(None, lambda environ, _start: answer(environ), {"davfs": context})

    def blocks(self) -> Iterator[bytes]:
        """Yield the blocks of the response."""
        yield from self._application(self._environ, lambda *_: None)

    @property
    def record(self) -> AuditRecord | None:
        """The only record; None if there is none."""
        assert len(self._trail.records) <= 1
        return self._trail.records[0] if self._trail.records else None


def sending(entry: Entry, *blocks: Any) -> Answer:
    """Return an application that sends a file."""

    def answer(environ: dict[str, Any]) -> Iterator[bytes]:
        access_of(environ).opened(("by-study", entry.name), opened(entry))
        yield from blocks

    return answer


def failing(error: Exception) -> Answer:
    """Return an application that fails."""

    def answer(environ: dict[str, Any]) -> Iterator[bytes]:
        raise error
        yield environ

    return answer


def outcome(asked: Asked) -> tuple[str, str, int | None]:
    """Return how a request ended."""
    assert asked.record is not None
    return asked.record.outcome, asked.record.reason, asked.record.bytes


def test_a_file_is_recorded_when_it_was_sent() -> None:
    """There is one record, and none before the end."""
    asked = Asked(sending(IMAGE, b"12", b"34"))
    for block in asked.blocks():
        assert block
        assert asked.record is None
    assert outcome(asked) == ("done", "", 4)


def test_a_client_that_goes_away() -> None:
    """The bytes that it took are counted; those that the kernel sends are not known."""
    for blocks, taken in (((b"12", b"34"), 2), ((FileRange(0, 0, 4),), None)):
        asked = Asked(sending(IMAGE, *blocks))
        response = asked.blocks()
        for _ in blocks:
            next(response)
        response.close()  # type: ignore[attr-defined]  # a generator
        assert outcome(asked) == ("partial", "Interrupted", taken)


def test_a_file_on_the_disk() -> None:
    """A file that the kernel has sent was read as a whole."""
    asked = Asked(sending(IMAGE, FileRange(0, 0, 4)))
    assert len(list(asked.blocks())) == 1
    assert outcome(asked) == ("done", "", 4)


def test_a_file_that_cannot_be_read_to_its_end() -> None:
    """What fails on the way has failed."""

    def answer(environ: dict[str, Any]) -> Iterator[bytes]:
        yield from sending(IMAGE, b"12")(environ)
        raise OSError

    asked = Asked(answer)
    with pytest.raises(OSError):  # noqa: PT011  this very one
        list(asked.blocks())
    assert outcome(asked) == ("failed", "OSError", 2)


@pytest.mark.parametrize("folder", ["inbox", "by-study"])
def test_an_upload_that_breaks_off(folder: str) -> None:
    """A client that goes away before its upload is complete has uploaded nothing."""

    def answer(_environ: dict[str, Any]) -> Iterator[bytes]:
        while True:
            yield b""

    asked = Asked(answer, "PUT", f"/{folder}/1.dcm")
    response = asked.blocks()
    next(response)
    response.close()  # type: ignore[attr-defined]  # a generator
    assert outcome(asked)[:2] == ("failed", "BrokenUpload")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Forbidden((), ""), ("refused", "Forbidden")),
        (NoSpace((), ""), ("failed", "NoSpace")),
        (HttpError(HTTPStatus.NOT_FOUND, ""), ("failed", "NotFound")),
        (HttpError(HTTPStatus.LOCKED, ""), ("refused", "Locked")),
        (HttpError(HTTPStatus.PRECONDITION_FAILED, ""), ("refused", "PreconditionFailed")),
        (HttpError(HTTPStatus.SERVICE_UNAVAILABLE, ""), ("failed", "HttpError")),
        (ZeroDivisionError(), ("failed", "ZeroDivisionError")),
    ],
)
def test_errors(error: Exception, expected: tuple[str, str]) -> None:
    """An error is named by its class, one of HTTP by its status."""
    asked = Asked(failing(error), "DELETE")
    with pytest.raises(type(error)):
        list(asked.blocks())
    assert outcome(asked)[:2] == expected


def test_the_cause_of_an_error() -> None:
    """An error of HTTP that stands for one of the drive's is named by that."""
    error = HttpError(HTTPStatus.PRECONDITION_FAILED, "")
    error.__cause__ = AlreadyExists((), "")
    asked = Asked(failing(error), "MOVE")
    with pytest.raises(HttpError):
        list(asked.blocks())
    assert outcome(asked)[:2] == ("refused", "AlreadyExists")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "MKCOL"])
def test_what_is_never_recorded(method: str) -> None:
    """These concern no image, whether they succeed or not."""
    asked = Asked(failing(Forbidden((), "")), method)
    with pytest.raises(Forbidden):
        list(asked.blocks())
    assert asked.record is None


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("POST", "/davfs-api/reload", "reload"),
        ("POST", "/davfs-api/trash/1/restore", "restore"),
        ("DELETE", "/davfs-api/trash/1", "purge"),
        ("GET", "/davfs-api/trash", None),
    ],
)
def test_calls_of_the_api(method: str, path: str, action: str | None) -> None:
    """What programs do by the drive's API is recorded as what it is."""

    def answer(environ: dict[str, Any]) -> Iterator[bytes]:
        access_of(environ).done()
        yield b""

    asked = Asked(answer, method, path)
    list(asked.blocks())
    assert (asked.record.action if asked.record else None) == action
    assert asked.record is None or asked.record.client.protocol == "http"


def test_the_client() -> None:
    """A client behind a trusted proxy has its own address; what it writes to the left of that is not believed."""
    headers = {"HTTP_X_FORWARDED_FOR": "6.6.6.6, 192.0.2.1, 10.0.0.9", "HTTP_USER_AGENT": "Mozilla/5.0"}
    asked = Asked(sending(IMAGE, b"1234"), HTTP_SEC_FETCH_SITE="same-origin", **headers)
    asked._environ["wsgidav.auth.user_name"] = "alice"
    list(asked.blocks())
    assert asked.record is not None
    client = asked.record.client
    assert (client.user, client.address, client.door, client.protocol) == ("alice", "192.0.2.1", Door.SERVE, "http")
    assert client.agent == "Mozilla/5.0"
