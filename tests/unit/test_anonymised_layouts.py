"""Nothing in the tree of an anonymised layout identifies a patient."""

import hashlib
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import keyword_dict, tag_for_keyword

from davfs import names
from davfs.catalog.placing import Placer, TaggedResource, name_of
from davfs.catalog.plan import Plan
from davfs.confidentiality.options import Options
from davfs.layout import ExtraTags, HashKey, Layout, load_text, parse_template
from davfs.layout.anonymised_templates import PLAIN, restrict
from davfs.layout.subject import subject
from davfs.layout.tags import SUBJECT, representation, usable
from davfs.layout.text import TemplateError
from davfs.orthanc.model import Level, OrthancId
from tests.support.confidentiality import TABLE

KEY = HashKey(b"a key for tests")
ID = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")
EVERYTHING = Options(modified_dates=True, patient_characteristics=True)
RETAINED = 'retain = ["modified dates", "patient characteristics"]\n'
HEAD = 'title = "mine"\nanonymised = true\n'
ADDED = ("PatientAge", "PatientBirthTime", "PatientBirthName", "PatientDeathDateInAlternativeCalendar")
EXTRA: ExtraTags = {Level.PATIENT: [*ADDED, "SmallestImagePixelValue", "PatientComments", "SelectorUVValue"]}
"""What an administrator may have added: dates of a life, a name, one of several representations, free text."""

CHOICES: dict[Options, tuple[str, ...]] = {
    Options(): (),
    Options(modified_dates=True): ("dates",),
    Options(patient_characteristics=True): ("patient",),
    EVERYTHING: ("dates", "patient"),
}
REPEATING = {keyword for keyword in keyword_dict if keyword and (tag_for_keyword(keyword) or 0) >> 24 in {0x50, 0x60}}
"""Curves and overlays, all of which are removed."""
FORMATS = (
    "",
    ":hash",
    ":hash8",
    ":hash64",
    ":family,hash",
    ":family",
    ":upper",
    ":3",
    ":%Y",
    ":%Y%m%d",
    ":%H%M",
    ":05d",
)


def anonymised(levels: str, key: HashKey = KEY, extra: ExtraTags = EXTRA) -> Layout:
    """Load an anonymised layout."""
    return load_text(HEAD + RETAINED + levels, "mine.toml", extra=extra, key=key)


def is_shown(field: str, level: Level, extra: ExtraTags = EXTRA, options: Options = EVERYTHING) -> bool:
    """Return True if an anonymised layout may have a field, at a level that has its tag."""
    try:
        restrict(parse_template(f"{{{field}}}", level, extra, KEY), options, KEY)
    except TemplateError:
        return False
    return True


FIELDS = {
    level: [field for field in map("".join, product(sorted(usable(level, EXTRA)), FORMATS)) if is_shown(field, level)]
    for level in Level
}


def test_what_is_shown() -> None:
    """With all options, of codes, numbers and dates the value, of all else the hash, of dates of birth nothing."""
    fields = set(FIELDS[Level.INSTANCE])
    plain = {field for field in fields if "hash" not in field}
    assert {"StudyDate:%Y", "Modality", "PatientSex", "PatientAge", "SeriesNumber:05d", "ModalitiesInStudy"} <= plain
    assert "SmallestImagePixelValue" in plain  # US or SS
    assert {"PatientName:hash", "PatientID:hash8", "SOPInstanceUID:hash64", "Labels:hash"} <= fields
    hidden = {"PatientName", "PatientID", "OtherPatientIDs", "StudyDescription", "StudyInstanceUID", "Labels"}
    assert not {field.partition(":")[0] for field in plain} & {*hidden, "PatientComments", "PatientBirthName"}
    assert not [field for field in fields if field.startswith(("PatientBirthDate", "PatientBirthTime"))]


def test_every_tag_of_the_standard() -> None:
    """Only codes, numbers, and dates other than of birth or death can be shown, whichever options are set."""
    kinds = {keyword: representation(keyword) or "" for keyword in keyword_dict if keyword}
    coarse = {keyword for keyword, kind in kinds.items() if PLAIN.issuperset(kind.split(" or "))}
    listed = {keyword: TABLE["attributes"].get(f"{tag_for_keyword(keyword):08x}", {}) for keyword in coarse}
    for options, columns in CHOICES.items():
        found = {one for one in kinds if is_shown(one, Level.PATIENT, {Level.PATIENT: [one]}, options)}
        kept = {
            one for one, row in listed.items() if not row or any(row.get(column) in {"K", "C"} for column in columns)
        }
        dates = set() if options.modified_dates else {one for one in kept if kinds[one] in {"DA", "DT", "TM"}}
        assert found == kept - dates - REPEATING
        assert len(found) > 1000


