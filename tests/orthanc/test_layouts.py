"""Layouts with groups and conditions, in a running Orthanc."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from davfs.demo.process import OrthancProcess
from davfs.layout import shipped_names
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import delete_all, import_by_rest, resource
from tests.support.webdav import WebDav

TURNS = 50
FILES = """
[[level]]
series = "{SeriesNumber:03d} {Modality}"
[[level]]
instance = "{InstanceNumber:05d}.dcm"
"""
LAYOUTS = {
    "dates": """[[level]]
group = "{StudyDate:%Y}"
[[level]]
group = "{StudyDate:%Y-%m}"
[[level]]
study = "{PatientID}"
""",
    "modalities": '[[level]]\ngroup = "{ModalitiesInStudy}"\n[[level]]\nstudy = "{PatientID}"',
    "scans": '[where]\nModality = "CT"\n[[level]]\npatient = "{PatientID}"\n[[level]]\nstudy = "{StudyDescription}"',
}
PLACES = {
    "dates": "dates/2024/2024-02/{patient}/001 CT/00001.dcm",
    "modalities": "modalities/CT/{patient}/001 CT/00001.dcm",
    "scans": "scans/{patient}/Study 1/001 CT/00001.dcm",
}
"""Where `dicom.instance` of a patient is, in each of them."""
SECONDS = 10
"""Within which deletions that Orthanc tells of late, or does not tell of, have to be seen in groups."""


@pytest.fixture(scope="module")
def orthanc(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    """Deleting is allowed, and there are layouts with groups and conditions."""
    folder = tmp_path_factory.mktemp("layouts")
    files = []
    for title, levels in LAYOUTS.items():
        files.append(folder / f"{title}.toml")
        files[-1].write_text(f'title = "{title}"\n{levels}\n{FILES}', encoding="utf-8")
    with run_orthanc(
        davfs={"AllowDelete": True, "DeleteForGood": True, "Layouts": [str(file) for file in files]}
    ) as server:
        yield server


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    """Tests of the shared server start when its archive is empty, and the groups show that."""
    if "rest" in request.fixturenames:
        delete_all(request.getfixturevalue("rest"))
        wait_for(request.getfixturevalue("drive"), {title: [] for title in LAYOUTS})


def wait_for(drive: WebDav, wanted: dict[str, list[str]]) -> None:
    """Wait until folders show what they have to show in time."""
    end = time.monotonic() + SECONDS
    while (shown := {path: sorted(drive.listing(path)) for path in wanted}) != wanted:
        assert time.monotonic() < end, shown
        time.sleep(0.05)


def shows(drive: WebDav, path: str, depth: int) -> bool:
    """Return True if the entry at this depth of a path is in the listing of the folder above it."""
    segments = path.split("/")
    above = "/".join(segments[:depth])
    return drive.status(above) == 207 and segments[depth] in drive.listing(above)


@pytest.mark.parametrize("title", LAYOUTS)
def test_what_arrives_is_shown(drive: WebDav, rest: httpx.Client, title: str) -> None:
    """A new instance is in its groups in the next listing, at whatever depth that begins."""
    depths = PLACES[title].count("/")
    for number in range(TURNS):
        name = f"{title} {number}"  # of no earlier test: groups may show for a moment what was deleted
        content = dicom.instance(name)
        path = PLACES[title].format(patient=name)
        patient = path.split("/").index(name)
        assert not shows(drive, path, patient)
        import_by_rest(rest, content)
        assert shows(drive, path, max(patient, 1 + number % depths))
        assert drive.get(path).content == content


@pytest.mark.parametrize("title", LAYOUTS)
def test_what_is_deleted_through_the_drive_is_gone(drive: WebDav, rest: httpx.Client, title: str) -> None:
    """A study that is deleted by its path in a group is gone from there at once, and from every other place."""
    for number in range(TURNS):
        name = f"gone {title} {number}"
        import_by_rest(rest, dicom.instance(name))
        paths = {one: path.format(patient=name) for one, path in PLACES.items()}
        assert drive.delete(paths[title].rsplit("/", 2)[0]).status_code == 204
        for path in paths.values():
            assert drive.status(path) == 404
            assert not shows(drive, path, path.split("/").index(name))
    assert rest.get("/studies").json() == []


def test_what_is_deleted_elsewhere_goes(drive: WebDav, rest: httpx.Client) -> None:
    """A study deleted through REST is 404 at once, and its empty groups leave the listing in time."""
    import_by_rest(rest, dicom.instance("a"), dicom.instance("b", tags={"StudyDate": "20230101"}))
    assert list(drive.listing("dates")) == ["2023", "2024"]
    rest.delete(resource(dicom.instance("a"), "studies"))
    assert drive.status(PLACES["dates"].format(patient="a")) == 404
    wait_for(drive, {"dates": ["2023"]})
    assert drive.status("dates/2024") == 404


def test_groups_cannot_be_deleted(drive: WebDav, rest: httpx.Client) -> None:
    """Deleting the folder of a group is refused, and deletes nothing."""
    import_by_rest(rest, dicom.instance("a"))
    for path in ("dates/2024", "dates/2024/2024-02", "modalities/CT"):
        assert drive.delete(path).status_code == 403
    assert drive.get(PLACES["dates"].format(patient="a")).content == dicom.instance("a")


def test_series_decide_about_their_study(drive: WebDav, rest: httpx.Client) -> None:
    """A series that arrives, or is deleted, moves its study between groups, and in and out of conditions."""
    scan = dicom.instance("a", series=2)
    import_by_rest(rest, dicom.instance("a", tags={"Modality": "MR"}))
    assert (list(drive.listing("modalities")), list(drive.listing("scans"))) == (["MR"], [])
    import_by_rest(rest, scan)
    assert (sorted(drive.listing("modalities")), list(drive.listing("scans"))) == (["CT", "MR"], ["a"])
    assert drive.delete("modalities/MR/a/002 CT").status_code == 204
    assert (list(drive.listing("modalities")), list(drive.listing("scans"))) == (["MR"], [])


def test_restart_on_the_same_data(run_orthanc: RunOrthanc) -> None:
    """A layout that is added to an archive shows it at once after the restart."""
    with run_orthanc() as server, httpx.Client(base_url=server.url, trust_env=False) as rest:
        import_by_rest(rest, dicom.instance("a"))
        folder = server.folder
    file = folder / "dates.toml"
    file.write_text(f'title = "dates"\n{LAYOUTS["dates"]}\n{FILES}', encoding="utf-8")
    for layouts in ([str(file)], ["by-patient", str(file)]):
        with run_orthanc(folder, davfs={"Layouts": layouts}) as server, WebDav(server.drive_url) as drive:
            assert drive.get(PLACES["dates"].format(patient="a")).content == dicom.instance("a")


def test_shipped_layouts_show_every_file(run_orthanc: RunOrthanc) -> None:
    """Each layout that is shipped lists each file, but for those with conditions, or with a key of hashes."""
    names = [name for name in shipped_names() if name not in {"recent", "research", "research-images"}]
    contents = {dicom.instance("a"), dicom.instance("a", 1, 2), dicom.instance("b", tags={"StudyDate": None})}
    with ExitStack() as stack:
        server = stack.enter_context(run_orthanc(davfs={"Layouts": names}))
        drive = stack.enter_context(WebDav(server.drive_url))
        rest = stack.enter_context(httpx.Client(base_url=server.url, trust_env=False))
        import_by_rest(rest, *contents)
        for name in names:
            assert contents <= set(_files(drive, name)), name


def _files(drive: WebDav, folder: str) -> Iterator[bytes]:
    for name, entry in drive.listing(folder).items():
        if entry.is_folder:
            yield from _files(drive, f"{folder}/{name}")
        else:
            yield drive.get(f"{folder}/{name}").content


def test_dates_before_the_calendar_of_the_core(run_orthanc: RunOrthanc) -> None:
    """Folders are listed whatever the date of their images: Orthanc's calendar begins in 1400."""
    days = ["00010101", "09990101", "13991231", "14000101", "99991231"]
    with run_orthanc(davfs={"Layouts": ["by-date"]}) as server, WebDav(server.drive_url) as drive:
        for day in days:
            tags = {"StudyDate": day, "AcquisitionDate": day}
            import_by_rest(drive.http, dicom.instance(f"p{day}", tags=tags))
        wait_for(drive, {"by-date": [day[:4] for day in days]})
        assert [list(drive.listing(f"by-date/{day[:4]}")) for day in days] == [
            [f"{day[:4]}-{day[4:6]}"] for day in days
        ]
