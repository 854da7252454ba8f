"""Formats text and names of people: parts of a name, case, length, and keyed hashes."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

GROUPS = ("alphabetic", "ideographic", "phonetic")
"""The writings of one name, in the order of DICOM PS3.5 section 6.2.1.1, split by ``=``."""

COMPONENTS = ("family", "given", "middle", "prefix", "suffix")
"""The components of each writing, in the same section's order, split by ``^``."""

LONGEST = 100
"""Largest number of characters in a format; a name has room for 108 bytes."""

WITHOUT_STROKES = str.maketrans({
    "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ŧ": "t", "\u0131": "i",
})  # fmt: skip
"""Letters with strokes and joined letters, which Unicode does not decompose as it does those with accents."""

_LEAST_DAYS, _MOST_DAYS = 365, 3653
_DIGITS = 16
_LEAST_DIGITS, _MOST_DIGITS = 8, 64
_APOSTROPHES = "'\u2019"
_INITIAL = re.compile(rf"(?:(?<![\w{_APOSTROPHES}\u0300-\u036f])|(?<=\w[{_APOSTROPHES}])(?=\w{{2}}))[^\W\d_]")
_HASH = re.compile(r"hash([1-9][0-9]?)?")
_LENGTH = re.compile(r"[1-9][0-9]{0,2}")
_ZERO_WIDTH_JOINER = "\u200d"


class TemplateError(ValueError):
    """A template, or a format in it, has a mistake; the loader adds file and line."""


class HashKey:
    """The secret key of hashes.

    Its ``repr`` has a fingerprint only, so that no log contains the key, but layouts with different keys differ.

    Args:
        secret: The key; with it one can find out which patient a folder belongs to.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def digest(self, text: str) -> str:
        """Return the HMAC-SHA256 of a text in UTF-8, as 64 hexadecimal digits.

        Source: RFC 2104.
        """
        return hmac.new(self._secret, text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    def days(self, subject: str) -> int:
        """Return the number of days by which a person's dates are shifted: one to ten years.

        Args:
            subject: The person (`davfs.layout.subject`).
        """
        return _LEAST_DAYS + int(self.digest(f"days:{subject}")[:16], 16) % (_MOST_DAYS - _LEAST_DAYS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HashKey) and hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self._secret)

    def __repr__(self) -> str:
        return f"HashKey({self.digest('fingerprint of the key itself')[:16]})"


@dataclass(frozen=True, slots=True)
class TextFormat:
    """Formats text, or a person's name.

    Attributes:
        person: Whether it is a person's name.
        group: Which writing of it, from 0; None for the first that holds any.
        component: Which part of it, from 0; None for all.
        case: ``upper``, ``lower``, ``title``, or nothing.
        length: Characters at most; 0 for all.
        digits: Digits of the hash that stands for the text; 0 for the text itself.
        key: Key of the hash.
    """

    person: bool
    group: int | None = None
    component: int | None = None
    case: str = ""
    length: int = 0
    digits: int = 0
    key: HashKey | None = None

    def apply(self, value: str) -> str:
        """Format the value; return an empty text if it lacks the part of a name."""
        text = person_name(value, self.group, self.component) if self.person else value
        if text and self.digits and self.key:
            return self.key.digest(unicodedata.normalize("NFC", text))[: self.digits]
        return truncated(CASES[self.case](text), self.length)


def compile_text(representation: str, text: str, key: HashKey | None) -> TextFormat:
    """Parse a format of text: words and numbers, joined by commas.

    Args:
        representation: The tag's value representation.
        text: The format.
        key: The key of hashes, if there is one.

    Raises:
        TemplateError: It has a mistake; the message says what is allowed.
    """
    found: dict[str, int | str] = {}
    for word in (word.strip() for word in text.split(",")):
        name, value = _word(word, person=representation == "PN")
        if name in found:
            raise TemplateError(f'"{text}" asks for two at once; "{word}" cannot stand with what is before it')
        found[name] = value
    if "digits" in found and found.keys() & {"case", "length"}:
        raise TemplateError(f'"{text}": a hash has neither case nor length; hash{_LEAST_DIGITS} is a short one')
    if "digits" in found and key is None:
        raise TemplateError("a hash needs a key of your own; set Davfs.HashKey in the configuration")
    return TextFormat(
        representation == "PN",
        GROUPS.index(str(found["group"])) if "group" in found else None,
        COMPONENTS.index(str(found["component"])) if "component" in found else None,
        str(found.get("case", "")),
        int(found.get("length", 0)),
        int(found.get("digits", 0)),
        key if "digits" in found else None,
    )


def _word(word: str, *, person: bool) -> tuple[str, int | str]:
    if word in CASES and word:
        return "case", word
    if person and word in GROUPS:
        return "group", word
    if person and word in COMPONENTS:
        return "component", word
    if (match := _HASH.fullmatch(word)) and _LEAST_DIGITS <= int(match[1] or _DIGITS) <= _MOST_DIGITS:
        return "digits", int(match[1] or _DIGITS)
    if _LENGTH.fullmatch(word) and int(word) <= LONGEST:
        return "length", int(word)
    raise TemplateError(f'"{word}" is no format of {"a name" if person else "text"}; known are {_known(person=person)}')


def _known(*, person: bool) -> str:
    words = [*(COMPONENTS if person else ()), *(GROUPS if person else ()), *filter(None, CASES)]
    length = f"a number of characters from 1 to {LONGEST}"
    return f"{', '.join(words)}, {length}, and hash or hash{_LEAST_DIGITS} to hash{_MOST_DIGITS}"


def person_name(name: str, group: int | None = None, component: int | None = None) -> str:
    """Format a person's name: its components joined by spaces, family name first.

    Args:
        name: A value of representation PN.
        group: Which writing, from 0; None for the first that holds any.
        component: Which part, from 0; None for all.
    """
    groups = name.split("=")
    if group is None:
        group = next((at for at, one in enumerate(groups) if one.replace("^", " ").strip()), 0)
    components = groups[group].split("^") if group < len(groups) else []
    if component is not None:
        components = components[component : component + 1]
    return " ".join(" ".join(components).split())


def truncated(text: str, length: int) -> str:
    """Truncate a text between characters, never before a combining one.

    Args:
        text: The text.
        length: Maximum number of characters, each with its combining ones; 0 for no limit.
    """
    text = unicodedata.normalize("NFC", text)
    if not length or len(text) <= length:
        return text
    starts = (at for at in range(len(text)) if not (at and _combines(text, at)))
    end = next(islice(starts, length, None), len(text))
    return text[:end].rstrip()


def _combines(text: str, at: int) -> bool:
    skin = "\U0001f3fb" <= text[at] <= "\U0001f3ff"  # modifiers of emoji
    return skin or unicodedata.category(text[at]).startswith("M") or _ZERO_WIDTH_JOINER in text[at - 1 : at + 1]


def _title(text: str) -> str:
    """Capitalize each word: O'Neill, but not Patient'S."""
    return _INITIAL.sub(lambda letter: letter[0].upper(), text.lower())


CASES: dict[str, Callable[[str], str]] = {"": str, "upper": str.upper, "lower": str.lower, "title": _title}
"""The cases of text by their names."""
