"""Names are safe everywhere, and never lie."""

import unicodedata
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from davfs import names

LONG_S = "\N{LATIN SMALL LETTER LONG S}"  # folds to s, but is no letter of an extension
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=150)
NASTY_TEXT = st.one_of(
    ANY_TEXT,
    st.text(
        st.sampled_from(" .~/_\u00a0\u0301\u0345\u200d\u202e\ufeff\ud800\uffffAasKßǰ山\N{GRINNING FACE}" + LONG_S),
        max_size=80,
    ),
    st.from_regex(r"(?i)(con|nul|com[1¹]|lpt0|conin\$) *\.?[ a.]*\u0301{0,60}", fullmatch=True),
)
NEARLY_PLAIN = st.one_of(
    st.text(st.sampled_from(" ..~_-()AaZz09é\u0149\u017f\u0180"), max_size=60),
    st.text(st.characters(max_codepoint=0x180), max_size=60),
    st.from_regex(r"(?i)(con|nul|com[19]|lpt[0x]|conin\$)[ .]{0,3}[a-z.]{0,5}", fullmatch=True),
)
IDS = tuple(f"{head}-{middle}-89abcdef-{tail}" for head, middle, tail in [
    ("01234567", "89aaaaaa-01234567", "00000000"),
    ("01234567", "89bbbbbb-01234567", "11111111"),  # forged: the same ten digits
    ("01234567", "89aaaaaa-01234567", "22222222"),
    ("fedcba98", "76543210-fedcba98", "33333333"),
    ("aaaaaaaa", "aaaaaaaa-aaaaaaaa", "44444444"),
    ("01234567", "ffffffff-00000000", "55555555"),
])  # fmt: skip
STEMS = (
    "x",
    "X",
    f"x.{LONG_S}",
    "x.s",
    "é",
    "DOE JOHN",
    "doe  john.",
    "CON",
    "",
    "1.2.840",
    "x ~01234567ﬀ",
    "y" * 200,
    *"xXxX",
)
MARKS = tuple(f" {names.id_suffix(one, digits)}" for one in IDS for digits in (10, 40))


def base(stem: str, marks: list[str], extension: str) -> str:
    """Make a base name as templates and patients can: with suffixes that are their own, or somebody else's."""
    return names.safe_file(stem + "".join(marks), extension)


NASTY_BASES = st.builds(
    base,
    st.one_of(st.sampled_from(STEMS), NASTY_TEXT),
    st.lists(st.sampled_from(MARKS), max_size=2),
    st.sampled_from(["", ".dcm", ".DCM", ".s"]),
)


def likenesses(name: str) -> list[str]:
    """Make base names that are easily taken for the given one, or for one of its suffixed forms."""
    stem, extension = names.split(name, files=True)
    return [name, names.safe(name.swapcase()), *(base(stem, [mark], extension) for mark in MARKS[:4])]


@st.composite
def folders(draw: st.DrawFn) -> dict[str, str]:
    """Draw a folder in which many names are alike."""
    alike = likenesses(draw(NASTY_BASES))
    return draw(st.dictionaries(st.sampled_from(IDS), st.sampled_from(alike) | NASTY_BASES))


