"""Identification of the person of a study, for pseudonyms."""

from collections.abc import Mapping

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from davfs.layout.subject import subject


def person(name: str = "DOE^JOHN", patient_id: str = "P-17", birth: str = "19700101", study: str = "1.2.3") -> str:
    """Return the text that identifies the person of a study."""
    found = {"PatientName": name, "PatientID": patient_id, "PatientBirthDate": birth, "StudyInstanceUID": study}
    return subject({keyword: value for keyword, value in found.items() if value})


def test_what_it_is_made_of() -> None:
    """A pseudonym can be computed with openssl, as docs/layouts.md describes it."""
    assert person() == "19700101/doe john/P-17"
    assert person(patient_id="") == "study/1.2.3"


@pytest.mark.parametrize(
    "name",
    [
        "Doe^John",
        "DOE^JOHN^^^",
        " DOE ^ JOHN ",
        "DOE JOHN",
        "Doe, John",
        "D\u00d6E^JOHN",
        "Do\u0308e^John",
        "DOE^JOHN^^DR.",
        "DOE^JOHN=\u5c71\u7530^\u592a\u90ce",
        "=DOE^JOHN",
        "DO'E^JOHN",
    ],
)
def test_spellings_of_one_name(name: str) -> None:
    """Case, accents, punctuation, the prefix and further writings make no other person."""
    assert person(name) == person()


@pytest.mark.parametrize(
    "other",
    [
        {"name": "DOE^JANE"},
        {"name": "DOE^JOHN^A"},
        {"name": "DOE^JOHN^^^JR"},
        {"name": "DOEJ^OHN"},
        {"name": ""},
        {"name": "???^??"},
        {"name": "\u0915\u093f"},
        {"birth": "19700102"},
        {"birth": ""},
        {"patient_id": "P-18"},
        {"patient_id": "p-17"},
        {"patient_id": ""},
    ],
)
def test_other_people(other: Mapping[str, str]) -> None:
    """Another name, birth date or PatientID is another person's."""
    assert person(**other) != person()


@pytest.mark.parametrize(
    ("one", "other"),
    [("???^??", "????^?"), ("\u0915\u093f", "\u0915\u093e"), ("^^^ANNA", "^^^BEN"), ("\u304b", "\u304c"), ("A/B", "")],
)
def test_names_of_other_scripts(one: str, other: str) -> None:
    """Names in other scripts, and names of one part, still distinguish people."""
    assert person(one) != person(other)


@pytest.mark.parametrize("nobody", ["", " ", "\0", "  \0 "])
def test_an_empty_id_identifies_nobody(nobody: str) -> None:
    """Each study without a PatientID is a person of its own, whatever the names are."""
    assert person(patient_id=nobody, study="1.2.3") == person("OTHER", nobody, "", "1.2.3 ")
    assert person(patient_id=nobody, study="1.2.3") != person(patient_id=nobody, study="1.2.4")


def test_birth_dates() -> None:
    """The older form of a date is the same day."""
    assert person(birth="1970.01.01") == person()


@given(
    st.text(),
    st.text(),
    st.from_regex(r"[!-~]{1,8}", fullmatch=True),
    st.text(),
    st.text(),
    st.text("!/1a", min_size=1),
)
def test_ids_are_never_mixed_up(  # noqa: PLR0913, PLR0917  two people
    name: str, birth: str, patient_id: str, other_name: str, other_birth: str, other_id: str
) -> None:
    """Different PatientIDs are different people, whatever their names and birth dates."""
    assume(patient_id != other_id)
    assert person(name, patient_id, birth) != person(other_name, other_id, other_birth)
