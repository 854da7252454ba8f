"""Templates make readable names out of whatever DICOM tags hold."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs import names
from davfs.layout import parse_group_template, parse_template
from davfs.layout.parts import MAX_GROUPS
from davfs.layout.syntax import parse_file_template
from davfs.layout.tags import usable
from davfs.orthanc.model import Level
from tests.support.templates import ID, render

MARK = "~0123456789"
A, B, C = "{PatientID}", "{StudyID}", "{Modality}"


@pytest.mark.parametrize(
    ("template", "tags", "folders"),
    [
        ("{StudyDate:%Y-%m}", {"StudyDate": "20240229"}, ("2024-02",)),
        ("{StudyDate:%Y}", {}, ("unknown",)),
        ("{StudyDate:%Y}", {"StudyDate": " \\ "}, ("unknown",)),
        ("year {StudyDate:%Y}", {}, ("unknown",)),
        ("year {StudyDate:%Y|none}", {}, ("year none",)),
        ("{ModalitiesInStudy}", {"ModalitiesInStudy": "PT\\CT\\PT"}, ("CT", "PT")),
        ("{ModalitiesInStudy}", {"ModalitiesInStudy": "ct\\CT\\Ct"}, ("CT",)),
        ("{Labels|no label}", {"Labels": "teaching\\to do"}, ("teaching", "to do")),
        ("{Labels|no label}", {"Labels": ""}, ("no label",)),
        ("{Labels|ModalitiesInStudy}", {"ModalitiesInStudy": "CT\\MR"}, ("CT", "MR")),
        ("{Modality} ({Labels})", {"Modality": "CT", "Labels": "a\\b"}, ("CT (a)", "CT (b)")),
        ("{Modality} ({Labels})", {"Modality": "CT"}, ("CT",)),
        ("{OtherPatientIDs} {Labels}", {"OtherPatientIDs": "1\\2", "Labels": "a\\b"}, ("1 a", "1 b", "2 a", "2 b")),
        ("{ReferringPhysicianName:family}", {"ReferringPhysicianName": "DOE^A\\DOE^B"}, ("DOE",)),
        ("{StudyDescription}", {"StudyDescription": "con\\a/b"}, ("a_b", "con_")),
        ("{PatientComments}", {"PatientComments": "first \\ second"}, ("first _ second",)),
    ],
)
def test_groups_have_a_folder_for_each_value(template: str, tags: dict[str, str], folders: tuple[str, ...]) -> None:
    """A study is in the folder of each of its values, and in at least one."""
    assert parse_group_template(template, Level.SERIES, {Level.PATIENT: ["PatientComments"]}).values(tags) == folders


@given(st.lists(st.sampled_from("abcABC123"), max_size=9), st.randoms())
def test_the_order_of_values_does_not_matter(values: list[str], random: Random) -> None:
    """The same values make the same folders in any order."""
    template = parse_group_template("{ModalitiesInStudy}", Level.STUDY)
    shuffled = random.sample(values, len(values))
    first, second = (template.values({"ModalitiesInStudy": "\\".join(each)}) for each in (values, shuffled))
    assert first == second
    assert len({names.folded(name) for name in first}) == len(first)


def test_groups_have_limits() -> None:
    """A tag with thousands of values does not make thousands of folders, nor do two such tags together."""
    many = "\\".join(f"{number:04d}" for number in range(5000))
    template = parse_group_template("{OtherPatientIDs} {Labels}", Level.STUDY)
    found = template.values({"OtherPatientIDs": many, "Labels": many})
    assert found == tuple(f"0000 {number:04d}" for number in range(MAX_GROUPS))


def test_further_files_may_be_text_alone() -> None:
    """The name of an extra file needs no tag, since a folder has one of each."""
    assert parse_file_template("study.json", Level.STUDY).render({}, ID) == "study.json"
    assert (
        parse_file_template("{StudyDescription}.zip", Level.STUDY).render({"StudyDescription": "CON"}, ID) == "CON_.zip"
    )


@pytest.mark.parametrize(
    ("template", "tags", "name"),
    [
        ("{StudyDescription|StudyID|nothing}", {"StudyDescription": "Head", "StudyID": "7"}, "Head"),
        ("{StudyDescription|StudyID|nothing}", {"StudyDescription": " ", "StudyID": "7"}, "7"),
        ("{StudyDescription|StudyID|nothing}", {}, "nothing"),
        ("{StudyDate:%Y|SeriesDate:%Y-%m|no date}", {"SeriesDate": "20240229"}, "2024-02"),
        ("{StudyDescription|StudyID}", {}, "unnamed"),
        ("{ StudyDescription | no description }", {}, "no description"),
    ],
)
def test_fallbacks(template: str, tags: dict[str, str], name: str) -> None:
    """The first alternative that is not empty counts."""
    assert render(template, Level.SERIES, **tags) == name


@pytest.mark.parametrize(
    ("template", "there", "name"),
    [
        (f"{A} - {B} - {C}", "ABC", "a - b - c"),
        (f"{A} - {B} - {C}", "BC", "b - c"),
        (f"{A} - {B} - {C}", "AB", "a - b"),
        (f"{A} - {B} - {C}", "AC", "a - c"),
        (f"{A} - {B} - {C}", "B", "b"),
        (f"{A} {B} - {C}", "AC", "a - c"),
        (f"{A} - {B} {C}", "AC", "a - c"),
        (f"{A}_{B} {C}", "AC", "a_c"),
        (f"{A} ({B}) [{C}]", "A", "a"),
        (f"{A} ({B}) [{C}]", "AC", "a [c]"),
        (f"{A} ({B}) [{C}]", "B", "(b)"),
        (f"{A} ({B}, {C})", "AC", "a (c)"),
        (f"{A} ({B}, {C})", "AB", "a (b)"),
        (f"{A} ({B}, {C})", "A", "a ()"),
        (f"Patient {A} - Study {B}", "B", "Patient - Study b"),
        (f"_{A}_", "A", "_a_"),
        (f"_{A}_", "", "unnamed"),
        (f"{{{{{A}}}}} {B}", "AB", "{a} b"),
        (f"{A}{B}{C}", "AC", "ac"),
    ],
)
def test_separators_vanish_with_an_empty_tag(template: str, there: str, name: str) -> None:
    """No dash, space or bracket is left over where a tag is empty; all other text stays."""
    values = {"A": ("PatientID", "a"), "B": ("StudyID", "b"), "C": ("Modality", "c")}
    assert render(template, Level.SERIES, **dict(values[letter] for letter in there)) == name


@pytest.mark.parametrize(
    ("template", "tags", "name"),
    [
        ("{InstanceNumber:05d}.dcm", {"InstanceNumber": "12"}, "00012.dcm"),
        ("{InstanceNumber:05d}.dcm", {}, "unnamed.dcm"),
        ("{ImageComments} image.dcm", {}, "image.dcm"),
        ("{ImageComments}.dcm", {"ImageComments": "x" * 500}, "x" * 104 + ".dcm"),
        ("{ImageComments}.dcm", {"ImageComments": "CON"}, "CON_.dcm"),
        ("{ImageComments}", {"ImageComments": "first\r\nsecond \\ third"}, "first second _ third"),
        ("{SOPInstanceUID}", {"SOPInstanceUID": "1.2.840\0"}, "1.2.840"),
        ("{ImageIndex:03d}.dcm", {"ImageIndex": "3"}, "003.dcm"),
    ],
)
def test_names_of_files(template: str, tags: dict[str, str], name: str) -> None:
    """An instance keeps the extension of its template, whatever its tags hold, and gets none besides."""
    assert render(template, Level.INSTANCE, **tags) == name


def test_folders_have_no_extension() -> None:
    """The end of a folder's template is not an extension, and is cut like other text."""
    template = parse_template("{PatientID}.old", Level.PATIENT)
    assert template.extension == ""
    assert template.render({"PatientID": "x" * 200}, ID) == "x" * names.LIMIT


