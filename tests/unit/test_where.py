"""``[where]`` chooses studies as Orthanc's own search does, and by dates before today."""

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.layout import load_text, matches
from davfs.layout.criteria import parse_criterion
from davfs.orthanc.model import Level

TODAY = date(2024, 3, 31)


def fits(text: str, value: str, representation: str = "LO", today: date = TODAY) -> bool:
    """Return True if a condition accepts a value."""
    return parse_criterion(text, representation).accepts(value, today)


def appears(
    where: str, study: Mapping[str, str], *series: Mapping[str, str], patient: Mapping[str, str] | None = None
) -> bool:
    """Return True if a layout shows a study."""
    layout = load_text(f'title = "x"\n[where]\n{where}\n[[level]]\nstudy = "{{id}}"\n', "x.toml")
    return matches(layout.where, patient or {}, study, series, TODAY)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("CT", "CT", True),
        ("ct", "CT", True),
        ("CT", "CTA", False),
        ("*head*", "CT HEAD neck", True),
        ("head*", "CT HEAD", False),
        ("C?", "CT", True),
        ("C?", "C", False),
        ("*", "", True),
        ("", "", True),
        ("", "CT", False),
        ("[CT]", "[ct]", True),
        ("[CT]", "C", False),
        ("a.c", "abc", False),
        ("DOE^*", "Doe^John", True),
        ("m\u00fcller", "MU\u0308LLER", True),
        ("Head-Neck", "head-neck", True),
        ("a*b", "a\nb", True),
        ("last 30 days", "LAST 30 DAYS", True),
    ],
)
def test_texts(text: str, value: str, expected: bool) -> None:  # noqa: FBT001  a parameter
    """Case does not count, * and ? stand for others, and the whole value has to fit."""
    assert fits(text, value) is expected


@pytest.mark.parametrize(
    ("text", "representation", "value", "expected"),
    [
        ("20240101-20241231", "DA", "20240101", True),
        ("20240101-20241231", "DA", "20241231", True),
        ("20240101-20241231", "DA", "20231231", False),
        ("20240101-20241231", "DA", "20250101", False),
        ("20240101 - 20241231", "DA", "20240630", True),
        ("20240101-", "DA", "20991231", True),
        ("20240101-", "DA", "20231231", False),
        ("-20241231", "DA", "19000101", True),
        ("-20241231", "DA", "20250101", False),
        ("20240101-", "DA", "", False),
        ("20240101-", "DA", "yesterday", False),
        ("-20241231", "DA", "\u0661\u0661\u0661\u0661", False),
        ("20240131", "DA", "20240131", True),
        ("20240131", "DA", "2024.01.31", True),
        ("20240131", "DA", "20240130", False),
        ("202401*", "DA", "20240131", True),
        ("202401??", "DA", "20240231", False),
        ("", "DA", "", True),
        ("08-12", "TM", "080000", True),
        ("08-12", "TM", "12:59:59.123", True),
        ("08-12", "TM", "130000", False),
        ("0830-", "TM", "0829", False),
        ("20240101-20240131", "DT", "20240131235959.9+0100", True),
        ("20240101-20240131", "DT", "20240201000000-0500", False),
        ("2024", "DT", "20240630", True),
    ],
)
def test_ranges(text: str, representation: str, value: str, expected: bool) -> None:  # noqa: FBT001  a parameter
    """Both ends are in the range, either may be missing, and other texts are in no range."""
    assert fits(text, value, representation) is expected


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("last 1 day", "20240330"),
        ("last 30 days", "20240301"),
        ("Last  2 weeks", "20240317"),
        ("last 1 month", "20240229"),
        ("last 13 months", "20230228"),
        ("last 1 year", "20230331"),
        ("today", "20240331"),
    ],
)
def test_relative_dates(text: str, first: str) -> None:
    """The day itself is in, the day before it is not, and a month that is too short ends earlier."""
    test = parse_criterion(text, "DA")
    before = f"{date(int(first[:4]), int(first[4:6]), int(first[6:])).toordinal() - 1}"
    assert test.relative
    assert test.accepts(first, TODAY)
    assert not test.accepts(date.fromordinal(int(before)).strftime("%Y%m%d"), TODAY)
    assert test.accepts("20240331", TODAY)
    assert not test.accepts("20240402", TODAY)
    assert not test.accepts("", TODAY)


def test_scanners_may_be_a_day_ahead() -> None:
    """A server that runs on UTC shows an image of this morning in Auckland as one of today."""
    assert fits("last 30 days", "20240401", "DA")
    assert not fits("today", "20240401", "DA")


