"""Tests of the harness's evaluation of litmus's results."""

from tests.docker.litmus import flaws
from tests.litmus.expectations import VERSIONS
from tests.support.litmus import Suite

KNOWN = VERSIONS["0.13"]


def complete() -> dict[str, Suite]:
    """Return the results of a complete server."""
    return {name: Suite(passed, total) for name, (passed, total) in KNOWN.server.items()}


def limited() -> dict[str, Suite]:
    """Return the results at Orthanc's own port."""
    return {
        name: Suite(passed, total, [(test, "reason") for test in KNOWN.failures[name]])
        for name, (passed, total) in KNOWN.collection.items()
    }


def test_complete() -> None:
    """A complete server has no flaws."""
    assert not flaws(complete(), KNOWN, on_orthancs_port=False)


def test_limited() -> None:
    """What Orthanc's core cannot do is a flaw of a complete server, and none at Orthanc's port."""
    assert not flaws(limited(), KNOWN, on_orthancs_port=True)
    assert set(flaws(limited(), KNOWN, on_orthancs_port=False)) >= {"basic", "copymove", "props", "locks"}


def test_suite_that_did_not_run() -> None:
    """A suite without results is a flaw."""
    suites = complete()
    del suites["locks"]
    assert flaws(suites, KNOWN, on_orthancs_port=False) == {"locks": "did not run"}


def test_suite_that_ended_early() -> None:
    """A suite that ended before its last test is a flaw, though none failed."""
    suites = complete() | {"locks": Suite(3, 3)}
    assert flaws(suites, KNOWN, on_orthancs_port=False) == {"locks": "3 of 3, and should be 41 of 41"}


def test_warning() -> None:
    """A warning is a flaw of a complete server."""
    suites = complete() | {"basic": Suite(16, 16, warnings=["no DAV header"])}
    assert flaws(suites, KNOWN, on_orthancs_port=False) == {"basic": "16 of 16, with warnings: no DAV header"}


def test_unknown_failure() -> None:
    """A failure that nobody has explained is a flaw at Orthanc's port too, and named."""
    suites = limited()
    suites["http"].failures.append(("something_new", "reason"))
    assert flaws(suites, KNOWN, on_orthancs_port=True) == {"http": f"{limited()['http'].passed} of 4: something_new"}
