"""Where there is no search/: the configuration has none, or no layout shows the files of images as they are."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import connected, import_by_rest
from tests.support.webdav import WebDav

QUERY = "search/PatientName=doe"
NAMES_ALONE = 'title = "names"\n[[level]]\npatient = "{PatientName}"\n'


@pytest.fixture(params=["setting", "names alone", "anonymised"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The section of a drive without search/."""
    file = tmp_path / "names.toml"
    file.write_text(NAMES_ALONE)
    sections: dict[str, dict[str, Any]] = {
        "setting": {"Search": False},
        "names alone": {"Layouts": [str(file)]},
        "anonymised": {"Layouts": ["research-images"], "HashKey": "a key that nobody knows"},
    }
    return sections[request.param]


def test_search_is_absent(run_orthanc: RunOrthanc, settings: dict[str, Any]) -> None:
    """The search area is neither listed nor found nor in README.txt, and the catalog has no entries for it."""
    (port,) = free_ports(1)
    with run_orthanc(davfs=settings | {"Server": {"Enabled": True, "Port": port}}) as process:
        with connected(process) as server, WebDav(f"http://{LOOPBACK}:{port}/") as other:
            import_by_rest(server.rest, dicom.instance("search"))
            for drive in (server.drive, other):
                found = drive.listing()
                (layout,) = found.keys() - {"inbox", "README.txt"}
                assert len(drive.listing(layout)) == 1
                assert [drive.status(path) for path in ("search", "search/README.txt", QUERY)] == [404] * 3
                assert drive.mkcol(QUERY).status_code in {403, 404, 409}
                assert "\nsearch/" not in drive.get("README.txt").text
        assert placed(process) == 1


def placed(process: OrthancProcess) -> int:
    """Count the layouts that the catalog places resources for."""
    with closing(sqlite3.connect(process.folder / "storage" / "davfs" / "catalog.sqlite")) as catalog:
        ((count,),) = catalog.execute("SELECT count(DISTINCT layout) FROM folder")
    return int(count)
