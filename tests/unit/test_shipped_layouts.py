"""The layouts that are shipped make names that hold everywhere, whatever the tags are."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davfs import names
from davfs.errors import LayoutError
from davfs.layout import Dates, HashKey, Layout, load_layout, matches, shipped, shipped_names
from davfs.layout.model import ExtraFileKind
from davfs.layout.subject import subject
from davfs.layout.tags import SUBJECT, usable
from davfs.orthanc.model import Level, OrthancId

ID = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")
KEY = HashKey(b"a key for tests")
LAYOUTS = {
    "by-date": "group group group study series instance",
    "by-label": "group study series instance",
    "by-modality": "group group study series instance",
    "by-patient": "patient study series instance",
    "by-referring-physician": "group group study series instance",
    "by-study": "study series instance",
    "by-uid": "study series instance",
    "recent": "group study series instance",
    "research": "patient study series",
    "research-images": "patient study series instance",
}
RESEARCH = {"research", "research-images"}
TAGS = {
    "PatientName": "DOE^JOHN",
    "PatientID": "P-17",
    "PatientBirthDate": "19700102",
    "StudyDate": "20240229",
    "StudyTime": "142359",
    "StudyDescription": "CT Head",
    "StudyInstanceUID": "1.2.3",
    "ReferringPhysicianName": "ROE^JANE^^DR",
    "ModalitiesInStudy": "CT\\SR",
    "Labels": "teaching\\urgent",
    "SeriesNumber": "3",
    "Modality": "CT",
    "SeriesDescription": "Bone 1.0",
    "SeriesInstanceUID": "1.2.3.4",
    "InstanceNumber": "12",
    "SOPInstanceUID": "1.2.3.4.5",
}


def layout(name: str) -> Layout:
    """Load a layout that is shipped."""
    path = shipped(name)
    assert path
    return load_layout(path, key=KEY)


def shown(name: str, tags: dict[str, str]) -> list[tuple[str, ...]]:
    """Return the names at each level, those of extra files last."""
    levels, tags = layout(name).levels, {**tags, SUBJECT: subject(tags)} if tags else {}
    folders = [one.template.render(tags, ID) if one.resource else one.template.values(tags) for one in levels]
    files = tuple(file.template.render(tags, ID) for one in levels for file in one.files)
    return [(one,) if isinstance(one, str) else one for one in folders] + ([files] if files else [])


def test_all_of_them_are_there() -> None:
    """The names are those of the documentation."""
    assert shipped_names() == sorted(LAYOUTS)


@pytest.mark.parametrize(("name", "levels"), LAYOUTS.items())
def test_their_levels(name: str, levels: str) -> None:
    """Each is called as its file is, says what it is for, and has the levels that it should."""
    loaded = layout(name)
    assert loaded.title == name
    assert loaded.description
    assert [one.resource.name.lower() if one.resource else "group" for one in loaded.levels] == levels.split()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("by-date", ["2024", "2024-02", "2024-02-29", "DOE JOHN (P-17) 14h23 CT Head"]),
        ("by-label", ["teaching|urgent", "2024-02-29 DOE JOHN (P-17) CT Head"]),
        ("by-modality", ["CT|SR", "2024", "2024-02-29 DOE JOHN (P-17) CT Head"]),
        ("by-referring-physician", ["ROE JANE DR", "2024", "2024-02-29 DOE JOHN (P-17) CT Head"]),
        ("by-study", ["2024-02-29 DOE JOHN (P-17) CT Head", "003 CT Bone 1.0", "00012.dcm"]),
        ("by-uid", ["1.2.3", "1.2.3.4", "1.2.3.4.5.dcm"]),
        ("recent", ["2024-02-29", "DOE JOHN (P-17) 14h23 CT Head", "003 CT Bone 1.0", "00012.dcm"]),
        ("research", ["2a21ee1552be94a0", "16e51556e50d68c5", "CT b5389779e8f6ec71"]),
        (
            "research-images",
            ["2a21ee1552be94a0", "16e51556e50d68c5", "CT b5389779e8f6ec71", "00012 ea67b705e9c95f2c.dcm"],
        ),
    ],
)
def test_their_names(name: str, expected: list[str]) -> None:
    """Days, modalities and physicians have folders; the hashes are those of ``openssl dgst``."""
    assert ["|".join(names) for names in shown(name, TAGS)][: len(expected)] == expected


@pytest.mark.parametrize("name", LAYOUTS)
def test_what_has_no_tags_has_names(name: str) -> None:
    """Anonymous images are found as well."""
    assert all(part and all(part) for part in shown(name, {}))


def test_dates_of_acquisition() -> None:
    """If the folders are named by the day of acquisition, the dates are those of acquisition."""
    assert {name for name in LAYOUTS if layout(name).dates is Dates.ACQUISITION} == {"by-date", "recent"}


def test_recent_is_a_month() -> None:
    """The layout "recent" shows studies of the last 30 days only."""
    where, today = layout("recent").where, date(2024, 3, 31)
    assert matches(where, {}, {"StudyDate": "20240301"}, [], today)
    assert not matches(where, {}, {"StudyDate": "20240229"}, [], today)
    assert not matches(where, {}, {}, [], today)


@pytest.mark.parametrize("name", sorted(RESEARCH))
def test_research_needs_a_key(name: str) -> None:
    """Without one it is refused: a hash that everybody can compute is no pseudonym."""
    path = shipped(name)
    assert path
    with pytest.raises(LayoutError, match=r"Davfs\.HashKey") as caught:
        load_layout(path)
    assert caught.value.line == path.read_text().splitlines().index("anonymised = true") + 1


def test_research_is_anonymised() -> None:
    """Only there pseudonyms stand for patients, and all that holds the DICOM files themselves is anonymised too."""
    assert {name for name in LAYOUTS if layout(name).anonymised} == RESEARCH
    files = [file.kind for one in layout("research-images").levels for file in one.files]
    assert files == [ExtraFileKind.ZIP]
    assert not [one for one in layout("research").levels if one.files]


texts = st.one_of(
    st.text(),
    st.text(st.sampled_from('\\^=.~ \u202e\u0301\u05d0\u0627👩\u200d🏽\x00\x1b/:*?"<>|aA1'), max_size=200),
    st.sampled_from(["CON", "nul.txt", "..", ".", "~0123456789", "COM¹", "LPT1.dcm", "a" * 65536, "山" * 65536]),
    st.builds(lambda text, times: (text * times)[:2000], st.text(min_size=1, max_size=8), st.integers(1, 2000)),
)


@pytest.mark.parametrize("name", LAYOUTS)
@given(tags=st.dictionaries(st.sampled_from(sorted(usable(Level.INSTANCE))), texts, max_size=12))
def test_every_name_is_legal(name: str, tags: dict[str, str]) -> None:
    """NFC, nothing that is forbidden anywhere, not too long, and no two folders of a group are the same."""
    for part in shown(name, tags):
        assert len({names.folded(one) for one in part}) == len(part)
        for one in part:
            assert names.safe(one) == one
            assert unicodedata.is_normalized("NFC", one)
            assert 0 < len(one.encode()) <= names.LIMIT


@pytest.mark.parametrize("name", sorted(RESEARCH))
@given(secret=st.text("BDFGHJKLMNPQ", min_size=5), born=st.integers(10_000_000, 99_999_999))
def test_research_leaks_nothing(name: str, secret: str, born: int) -> None:
    """Names in the research layouts contain no free text and no birth date."""
    private = dict.fromkeys(usable(Level.INSTANCE), f"{secret} {born}")
    public = {"StudyDate": "20240229", "Modality": "CT", "InstanceNumber": "12"}
    found = " ".join(one for part in shown(name, private | public) for one in part)
    assert secret not in found
    assert str(born) not in found


def test_research_reads_nothing_private() -> None:
    """The research layouts read only UIDs, modality, instance number and the hashed patient."""
    tags = {SUBJECT, "StudyInstanceUID", "Modality", "SeriesInstanceUID"}
    for name, more in (("research", set()), ("research-images", {"InstanceNumber", "SOPInstanceUID"})):
        read = {keyword for one in layout(name).levels for keyword in one.template.keywords}
        assert read == tags | more
