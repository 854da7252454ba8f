"""Orthanc decodes pictures that are dropped on a study; attachments with the settings of the drive."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from davfs.demo.ports import free_ports
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom, pictures
from tests.support.attaching import Study, complaints
from tests.support.drive import Server, connected, has, import_by_rest, rest_client
from tests.support.webdav import WebDav

GREY = pictures.png([b"\x01\x02\x03", b"\x04\x05\x06"], columns=3, colour=pictures.GREY)
DEEP = pictures.png([b"\x01\x02\xf3\x04"], columns=2, colour=pictures.GREY, bits=16)
OPAQUE = pictures.png([b"abc\xff", b"def\xff"], columns=1, colour=pictures.RGBA)
PIXELS = {
    "coloured": (pictures.picture()[0], pictures.picture()[1]),
    "grey": (GREY, bytes(range(1, 7))),
    "16 bits": (DEEP, b"\x02\x01\x04\xf3"),
    "opaque": (OPAQUE, b"abcdef"),
}
LAYOUTS = {
    "anonymised": 'title = "anonymised"\nanonymised = true\n[[level]]\nstudy = "{StudyInstanceUID:hash}"\n',
    "reports": 'title = "reports"\n[[level]]\nstudy = "{PatientID}"\nfiles = ["report.pdf", "preview.png"]\n',
    "flat": 'title = "flat"\n[[level]]\ngroup = "{StudyDate:%Y}"\n[[level]]\nstudy = "{PatientID}"\n[[level]]\n'
    'instance = "{Modality} {InstanceNumber}.dcm"\n',
}


@pytest.fixture(scope="module")
def archive(run_orthanc: RunOrthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An Orthanc with several layouts, in which things can be deleted."""
    folder = tmp_path_factory.mktemp("layouts")
    for name, text in LAYOUTS.items():
        (folder / f"{name}.toml").write_text(text)
    layouts = ["by-patient", *(str(folder / f"{name}.toml") for name in LAYOUTS)]
    davfs = {
        "Layouts": layouts,
        "AllowDelete": True,
        "DeleteForGood": True,
        "HashKey": "0123456789abcdef0123456789abcdef",
    }
    with run_orthanc(davfs=davfs) as process, connected(process) as server:
        yield server


@pytest.fixture
def study(archive: Server, request: pytest.FixtureRequest) -> Study:
    """A study of its own for each test."""
    return Study(archive.rest, request.node.name.replace("[", " ").replace("]", ""))


@pytest.mark.parametrize("name", PIXELS)
def test_pixels_of_pngs(archive: Server, study: Study, name: str, tmp_path: Path) -> None:
    """Orthanc decodes the same pixels as the PNG has, and another program finds nothing wrong with the instance."""
    content, pixels = PIXELS[name]
    assert archive.drive.put(f"{study.folder}/scan.png", content).status_code == 201
    instance = study.only()["ID"]
    assert study.file(instance).PixelData[: len(pixels)] == pixels
    assert complaints(archive.rest.get(f"/instances/{instance}/file").content, tmp_path) == []


@pytest.mark.parametrize("options", [(), ("-sample", "1x1"), ("-grayscale",), ("-progressive",), ("-rgb",)])
def test_pixels_of_jpegs(archive: Server, study: Study, options: tuple[str, ...], tmp_path: Path) -> None:
    """Orthanc shows the same pixels as the JPEG has, and another program finds nothing wrong with the instance."""
    content = pictures.photograph(*options)
    assert archive.drive.put(f"{study.folder}/photo.jpg", content).status_code == 201
    instance = study.only()["ID"]
    form = "frames/0/image-uint8" if "-grayscale" in options else "preview"
    shown = archive.rest.get(f"/instances/{instance}/{form}", headers={"Accept": "image/x-portable-arbitrarymap"})
    assert shown.content.endswith(pictures.decoded(content))
    assert complaints(archive.rest.get(f"/instances/{instance}/file").content, tmp_path) == []


def test_anonymised_layouts_take_nothing(archive: Server, study: Study) -> None:
    """Nothing can be put into a layout that is de-identified, whether it would agree with the folder or not."""
    for folder in archive.drive.listing("anonymised"):
        for content in (pictures.PDF, dicom.instance("x"), b""):
            assert archive.drive.put(f"anonymised/{folder}/x.pdf", content).status_code == 403
    assert archive.drive.put("anonymised/x.dcm", dicom.instance("x")).status_code == 403
    assert not study.attached()


def test_layout_with_reports(archive: Server, study: Study) -> None:
    """A report is read under the layout's own name too; the same one again is a success, another one is refused."""
    folder = f"reports/{study.patient.rpartition('(')[2][:-1]}"
    for name in ("letter.pdf", "report.pdf"):
        assert archive.drive.put(f"{folder}/{name}", pictures.PDF).status_code in (201, 204)
        assert archive.drive.get(f"{folder}/{name}").content == pictures.PDF
    assert study.only()["DocumentTitle"] == "letter"
    assert archive.drive.put(f"{folder}/report.pdf", pictures.pdf(1)).status_code == 403
    assert archive.drive.get(f"{folder}/report.pdf").content == pictures.PDF
    assert study.only()


def test_report_that_was_there_before(archive: Server, study: Study) -> None:
    """A report of the layout cannot be replaced by another one, and is not deleted when a client tries."""
    folder = f"reports/{study.patient.rpartition('(')[2][:-1]}"
    assert archive.drive.put(f"{study.folder}/first.pdf", pictures.PDF).status_code == 201
    assert archive.drive.put(f"{folder}/report.pdf", pictures.pdf(1)).status_code == 403
    assert archive.drive.delete(f"{folder}/report.pdf").status_code == 403
    assert archive.drive.get(f"{folder}/report.pdf").content == pictures.PDF


