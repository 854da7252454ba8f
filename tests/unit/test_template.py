"""Templates make readable names out of whatever DICOM tags hold."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR

from davfs import names
from davfs.layout import HashKey, parse, parse_group
from davfs.layout.syntax import parse_file
from davfs.layout.tags import DEFAULT, SINCE_1_12_5, usable
from davfs.layout.template import MOST
from davfs.layout.text import TemplateError
from davfs.orthanc.model import Level, OrthancId

ID = OrthancId("01234567-89abcdef-01234567-89abcdef-01234567")
MARK = "~0123456789"


def render(template: str, level: Level = Level.SERIES, **tags: str) -> str:
    """Render a template in one step."""
    return parse(template, level).render(tags, ID)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("DOE^JOHN", "DOE JOHN"),
        ("DOE^JOHN^^DR", "DOE JOHN DR"),
        ("DOE", "DOE"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada Tarou"),
        ("=山田^太郎=やまだ^たろう", "山田 太郎"),
        ("^^=^=やまだ^たろう", "やまだ たろう"),
        ("  DOE  ^ JOHN ^^^", "DOE JOHN"),
        ("DOE^JOHN\\ROE^JANE", "DOE JOHN, ROE JANE"),
        ("^^^^", "unnamed"),
    ],
)
def test_person_names_read_as_people_write_them(value: str, name: str) -> None:
    """The family name comes first, in the first of the writings that is there."""
    assert render("{PatientName}", PatientName=value) == name


@pytest.mark.parametrize(
    ("template", "value", "name"),
    [
        ("{StudyDate:%Y-%m-%d}", "20240229", "2024-02-29"),
        ("{StudyDate:%d.%m.%y}", "20240229", "29.02.24"),
        ("{StudyDate:%Y-%m-%d}", "2024.02.29", "2024-02-29"),
        ("{StudyDate:%Y 100%%}", "20240229", "2024 100%"),
        ("{StudyDate}", "20240229", "20240229"),
        ("{StudyDate:%Y-%m-%d}", "20230229", "20230229"),
        ("{StudyDate:%Y}", "yesterday", "yesterday"),
        ("{StudyDate:%Y}", "00000101", "00000101"),
        ("{StudyDate:%Y}", "\uff12\uff10240101", "\uff12\uff10240101"),
        ("{StudyDate:%Y}", "20240101\\20250101", "2024, 2025"),
    ],
)
def test_dates(template: str, value: str, name: str) -> None:
    """A date takes its format, and what is no date is shown as it is."""
    assert render(template, StudyDate=value) == name


@pytest.mark.parametrize(
    ("template", "value", "name"),
    [
        ("{StudyTime:%Hh%M}", "142359.123456", "14h23"),
        ("{StudyTime:%H.%M.%S}", "14:23:59", "14.23.59"),
        ("{StudyTime:%H}", "14", "14"),
        ("{StudyTime:%Hh%M}", "14", "14"),
        ("{StudyTime:%H.%M.%S}", "235960", "23.59.60"),
        ("{StudyTime:%H}", "2500", "2500"),
    ],
)
def test_times(template: str, value: str, name: str) -> None:
    """A time takes its format, unless it does not hold all that the format asks for."""
    assert render(template, StudyTime=value) == name


JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize(
    ("form", "value", "name"),
    [
        ("family", "DOE^JOHN^Q^DR^JR", "DOE"),
        ("given", "DOE^JOHN^Q^DR^JR", "JOHN"),
        ("middle", "DOE^JOHN^Q^DR^JR", "Q"),
        ("prefix", "DOE^JOHN^Q^DR^JR", "DR"),
        ("suffix", "DOE^JOHN^Q^DR^JR", "JR"),
        ("given", "DOE", "unnamed"),
        ("given", "DOE^JOHN\\ROE^JANE", "JOHN, JANE"),
        ("family", "=山田^太郎", "山田"),
        ("family", "^JOHN=山田^太郎", "unnamed"),
        ("alphabetic", JAPANESE, "Yamada Tarou"),
        ("ideographic", JAPANESE, "山田 太郎"),
        ("phonetic", JAPANESE, "やまだ たろう"),
        ("phonetic", "Yamada^Tarou", "unnamed"),
        ("ideographic,family", JAPANESE, "山田"),
        ("family, ideographic", JAPANESE, "山田"),
        ("family,upper", JAPANESE, "YAMADA"),
        ("family,upper,3", JAPANESE, "YAM"),
        ("3,upper,family", JAPANESE, "YAM"),
        ("lower", "DOE^JOHN", "doe john"),
        ("title", "O'NEILL^ANNE-MARIE", "O'Neill Anne-Marie"),
        ("5", "DOE^JOHN", "DOE J"),
        ("4", "DOE^JOHN", "DOE"),
    ],
)
def test_parts_of_names(form: str, value: str, name: str) -> None:
    """Writings and parts of a person's name are those of DICOM, in whatever order they are asked for."""
    assert render(f"{{PatientName:{form}}}", PatientName=value) == name


