"""litmus at every door: in the inbox, where everything can be written, and in a layout, where nothing can."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from davfs.demo.process import OrthancProcess
from tests.litmus.expectations import UNDECIDED, VERSIONS, Litmus
from tests.support.doors import COLLECTION, Door, opened
from tests.support.litmus import Suite, litmus, version


@pytest.fixture(scope="module")
def known() -> Litmus:
    """What the litmus that is installed finds."""
    return VERSIONS[version()]


@pytest.fixture(scope="module")
def collection(process: OrthancProcess) -> Iterator[Door]:
    """Orthanc's own port."""
    with opened(COLLECTION, process) as each:
        yield each


def inbox(door: Door) -> str:
    """Make a folder in the inbox, and return its address."""
    assert door.drive.mkcol(f"inbox/{door.name}").status_code == 201
    return f"{door.url}inbox/{door.name}/"


def test_complete_server_passes_everything(server: Door, known: Litmus, tmp_path: Path) -> None:
    """In the inbox of the complete server every test of every suite passes, without a warning."""
    suites = litmus(inbox(server), tmp_path)
    flaws = {name: (each.failures, each.skipped, each.warnings) for name, each in suites.items()}
    assert flaws == dict.fromkeys(known.server, ([], [], []))
    assert {name: (each.passed, each.total) for name, each in suites.items()} == known.server


def test_failures_at_orthancs_port_are_known(collection: Door, known: Litmus, tmp_path: Path) -> None:
    """In the inbox at Orthanc's own port no other test fails than those whose reasons are documented."""
    suites = litmus(inbox(collection), tmp_path)
    for name, reasons in known.failures.items():
        assert set(suites[name].failed) | UNDECIDED == set(reasons) | UNDECIDED, name
    for name, (passed, total) in known.collection.items():
        assert (suites[name].passed, suites[name].total) >= (passed, total), name


def test_layouts_are_read_only(door: Door, known: Litmus, tmp_path: Path) -> None:
    """In a layout each suite ends where it makes its folder: that is refused, as is all writing there."""
    suites = litmus(f"{door.url}by-patient/", tmp_path)
    assert set(suites) == set(known.server)
    assert [name for name, suite in suites.items() if not ends_at_its_folder(suite)] == []
    assert "litmus" not in door.drive.listing("by-patient")


def ends_at_its_folder(suite: Suite) -> bool:
    """Return True if only the creation of the folder failed, which is forbidden."""
    ((test, reason),) = suite.failures
    return test == "begin" and "Could not create new collection" in reason and "403 Forbidden" in reason
