"""Layout files are read, or refused with the line and a remedy."""

from pathlib import Path

import pytest

from davfs import names
from davfs.errors import LayoutError
from davfs.layout import Layout, load, load_text, shipped
from davfs.orthanc.model import Level, OrthancId

ID = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")
HEAD = 'title = "mine"\n'
GOOD = HEAD + '[[level]]\npatient = "{PatientID}"\n[[level]]\nstudy = "{StudyDate:%Y}"\n'


def by_patient() -> Layout:
    """Load the layout that is shipped."""
    path = shipped("by-patient")
    assert path is not None
    return load(path)


def test_the_shipped_layout_is_right() -> None:
    """The layout by patient has a folder for each level, and files for the instances."""
    layout = by_patient()
    assert layout.title == "by-patient"
    assert layout.description
    assert [level.resource for level in layout.levels] == list(Level)
    assert layout.file.endswith("by-patient.toml")


def test_the_shipped_layout_makes_readable_names() -> None:
    """Somebody who looks for a patient, a day or a series finds it by its name."""
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
    """A path is no name of a shipped layout."""
    assert shipped(name) is None


@pytest.mark.parametrize("resources", ["patient", "instance", "study instance", "patient series"])
def test_levels_may_be_left_out(resources: str) -> None:
    """Any levels can stand under each other as long as the order is Orthanc's."""
    text = HEAD + "".join(f'[[level]]\n{resource} = "{{PatientID}}"\n' for resource in resources.split())
    layout = load_text(text, "mine.toml")
    assert [level.resource.name.lower() for level in layout.levels] == resources.split()
    assert layout.description == ""


def test_extra_main_dicom_tags_can_be_used() -> None:
    """What Orthanc keeps because its configuration says so is known at its level and below."""
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
    """Editors of Windows write one."""
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load(path).title == "mine"


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    """A file that is not there is named, and a wrong encoding has its line."""
    with pytest.raises(LayoutError, match="No such file") as caught:
        load(tmp_path / "missing.toml")
    assert caught.value.line is None
    latin = tmp_path / "latin.toml"
    latin.write_bytes(HEAD.encode() + b'description = "M\xfcller"\n')
    with pytest.raises(LayoutError, match="UTF-8") as caught:
        load(latin)
    assert (caught.value.file, caught.value.line) == (str(latin), 2)