def assert_safe(name: str, limit: int) -> None:
    """Check all that a name promises, without the code that made it."""
    assert 0 < len(name.encode()) <= limit
    assert unicodedata.is_normalized("NFC", name)
    assert not set(name) & set('<>:"/\\|?*')
    assert all(unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"} for character in name)
    assert all(ord(character) & 0xFFFE != 0xFFFE and not 0xFDD0 <= ord(character) <= 0xFDEF for character in name)
    assert all(character == " " or not character.isspace() for character in name)
    assert name[0] not in " ."
    assert name[-1] not in " ."
    device = name.partition(".")[0].rstrip(" ").upper()
    assert device not in {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    assert not (device[:3] in {"COM", "LPT"} and device[3:] in {*"0123456789¹²³"})


@given(NASTY_TEXT, st.integers(16, 120))
def test_any_text_becomes_a_safe_name(text: str, limit: int) -> None:
    """Any text in a tag becomes a safe name."""
    assert_safe(names.safe(text, limit), limit)


@given(NASTY_TEXT, st.integers(16, 120))
def test_a_safe_name_stays_as_it_is(text: str, limit: int) -> None:
    """Making a safe name safe changes nothing."""
    name = names.safe(text, limit)
    assert names.safe(name, limit) == name


@settings(max_examples=200)
@given(NASTY_TEXT | NEARLY_PLAIN, st.integers(16, 120))
def test_plain_names_are_what_all_others_would_become(text: str, limit: int) -> None:
    """A name that passes the quick check is the one that the complete rules make."""
    assert names.safe(text, limit) == names._made_safe(text, limit)


def test_every_character_of_a_plain_name() -> None:
    """No character passes the quick check that the complete rules change, at any position."""
    for character in map(chr, range(0x110000)):
        text = f"a{character}b"
        assert not names._PLAIN.fullmatch(text) or names._made_safe(text, names.LIMIT) == text


@given(NASTY_TEXT, st.sampled_from(["", ".dcm", ".zip", " ~0123456789.dcm"]))
def test_the_ending_of_a_file_survives_the_cut(stem: str, extension: str) -> None:
    """However long the stem is, the file keeps its extension and its name is safe."""
    name = names.safe_file(stem, extension)
    assert name.endswith(extension)
    assert names.safe(name) == name
    assert_safe(name, names.LIMIT)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("DOE JOHN", "DOE JOHN"),
        ("", "unnamed"),
        (" \u3000\u00a0 ", "unnamed"),
        ("...", "unnamed"),
        ("a/b\\c:d", "a_b_c_d"),
        ("a\tb\x00c\x7fd\x85e", "a_b_c_d_e"),
        ("a\u2028b\ufffec\U0010ffffd\ufdd0e", "a_b_c_d_e"),
        ("a\ud83db", "a_b"),
        ("evil\u202egpj.exe\ufeff", "evilgpj.exe"),
        ("e\u200e\u0301", "é"),
        ("a \u00a0 b", "a b"),
        ("CT Abd. ", "CT Abd"),
        (".hidden", "_hidden"),
        ("._x.dcm", "__x.dcm"),
        ("con", "con_"),
        ("CON.txt", "CON_.txt"),
        ("nul .tar.gz", "nul_ .tar.gz"),
        ("COM¹", "COM¹_"),
        ("LPT0.x", "LPT0_.x"),
        ("CONIN$", "CONIN$_"),
        ("COM10", "COM10"),
        ("CONTRAST", "CONTRAST"),
        ("山田 太郎", "山田 太郎"),
    ],
)
def test_names_stay_readable(text: str, name: str) -> None:
    """Only what some client cannot keep is replaced."""
    assert names.safe(text) == name


def test_the_cut_keeps_letters_and_their_accents_together() -> None:
    """A letter whose accents do not fit is left out with them, unless nothing else is there."""
    assert names.safe("abcdefghijklmno" + "q\u0323\u0308", 16) == "abcdefghijklmno"
    assert names.safe("山" * 10, 16) == "山" * 5
    assert names.safe("a" + "\u0323" * 30, 16) == unicodedata.normalize("NFC", "a\u0323") + "\u0323" * 6
    assert names.safe("0123456789" + "\N{WOMAN}\u200d\N{MICROSCOPE}", 16) == "0123456789"


def test_a_limit_too_small_to_be_safe_is_refused() -> None:
    """Fewer bytes than a device name and its underscore need are a mistake of the caller."""
    with pytest.raises(ValueError, match="at least 16"):
        names.safe("x", 15)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("00001.dcm", ("00001", ".dcm")),
        ("a.tar.gz", ("a.tar", ".gz")),
        ("film.mp4", ("film", ".mp4")),
        ("1.2.840.10008", ("1.2.840.10008", "")),
        ("no extension", ("no extension", "")),
        ("St. Mary", ("St. Mary", "")),
        ("a.toolongtobe", ("a.toolongtobe", "")),
        ("a.é", ("a.é", "")),
    ],
)
def test_only_a_short_ascii_ending_with_a_letter_is_an_extension(name: str, parts: tuple[str, str]) -> None:
    """The suffix stands before an extension, and after the last number of a UID."""
    assert names.split(name, files=True) == parts
    assert names.split(name, files=False) == (name, "")