@pytest.mark.parametrize(
    ("form", "value", "name"),
    [
        ("upper", "straße", "STRASSE"),
        ("title", "the PATIENT'S head", "The Patient's Head"),
        ("title", "ct-HEAD_neck 3d", "Ct-Head_neck 3d"),
        ("title", "X\u0302A éCOLE", "X\u0302a École"),
        ("3", "e\u0301e\u0301e\u0301e\u0301", "ééé"),
        ("2", "q\u0323\u0307q\u0323\u0307q", "q\u0323\u0307q\u0323\u0307"),
        ("1", "👩\u200d⚕\ufe0f👍", "👩\u200d⚕\ufe0f"),
        ("1", "👍🏽👍", "👍🏽"),
        ("3", "ab", "ab"),
        ("3", "CT\\HEAD", "CT, HEA"),
        ("100", "x" * 200, "x" * 100),
    ],
)
def test_case_and_length(form: str, value: str, name: str) -> None:
    """No locale changes the case, and what combines with a character is neither counted nor cut off."""
    assert render(f"{{StudyDescription:{form}}}", StudyDescription=value) == name


@pytest.mark.parametrize(("form", "digits"), [("hash", 16), ("hash8", 8), ("hash64", 64)])
def test_hashes(form: str, digits: int) -> None:
    """A hash is HMAC-SHA256 (here the second test case of RFC 4231), so that others can compute it too."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    template = parse(f"{{PatientID:{form}}}", Level.PATIENT, key=HashKey(b"Jefe"))
    assert template.render({"PatientID": " what do ya want for nothing?\0"}, ID) == expected[:digits]
    assert template.render({"PatientID": ""}, ID) == "unnamed"


def test_hashes_of_names() -> None:
    """One person has one hash, however the name is padded; a part of it has another."""
    whole, family = (
        parse(f"{{PatientName:{form}}}", Level.PATIENT, key=HashKey(b"k")) for form in ("hash", "hash,family")
    )
    names_of = {whole.render({"PatientName": name}, ID) for name in ("DOE^JOHN", "DOE^JOHN^^", " DOE^JOHN ")}
    assert len(names_of) == 1
    assert family.render({"PatientName": "DOE^JOHN"}, ID) not in names_of


def test_a_key_is_never_shown() -> None:
    """Logs and signatures tell one key from another without telling the key."""
    first, same, other = (HashKey(secret) for secret in (b"a very secret key", b"a very secret key", b"another key"))
    template = parse("{PatientID:hash}", Level.PATIENT, key=first)
    assert "secret" not in repr(template)
    assert first == same
    assert hash(first) == hash(same)
    assert repr(template) == repr(parse("{PatientID:hash}", Level.PATIENT, key=same))
    assert first != other
    assert first != b"a very secret key"
    assert repr(template) != repr(parse("{PatientID:hash}", Level.PATIENT, key=other))
    assert repr(parse("{PatientID}", Level.PATIENT, key=first)) == repr(parse("{PatientID}", Level.PATIENT))


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
    """One study can be in several folders, and is in one at least."""
    assert parse_group(template, Level.SERIES, {Level.PATIENT: ["PatientComments"]}).values(tags) == folders


@given(st.lists(st.sampled_from("abcABC123"), max_size=9), st.randoms())
def test_the_order_of_values_does_not_matter(values: list[str], random: Random) -> None:
    """The same values make the same folders, whoever sent them."""
    template = parse_group("{ModalitiesInStudy}", Level.STUDY)
    shuffled = random.sample(values, len(values))
    first, second = (template.values({"ModalitiesInStudy": "\\".join(each)}) for each in (values, shuffled))
    assert first == second
    assert len({names.key(name) for name in first}) == len(first)


def test_groups_have_limits() -> None:
    """A tag with thousands of values does not make thousands of folders, nor do two such tags together."""
    many = "\\".join(f"{number:04d}" for number in range(5000))
    template = parse_group("{OtherPatientIDs} {Labels}", Level.STUDY)
    found = template.values({"OtherPatientIDs": many, "Labels": many})
    assert found == tuple(f"0000 {number:04d}" for number in range(MOST))


def test_further_files_may_be_text_alone() -> None:
    """In the folder of a study there is one study.json, so nothing has to tell it from another."""
    assert parse_file("study.json", Level.STUDY).render({}, ID) == "study.json"
    assert parse_file("{StudyDescription}.zip", Level.STUDY).render({"StudyDescription": "CON"}, ID) == "CON_.zip"


@pytest.mark.parametrize(
    ("value", "name"),
    [("20240229142359.5+0100", "2024-02 14h"), ("202402291423", "2024-02 14h"), ("2024", "2024"), ("202413", "202413")],
)
def test_moments(value: str, name: str) -> None:
    """Date and time in one tag take formats of both; nothing is made up for what is missing."""
    template = parse("{AcquisitionDateTime:%Y-%m %Hh}", Level.SERIES, {Level.SERIES: ["AcquisitionDateTime"]})
    assert template.render({"AcquisitionDateTime": value}, ID) == name


@pytest.mark.parametrize(
    ("form", "value", "name"),
    [
        (":03d", "7", "007"),
        (":03d", " +7 ", "007"),
        (":03d", "-7", "-07"),
        (":03d", "12345", "12345"),
        (":03d", "7a", "7a"),
        (":03d", "1.0", "1.0"),
        (":03d", "\u0667", "\u0667"),
        (":d", "007", "7"),
        ("", "007", "007"),
        (":03d", "9" * 60, "9" * 60),
    ],
)
def test_integers(form: str, value: str, name: str) -> None:
    """An integer is filled with zeros, and what is none is shown as it is."""
    assert render(f"{{SeriesNumber{form}}}", SeriesNumber=value) == name


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


A, B, C = "{PatientID}", "{StudyID}", "{Modality}"


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
    """What looks like an extension in a folder's template is text, and is cut like text."""
    template = parse("{PatientID}.old", Level.PATIENT)
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
    """The digits are in the name for good, also where the rest of it is too long."""
    assert render(template, Level.PATIENT, PatientName=value) == name


