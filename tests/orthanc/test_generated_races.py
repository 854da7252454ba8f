"""Extra files of a folder while the archive, or the layouts, change under those who read them."""

import io
import json
import random
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from davfs.demo.ports import free_ports
from davfs.demo.process import OrthancProcess
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom, documents
from tests.support.drive import connected, delete_all, import_by_rest, resource, rest_client
from tests.support.webdav import WebDav, parse

SECONDS = 6.0
"""How long many clients are at it."""
CLIENTS = 16
STUDIES = 4
LARGE = 60
"""Images of the study whose archive is read slowly: 30 MB, more than sockets hold."""
OPEN = """
title = "open"
description = "version {version}"
[[level]]
study = "{{PatientID}}"
files = ["study.zip", "study.json", "preview.png", "report.pdf"]
[[level]]
series = "{{SeriesNumber}} {{Modality}}"
files = ["series.zip", "preview.png"]
[[level]]
instance = "{{InstanceNumber:05d}}.dcm"
"""
ANONYMISED = """
title = "anonymised"
anonymised = true
[[level]]
study = "{PatientID:hash}"
files = ["study.zip"]
[[level]]
instance = "{InstanceNumber:05d}.dcm"
"""
EXPECTED = {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT, httpx.codes.MULTI_STATUS, httpx.codes.NO_CONTENT}
PASSING = {httpx.codes.NOT_FOUND, httpx.codes.SERVICE_UNAVAILABLE}
"""What is answered of what has just gone, or cannot be told at the moment."""


@dataclass
class Place:
    """An Orthanc with the plugin, both doors, and a file of a layout that can be changed."""

    process: OrthancProcess
    layout: Path
    drives: list[WebDav]
    rest: httpx.Client
    seen: Counter[str] = field(default_factory=Counter)

    def reload(self, version: int) -> None:
        """Write another version of the layout, and have the drive reload it."""
        new = self.layout.with_suffix(".new")
        new.write_text(OPEN.format(version=version), encoding="utf-8")
        new.replace(self.layout)
        answer = httpx.post(f"{self.process.server_url}davfs-api/reload", trust_env=False, timeout=10)
        assert answer.status_code == httpx.codes.OK, answer.text


