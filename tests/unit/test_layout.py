"""Layout files are read, or refused with the line and a remedy."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs import names
from davfs.errors import LayoutError
from davfs.layout import Dates, HashKey, Layout, load_layout, load_text, shipped, shipped_names
from davfs.layout.model import ExtraFileKind
from davfs.orthanc.model import Level, OrthancId

ID = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")
HEAD = 'title = "mine"\n'
GOOD = HEAD + '[[level]]\npatient = "{PatientID}"\n[[level]]\nstudy = "{StudyDate:%Y}"\n'

GROUPS = (
    HEAD
    + """
level = [
  {group = "{StudyDate}"},
  {group = "{ModalitiesInStudy}"},
  {study = "{StudyID}", files = ["{StudyID}.ZIP", "a.json", "b.png", "c.pdf"]},
  {group = "{StudyDate} {SeriesDescription}"},
  {instance = "{InstanceNumber}.dcm"},
]
"""
)


def by_patient() -> Layout:
    """Load the layout that is shipped."""
    path = shipped("by-patient")
    assert path is not None
    return load_layout(path)


def test_the_shipped_layout_is_right() -> None:
    """The layout by patient has a folder for each level, and files for the instances."""
    layout = by_patient()
    assert layout.title == "by-patient"
    assert layout.description
    assert [level.resource for level in layout.levels] == list(Level)
    assert layout.file.endswith("by-patient.toml")


def test_the_shipped_layout_makes_readable_names() -> None:
    """Patients, days and series can be found by their names."""
    tags = {
        "PatientName": "DOE^JOHN",
        "PatientID": "P-17",
        "StudyDate": "20240229",
        "StudyDescription": "CT Head",
        "SeriesNumber": "3",
        "Modality": "CT",
        "SeriesDescription": "Bone 1.0",
        "InstanceNumber": "12",
    }
    shown = [level.template.render(tags, ID) for level in by_patient().levels]
    assert shown == ["DOE JOHN (P-17)", "2024-02-29 CT Head", "003 CT Bone 1.0", "00012.dcm"]


def test_the_shipped_layout_names_what_has_no_tags() -> None:
    """Anonymous images have names as well."""
    shown = [level.template.render({}, ID) for level in by_patient().levels]
    assert shown == ["no name (no ID)", "no date no description", "unnamed", "unnamed.dcm"]


@pytest.mark.parametrize("name", ["no-such-layout", "", "../by-patient", "by-patient.toml", "/etc/orthanc/mine"])
def test_only_names_of_shipped_layouts_are_found(name: str) -> None:
    """A path is not the name of a shipped layout."""
    assert shipped(name) is None


@pytest.mark.parametrize("resources", ["patient", "instance", "study instance", "patient series"])
def test_levels_may_be_left_out(resources: str) -> None:
    """Any levels can stand under each other as long as the order is Orthanc's."""
    text = HEAD + "".join(f'[[level]]\n{resource} = "{{PatientID}}"\n' for resource in resources.split())
    layout = load_text(text, "mine.toml")
    assert [level.tag_level.name.lower() for level in layout.levels] == resources.split()
    assert layout.description == ""


def test_extra_main_dicom_tags_can_be_used() -> None:
    """Tags in ExtraMainDicomTags can be used at their level and below."""
    text = HEAD + '[[level]]\nseries = "{PatientAge} {SliceThickness}"\n'
    extra = {Level.PATIENT: ["PatientAge"], Level.SERIES: ["SliceThickness"]}
    layout = load_text(text, "mine.toml", extra=extra)
    assert layout.levels[0].template.render({"PatientAge": "042Y", "SliceThickness": "1.5"}, ID) == "042Y 1.5"
    with pytest.raises(LayoutError, match="ExtraMainDicomTags"):
        load_text(text, "mine.toml")