@given(NASTY_TEXT)
def test_keys_are_stable(text: str) -> None:
    """The key of a key is the key itself, and all normal forms of a name share it."""
    assert names.folded(names.folded(text)) == names.folded(text)
    assert names.folded(unicodedata.normalize("NFD", text)) == names.folded(text)


@given(folders(), st.booleans(), st.randoms())
def test_names_do_not_depend_on_order(children: dict[str, str], files: bool, random: Random) -> None:  # noqa: FBT001  hypothesis passes it by name
    """The same children have the same names in whatever order they came."""
    order = list(children)
    random.shuffle(order)
    assert names.unique_names({child: children[child] for child in order}, files=files) == names.unique_names(
        children, files=files
    )


@given(folders(), st.booleans())
def test_every_shown_name_is_safe_and_unlike_the_others(children: dict[str, str], files: bool) -> None:  # noqa: FBT001  hypothesis passes it by name
    """No client can confuse two children, and every client can keep their names."""
    shown = names.unique_names(children, files=files)
    assert len({names.folded(name) for name in shown.values()}) == len(children)
    for name in shown.values():
        assert_safe(name, 150)
        assert names.safe(name, 150) == name


@given(folders(), st.booleans(), st.booleans())
def test_every_shown_name_leads_back(children: dict[str, str], files: bool, macos: bool) -> None:  # noqa: FBT001  hypothesis passes it by name
    """A name leads to the child that is shown under it, also as macOS writes it, and with only the candidates known."""
    for child, name in names.unique_names(children, files=files).items():
        segment = unicodedata.normalize("NFD", name) if macos else name
        keys = names.base_names(segment, files=files)
        candidates = {other: base for other, base in children.items() if names.folded(base) in keys}
        assert names.resolve(segment, candidates, files=files) == child


@given(folders(), NASTY_BASES, st.booleans())
def test_the_candidates_suffice(children: dict[str, str], segment: str, files: bool) -> None:  # noqa: FBT001  hypothesis passes it by name
    """Children whose keys are not looked up change nothing, for any segment."""
    keys = names.base_names(segment, files=files)
    candidates = {child: base for child, base in children.items() if names.folded(base) in keys}
    assert names.resolve(segment, candidates, files=files) == names.resolve(segment, children, files=files)


def test_a_collision_suffixes_all_and_leaves_the_plain_name_to_nobody() -> None:
    """Two studies of one name are both suffixed; the plain name leads to neither, not to the first or last."""
    children = {IDS[0]: "CT Head", IDS[3]: "ct head"}
    assert names.unique_names(children, files=False) == {IDS[0]: "CT Head ~0123456789", IDS[3]: "ct head ~fedcba9876"}
    assert names.resolve("CT Head", children, files=False) is None
    assert names.resolve("CT Head ~fedcba9876", children, files=False) is None
    assert names.resolve("ct head ~fedcba9876", children, files=False) == IDS[3]


def test_a_resource_alone_answers_to_both_its_names() -> None:
    """The suffixed name stays valid, also if no other resource has the plain one any more."""
    children = {IDS[0]: "00001.dcm"}
    assert names.resolve("00001.dcm", children, files=True) == IDS[0]
    assert names.resolve("00001 ~0123456789.dcm", children, files=True) == IDS[0]
    assert names.resolve("00001 ~fedcba9876.dcm", children, files=True) is None
    assert names.resolve("00001.DCM", children, files=True) is None


def test_a_name_that_looks_suffixed_gets_a_suffix_of_its_own() -> None:
    """A patient called like somebody else's suffixed name is not mistaken for that one."""
    children = {IDS[3]: "DOE ~0123456789", IDS[4]: "DOE"}
    assert names.unique_names(children, files=False) == {IDS[3]: "DOE ~0123456789 ~fedcba9876", IDS[4]: "DOE"}
    assert names.resolve("DOE ~0123456789", children, files=False) is None


