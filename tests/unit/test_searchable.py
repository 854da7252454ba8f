"""Searches find, through the texts in the index, what a comparison with each single study finds."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from davfs.catalog.placing import Placer
from davfs.catalog.query import parse_query, searchable_keywords
from davfs.catalog.search import StudySearch
from davfs.catalog.store import Store
from davfs.layout.tags import NO_EXTRA_TAGS
from davfs.orthanc import Level, OrthancId, Resource

KNOWN = searchable_keywords(NO_EXTRA_TAGS, labels=True)
IDS = tuple(OrthancId("-".join([f"{number:08x}", *["00000000"] * 4])) for number in range(4))
PATIENT = OrthancId("-".join(["ffffffff"] * 5))
WORDS = (
    *("Doe", "Müller", "MULLER", "Straße", "strasse", "ﬁ", "fi", "Łódź", "lodz", "Ⅷ", "山田"),
    *("\N{FULLWIDTH LATIN SMALL LETTER D}oe", "x^y=z"),
)
BROKEN = ("", "a\\b", "\0", "\udc80", "\ud83d", "😀", "\ufffd", '"', "'", "%", "_", "e\u0301", "\u0301")
TEXTS = st.lists(st.sampled_from(WORDS + BROKEN), max_size=3).map("".join) | st.text(max_size=5)
DATES = st.sampled_from(("", "20240229", "20240301", "20231231", "2024", "2024-02-29", "\udc80", "abc"))
SERIES = st.fixed_dictionaries(
    {},
    optional={
        "SeriesDescription": TEXTS,
        "BodyPartExamined": st.sampled_from(("", "KNEE", "Doe", "e\u0301")),
        "Modality": st.sampled_from(("", "CT", "MR", "ct\\MR", "C=T", "=")),
        "SeriesInstanceUID": st.sampled_from(("1.2.3", "1.2.4")),
    },
)
STUDIES = st.tuples(
    st.fixed_dictionaries({}, optional={"StudyDescription": TEXTS, "AccessionNumber": TEXTS, "StudyDate": DATES}),
    st.fixed_dictionaries({}, optional={"PatientName": TEXTS, "PatientID": TEXTS}),
    st.lists(SERIES, max_size=2),
)
VALUES = st.sampled_from((*WORDS, "d", "ul", "e mu", "doe muller", "a b", "\N{REPLACEMENT CHARACTER}", "%", "_", "'"))
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(
            (
                *("PatientName", "PatientID", "StudyDescription", "AccessionNumber"),
                *("SeriesDescription", "BodyPartExamined"),
            )
        ),
        VALUES,
    )
    | st.tuples(st.sampled_from(("Modality", "ModalitiesInStudy")), st.sampled_from(("CT", "mr", "x", "C T")))
    | st.tuples(st.just("SeriesInstanceUID"), st.sampled_from(("1.2.3", "1.2", "9")))
    | st.tuples(st.just("StudyDate"), st.sampled_from(("20240229", "2024", "20240101-20240229", "-2024", "2024-"))),
    min_size=1,
    max_size=2,
).map(lambda terms: list(dict(terms).items()))


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    """An empty index."""
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "catalog.sqlite", Placer([]))
        yield store
        store.close()


def save(
    store: Store,
    study: OrthancId,
    tags: Mapping[str, str],
    patient: Mapping[str, str],
    series: Sequence[Mapping[str, str]],
) -> None:
    """Index a study, in place of the former one; its first series with it, and what else it has, or had, later."""
    ids = [OrthancId(f"a{number:07x}{study[8:-8]}{study[:8]}") for number in (1, 2)]
    resources = [
        Resource(study, Level.STUDY, PATIENT, dict(tags), None, patient=dict(patient)),
        *(Resource(one, Level.SERIES, study, dict(each), None) for one, each in zip(ids, series, strict=False)),
    ]
    store.save(resources[:2], store.revision)
    store.save(resources[2:], store.revision)
    store.delete(ids[len(series) :])


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from(IDS), st.none() | STUDIES), max_size=8),
    st.lists(QUERIES, min_size=1, max_size=4),
)
def test_same_as_one_by_one(
    store: Store,
    steps: list[tuple[OrthancId, tuple[Mapping[str, str], Mapping[str, str], Sequence[Mapping[str, str]]] | None]],
    queries: list[list[tuple[str, str]]],
) -> None:
    """Whatever studies come, change and go, each query finds those that match by themselves, the latest first."""
    store.delete(IDS)
    there: dict[OrthancId, str] = {}
    for study, content in steps:
        if content is None:
            store.delete([study])
            there.pop(study, None)
        else:
            save(store, study, *content)
            there[study] = content[0].get("StudyDate", "").encode("utf-8", "surrogatepass").decode(errors="replace")
    search = StudySearch(store, ((),))
    for terms in queries:
        query = parse_query(",".join(f"{keyword}={value}" for keyword, value in terms), KNOWN)
        wanted = [one for one in IDS if one in there and search.matches(query, one)]
        assert search.find(query, 10) == sorted(sorted(wanted), key=there.__getitem__, reverse=True)
    with store.read() as db:
        assert db.execute("SELECT COUNT(*) FROM searchable").fetchone() == (len(there),)
