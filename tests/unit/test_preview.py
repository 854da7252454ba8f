"""``davfs layout preview`` without any server."""

import io
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from davfs.commands.application import app
from davfs.commands.drawing import Extent, draw
from davfs.commands.preview.command import main_tags
from davfs.commands.preview.folder import DicomFolder
from davfs.layout import load_text
from tests.support import dicom
from tests.support.images import PATIENTS
from tests.support.memory_orthanc import MemoryOrthanc, identify
from tests.support.trashing import trash

LAYOUT = 'title = "mine"\n[[level]]\npatient = "{PatientName}"\n[[level]]\nseries = "{SeriesNumber:03d}"\n'


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout file."""
    file = tmp_path / "mine.toml"
    file.write_text(LAYOUT)
    return file


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with images of two patients of one name, an image twice, and files of other kinds."""
    folder = tmp_path / "images"
    (folder / "below").mkdir(parents=True)
    (folder / "1.dcm").write_bytes(dicom.instance("1", tags={"PatientName": "Doe^Jane"}))
    (folder / "copy.dcm").write_bytes(dicom.instance("1", tags={"PatientName": "Doe^Jane"}))
    (folder / "below" / "2").write_bytes(dicom.instance("2", series=2, tags={"PatientName": "DOE^JANE"}))
    (folder / "below" / "3").write_bytes(dicom.instance("3", tags={"PatientName": "Müller"}))
    (folder / "text.txt").write_text("no image")
    (folder / "damaged.dcm").write_bytes(dicom.instance("4")[:200])
    return folder


def preview(*arguments: object, **environment: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, ["layout", "preview", *map(str, arguments)], prog_name="davfs", env=environment)


def suffixed(name: str, patient: str) -> str:
    """Return the name of a patient whose name other patients have, too."""
    return f"{name} ~{dicom.ids(dicom.instance(patient)).patient.replace('-', '')[:10]}"


def test_a_folder_is_drawn(layout: Path, images: Path) -> None:
    """With the names that the drive would show, from identifiers as Orthanc makes them."""
    result = preview(layout, "--dicom", images)
    assert result.exit_code == 0
    shown = result.stdout.splitlines()
    assert len(shown) == 7
    assert set(shown) == {
        "mine/",
        f"├── {suffixed('Doe Jane', '1')}/",
        "│   └── 001/",
        f"├── {suffixed('DOE JANE', '2')}/",
        "│   └── 002/",
        "└── Müller/",
        "    └── 001/",
    }
    assert result.stderr == "2 files are no DICOM images, or cannot be read\n"


def test_depth_and_limit(layout: Path, images: Path) -> None:
    """A limited preview ends with the number of entries that are left out."""
    lines = preview(layout, "--dicom", images, "--depth", 1, "--limit", 2).stdout.splitlines()
    assert len(lines) == 4
    assert lines[-1] == "└── … 1 more"


def test_long_names_stay_whole(layout: Path, tmp_path: Path) -> None:
    """Long names are printed whole on a narrow terminal, and not interpreted as markup."""
    name = "[red]" + "long " * 11 + "[/red]"
    (tmp_path / "long").mkdir()
    (tmp_path / "long" / "1").write_bytes(dicom.instance("1", tags={"PatientName": name}))
    shown = preview(layout, "--dicom", tmp_path / "long", COLUMNS="40").stdout.splitlines()[1]
    assert shown == f"└── {name.replace('/', '_')}/"


def test_nothing_to_draw(layout: Path, tmp_path: Path) -> None:
    """An empty folder is said to be one."""
    (tmp_path / "empty").mkdir()
    assert "nothing" in preview(layout, "--dicom", tmp_path / "empty").stdout


def test_a_bad_layout(layout: Path, images: Path) -> None:
    """The message is that of `davfs layout check`."""
    layout.write_text(LAYOUT.replace("PatientName", "PatientNamme"))
    result = preview(layout, "--dicom", images)
    assert result.exit_code == 1
    assert result.stdout.startswith(f'{layout}:3: patient: unknown tag "PatientNamme"')


def test_tags_that_orthanc_keeps_besides(layout: Path, tmp_path: Path) -> None:
    """Tags that are given with --tag can be used by the layout."""
    layout.write_text(LAYOUT.replace("{PatientName}", "{PatientWeight} kg"))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1").write_bytes(dicom.instance("1", tags={"PatientWeight": "71.50"}))
    assert preview(layout, "--dicom", tmp_path / "images").exit_code == 1
    result = preview(layout, "--dicom", tmp_path / "images", "--tag", "patient:PatientWeight")
    assert "71.50 kg/" in result.stdout


def test_pseudonyms(images: Path) -> None:
    """Pseudonyms are samples without a key, and depend on the key where one is given."""
    research = "research"
    sample = preview(research, "--dicom", images)
    first = preview(research, "--dicom", images, DAVFS_HASH_KEY="a key that nobody knows")
    second = preview(research, "--dicom", images, DAVFS_HASH_KEY="another that nobody knows")
    assert {sample.exit_code, first.exit_code, second.exit_code} == {0}
    assert len({sample.stdout, first.stdout, second.stdout}) == 3
    assert "Doe" not in sample.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give one of --dicom and --orthanc"),
        (["--dicom", ".", "--orthanc", "http://127.0.0.1:1"], "give one of --dicom and --orthanc"),
        (["--dicom", "/nowhere"], "does not exist"),
        (["--orthanc", "moon"], "--orthanc is 'moon' and must be Orthanc's address"),
        (["--orthanc", "http://127.0.0.1:1", "--username", "drive"], "--username needs a password as well"),
    ],
)
def test_options_that_cannot_be(layout: Path, arguments: list[str], message: str) -> None:
    """Invalid options are refused with a message that says what is expected."""
    result = preview(layout, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_no_orthanc(layout: Path) -> None:
    """An Orthanc that cannot be reached is reported without a traceback."""
    result = preview(layout, "--orthanc", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "Traceback" not in result.output


def test_relative_dates() -> None:
    """Relative dates are computed from the given day."""
    text = 'title = "new"\n[where]\nStudyDate = "last 30 days"\n[[level]]\nstudy = "{StudyDate}"\n'
    archive = DicomFolder(PATIENTS[0], main_tags({}))
    console = Console(width=80)
    with console.capture() as captured:
        console.print(draw(load_text(text, "new.toml"), archive, Extent(), today=lambda: date(2001, 1, 20)))
    assert captured.get().splitlines() == ["new/", "└── 20010101/"]


def test_the_trash_is_not_drawn() -> None:
    """The drawing of an Orthanc has no more than its drive shows; a drawing changes nothing."""
    orthanc = MemoryOrthanc()
    kept, deleted = dicom.instance("kept"), dicom.instance("deleted")
    for content in (kept, deleted):
        orthanc.store(content)
    trash(orthanc, [identify(deleted)])
    last = orthanc.last_change()
    by_patient = load_text(
        'title = "all"\n[[level]]\npatient = "{PatientID}"\n[[level]]\ninstance = "{InstanceNumber}"', "test.toml"
    )
    console = Console(width=60, record=True, file=io.StringIO())
    console.print(draw(by_patient, orthanc, Extent(depth=1)))
    text = console.export_text()
    assert "kept/" in text
    assert "deleted/" not in text
    assert orthanc.last_change() == last