BAD = {
    "no title": ('[[level]]\nstudy = "{StudyID}"\n', None, 'the title is missing; write title = "…"'),
    "title no text": ("title = 7\n[[level]]\n", 1, "the title is text"),
    "title empty": ('title = ""\n[[level]]\n', 1, '"" cannot be the name of a folder'),
    "title unsafe": ('\ntitle = "CT/MR"\n[[level]]\n', 2, '"CT/MR" cannot be the name of a folder; "CT_MR" can'),
    "description no text": (HEAD + "description = []\n", 2, "the description is text"),
    "no level": (HEAD, None, "there is no level; write [[level]]"),
    "empty levels": (HEAD + "level = []\n", None, "there is no level; write [[level]]"),
    "single brackets": (HEAD + '[level]\nstudy = "{StudyID}"\n', 2, "double brackets, [[level]]"),
    "levels no tables": (HEAD + 'level = ["study"]\n', 2, "double brackets, [[level]]"),
    "unknown key": (
        GOOD.replace("[[", 'descripton = "x"\n[[', 1),
        2,
        'unknown key "descripton"; a layout has description, title',
    ),
    "where": (
        GOOD + '[where]\nModality = "CT"\n',
        6,
        'this version does not know "where" yet; in a layout it knows title',
    ),
    "group": (GOOD + '[[level]]\ngroup = "{StudyDate}"\n', 7, 'does not know "group" yet; in a level it knows patient'),
    "files": (GOOD + 'files = ["a.zip"]\n', 6, 'this version does not know "files" yet'),
    "unknown level": (GOOD + '[[level]]\nserie = "{Modality}"\n', 7, 'unknown key "serie"; a level has series, '),
    "upper case": (GOOD + '[[level]]\nSeries = "{Modality}"\n', 7, 'unknown key "Series"; a level has series, '),
    "empty level": (GOOD + "[[level]]\n", 6, "this one nothing; write one of patient, study, series, instance"),
    "two resources": (
        HEAD + '[[level]]\npatient = "{PatientID}"\nstudy = "{StudyID}"\n',
        4,
        "a [[level]] names one resource, this one patient and study",
    ),
    "wrong order": (
        GOOD + '[[level]]\npatient = "{PatientID}"\n',
        7,
        "patient cannot stand below study; the order is patient, study, series, instance, each once",
    ),
    "twice": (GOOD + '[[level]]\n\nstudy = "{StudyID}"\n', 8, "study cannot stand below study; the order is"),
    "no template": (HEAD + "[[level]]\npatient = 7\n", 3, 'a template is text; write patient = "…"'),
    "templates": (HEAD + '[[level]]\npatient = ["{PatientID}"]\n', 3, 'a template is text; write patient = "…"'),
    "unknown tag": (
        HEAD + '[[level]]\npatient = "{PatientNamme}"\n',
        3,
        'patient: unknown tag "PatientNamme"; known for a patient: PatientName, ',
    ),
    "tag from below": (GOOD + '[[level]]\nseries = "{InstanceNumber}"\n', 7, "keeps InstanceNumber for each instance"),
    "tag not kept": (GOOD + '[[level]]\nseries = "{SliceThickness}"\n', 7, "ExtraMainDicomTags"),
    "format": (
        HEAD + '[[level]]\nstudy = "{StudyDate:%B}"\n',
        3,
        '"%B" is unknown in a format of type DA; known are %Y',
    ),
    "no format": (HEAD + '[[level]]\nstudy = "{StudyID:03d}"\n', 3, "StudyID: a tag of type SH takes no format"),
    "no field": (HEAD + '[[level]]\nstudy = "Studies"\n', 3, 'use a tag, such as "{PatientID}"'),
    "lone brace": (HEAD + '[[level]]\nstudy = "{StudyID"\n', 3, 'a "{" stands alone; write {Keyword}, or {{'),
    "slash": (HEAD + '[[level]]\nstudy = "{StudyDate}/{StudyID}"\n', 3, '"/" cannot stand in a name; "-" or "_" can'),
    "syntax": (HEAD + "[[level]]\nstudy = {StudyID}\n", 3, "no valid TOML: "),
    "syntax at the end": (HEAD + '[[level]]\nstudy = """\n', 3, "no valid TOML: "),
    "key twice": (HEAD + HEAD, 2, "no valid TOML: "),
    "after a comment": (HEAD + "# [[level]]\n# study\n[[level]]\n# study\nstudy = 7\n", 6, "a template is text"),
    "after a long text": (
        HEAD + 'description = """\n[[level]]\nstudy = "{Foo}"\n"""\n[[level]]\nstudy = "{Foo}"\n',
        7,
        'unknown tag "Foo"',
    ),
    "dotted and quoted": (HEAD + '[["level"]]\n\n"study" = "{Foo}"\n', 4, 'unknown tag "Foo"'),
    "inline": (HEAD + 'level = [\n  {patient = "{PatientID}"},\n  {study = "{Foo}"},\n]\n', 4, 'unknown tag "Foo"'),
    "line ends of Windows": ((GOOD + '[[level]]\nseries = "{Foo}"\n').replace("\n", "\r\n"), 7, 'unknown tag "Foo"'),
    "template over lines": (HEAD + '[[level]]\nstudy = """\n{Foo}\n"""\n', 3, 'unknown tag "Foo"'),
    "key with line ends": (HEAD + '"a\\nb" = 7\n', 2, 'unknown key "a b"; a layout has title, description, level'),
}


@pytest.mark.parametrize(("text", "line", "remedy"), BAD.values(), ids=BAD)
def test_bad_layouts_are_refused(text: str, line: int | None, remedy: str) -> None:
    """The administrator is told the file, the line, what is wrong and what is allowed, in one line."""
    with pytest.raises(LayoutError) as caught:
        load_text(text, "mine.toml")
    assert remedy in caught.value.reason
    assert (caught.value.file, caught.value.line) == ("mine.toml", line)
    assert "\n" not in str(caught.value)


def test_titles_are_names_of_folders() -> None:
    """The title of the shipped layout can be kept by every client."""
    assert names.safe(by_patient().title) == by_patient().title