def test_a_name_that_carries_its_own_digits_is_its_suffixed_name() -> None:
    """With {id} in a template no digits are added twice."""
    assert names.unique_names({IDS[0]: "DOE ~0123456789"}, files=False) == {IDS[0]: "DOE ~0123456789"}
    assert names.unique_names({IDS[0]: "1 ~0123456789.dcm"}, files=True) == {IDS[0]: "1 ~0123456789.dcm"}


def test_forged_ids_get_all_their_digits() -> None:
    """Where ten digits are equal too, forty are shown, and the short form leads to neither."""
    children = {IDS[0]: "x.dcm", IDS[1]: "x.dcm", IDS[3]: "x.dcm"}
    shown = names.unique_names(children, files=True)
    assert shown[IDS[0]] == f"x {names.id_suffix(IDS[0], 40)}.dcm"
    assert shown[IDS[3]] == "x ~fedcba9876.dcm"
    assert names.resolve("x ~0123456789.dcm", children, files=True) is None
    assert names.resolve(shown[IDS[1]], children, files=True) == IDS[1]


def test_letters_that_only_fold_to_hexadecimal_look_suffixed_too() -> None:
    """A ligature of two f among the digits is compared as what it folds to."""
    children = {IDS[3]: "x ~01234567ﬀ", IDS[0]: "x"}
    assert names.unique_names(children, files=False)[IDS[3]] == "x ~01234567ﬀ ~fedcba9876"


class Folder(RuleBasedStateMachine):
    """One folder in which resources come and go, and a client that remembers every name it ever saw."""

    def __init__(self) -> None:
        super().__init__()
        self.files = False
        self.children: dict[str, str] = {}
        self.seen: set[tuple[str, str]] = set()

    @initialize(files=st.booleans())
    def start(self, files: bool) -> None:  # noqa: FBT001  hypothesis passes it by name
        """Choose what the folder holds."""
        self.files = files

    @rule(child=st.sampled_from(IDS), base=NASTY_BASES)
    def arrive(self, child: str, base: str) -> None:
        """Add a resource; what is there keeps its base name."""
        self.children.setdefault(child, base)

    @rule(child=st.sampled_from(IDS), other=st.sampled_from(IDS), pick=st.integers(0, 5), shown=st.booleans())
    def arrive_alike(self, child: str, other: str, pick: int, shown: bool) -> None:  # noqa: FBT001  hypothesis passes it by name
        """Add a resource that is called much as another one is, or is shown."""
        there = names.unique_names(self.children, files=self.files) if shown else self.children
        self.children.setdefault(child, names.safe(likenesses(there.get(other, "x"))[pick]))

    @rule(child=st.sampled_from(IDS))
    def leave(self, child: str) -> None:
        """Delete a resource, and forget its names: its id may come back under another name."""
        self.children.pop(child, None)
        self.seen = {(name, owner) for name, owner in self.seen if owner != child}

    @invariant()
    def names_never_lie(self) -> None:
        """Every name ever shown leads to its resource or to nothing, a suffixed one to its resource."""
        shown = names.unique_names(self.children, files=self.files)
        self.seen |= {(name, child) for child, name in shown.items()}
        for name, owner in self.seen:
            found = names.resolve(name, self.children, files=self.files)
            assert found == owner if self._holds_for_ever(name, owner) else found in {owner, None}
            assert found == owner if shown[owner] == name else True

    def _holds_for_ever(self, name: str, owner: str) -> bool:
        stem, _ = names.split(name, files=self.files)
        forged = any(other != owner and names.id_suffix(other) == names.id_suffix(owner) for other in self.children)
        return stem.endswith(" " + names.id_suffix(owner, 40)) or (
            stem.endswith(" " + names.id_suffix(owner)) and not forged
        )


TestFolder = pytest.mark.slow(Folder.TestCase)
TestFolder.settings = settings(max_examples=200, stateful_step_count=20, deadline=None)
