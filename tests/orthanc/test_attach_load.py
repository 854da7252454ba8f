"""Many clients drop papers on the studies of persons who share PatientIDs, through both doors at once."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from davfs.demo.ports import free_ports
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom, pictures
from tests.support.drive import import_by_rest, place, rest_client
from tests.support.webdav import WebDav

SEED = 20261201
DROPS = 160
CLIENTS = 8


def test_everything_is_under_the_right_person(run_orthanc: RunOrthanc) -> None:
    """Whatever is dropped at the same time, and repeated, each paper is in its study once, with that study's person."""
    (port,) = free_ports(1)
    chance = random.Random(SEED)  # noqa: S311  no secret
    with run_orthanc(davfs={"Server": {"Enabled": True, "Port": port}}) as process, rest_client(process) as rest:
        targets = {}
        for number in range(12):
            patient, tags = f"id{number % 3}", {"PatientName": f"Person{number}^{number}"}
            content = dicom.instance(patient, number, tags=tags)
            import_by_rest(rest, content)
            shown = place(patient, number, tags={"PatientName": f"Person{number} {number}"})
            targets[number] = shown.rsplit("/", 2)[0], dicom.ids(content).study, tags["PatientName"]
        drops = [(chance.randrange(12), chance.randrange(6)) for _ in range(DROPS)]
        urls = (process.drive_url, process.server_url)

        def drop(job: tuple[int, tuple[int, int]]) -> int:
            order, (study, paper) = job
            with WebDav(urls[order % 2], seconds=60) as drive:
                path = f"{targets[study][0]}/{order}-{paper}.pdf"
                return drive.put(path, pictures.pdf(paper)).status_code

        with ThreadPoolExecutor(CLIENTS) as pool:
            assert Counter(pool.map(drop, enumerate(drops))) == {201: DROPS}
        for number, (_, study, name) in targets.items():
            found = [
                rest.get(f"/instances/{each['ID']}/simplified-tags").json() | {"ID": each["ID"]}
                for each in rest.get(f"/studies/{study}/instances").json()
            ]
            papers = [each for each in found if each["Modality"] == "DOC"]
            wanted = sorted(pictures.pdf(paper) for paper in {paper for one, paper in drops if one == number})
            assert sorted(rest.get(f"/instances/{each['ID']}/pdf").content for each in papers) == wanted
            assert {each["PatientName"] for each in found} == {name}
