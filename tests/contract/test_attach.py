"""Papers and pictures that are dropped on a study, through each door."""

import hashlib
import threading

import pytest

from tests.support import dicom, doors, pictures
from tests.support.attaching import Study
from tests.support.doors import Door
from tests.support.drive import import_by_rest, place

# pytest finds fixtures by the names in a module.
process, standalone, door, server = doors.process, doors.standalone, doors.door, doors.server


@pytest.fixture
def study(door: Door, request: pytest.FixtureRequest) -> Study:
    """A study of its own for each test and door."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:12]
    return Study(door.rest, f"{door.name} {name}")


@pytest.mark.parametrize("level", ["study", "series"])
def test_pdf_belongs_to_its_study(door: Door, study: Study, level: str) -> None:
    """A PDF that is dropped on a study or series is an Encapsulated PDF of that study, with the same bytes."""
    path = f"{study.folder if level == 'study' else study.series}/report.pdf"
    assert door.drive.put(path, pictures.PDF).status_code == 201
    attached = study.only()
    assert attached["DocumentTitle"] == attached["SeriesDescription"] == "report"
    assert attached["MIMETypeOfEncapsulatedDocument"] == "application/pdf"
    assert door.rest.get(f"/instances/{attached['ID']}/pdf").content == pictures.PDF
    assert door.drive.get(path).content == pictures.PDF
    listed = door.drive.listing(path.rpartition("/")[0])["report.pdf"]
    assert listed.text("getcontentlength") == str(len(pictures.PDF))
    assert any("DOC report" in name for name in door.drive.listing(study.folder)), "the attachment has a series' folder"


def test_same_bytes_are_attached_once(door: Door, study: Study) -> None:
    """A client that repeats an upload, by whichever name, attaches nothing twice."""
    for name in ("report.pdf", "report.pdf", "copy of report.pdf"):
        assert door.drive.put(f"{study.folder}/{name}", pictures.PDF).status_code in (201, 204)
    assert study.only()["DocumentTitle"] == "report"


def test_other_bytes_are_another_document(door: Door, study: Study) -> None:
    """A newer version of a document is attached beside the older one, which nobody loses."""
    for number in (1, 2):
        assert door.drive.put(f"{study.folder}/report.pdf", pictures.pdf(number)).status_code in (201, 204)
        assert door.drive.get(f"{study.folder}/report.pdf").content == pictures.pdf(number)
    assert len(study.attached()) == 2


def test_concurrent_drops(door: Door, study: Study) -> None:
    """Many clients that drop the same and other files at once attach each of them once."""
    answers: list[int] = []

    def drop(number: int) -> None:
        answers.append(door.drive.put(f"{study.folder}/{number}.pdf", pictures.pdf(number % 4)).status_code)

    threads = [threading.Thread(target=drop, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 12
    assert len(study.attached()) == 4


def test_png(door: Door, study: Study) -> None:
    """A PNG becomes a Secondary Capture image with the same pixels."""
    content, pixels = pictures.picture()
    assert door.drive.put(f"{study.folder}/scan.png", content).status_code == 201
    assert door.drive.get(f"{study.folder}/scan.png").content == content
    image = study.file(study.only()["ID"])
    assert (image.Rows, image.Columns, image.PhotometricInterpretation) == (2, 3, "RGB")
    assert image.PixelData == pixels


def test_jpeg(door: Door, study: Study) -> None:
    """A JPEG becomes a Secondary Capture image that has the very bytes of the JPEG."""
    content = pictures.photograph()
    assert door.drive.put(f"{study.folder}/photo.jpg", content).status_code == 201
    image = study.file(study.only()["ID"])
    assert content in image.PixelData
    assert image.LossyImageCompression == "01"


def test_stl_and_text(door: Door, study: Study) -> None:
    """An STL model becomes an Encapsulated STL, a text a PDF; both can be read as they were written."""
    for name, content in {"bone.stl": pictures.stl(), "notes.txt": pictures.TEXT}.items():
        assert door.drive.put(f"{study.folder}/{name}", content).status_code == 201
        assert door.drive.get(f"{study.folder}/{name}").content == content
    kinds = {each["DocumentTitle"]: each["MIMETypeOfEncapsulatedDocument"] for each in study.attached()}
    assert kinds == {"bone": "model/stl", "notes": "application/pdf"}


REFUSED = {
    "letter.docx": b"PK\x03\x04" + bytes(100),
    "report.pdf": b"<html>no PDF</html>",
    "cut.pdf": pictures.PDF[:30],
    "secret.pdf": pictures.PDF.replace(b"trailer\n<<", b"trailer\n<< /Encrypt 5 0 R"),
    "movie.mp4": bytes(range(256)) * 4,
    "page.html": b"<html></html>",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_attached(door: Door, study: Study, name: str) -> None:
    """What cannot be attached is refused with the reason, and lies in inbox/rejected/ with it."""
    answer = door.drive.put(f"{study.folder}/{name}", REFUSED[name])
    assert answer.status_code == 415
    assert not study.attached()
    assert name not in door.drive.listing(study.folder)
    rejected = [each for each in door.drive.listing("inbox/rejected") if each.startswith(name.rpartition(".")[0])]
    texts = [door.drive.get(f"inbox/rejected/{each}").text for each in rejected if each.endswith(".txt")]
    assert any(study.folder in text for text in texts)


@pytest.mark.parametrize("place", ["by-patient", "patient"])
def test_papers_belong_to_studies_only(door: Door, study: Study, place: str) -> None:
    """A paper that is dropped on a patient or on the layout is refused: which study would it belong to?"""
    folder = study.patient if place == "patient" else "by-patient"
    assert door.drive.put(f"{folder}/report.pdf", pictures.PDF).status_code == 403
    assert not study.attached()


def test_persons_who_share_an_id(door: Door) -> None:
    """A paper is under the name of the person whose study it was dropped on, not of another with the same PatientID."""
    one = Study(door.rest, f"{door.name} shared", {"PatientName": f"First^{door.name}"})
    other = dicom.instance(f"{door.name} shared", 2, tags={"PatientName": f"Second^{door.name}"})
    import_by_rest(door.rest, other)
    folder = place(f"{door.name} shared", 2, tags={"PatientName": f"Second {door.name}"}).rsplit("/", 2)[0]
    assert door.drive.put(f"{folder}/report.pdf", pictures.PDF).status_code == 201
    assert not one.attached()
    (series,) = (
        each
        for each in door.rest.get(f"/studies/{dicom.ids(other).study}/series").json()
        if each["MainDicomTags"]["Modality"] == "DOC"
    )
    tags = door.rest.get(f"/instances/{series['Instances'][0]}/simplified-tags").json()
    assert tags["PatientName"] == f"Second^{door.name}"


def test_images_that_agree(door: Door, study: Study) -> None:
    """A DICOM file that belongs to the folder is imported, also into that of its patient, or the layout itself."""
    patient = study.patient.rpartition("(")[2][:-1]
    for number, folder in enumerate((study.folder, study.series, study.patient, "by-patient"), 2):
        content = dicom.instance(patient, number=number)
        path = f"{folder}/{patient} {number}"
        assert door.drive.put(path, content).status_code == 201, folder
        assert door.rest.get(f"/instances/{dicom.ids(content).instance}/file").content == content
        assert door.drive.get(path).content == content


def test_images_that_contradict(door: Door, study: Study) -> None:
    """A DICOM file of another person, study or series is refused, and nothing is imported."""
    patient = study.patient.rpartition("(")[2][:-1]
    other = {"PatientName": "Somebody^Else"}
    contradicting = {
        f"{study.folder}/a": dicom.instance("somebody else"),
        f"{study.folder}/b": dicom.instance(patient, 2),
        f"{study.series}/c": dicom.instance(patient, 1, 2),
        f"{study.patient}/d": dicom.instance("somebody else"),
        f"{study.folder}/e": dicom.instance(patient, number=5, tags=other),
        f"{study.patient}/f": dicom.instance(patient, 3, tags=other),
    }
    for path, content in contradicting.items():
        assert door.drive.put(path, content).status_code == 409, path
        assert door.rest.get(f"/instances/{dicom.ids(content).instance}").status_code == 404


def test_files_of_desktops(door: Door, study: Study) -> None:
    """Files that desktops and editors keep, and empty ones, are kept aside, and never attached."""
    files = {
        "._report.pdf": b"\0\x05\x16\x07",
        ".DS_Store": b"\0\0\0\1Bud1",
        "desktop.ini": b"[x]",
        "Thumbs.db": b"\xd0\xcf",
        "~$report.pdf": b"alice",
        "new.pdf": b"",
        "report.pdf.part": pictures.PDF,
    }
    for name, content in files.items():
        assert door.drive.put(f"{study.folder}/{name}", content).status_code == 201, name
        assert door.drive.get(f"{study.folder}/{name}").content == content
    assert set(files) <= set(door.drive.listing(study.folder))
    assert not study.attached()
    assert door.drive.delete(f"{study.folder}/new.pdf").status_code == 204
    assert door.drive.status(f"{study.folder}/new.pdf") == 404


def test_existing_images_are_not_replaced(door: Door, study: Study) -> None:
    """A file that the layout shows is not replaced; the same bytes once more are a success."""
    stored = door.drive.get(study.image).content
    assert door.drive.put(study.image, pictures.PDF).status_code == 403
    assert door.drive.put(study.image, b"").status_code == 403
    assert door.drive.put(study.image, stored).status_code in (201, 204)
    assert door.drive.get(study.image).content == stored
    assert not study.attached()


def test_attachment_that_was_deleted_in_orthanc(door: Door, study: Study) -> None:
    """What was attached is not listed any more once Orthanc does not have it, and can be attached again."""
    path = f"{study.folder}/report.pdf"
    assert door.drive.put(path, pictures.PDF).status_code == 201
    assert door.rest.delete(f"/instances/{study.only()['ID']}").status_code == 200
    assert door.drive.status(path) == 404
    assert "report.pdf" not in door.drive.listing(study.folder)
    assert door.drive.put(path, pictures.PDF).status_code == 201
    assert study.only()


def test_what_was_attached_is_not_deleted(door: Door, study: Study) -> None:
    """Where deleting is not allowed, a paper that was attached cannot be deleted under its own name either."""
    path = f"{study.folder}/report.pdf"
    assert door.drive.put(path, pictures.PDF).status_code == 201
    assert door.drive.delete(path).status_code == 403
    assert study.only()
