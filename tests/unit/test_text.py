"""Text, and the names of persons, in a name: writings, parts, case, length and hashes."""

import pytest

from davfs.layout import HashKey, parse_template
from davfs.orthanc.model import Level
from tests.support.templates import ID, render

JAPANESE = "Yamada^Tarou=山田^太郎=やまだ^たろう"


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
    template = parse_template(f"{{PatientID:{form}}}", Level.PATIENT, key=HashKey(b"Jefe"))
    assert template.render({"PatientID": " what do ya want for nothing?\0"}, ID) == expected[:digits]
    assert template.render({"PatientID": ""}, ID) == "unnamed"


def test_hashes_of_names() -> None:
    """The hash of a name does not depend on padding, and differs from that of a part of the name."""
    whole, family = (
        parse_template(f"{{PatientName:{form}}}", Level.PATIENT, key=HashKey(b"k")) for form in ("hash", "hash,family")
    )
    names_of = {whole.render({"PatientName": name}, ID) for name in ("DOE^JOHN", "DOE^JOHN^^", " DOE^JOHN ")}
    assert len(names_of) == 1
    assert family.render({"PatientName": "DOE^JOHN"}, ID) not in names_of


def test_a_key_is_never_shown() -> None:
    """Keys can be distinguished in logs, and are never shown there."""
    first, same, other = (HashKey(secret) for secret in (b"a very secret key", b"a very secret key", b"another key"))
    template = parse_template("{PatientID:hash}", Level.PATIENT, key=first)
    assert "secret" not in repr(template)
    assert first == same
    assert hash(first) == hash(same)
    assert repr(template) == repr(parse_template("{PatientID:hash}", Level.PATIENT, key=same))
    assert first != other
    assert first != b"a very secret key"
    assert repr(template) != repr(parse_template("{PatientID:hash}", Level.PATIENT, key=other))
    assert repr(parse_template("{PatientID}", Level.PATIENT, key=first)) == repr(
        parse_template("{PatientID}", Level.PATIENT)
    )
