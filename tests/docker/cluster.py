"""Drives of several nodes behind one address, from inside of the cluster of docker-compose.yml.

    pytest tests/docker/cluster.py              what one node stores or deletes is right at all addresses
    python -m tests.docker.cluster SECONDS      ten clients list patients for so long: each answer has to be right

The balancer is at http://balancer; the environment has a user: ``ORTHANC_USER``, ``ORTHANC_PASSWORD``.
"""

import os
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support import dicom
from tests.support.webdav import WebDav

DRIVES = ("http://balancer:8042/davfs/drive/", "http://balancer:8043/", "http://balancer:8044/")
ORTHANC = "http://balancer:8042"
SEEN_WITHIN = 2.0
"""Seconds after which a deletion shows everywhere."""
CLIENTS, PATIENCE = 10, 20.0


def main() -> int:
    """List patients with several clients, and return the exit code: 1 where one answer was not right."""
    end = time.monotonic() + float(sys.argv[1])
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = sum(pool.map(lambda number: _answers(number, end), range(CLIENTS)), Counter[str]())
    for answer, number in sorted(answers.items()):
        print(f"{number:7} {answer}")  # noqa: T201  this is what it is for
    return int(set(answers) != {"207"})


def _answers(number: int, end: float) -> Counter[str]:
    """List the patients at one address after the other, each time over a new connection."""
    found: Counter[str] = Counter()
    while time.monotonic() < end:
        number += 1
        try:
            with _drive(DRIVES[number % len(DRIVES)]) as drive:
                found[str(drive.status("by-patient/"))] += 1
        except httpx.HTTPError as error:
            found[type(error).__name__] += 1
    return found


def _drive(url: str) -> WebDav:
    return WebDav(url, auth=(os.environ["ORTHANC_USER"], os.environ["ORTHANC_PASSWORD"]), seconds=PATIENCE)


@pytest.fixture
def patient() -> Iterator[str]:
    """An image of a new patient, stored through some node; the patient's ID."""
    patient = str(uuid.uuid4())
    with _rest() as rest:
        found = rest.post("/instances", content=dicom.instance(patient)).raise_for_status().json()
        yield patient
        rest.delete(f"/patients/{found['ParentPatient']}")


def _rest() -> httpx.Client:
    user = os.environ["ORTHANC_USER"], os.environ["ORTHANC_PASSWORD"]
    return httpx.Client(base_url=ORTHANC, auth=user, timeout=PATIENCE)


@pytest.mark.parametrize("url", DRIVES)
def test_stored_image_is_shown_by_all_nodes(url: str, patient: str) -> None:
    """What one node has stored, each answer after that shows, whichever node gives it."""
    for _ in range(2 * CLIENTS):
        with _drive(url) as drive:
            assert any(patient in name for name in drive.listing("by-patient"))


@pytest.mark.parametrize("url", DRIVES)
def test_deleted_image_is_gone_from_all_nodes(url: str, patient: str) -> None:
    """What one node has deleted, no node shows two seconds later."""
    with _rest() as rest:
        (found,) = rest.post("/tools/find", json={"Level": "Patient", "Query": {"PatientID": patient}}).json()
        rest.delete(f"/patients/{found}").raise_for_status()
    time.sleep(SEEN_WITHIN)
    for _ in range(2 * CLIENTS):
        with _drive(url) as drive:
            assert not any(patient in name for name in drive.listing("by-patient"))


if __name__ == "__main__":
    sys.exit(main())