def test_group_says_where_to_drop(archive: Server, study: Study) -> None:
    """A group takes neither papers nor images; what was dropped there is in inbox/rejected/ with the reason."""
    (group,) = archive.drive.listing("flat")
    patient = study.patient.rpartition("(")[2][:-1]
    for name, content in {"group.pdf": pictures.PDF, "group.dcm": dicom.instance(patient, number=9)}.items():
        assert archive.drive.put(f"flat/{group}/{name}", content).status_code == 403
        assert archive.drive.get(f"inbox/rejected/{name}").content == content
        assert "folder of" in archive.drive.get(f"inbox/rejected/{name}.txt").text
    assert archive.drive.put(f"flat/{group}/{patient}/group.pdf", pictures.PDF).status_code == 201
    assert study.only()


def test_deleting_what_was_attached(archive: Server, study: Study) -> None:
    """Deleting the listed paper deletes it from the archive: nobody must believe that it is gone while it is there."""
    path = f"{study.folder}/report.pdf"
    assert archive.drive.put(path, pictures.PDF).status_code == 201
    assert archive.drive.delete(path).status_code == 204
    assert archive.drive.status(path) == 404
    assert not any("DOC" in name for name in archive.drive.listing(study.folder))
    assert archive.drive.put(path, pictures.PDF).status_code == 201, "it comes out of the trash"
    assert archive.drive.get(path).content == pictures.PDF
    assert any("DOC" in name for name in archive.drive.listing(study.folder))
    assert len(study.attached()) == 1


def test_hidden_folder_of_the_inbox(archive: Server, study: Study) -> None:
    """The files beside images are in no folder that clients see or can write to."""
    assert archive.drive.put(f"{study.folder}/report.pdf", pictures.PDF).status_code == 201
    assert ".beside-images" not in archive.drive.listing("inbox")
    assert archive.drive.status("inbox/.beside-images") == 404
    assert archive.drive.put("inbox/.beside-images/x", b"x").status_code in (403, 404, 409)
    assert archive.drive.mkcol("inbox/.beside-images").status_code == 403
    assert archive.drive.delete("inbox/.beside-images").status_code == 404
    assert archive.drive.get(f"{study.folder}/report.pdf").content == pictures.PDF


@pytest.mark.parametrize(("davfs", "status"), [({"AllowUpload": False}, 403), ({"AllowAttach": False}, 403)])
def test_switched_off(run_orthanc: RunOrthanc, davfs: dict[str, bool], status: int) -> None:
    """Nothing can be dropped on a study where that is not allowed."""
    with run_orthanc(davfs=davfs) as process, connected(process) as server:
        study = Study(server.rest, "p")
        assert server.drive.put(f"{study.folder}/report.pdf", pictures.PDF).status_code == status
        assert not study.attached()


def test_without_an_inbox(run_orthanc: RunOrthanc) -> None:
    """Attaching can be allowed where the inbox takes nothing."""
    with run_orthanc(davfs={"AllowUpload": False, "AllowAttach": True}) as process, connected(process) as server:
        study = Study(server.rest, "p")
        assert server.drive.put("inbox/report.pdf", pictures.PDF).status_code == 403
        assert server.drive.put(f"{study.folder}/report.pdf", pictures.PDF).status_code == 201
        assert study.only()


def test_name_of_the_user(run_orthanc: RunOrthanc) -> None:
    """At both doors, an attachment has the name of the user who dropped it."""
    (port,) = free_ports(1)
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"Jörg": "secret"}}
    server = {"Server": {"Enabled": True, "Port": port}}
    with run_orthanc(davfs=server, settings=users) as process, rest_client(process) as rest:
        rest.auth = ("Jörg".encode(), b"secret")
        study = Study(rest, "p")
        for number, url in enumerate((process.drive_url, process.server_url)):
            with WebDav(url, auth=("Jörg", "secret")) as drive:
                assert drive.put(f"{study.folder}/{number}.pdf", pictures.pdf(number)).status_code == 201
        assert [each["OperatorsName"] for each in study.attached()] == ["Jörg", "Jörg"]


CHARACTER_SETS = {
    "Japanese": ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎"),
    "Japanese behind ISO IR 13": ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎"),
    "Japanese behind ASCII": ("ISO 2022 IR 6\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎"),
    "Korean": ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞"),
    "Chinese": ("GB18030", "Wang^XiaoDong=王^小东"),
    "Russian behind Latin": ("ISO 2022 IR 100\\ISO 2022 IR 144", "ИВАНОВ^ИВАН"),
}


@pytest.mark.parametrize("name", CHARACTER_SETS)
def test_images_in_their_own_study(archive: Server, name: str) -> None:
    """An image goes into its study in any character set, also in those that Orthanc reads as other letters."""
    charset, person = CHARACTER_SETS[name]
    tags = {"SpecificCharacterSet": charset, "PatientName": person, "PatientBirthDate": "19500102"}
    contents = [dicom.instance(f"set {name}", number=number, tags=tags) for number in (1, 2)]
    import_by_rest(archive.rest, contents[0])
    (patient,) = (each for each in archive.drive.listing("by-patient") if each.endswith(f"(set {name})"))
    (folder,) = archive.drive.listing(f"by-patient/{patient}")
    other = dicom.instance(f"set {name}", number=2, tags=tags | {"PatientBirthDate": "19600102"})
    assert archive.drive.put(f"by-patient/{patient}/{folder}/second.dcm", other).status_code == 409
    assert archive.drive.put(f"by-patient/{patient}/{folder}/second.dcm", contents[1]).status_code == 201
    assert has(archive.rest, contents[1])