def test_every_way_to_write_toml_is_understood() -> None:
    """Inline tables and line ends of Windows make the same layout."""
    inline = 'title = "mine"\r\nlevel = [\r\n  {patient = "{PatientID}"},\r\n  {"study" = \'{StudyDate:%Y}\'},\r\n]\r\n'
    assert load_text(inline, "f") == load_text(GOOD, "f")


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    """A byte order mark is accepted, since editors of Windows write one."""
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_layout(path).title == "mine"


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    """A file that is not there is named, and a wrong encoding has its line."""
    with pytest.raises(LayoutError, match="No such file") as caught:
        load_layout(tmp_path / "missing.toml")
    assert caught.value.line is None
    latin = tmp_path / "latin.toml"
    latin.write_bytes(HEAD.encode() + b'description = "M\xfcller"\n')
    with pytest.raises(LayoutError, match="UTF-8") as caught:
        load_layout(latin)
    assert (caught.value.file, caught.value.line) == (str(latin), 2)


@pytest.mark.parametrize("text", ["x = " + "[" * 20_000, "x = " + "9" * 5000], ids=["brackets", "digits"])
def test_what_is_too_much_for_the_parser_is_refused(text: str) -> None:
    """Layouts that exceed limits of Python's parser are refused, without a crash."""
    with pytest.raises(LayoutError, match="no valid TOML: "):
        load_text(text, "mine.toml")


@given(
    st.sampled_from(shipped_names()),
    st.lists(
        st.tuples(st.integers(0, 2000), st.sampled_from(["", "\n", '"', "[", "]", "{", "}", "=", ":", "|", ",", "é"]))
    ),
    st.integers(0, 20),
)
def test_any_mistake_has_a_line_of_the_file(name: str, edits: list[tuple[int, str]], cut: int) -> None:
    """A mistyped file is a layout or is refused, with one message about an existing line."""
    path = shipped(name)
    assert path
    text = path.read_text()
    for at, typed in edits:
        text = text[:at] + typed + text[at + (cut if not typed else 0) :]
    error = refusal(text)
    if error:
        assert error.line is None or 1 <= error.line <= text.count("\n") + 1
        assert "\n" not in str(error)


def refusal(text: str) -> LayoutError | None:
    """Return what is wrong with a layout; None where nothing is."""
    try:
        load_text(text, "mine.toml", key=HashKey(b"key"))
    except LayoutError as error:
        return error
    return None


def test_levels_know_what_they_group() -> None:
    """A group reads the tags of the next resource below it, and a resource its own."""
    layout = load_text(GROUPS, "mine.toml")
    assert [(level.resource, level.tag_level) for level in layout.levels] == [
        (None, Level.STUDY),
        (None, Level.STUDY),
        (Level.STUDY, Level.STUDY),
        (None, Level.SERIES),
        (Level.INSTANCE, Level.INSTANCE),
    ]
    assert layout.levels[3].template.values({"StudyDate": "2024", "SeriesDescription": "a"}) == ("2024 a",)


def test_further_files() -> None:
    """The extension decides about the content of a file, in upper or lower case."""
    study = load_text(GROUPS, "mine.toml").levels[2]
    assert [file.kind for file in study.files] == [
        ExtraFileKind.ZIP,
        ExtraFileKind.JSON,
        ExtraFileKind.PREVIEW,
        ExtraFileKind.REPORT,
    ]
    assert [file.template.render({"StudyID": "7"}, ID) for file in study.files] == ["7.ZIP", "a.json", "b.png", "c.pdf"]


def test_dates() -> None:
    """The dates are those of reception unless the layout says otherwise."""
    assert load_text(GOOD, "mine.toml").dates is Dates.RECEPTION
    assert load_text('dates = "acquisition"\n' + GOOD, "mine.toml").dates is Dates.ACQUISITION


def test_titles_are_names_of_folders() -> None:
    """The title of the shipped layout can be kept by every client."""
    assert names.safe(by_patient().title) == by_patient().title
