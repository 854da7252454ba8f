"""The syntax of templates, and the messages about mistakes."""

import pytest
from pydicom.datadict import dictionary_VR

from davfs.layout import parse_template
from davfs.layout.tags import DEFAULT, SINCE_1_12_5
from davfs.layout.text import TemplateError
from davfs.orthanc.model import Level
from tests.support.templates import ID


@pytest.mark.parametrize("level", Level)
def test_all_tags_that_orthanc_keeps_are_dicom_keywords(level: Level) -> None:
    """Every tag of the lists can be used in a template of its level."""
    for keyword in (*DEFAULT[level], *SINCE_1_12_5.get(level, ())):
        assert dictionary_VR(keyword)
        assert parse_template(f"{{{keyword}}}", level).render({keyword: "7"}, ID) == "7"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{PatientNane}", 'unknown tag "PatientNane"; known for a study: PatientName, '),
        ("{PatientName|StudyDescripton}", 'unknown tag "StudyDescripton"; known for a study: StudyDescription, '),
        ("{Modality}", "Orthanc keeps Modality for each series, below the study that this level names; "),
        ("{StudyStatusID}", "Orthanc does not keep StudyStatusID in its index unless its option ExtraMainDicomTags"),
        ("{RequestAttributesSequence}", "RequestAttributesSequence is a sequence"),
        ("{PatientName.family}", 'unknown tag "PatientName.family"; known for a study: PatientName, '),
        ("{PatientName[0]}", 'unknown tag "PatientName[0]"; known for a study: PatientName, '),
        ("{0010,0010}", 'unknown tag "0010,0010"; known for a study: AccessionNumber, '),
        ("{no text|PatientID}", 'unknown tag "no text"; '),
        ("{no text}", 'unknown tag "no text"; '),
        ("{}", '"{}" has an empty alternative'),
        ("{PatientID|}", '"{PatientID|}" has an empty alternative'),
        ("{PatientID", 'a "{" stands alone'),
        ("{PatientID}}", 'a "}" stands alone'),
        ("{PatientID|{StudyID}}", 'a "{" stands alone'),
        ("{id:5}", "{id} takes no format"),
        ("{StudyID|id}", "{id} takes no format, and needs no fallback"),
        ("Studies", "nothing in it tells one resource from another"),
        ("", "nothing in it tells one resource from another"),
        ("{StudyDate}/{StudyID}", '"/" cannot stand in a name; "-" or "_" can'),
        ("{StudyID|a:b}", '":" cannot stand in a name'),
        ("{StudyTime:%H:%M}", '":" cannot stand in a name'),
        ("{StudyDate:%H}", 'StudyDate: "%H" is unknown in a format of type DA; known are %Y %y %m %d'),
        ("{StudyTime:%Y}", 'StudyTime: "%Y" is unknown in a format of type TM; known are %H %M %S'),
        ("{StudyDate:%}", 'StudyDate: "%" is unknown in a format of type DA'),
        ("{StudyDate:YYYY}", 'StudyDate: the format "YYYY" shows nothing of the value; known are %Y %y %m %d'),
        ("{StudyDate:}", 'StudyDate: the format "" shows nothing of the value'),
        ("{StudyID:03d}", 'StudyID: "03d" is no format of text; known are upper, lower, title, a number of characters'),
    ],
)
def test_wrong_templates_are_refused(template: str, reason: str) -> None:
    """The message says what is wrong, and what is allowed there."""
    with pytest.raises(TemplateError) as caught:
        parse_template(template, Level.STUDY)
    assert reason in str(caught.value)


@pytest.mark.parametrize("form", ["x", "3d", "+d", "03", "0d", "0100d", "03.2f", "_d"])
def test_wrong_formats_of_integers_are_refused(form: str) -> None:
    """Formats of integers other than d and zero-padded widths are refused."""
    with pytest.raises(TemplateError, match="write d, or 03d"):
        parse_template(f"{{SeriesNumber:{form}}}", Level.SERIES)