@pytest.mark.parametrize(
    ("template", "value", "name"),
    [
        ("{PatientName} {id}", "DOE", f"DOE {MARK}"),
        ("{PatientName} {id}", "", MARK),
        ("{id}_{PatientName}", "DOE", f"{MARK}_DOE"),
        ("{PatientName}_{id}", "山" * 64, f"{'山' * 32} {MARK}"),
    ],
)
def test_the_id_is_never_cut(template: str, value: str, name: str) -> None:
    """The digits of the ID are kept when a long name is cut."""
    assert render(template, Level.PATIENT, PatientName=value) == name


def test_a_name_with_its_id_is_shown_as_it_is() -> None:
    """Digits that the template has put into a name are not added again."""
    base = render("{PatientName} {id}", Level.PATIENT, PatientName="DOE")
    assert names.unique_names({ID: base}, files=False) == {ID: base}


@given(st.dictionaries(st.sampled_from(sorted(usable(Level.INSTANCE))), st.text(), max_size=8))
def test_no_value_makes_an_unsafe_name_or_an_error(tags: dict[str, str]) -> None:
    """Any values of the tags give a safe name with its extension."""
    template = parse_template(
        "{PatientName} {StudyDate:%Y-%m-%d}T{StudyTime:%H%M} ({SeriesNumber:03d}) "
        "{SeriesDescription|ProtocolName|none} - {ImageComments}_{InstanceNumber:05d}.dcm",
        Level.INSTANCE,
    )
    name = template.render(tags, ID)
    assert names.safe(name) == name
    assert name.endswith(".dcm")


@pytest.mark.parametrize("value", ["{PatientID}", "{0.__class__}", "%s%d%Y", "{{", "$(id)"])
def test_values_are_never_evaluated(value: str) -> None:
    """A tag that looks like a template is text."""
    assert render("{StudyDescription} {StudyDate:%Y}", StudyDescription=value, StudyDate=value) == f"{value} {value}"


def test_a_template_tells_which_tags_it_reads() -> None:
    """The catalog has to ask Orthanc for exactly these."""
    template = parse_template("{StudyDate:%Y|SeriesDate|x} {PatientName} {id}", Level.SERIES)
    assert template.keywords == {"StudyDate", "SeriesDate", "PatientName"}