@pytest.mark.parametrize("today", [date.min, date.max])
@pytest.mark.parametrize("text", ["last 9999 years", "last 9999 months", "last 9999 weeks", "today"])
def test_no_date_is_out_of_reach(text: str, today: date) -> None:
    """Clocks that are wrong by thousands of years make no error."""
    assert fits(text, f"{today.year:04d}{today:%m%d}", "DA", today)


@pytest.mark.parametrize("text", ["CT", "20240101-"])
def test_other_tests_are_not_relative(text: str) -> None:
    """Only conditions that depend on today are evaluated again tomorrow."""
    assert not parse_criterion(text, "DA" if text[0] == "2" else "CS").relative


def test_conditions_tell_whether_they_are_relative() -> None:
    """A condition with one relative alternative is relative."""
    text = 'title = "x"\n[where]\nStudyDate = ["2020*", "today"]\nModality = "CT"\n[[level]]\nstudy = "{id}"\n'
    assert [condition.relative for condition in load_text(text, "x").where] == [True, False]


def test_all_conditions_have_to_hold() -> None:
    """Of several conditions all count, of several alternatives one is enough."""
    where = 'Modality = ["CT", "MR"]\nStudyDate = "2024*"\nPatientSex = "F"'
    study, series, patient = {"StudyDate": "20240101"}, {"Modality": "MR"}, {"PatientSex": "F"}
    assert appears(where, study, series, patient=patient)
    assert not appears(where, study, series, patient={"PatientSex": "M"})
    assert not appears(where, {"StudyDate": "20230101"}, series, patient=patient)
    assert not appears(where, study, {"Modality": "US"}, patient=patient)


def test_no_conditions_hold_always() -> None:
    """Without [where] all studies appear."""
    assert matches((), {}, {}, [], TODAY)


def test_one_series_is_enough() -> None:
    """A tag of a series fits where one series of the study has a value that fits."""
    assert appears('Modality = "CT"', {}, {"Modality": "PT"}, {"Modality": "CT"})
    assert not appears('Modality = "CT"', {}, {"Modality": "PT"})
    assert not appears('Modality = "CT"', {})


def test_one_value_is_enough() -> None:
    """A tag with several values fits where one of them does."""
    assert appears('OtherPatientIDs = "b"', {}, patient={"OtherPatientIDs": "a\\b\0"})
    assert not appears('OtherPatientIDs = "a*b"', {}, patient={"OtherPatientIDs": "a\\b"})


def test_modalities_of_the_study() -> None:
    """ModalitiesInStudy is taken from the study's tags, or else from its series."""
    assert appears('ModalitiesInStudy = "CT"', {"ModalitiesInStudy": "PT\\CT"})
    assert appears('ModalitiesInStudy = "CT"', {}, {"Modality": "PT"}, {"Modality": "CT"})
    assert not appears('ModalitiesInStudy = "CT"', {}, {"Modality": "PT"})


def test_labels() -> None:
    """Labels are those of the study, not of its series; where Orthanc has none, there are none."""
    assert appears('Labels = "teach*"', {"Labels": "a\\teaching"})
    assert not appears('Labels = "teach*"', {}, {"Labels": "teaching"})
    assert appears('Labels = ""', {})


def test_missing_tags() -> None:
    """An empty text asks for tags that are missing or empty."""
    assert appears('StudyDescription = ""', {}, {"Modality": "CT"})
    assert appears('StudyDescription = ""', {"StudyDescription": " "})
    assert not appears('StudyDescription = ""', {"StudyDescription": "x"})


def test_conditions_on_extra_tags() -> None:
    """Tags that Orthanc keeps additionally can be used."""
    text = 'title = "x"\n[where]\nPatientAge = "042Y"\n[[level]]\nstudy = "{id}"\n'
    layout = load_text(text, "x", extra={Level.PATIENT: ["PatientAge"]})
    assert matches(layout.where, {"PatientAge": "042Y"}, {}, [], TODAY)


@given(st.text(), st.text(max_size=20), st.dates())
def test_no_value_is_an_error(value: str, pattern: str, today: date) -> None:
    """Any value can be compared without an error."""
    for text, representation in ((pattern.replace("\\", ""), "LO"), ("20240101-", "DA"), ("last 2 months", "DT")):
        assert fits(text, value, representation, today) in {True, False}


def test_many_wildcards_are_quick() -> None:
    """A value of 64 KB that nearly fits is no attack."""
    assert not fits("*a*a*a*a*a*a*a*a*b", "a" * 65536)