WHO = "19700101/doe john/P-17"
SHIFTED = f"{date(2024, 2, 29) - timedelta(days=KEY.days(WHO)):%Y%m%d}"


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("StudyDate:%Y%m%d", "20240229", SHIFTED),
        ("StudyDate", "20240229", SHIFTED),
        ("StudyDate:%Y", "Grünling 1970", "none"),
        ("StudyDate", "20240230", "none"),
        ("StudyTime:%H", "Grünling", "none"),
        ("Modality", "CT\\Grünling\\sr", "CT, sr"),
        ("Modality", "GRUENLING^GERDA", "none"),
        ("Modality", "A CODE IS NOT AS LONG", "none"),
        ("PatientAge", "042Y", "042Y"),
        ("PatientAge", "born 1970", "none"),
        ("SeriesNumber:03d", "-7", "-07"),
        ("SeriesNumber:03d", "no. 7", "none"),
        ("ImageOrientationPatient", "1\\-0.5\\0.5e-3", "1, -0.5, 0.5e-3"),
        ("ImageOrientationPatient", "Gerda", "none"),
        ("SmallestImagePixelValue", "-3", "-3"),
        ("SmallestImagePixelValue", "x", "none"),
        ("SelectorUVValue:d", "18446744073709551615", "18446744073709551615"),
    ],
)
def test_values_are_what_they_should_be(field: str, value: str, name: str) -> None:
    """A name that was typed where a date or a code belongs is as good as missing."""
    template = anonymised(f'[[level]]\nseries = "{{{field}|none}}"\n').levels[0].template
    tags = {field.partition(":")[0]: value, SUBJECT: WHO}
    assert template.render(tags, ID) == name
    assert template.values(tags) == tuple(sorted(name.split(", ")))


def test_dates_in_names_are_those_of_the_files() -> None:
    """A date is shifted by the person's own days; of a study whose person is not known, there is none."""
    template = anonymised('[[level]]\nstudy = "{StudyDate|none}"\n').levels[0].template
    days = {KEY.days(person) for person in ("one", "two")}
    found = {template.render({"StudyDate": "20240229", SUBJECT: person}, ID) for person in ("one", "two")}
    assert found == {f"{date(2024, 2, 29) - timedelta(days=each):%Y%m%d}" for each in days}
    assert template.render({"StudyDate": "20240229"}, ID) == "none"


def test_other_layouts_hide_nothing() -> None:
    """An ordinary layout shows a value that does not parse unchanged; without the key a layout is ordinary."""
    text = '[[level]]\nstudy = "{StudyDate:%Y}"\n'
    layout = load_text('title = "mine"\nanonymised = false\n' + text, "mine.toml")
    assert layout == load_text('title = "mine"\n' + text, "mine.toml")
    assert layout.levels[0].template.render({"StudyDate": "last year"}, ID) == "last year"
    assert (layout.anonymised, layout.digest(ID)) == (None, ID)


def test_marks() -> None:
    """The digits of an anonymised layout are those of ``openssl dgst``, and need the key."""
    text = '[[level]]\nstudy = "{id}"\n'
    layout = anonymised(text)
    assert layout.digest(ID) == KEY.digest(ID)[:40]
    assert layout.digest(ID) != anonymised(text, HashKey(b"another key")).digest(ID)


def placed(layout: Layout, tags: dict[str, str]) -> Iterator[str]:
    """Place one study and one series, with their patient, all of one id; yield the names of all folders."""
    placer = Placer([layout])
    levels = (Level.STUDY, Level.SERIES)
    merged = {**tags, SUBJECT: subject(tags)}
    lineage = tuple(TaggedResource(ID, level, ID, tags, merged, 0, tags, (tags,)) for level in levels)
    for plan in placer.plans:
        for depth in range(len(levels)):
            for placement in placer.place(plan, lineage[: depth + 1]):
                yield from filter(None, (*(name for _, name in placement.path), placement.name))
        if plan.series:
            yield name_of(plan, plan.series, lineage[-1])