@pytest.fixture(scope="module")
def place(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A drive with an open layout and an anonymised one."""
    folder = tmp_path_factory.mktemp("races")
    layout, other = folder / "open.toml", folder / "anonymised.toml"
    layout.write_text(OPEN.format(version=0), encoding="utf-8")
    other.write_text(ANONYMISED, encoding="utf-8")
    (port,) = free_ports(1)
    davfs = {
        "Layouts": [str(layout), str(other)],
        "HashKey": "a key that only this test knows",
        "AllowDelete": True,
        "DeleteForGood": True,
        "Server": {"Enabled": True, "Port": port},
    }
    with run_orthanc(davfs=davfs, stops=True) as process, rest_client(process) as rest:
        own, server = WebDav(process.drive_url, seconds=20), WebDav(process.server_url, seconds=20)
        with own, server:
            yield Place(process, layout, [own, server], rest)


def contents(number: int) -> list[bytes]:
    """Return the files of one of the studies that come and go."""
    about = {"PatientID": f"s{number}"}
    images = [
        dicom.instance(f"s{number}", 1, series, each, pixels=64 * dicom.ROW, tags=about)
        for series in (1, 2)
        for each in (1, 2, 3)
    ]
    return [*images, documents.encapsulated(b"%PDF-1.4\n%%EOF\n", tags=about | {"SeriesNumber": 3})]


def judge(place: Place, path: str, answer: httpx.Response) -> None:
    """Hold an answer against what it may be."""
    place.seen[f"{answer.status_code} {path.rpartition('.')[2][:4]}"] += 1
    if answer.status_code not in EXPECTED:
        assert answer.status_code in PASSING, (path, answer.status_code, answer.text)
        return
    if path.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
    elif path.endswith(".json"):
        assert json.loads(answer.content)["Type"] == "Study"
    elif path.endswith(".png"):
        assert answer.content.startswith(b"\x89PNG")
    elif path.endswith(".pdf"):
        assert answer.content.startswith(b"%PDF")
    elif path.endswith(".dcm"):
        assert answer.content[128:132] == b"DICM"


def read(place: Place, drive: WebDav, chance: random.Random) -> None:
    """List a folder, and read all files in it."""
    title = chance.choice(("open", "anonymised"))
    folder = title
    for _ in range(chance.choice((1, 2))):
        answer = drive.request("PROPFIND", folder, headers={"Depth": "1"})
        if answer.status_code != httpx.codes.MULTI_STATUS:
            judge(place, folder, answer)
            return
        below = {each.name: each for each in parse(answer.content)[1:]}
        folders = sorted(name for name, each in below.items() if each.is_folder)
        files = sorted(below.keys() - set(folders))
        for name in chance.sample(files, min(3, len(files))):
            path = f"{folder}/{name}"
            try:
                judge(place, path, drive.get(path))
            except httpx.TransportError:  # an image of an archive went while it was read: the connection breaks
                assert name.endswith((".zip", ".dcm")), path
                place.seen["broken"] += 1
        if not folders:
            return
        folder = f"{folder}/{chance.choice(folders)}"


def change(place: Place, number: int, chance: random.Random) -> None:
    """Import a study, and delete a part or all of it, through the drive or through REST."""
    files = contents(number)
    for each in files:
        place.rest.post("/instances", content=each).raise_for_status()
    level = chance.choice(("instances", "series", "studies"))
    if chance.random() < 0.5:
        place.rest.delete(resource(chance.choice(files), level))
    else:
        below = chance.choice(("", "/1 CT", "/2 CT/00002.dcm", "/study.zip"))
        path = f"open/s{number}{below}"
        judge(place, "deleted", chance.choice(place.drives).delete(path))


def test_many_at_once(place: Place) -> None:
    """Clients list, read, import, delete and reload: each answer is whole, or says that something is gone."""
    until = time.monotonic() + SECONDS

    def act(client: int) -> None:
        chance = random.Random(client)  # noqa: S311  the same mixture in each run
        drive = place.drives[client % 2]
        count = 0
        while time.monotonic() < until:
            count += 1
            if client < STUDIES:
                change(place, client, chance)
            elif client == STUDIES:
                place.reload(count)
                time.sleep(0.2)
            else:
                read(place, drive, chance)

    with ThreadPoolExecutor(CLIENTS) as pool:
        for each in [pool.submit(act, client) for client in range(CLIENTS)]:
            each.result()
    assert {"200 zip", "200 json", "200 png", "200 pdf", "200 dcm"} <= place.seen.keys()
    delete_all(place.rest)
    wanted = {resource(each, "studies").rpartition("/")[2] for number in range(STUDIES) for each in contents(number)}
    for number in range(STUDIES):
        import_by_rest(place.rest, *contents(number))
    assert set(place.rest.get("/studies").json()) == wanted
    for drive in place.drives:
        assert len(drive.listing("anonymised")) == len(wanted)
        (first, *_) = drive.listing("anonymised")
        judge(place, "x.zip", drive.get(f"anonymised/{first}/study.zip"))
        assert drive.get(f"anonymised/{first}/study.zip").status_code == httpx.codes.OK
    assert not unforeseen(place.process.log.read_text(errors="replace"))


def unforeseen(log: str) -> list[str]:
    """Return the lines of a log that tell of what should not have happened."""
    return [line for line in log.splitlines() if "failed: " in line]


def large() -> list[bytes]:
    """Return the files of a study whose archive no socket holds."""
    return [dicom.instance("large", 1, 1, number, pixels=dicom.CT_IMAGE) for number in range(1, LARGE + 1)]


@pytest.fixture
def study(place: Place) -> list[bytes]:
    """A large study, alone in the archive."""
    delete_all(place.rest)
    files = large()
    import_by_rest(place.rest, *files)
    return files


def test_reload_while_an_archive_streams(place: Place, study: list[bytes]) -> None:
    """Another version of the layouts leaves an archive alone that is on its way."""
    server = place.drives[1]
    with server.http.stream("GET", server.href("open/large/study.zip")) as answer:
        blocks = answer.iter_bytes()
        data = next(blocks)
        place.reload(-1)
        data += b"".join(blocks)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(study)


def test_study_deleted_while_its_archive_streams(place: Place, study: list[bytes]) -> None:
    """The download of an archive breaks off if its study is deleted meanwhile, so that the client sees an error."""
    server = place.drives[1]
    with server.http.stream("GET", server.href("open/large/study.zip")) as answer:
        blocks = answer.iter_bytes()
        next(blocks)
        place.rest.delete(resource(study[0], "studies")).raise_for_status()
        with pytest.raises(httpx.TransportError):
            for _ in blocks:
                pass
    assert server.status("open/large/study.zip") == httpx.codes.NOT_FOUND


def test_stop_while_archives_stream(
    run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory, place: Place
) -> None:
    """Orthanc stops in time while clients still read archives (which `run_orthanc` looks at)."""
    (port,) = free_ports(1)
    davfs = {
        "Layouts": [str(place.layout), str(place.layout.with_name("anonymised.toml"))],
        "HashKey": "a key that only this test knows",
        "Server": {"Enabled": True, "Port": port},
    }
    readers = []
    with run_orthanc(tmp_path_factory.mktemp("stop"), davfs=davfs, stops=True) as process, connected(process) as own:
        import_by_rest(own.rest, *large())
        server = WebDav(process.server_url, seconds=20)
        (name,) = server.listing("anonymised")
        for path in ("open/large/study.zip", f"anonymised/{name}/study.zip"):
            readers.append(server.http.send(server.http.build_request("GET", server.href(path)), stream=True))
            next(readers[-1].iter_raw())
    for each in readers:
        each.close()
    server.close()
