"""Health checks, and responses before the drive has started."""

import io
import threading
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from davfs.doors.webdav.context import Application
from davfs.doors.webdav.health import HEALTH, READY, HealthChecks, Readiness, StartingApplication


def send(application: Application, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Send a request, and return status, headers and body."""
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method, "wsgi.input": io.BytesIO()}
    setup_testing_defaults(environ)
    answer: list[Any] = []
    body = b"".join(application(environ, lambda status, headers: answer.extend([status, headers])))
    return int(answer[0].split()[0]), dict(answer[1]), body


def drive(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer as a drive."""
    start_response("200 OK", [])
    return [b"the drive"]


def health(obstacle: str | None = None) -> HealthChecks:
    """Return the middleware before a drive."""
    return HealthChecks(drive, Readiness(lambda: obstacle))


def test_health_is_the_process() -> None:
    """The health check succeeds while the drive cannot be used."""
    assert send(health("no Orthanc"), HEALTH)[::2] == (200, b"ok\n")


def test_ready() -> None:
    """A drive that can be used is ready."""
    assert send(health(), READY)[::2] == (200, b"ok\n")


def test_not_ready() -> None:
    """A drive that cannot be used says why, and when to ask again."""
    status, headers, body = send(health("Orthanc does not answer."), READY)
    assert (status, body) == (503, b"Orthanc does not answer.\n")
    assert headers["Retry-After"] == "5"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/", "/davfs-api", "/davfs-api/", "/davfs-api/healthy", "/by-patient/davfs-api/health"]
)
def test_everything_else_is_the_drive(path: str) -> None:
    """All other paths are passed to the drive."""
    assert send(health("no Orthanc"), path)[2] == b"the drive"


@pytest.mark.parametrize("path", [HEALTH, READY])
def test_nothing_but_reading(path: str) -> None:
    """Health checks can be read only; HEAD has the same headers and no body."""
    assert send(health(), path, "PUT")[0] == 405
    status, headers, body = send(health(), path, "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "3", b"")


def test_orthanc_is_not_asked_each_time() -> None:
    """Frequent checks are answered from the cache."""
    now, looks = [0.0], []
    readiness = Readiness(lambda: looks.append(1) or f"look {len(looks)}", clock=lambda: now[0])  # type: ignore[func-returns-value]  # to count
    assert {readiness.obstacle() for _ in range(100)} == {"look 1"}
    now[0] = 1.0
    assert readiness.obstacle() == "look 2"


def test_a_slow_look_is_made_once() -> None:
    """Concurrent checks wait for the first one, and share its result."""
    looking, looks = threading.Event(), []

    def look() -> str | None:
        looks.append(1)
        looking.wait(10)
        return None

    readiness = Readiness(look, clock=lambda: 0.0)
    threads = [threading.Thread(target=readiness.obstacle) for _ in range(5)]
    for thread in threads:
        thread.start()
    looking.set()
    for thread in threads:
        thread.join()
    assert len(looks) == 1


def test_before_there_is_a_drive() -> None:
    """All requests get 503 until the drive has started."""
    starting = StartingApplication()
    status, headers, _ = send(starting, "/by-patient/")
    assert (status, headers["Retry-After"]) == (503, "5")
    starting.switch_to(drive)
    assert send(starting, "/by-patient/")[2] == b"the drive"
