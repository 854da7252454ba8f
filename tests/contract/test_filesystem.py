"""The drive behaves alike whichever way it is reached: one suite over each of its doors.

``--drive URL --orthanc URL [--user NAME:PASSWORD]`` runs it against servers that run already.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from davfs.demo.ports import LOOPBACK, free_ports
from davfs.demo.process import OrthancProcess
from tests.support import dicom
from tests.support.drive import has, import_by_rest, only_file, place, place_of, resource
from tests.support.orthanc_server import OrthancServer
from tests.support.serving import ServeProcess
from tests.support.webdav import WebDav
from tests.support.zips import zipped

DOORS = ("collection", "server", "standalone")
"""Orthanc's own port; the server in the plugin; the server beside an Orthanc without the plugin."""
GIVEN = "given"
STORED = {201, 204}
TAKEN = {405, 406}
"""Orthanc 1.10.1 has no code that becomes 405."""


@dataclass(frozen=True, slots=True)
class Door:
    """A drive, and the archive behind it."""

    name: str
    drive: WebDav
    rest: httpx.Client


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run over each door, or over the drive that was named on the command line."""
    if "door" in metafunc.fixturenames:
        given = metafunc.config.getoption("--drive")
        metafunc.parametrize("door", [GIVEN] if given else DOORS, indirect=True, scope="module")


@pytest.fixture(scope="module")
def door(
    request: pytest.FixtureRequest, servers: list[OrthancProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """A drive behind one of the doors."""
    if request.param == GIVEN:
        yield from _given(request)
        return
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "standalone":
        with (
            OrthancServer(folder / "orthanc") as process,
            ServeProcess(folder, process.url, "--allow-delete", "--delete-for-good") as serving,
        ):
            servers.append(process)
            yield from _door(request.param, serving.ready().url, process.url)
            servers.remove(process)
        return
    (port,) = free_ports(1)
    davfs = {"AllowDelete": True, "DeleteForGood": True, "Server": {"Enabled": True, "Port": port}}
    with OrthancServer(folder, plugins=[request.getfixturevalue("plugin")], davfs=davfs) as process:
        servers.append(process)
        url = process.drive_url if request.param == "collection" else f"http://{LOOPBACK}:{port}/"
        yield from _door(request.param, url, process.url)
        servers.remove(process)


def _given(request: pytest.FixtureRequest) -> Iterator[Door]:
    options = request.config
    name, _, password = (options.getoption("--user") or "").partition(":")
    auth = (name, password) if name else None
    yield from _door(GIVEN, options.getoption("--drive"), options.getoption("--orthanc"), auth)


def _door(name: str, url: str, orthanc: str, auth: tuple[str, str] | None = None) -> Iterator[Door]:
    rest = httpx.Client(base_url=orthanc, trust_env=False, timeout=10, auth=auth)
    with WebDav(url, auth=auth) as drive, rest:
        yield Door(name, drive, rest)


@pytest.fixture
def drive(door: Door) -> WebDav:
    """The drive of a door."""
    return door.drive


@pytest.fixture
def rest(door: Door) -> httpx.Client:
    """Orthanc's REST API behind a door."""
    return door.rest


def test_root(drive: WebDav) -> None:
    """The root shows its areas and the README, and neither more nor less."""
    listing = drive.listing()
    assert {name: entry.is_folder for name, entry in listing.items()} == {
        "README.txt": False,
        "by-patient": True,
        "inbox": True,
        "search": True,
        "trash": True,
    }
    assert len(drive.get("README.txt").content) == listing["README.txt"].size


def test_uploaded_image(drive: WebDav, rest: httpx.Client) -> None:
    """An image is in Orthanc when the answer comes; its receipt and its place in the layout give the same bytes."""
    content = dicom.instance("contract", pixels=dicom.CT_IMAGE)
    assert drive.put("inbox/contract.dcm", content).status_code in STORED
    assert has(rest, content)
    for path in ("inbox/contract.dcm", place("contract")):
        assert drive.listing(path.rpartition("/")[0])[path.rpartition("/")[2]].size == len(content)
        assert drive.get(path).content == content


