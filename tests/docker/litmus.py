"""Runs litmus in the inbox of a drive, and reports if every suite is complete: ``python -m tests.docker.litmus``.

The environment has the drive's address, ``DRIVE_URL``, and a user: ``ORTHANC_USER``, ``ORTHANC_PASSWORD``. Of a drive
on Orthanc's own port no more is asked than Orthanc's core can do, which is in `tests.litmus.expectations`.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

import httpx

from tests.litmus.expectations import VERSIONS, Litmus
from tests.support.litmus import Suite, parse, version
from tests.support.webdav import WebDav

PATIENCE = 60
"""Seconds within which the drive has to be there."""

ON_ORTHANCS_PORT = "/drive/"
"""How the address of a drive on Orthanc's own port ends."""


def main() -> int:
    """Run all suites, print a summary, and return the exit status."""
    url = os.environ["DRIVE_URL"].rstrip("/") + "/"
    user, password = os.environ["ORTHANC_USER"], os.environ["ORTHANC_PASSWORD"]
    wait_for(url, user, password)
    with tempfile.TemporaryDirectory() as folder:  # litmus writes its log into the working directory
        command = ["litmus", "-k", f"{url}inbox/", user, password]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    suites = parse(said.stdout)
    known = VERSIONS[version()]
    flawed = flaws(suites, known, on_orthancs_port=url.endswith(ON_ORTHANCS_PORT))
    if flawed:
        print(said.stdout, said.stderr, sep="\n")  # noqa: T201  this is what it is for
    for name in known.server:
        print(f"{name:8} {flawed.get(name, score(suites[name]) if name in suites else '')}")  # noqa: T201  likewise
    return 1 if flawed else 0


def flaws(suites: Mapping[str, Suite], known: Litmus, *, on_orthancs_port: bool) -> dict[str, str]:
    """Return what is wrong, by suite; empty where everything is as it has to be.

    Args:
        suites: What litmus reported.
        known: What this version of it is known to report.
        on_orthancs_port: Whether Orthanc's core stands between litmus and the drive.
    """
    expected = known.collection if on_orthancs_port else known.server
    failures = known.failures if on_orthancs_port else {}
    found = {name: _flaw(suites.get(name), expected[name], set(failures.get(name, ()))) for name in expected}
    return {name: flaw for name, flaw in found.items() if flaw}


def _flaw(suite: Suite | None, expected: tuple[int, int], known: set[str]) -> str:
    if suite is None:
        return "did not run"
    passed, total = expected
    if unknown := sorted(set(suite.failed) - known):
        return f"{score(suite)}: {', '.join(unknown)}"
    if suite.passed < passed or suite.total != total:
        return f"{score(suite)}, and should be {passed} of {total}"
    if suite.warnings and not known:
        return f"{score(suite)}, with warnings: {'; '.join(suite.warnings)}"
    return ""


def score(suite: Suite) -> str:
    """Return how many tests passed."""
    return f"{suite.passed} of {suite.total}"


def wait_for(url: str, user: str, password: str) -> None:
    """Return once there is a drive.

    Raises:
        SystemExit: There was none in time.
    """
    end = time.monotonic() + PATIENCE
    with WebDav(url, auth=(user, password)) as drive:
        while (answer := _answer(drive)) != str(httpx.codes.MULTI_STATUS.value):
            if time.monotonic() > end:
                raise SystemExit(f"there is no drive at {url}: {answer}")
            time.sleep(1)


def _answer(drive: WebDav) -> str:
    try:
        return str(drive.status())
    except httpx.TransportError as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