def test_a_name_with_its_id_is_shown_as_it_is() -> None:
    """Digits that the template has put into a name are not added again."""
    base = render("{PatientName} {id}", Level.PATIENT, PatientName="DOE")
    assert names.shown({ID: base}, files=False) == {ID: base}


@given(st.dictionaries(st.sampled_from(sorted(usable(Level.INSTANCE))), st.text(), max_size=8))
def test_no_value_makes_an_unsafe_name_or_an_error(tags: dict[str, str]) -> None:
    """Whatever the tags hold, braces and format characters included, the name is safe and keeps its extension."""
    template = parse(
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
    template = parse("{StudyDate:%Y|SeriesDate|x} {PatientName} {id}", Level.SERIES)
    assert template.keywords == {"StudyDate", "SeriesDate", "PatientName"}


@pytest.mark.parametrize("level", Level)
def test_all_tags_that_orthanc_keeps_are_dicom_keywords(level: Level) -> None:
    """Every tag of the lists can be used in a template of its level."""
    for keyword in (*DEFAULT[level], *SINCE_1_12_5.get(level, ())):
        assert dictionary_VR(keyword)
        assert parse(f"{{{keyword}}}", level).render({keyword: "7"}, ID) == "7"


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
    """The message tells what is wrong, and what is known there."""
    with pytest.raises(TemplateError) as caught:
        parse(template, Level.STUDY)
    assert reason in str(caught.value)


@pytest.mark.parametrize("form", ["x", "3d", "+d", "03", "0d", "0100d", "03.2f", "_d"])
def test_wrong_formats_of_integers_are_refused(form: str) -> None:
    """Nothing but zeros to a width is known, so nothing else of Python's formats gets through."""
    with pytest.raises(TemplateError, match="write d, or 03d"):
        parse(f"{{SeriesNumber:{form}}}", Level.SERIES)