def test_upload_by_others(drive: WebDav, rest: httpx.Client) -> None:
    """An image uploaded through REST is listed at once, and is gone at once when it is deleted through REST."""
    content = dicom.instance("by-rest")
    import_by_rest(rest, content)
    path = place("by-rest")
    patient = place_of(path, "patients")
    assert patient.rpartition("/")[2] in drive.listing("by-patient")
    assert drive.get(path).content == content
    rest.delete(resource(content, "patients"))
    assert drive.status(patient) == 404
    assert drive.get(path).status_code == 404
    assert patient.rpartition("/")[2] not in drive.listing("by-patient")


@pytest.mark.parametrize(
    "name", ["notes.txt", "empty", "._notes.txt", ".DS_Store", "größe 日本.txt", "a#b%c&d+e;f.txt"]
)
def test_ordinary_files(drive: WebDav, name: str) -> None:
    """A file is kept under its name, replaced, and deleted."""
    for content in (b"" if name == "empty" else b"first", b"the second, longer"):
        assert drive.put(f"inbox/{name}", content).status_code in STORED
        assert drive.listing("inbox")[name].size in {len(content), None if not content else len(content)}
        assert drive.get(f"inbox/{name}").content == content
    assert drive.delete(f"inbox/{name}").status_code == 204
    assert drive.status(f"inbox/{name}") == 404
    assert name not in drive.listing("inbox")


def test_names_of_macos(drive: WebDav) -> None:
    """A name is the same whether its accents come composed or not, and is shown composed."""
    composed = "Müller.txt"
    assert drive.put(f"inbox/{unicodedata.normalize('NFD', composed)}", b"x").status_code in STORED
    assert composed in drive.listing("inbox")
    assert drive.get(f"inbox/{composed}").content == b"x"
    assert drive.delete(f"inbox/{unicodedata.normalize('NFD', composed)}").status_code == 204


def test_folders(drive: WebDav) -> None:
    """Folders are made, filled, listed, and deleted with all that is in them."""
    assert drive.mkcol("inbox/outer").status_code == 201
    assert drive.mkcol("inbox/outer").status_code in TAKEN
    assert drive.mkcol("inbox/missing/inner").status_code == 409
    assert drive.mkcol("inbox/outer/inner").status_code == 201
    assert drive.put("inbox/outer/inner/file", b"x").status_code in STORED
    assert set(drive.listing("inbox/outer")) == {"inner"}
    assert set(drive.listing("inbox/outer/inner")) == {"file"}
    assert drive.put("inbox/outer/inner", b"x").status_code in {405, 409}
    assert drive.put("inbox/missing/file", b"x").status_code == 409
    assert drive.delete("inbox/outer").status_code == 204
    assert drive.status("inbox/outer/inner/file") == 404


def test_zip(drive: WebDav, rest: httpx.Client) -> None:
    """The images in a ZIP are imported, and the ZIP stays unchanged."""
    contents = [dicom.instance("zipped", number=number) for number in (1, 2, 3)]
    archive = zipped({f"{number}.dcm": content for number, content in enumerate(contents)})
    assert drive.put("inbox/zipped.zip", archive).status_code in STORED
    assert all(has(rest, content) for content in contents)
    assert drive.get("inbox/zipped.zip").content == archive


def test_refused_image(drive: WebDav, rest: httpx.Client) -> None:
    """Another image under known identifiers is an error, changes nothing, and lies in rejected/ with the reason."""
    content = dicom.instance("twice", tags={"ImageComments": "one"})
    import_by_rest(rest, content)
    other = dicom.instance("twice", tags={"ImageComments": "another"})
    assert drive.put("inbox/twice.dcm", other).status_code == 409
    assert has(rest, content)
    assert drive.get("inbox/rejected/twice.dcm").content == other
    assert "SOP instance UID" in drive.get("inbox/rejected/twice.dcm.txt").text
    assert drive.put("inbox/rejected/mine", b"x").status_code == 403
    assert drive.delete("inbox/rejected").status_code == 204