def test_placements_show_marks() -> None:
    """``{id}`` is made from the layout's mark in the catalog too, where folders have their names from."""
    levels = {"patient": "{id}", "group": "{ModalitiesInStudy}", "study": "{StudyDate:%Y} {id}"}
    text = "".join(f'[[level]]\n{level} = "{template}"\n' for level, template in levels.items())
    mark = f"~{KEY.digest(ID)[:10]}"
    nobody = hashlib.sha1(b"study/", usedforsecurity=False).hexdigest()  # of a study without a PatientID
    person = f"~{KEY.digest(f'{ID}.{nobody}')[:10]}"
    year = f"{date(2024, 2, 29) - timedelta(days=KEY.days('study/')):%Y}"
    assert shown(anonymised(text)) == {person, f"{year} {mark}", "CT"}
    assert shown(load_text(f'title = "mine"\n{text}', "mine.toml")) == {"~0123456789", "2024 ~0123456789", "CT"}


def shown(layout: Layout) -> set[str]:
    """Return the names that the catalog keeps."""
    return set(placed(layout, {"StudyDate": "20240229", "ModalitiesInStudy": "CT"}))


def test_another_key_is_another_tree() -> None:
    """Names of an old key are not kept, even where no template has a hash."""
    text = '[[level]]\nstudy = "{StudyDate} {id}"\n'
    first, same, other = (Plan.of(anonymised(text, HashKey(key))).key for key in (b"one", b"one", b"two"))
    assert first == same
    assert len({first, other, Plan.of(load_text(f'title = "mine"\n{text}', "mine.toml")).key}) == 3


LETTERS = "GHJKPQXZghjkpqxzøßΩЖжשع山田やまé\u0301"
"""None that is a hexadecimal digit, or beside another one in what the layouts below say themselves."""
components = st.text(LETTERS, min_size=3, max_size=12)
people = st.lists(components, min_size=2, max_size=5).map("^".join)
identifiers = st.from_regex(r"[GHJKPQXZ]{3}[0-9]{4,8}", fullmatch=True)
births = st.dates(date(1850, 1, 1), date(2023, 12, 31)).map("{:%Y%m%d}".format)
PUBLIC = {
    "StudyDate": "20240229",
    "SeriesDate": "20240229",
    "StudyTime": "142359",
    "Modality": "CT",
    "ModalitiesInStudy": "CT\\SR",
    "SeriesNumber": "3",
    "InstanceNumber": "12",
}


@st.composite
def fields(draw: st.DrawFn, known: list[str]) -> str:
    """Make a field of one or several alternatives."""
    alternatives = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
    return "{" + "|".join([*alternatives, *draw(st.sampled_from([[], ["no value"]]))]) + "}"


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Make an anonymised layout with whatever is accepted."""
    study, series = fields(FIELDS[Level.STUDY]), fields(FIELDS[Level.SERIES])
    templates = {
        "group": draw(study),
        "study": " - ".join(["{id}", *draw(st.lists(study, max_size=3))]),
        "series": "".join(f"({field})" for field in draw(st.lists(series, min_size=1, max_size=3))),
        "instance": f"{draw(fields(FIELDS[Level.INSTANCE]))} {{id}}.dcm",
    }
    tables = [f'[[level]]\n{level} = "{template}"\n' for level, template in templates.items()]
    tables[1] += f'files = ["{draw(study)}.zip"]\n'
    return anonymised("".join(tables))


@given(layout=layouts(), name=people, patient=identifiers, born=births, public=st.booleans())
def test_no_name_tells_the_patient(layout: Layout, name: str, patient: str, born: str, *, public: bool) -> None:
    """Names in anonymised layouts have no part of a person's name, birth date or ID, whichever tags hold them."""
    typed = f"{name} {patient} *{born}"
    private = {"PatientName": name, "PatientID": patient, "PatientBirthDate": born}
    tags = dict.fromkeys(usable(Level.INSTANCE, EXTRA), typed) | private | (PUBLIC if public else {})
    told = list(rendered(layout, tags))
    for secret in (*name.split("^"), patient, born, ID.replace("-", "")[:10]):
        assert not [one for one in told if names.folded(secret) in names.folded(one)]


def rendered(layout: Layout, tags: dict[str, str]) -> Iterator[str]:
    """Return every name of the tree."""
    yield from placed(layout, tags)
    for level in layout.levels:
        if level.resource:
            yield level.template.render(tags, layout.digest(ID))
        yield from (file.template.render(tags, layout.digest(ID)) for file in level.files)
