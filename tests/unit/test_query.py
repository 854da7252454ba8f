"""The query language of search/."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs.catalog.query import QueryError, parse_query, search_key, searchable_keywords
from davfs.layout.tags import NO_EXTRA_TAGS
from davfs.orthanc import Level

KNOWN = searchable_keywords(NO_EXTRA_TAGS, labels=True)
TODAY = date(2024, 3, 10)


def fits(query: str, value: str) -> bool:
    """Return True if the only term of a query accepts a value."""
    (term,) = parse_query(query, KNOWN)
    return term.criterion.accepts(value, TODAY)


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ("doe", "DOE^JOHN"),
        ("john doe", "Doe^John^^Dr"),
        ("Doe^John", "Doe^John"),
        ("muller", "Müller^Jürgen"),
        ("MÜLLER", "Muller"),
        ("müller", "Mu\u0308ller"),
        ("strasse", "Straße"),
        ("lodz", "Łódź"),
        ("izmir", "\u0130zmir"),
        ("yamada", "Yamada^Tarou=山田^太郎"),
        ("山田", "Yamada^Tarou=山田^太郎"),
        ("oe", "Doe"),
    ],
)
def test_text_that_fits(asked: str, value: str) -> None:
    """Words stand anywhere in a value, in any order, without case, accents and separators."""
    assert fits(f"PatientName={asked}", value)


@pytest.mark.parametrize(("asked", "value"), [("doe", ""), ("doe jane", "Doe^John"), ("john doe", "Johndo^E")])
def test_text_that_does_not_fit(asked: str, value: str) -> None:
    """Every word has to be there."""
    assert not fits(f"PatientName={asked}", value)


@pytest.mark.parametrize(
    ("asked", "fitting", "others"),
    [
        ("20240229", ["20240229", "2024.02.29"], ["20240228", "", "x"]),
        ("2024-02-29", ["20240229"], ["20240228"]),
        ("2024", ["20240101", "20241231"], ["20231231", "20250101"]),
        ("2024-02", ["20240201", "20240229"], ["20240131", "20240301"]),
        ("202402", ["20240229"], ["20240301"]),
        ("20240101-20241231", ["20240101", "20241231"], ["20231231", "20250101"]),
        ("2024-01-01-2024-12-31", ["20240101", "20241231"], ["20231231", "20250101"]),
        ("2023-2024", ["20230101", "20241231"], ["20221231", "20250101"]),
        ("2023-12-2024", ["20231201", "20241231"], ["20231130", "20250101"]),
        ("20240101-", ["20240101", "20990101"], ["20231231", ""]),
        ("-20240101", ["20240101", "19990101"], ["20240102", ""]),
        ("last 30 days", ["20240210", "20240310"], ["20240101"]),
        ("today", ["20240310"], ["20240309"]),
    ],
)
def test_dates(asked: str, fitting: list[str], others: list[str]) -> None:
    """A day, a month, a year, ranges with open ends, and dates before today."""
    assert [value for value in fitting + others if fits(f"StudyDate={asked}", value)] == fitting


def test_times() -> None:
    """Times are asked for like dates."""
    assert fits("StudyTime=0800-1200", "113000.123")
    assert not fits("StudyTime=0800-1200", "130000")


@pytest.mark.parametrize(
    ("query", "fitting", "other"),
    [
        ("Modality=ct", "CT", "OCT"),
        ("ModalitiesInStudy=CT", "CT", "OCT"),
        ("SeriesNumber=3", "3", "13"),
        ("Labels=teaching", "urgent\\Teaching", "no teaching"),
    ],
)
def test_codes(query: str, fitting: str, other: str) -> None:
    """Codes, labels and numbers are compared as a whole, each value of several."""
    assert fits(query, fitting)
    assert not fits(query, other)


def test_keywords() -> None:
    """Keywords count without case, blanks around the parts do not count, and each has its level."""
    terms = parse_query("patientname=doe, MODALITY = CT,ModalitiesInStudy=PT", KNOWN)
    assert [(term.keyword, term.level, term.alone) for term in terms] == [
        ("PatientName", Level.PATIENT, False),
        ("Modality", Level.SERIES, False),
        ("Modality", Level.SERIES, True),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "doe",
        "PatientName",
        "PatientName=",
        "PatientName=^",
        "=doe",
        "PatientName=doe,",
        "PatientName=doe,,Modality=CT",
        "Modality=CT,MR",
        "PatientNam=doe",
        "SOPInstanceUID=1",
        "RequestAttributesSequence=x",
        "StudyDate=2024013",
        "StudyDate=20240230",
        "StudyDate=20241231-20240101",
        "StudyDate=202401311430",
        "StudyDate=-",
        "StudyDate=last week",
        "StudyTime=2x",
        "PatientName=d*e",
        "PatientName=doe.",
        "PatientName=doe ",
        " PatientName=doe",
        "PatientName=doe\x01",
        "PatientName=" + "x" * 250,
        "Labels\u0130=x",
    ],
)
def test_refused(text: str) -> None:
    """A query that cannot be parsed, or cannot be a file name on Windows, is refused with a reason."""
    with pytest.raises(QueryError, match=r"\w"):
        parse_query(text, KNOWN)


def test_labels_that_are_not_followed() -> None:
    """Labels cannot be searched if no layout keeps them up to date."""
    with pytest.raises(QueryError):
        parse_query("Labels=x", searchable_keywords(NO_EXTRA_TAGS, labels=False))


def test_extra_tags() -> None:
    """Tags can be searched that this Orthanc keeps besides its usual ones."""
    known = searchable_keywords({Level.STUDY: ["PatientWeight"]}, labels=False)
    assert parse_query("PatientWeight=80", known)[0].level is Level.STUDY


@given(st.text())
def test_folding_is_stable(text: str) -> None:
    """The key of a key is the same key."""
    assert search_key(search_key(text)) == search_key(text)


ANY_VALUE = st.text() | st.from_regex(r"[0-9.^=\\-]{0,20}")
ANY_QUERY = (
    st.text()
    | st.builds("{}={}".format, st.sampled_from(sorted(KNOWN)), st.text() | st.from_regex(r"[0-9 -]{0,20}"))
    | st.builds("StudyDate={}-{}".format, st.integers(0, 10**9), st.integers(0, 10**9))
)


@given(ANY_QUERY, ANY_VALUE)
def test_any_text(text: str, value: str) -> None:
    """Any text can be read or is refused, and what was read can be asked of any value."""
    try:
        query = parse_query(text, KNOWN)
    except QueryError:
        return
    assert all(term.criterion.accepts(value, TODAY) in {True, False} for term in query)