def test_receipts(drive: WebDav, rest: httpx.Client) -> None:
    """Deleting a receipt deletes no image; without its image it is gone."""
    contents = [dicom.instance("receipt", number=number) for number in (1, 2)]
    for number, content in enumerate(contents):
        assert drive.put(f"inbox/receipt{number}", content).status_code in STORED
    assert drive.delete("inbox/receipt0").status_code == 204
    assert has(rest, contents[0])
    rest.delete(resource(contents[1], "instances"))
    assert drive.get("inbox/receipt1").status_code == 404
    assert "receipt1" not in drive.listing("inbox")


def test_nothing_there(drive: WebDav) -> None:
    """Paths that do not exist are 404, at any depth."""
    for path in ("nothing", "by-patient/nothing", "by-patient/a/b/c/d", "inbox/nothing", "README.txt/below"):
        assert drive.status(path) == 404, path
        assert drive.get(path).status_code == 404, path
    assert drive.delete("inbox/nothing").status_code == 404


def test_layouts_are_made_of_images(drive: WebDav, rest: httpx.Client) -> None:
    """Uploads into layouts and into the root are refused, and so is deleting a folder of the root."""
    content = dicom.instance("fixed")
    import_by_rest(rest, content)
    path = place("fixed")
    for refused in (
        drive.put(path, b"x"),
        drive.put(f"{place_of(path, 'patients')}/new.txt", b"x"),
        drive.mkcol(f"{place_of(path, 'studies')}/new"),
        drive.mkcol("new"),
        drive.put("new", b"x"),
        drive.put("README.txt", b"x"),
        drive.delete("inbox"),
        drive.delete("by-patient"),
        drive.delete("README.txt"),
    ):
        assert refused.status_code == 403, refused.request
    assert drive.get(path).content == content


@pytest.mark.parametrize("level", ["patients", "studies", "series", "instances"])
def test_deleting(drive: WebDav, rest: httpx.Client, level: str) -> None:
    """Where it is allowed, a folder's deletion deletes what it shows, and nothing beside it."""
    contents = [dicom.instance(f"del-{level}", study=n, series=n, number=n) for n in (1, 2)]
    kept = dicom.instance(f"kept-{level}")
    import_by_rest(rest, *contents, kept)
    path = place(f"del-{level}")
    assert drive.delete(place_of(path, level)).status_code == 204
    assert drive.status(path) == 404
    assert not has(rest, contents[0])
    assert has(rest, contents[1]) is (level != "patients")
    assert has(rest, kept)


def test_two_of_a_name(drive: WebDav, rest: httpx.Client) -> None:
    """A name that two images claim leads to neither; each has a name of its own."""
    contents = [dicom.instance("same", number=1), dicom.instance("same", number=1, tags={"SOPInstanceUID": "1.2.3.4"})]
    import_by_rest(rest, contents[0])
    assert drive.get(place("same")).content == contents[0]
    import_by_rest(rest, contents[1])
    folder = place_of(place("same"), "series")
    assert drive.get(place("same")).status_code == 404
    assert sorted(drive.get(f"{folder}/{name}").content for name in drive.listing(folder)) == sorted(contents)


def test_only_one_way_down(drive: WebDav, rest: httpx.Client) -> None:
    """Following a listing from folder to folder ends at the image."""
    content = dicom.instance("way", pixels=dicom.CT_IMAGE)
    import_by_rest(rest, content)
    patient = next(name for name in drive.listing("by-patient") if name.startswith("Doe way"))
    assert drive.get(only_file(drive, f"by-patient/{patient}")).content == content
