"""Names that every client can keep, and that never lead to another resource than the one they were shown for.

A resource has a *base name* (what its template renders). Alone, it is shown under it. Where several in one folder have
the same base name, compared without case, each is shown under its *suffixed* name: the base name with `` ~`` and the
first ten digits of its own Orthanc id before the extension. Three rules make that safe:

1. a base name that already looks suffixed is shown with a suffix of its own, always: so a plain name is never equal to
   a suffixed one, whoever chose it;
2. unless the digits are its own (``{id}`` in a template): it is then its own suffixed name;
3. resources whose suffixed names are equal as well (ten digits of a hash can be forged) get all forty digits, and the
   short form leads to neither.

What is shown depends on the children and their base names alone, not on order, time or process.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

Id = TypeVar("Id", bound=str)
"""An Orthanc id: 40 hexadecimal digits and dashes (this module stands below `davfs.orthanc`, which names the type)."""

LIMIT = 108
"""Bytes of UTF-8 in a base name; with the suffix of ten digits 120, in the forged case of forty digits 150."""

FORBIDDEN = '<>:"/\\|?*'
"""What Windows, or a URL, takes for something else than a character of a name."""

UNNAMED = "unnamed"

_SHORT, _FULL = 10, 40
_LEAST_LIMIT = 16  # a device name, its underscore and a suffix of UTF-8 fit: shaping a name comes to an end

_NONCHARACTERS = "".join(f"\\U{plane << 16 | 0xFFFE:08x}\\U{plane << 16 | 0xFFFF:08x}" for plane in range(17))
_REPLACED = re.compile(
    f"[{re.escape(FORBIDDEN)}" + r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef" + _NONCHARACTERS + "]"
)
_DROPPED = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?= *(?:\.|\Z))", re.IGNORECASE)
_KEPT = r"[^\x00-\x20.\x7f-\xbf\u0180-\U0010ffff" + re.escape(FORBIDDEN) + "]"
_PLAIN = re.compile(rf"(?!(?i:{_DEVICE.pattern})){_KEPT}+(?:(?: |\.+){_KEPT}+)*")
"""Most names: words of letters that have no other normal form, with single spaces or with dots between them."""
_EXTENSION = re.compile(r"\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,8}\Z")
_BEFORE_EXTENSION = re.compile(r" +(?=\.[^. ]*\Z)")  # where a suffix goes, which has a space of its own
_SUFFIX = re.compile(rf" ~(?:[0-9a-f]{{{_SHORT}}}|[0-9a-f]{{{_FULL}}})\Z")


def safe(text: str, limit: int = LIMIT) -> str:
    r"""Make a name of any text: one that every client can keep, as readable as possible.

    NFC. ``<>:"/\|?*``, control characters, line separators, lone surrogates and noncharacters become ``_`` (what is
    left can stand in XML 1.0); bidirectional controls and U+FEFF are dropped, for they make a name look like another;
    white space becomes single spaces. No space or dot at the end, no space or dot (a hidden file) at the beginning,
    no device name of Windows. ``safe(safe(x)) == safe(x)``.

    Args:
        text: Anything, white space and nothing at all included.
        limit: Bytes of UTF-8, at least 16. Neither a character nor, where avoidable, what combines with it is split.

    Returns:
        The name; ``unnamed`` where nothing is left.
    """
    if limit < _LEAST_LIMIT:
        message = f"a name of {limit} bytes cannot be kept safe: at least {_LEAST_LIMIT} are needed"
        raise ValueError(message)
    return text if _PLAIN.fullmatch(text) and len(text.encode()) <= limit else _made_safe(text, limit)


def safe_file(stem: str, extension: str, limit: int = LIMIT) -> str:
    """Make a name of any text and an ending that survives the cut.

    Args:
        stem: Anything.
        extension: The ending, already safe and in ASCII: ``.dcm``, or ``""`` for none.
        limit: Bytes of UTF-8, ending included.
    """
    return safe(stem, limit - len(extension)) + extension


def split(name: str, *, files: bool) -> tuple[str, str]:
    """Split a name into stem and extension; the suffix belongs between the two.

    Args:
        name: The name.
        files: False for folders, which have no extension.

    Returns:
        The stem, and the extension with its dot: one to eight ASCII letters and digits, at least one letter among
        them, so that the last number of a UID is none.
    """
    match = _EXTENSION.search(name) if files else None
    return (name[: match.start()], match.group()) if match else (name, "")


def folded(name: str) -> str:
    """Return what is compared where case does not count: equal for names that a client may take for the same."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def id_suffix(resource: str, digits: int = _SHORT) -> str:
    """Return ``~`` and the first digits of an Orthanc id, as a suffix (after a space) and ``{id}`` carry them."""
    return "~" + resource.replace("-", "")[:digits]


def unique_names(children: Mapping[Id, str], *, files: bool) -> dict[Id, str]:
    """Tell the name under which each child of one folder is shown.

    Args:
        children: Base names, each made by `safe` or `safe_file`, of *all* children of the folder.
        files: Whether the children are files, with extensions.

    Returns:
        Safe names, no two of them with the same `folded`.
    """
    keys = {child: folded(base) for child, base in children.items()}
    claims = Counter(keys.values())
    suffixed = [one for one in claims if "~" in one and _looks_suffixed(one, files=files)]
    # All others are shown as they are: this spares nearly every child of a large folder the work of _answers().
    contested = {one for one, count in claims.items() if count > 1}
    contested.update(other for one in suffixed for other in base_names(one, files=files))
    some = {child: base for child, base in children.items() if keys[child] in contested}
    return dict(children) | {child: answers[0] for child, answers in _answers(some, files=files).items()}


def base_names(segment: str, *, files: bool) -> tuple[str, ...]:
    """Return the keys of all base names that decide what a segment leads to, for a look-up in an index by `folded`.

    Args:
        segment: What a client asks for, in any normal form.
        files: Whether the children are files, with extensions.

    Returns:
        The segment's own key and, where the segment ends in a suffix, the key without it.
    """
    whole = folded(segment)
    stem, extension = split(whole, files=files)
    match = _SUFFIX.search(stem)
    return (whole, stem[: match.start()] + extension) if match else (whole,)


def resolve(segment: str, candidates: Mapping[Id, str], *, files: bool) -> Id | None:
    """Find the child that a segment leads to.

    Args:
        segment: What a client asks for, in any normal form (macOS sends NFD).
        candidates: Base names of all children of the folder whose key is among ``base_names(segment)``; others may be
            there and change nothing.
        files: Whether the children are files, with extensions.

    Returns:
        The child that is shown under exactly this name, or has it as its suffixed name; None where there is none, or
        where it cannot be told which is meant.
    """
    wanted = unicodedata.normalize("NFC", segment)
    answers = _answers(candidates, files=files)
    return next((child for child in answers if wanted in answers[child]), None)


def _answers(children: Mapping[Id, str], *, files: bool) -> dict[Id, tuple[str, ...]]:
    """Tell all names that each child answers to, the shown one first."""
    short = {child: _suffixed(child, base, files=files) for child, base in children.items()}
    claims = Counter(map(folded, children.values()))
    # Claimed even by a child that is shown plain: it answers to its suffixed name too, and was perhaps shown under it.
    short_claims = Counter(map(folded, short.values()))
    answers = {}
    for child, base in children.items():
        alone = claims[folded(base)] == 1 and not _looks_suffixed(base, files=files)
        unforged = short_claims[folded(short[child])] == 1
        full = _with_mark(base, id_suffix(child, _FULL), files=files)
        answers[child] = ((base,) if alone else ()) + ((short[child],) if unforged else ()) + (full,)
    return answers


def _suffixed(child: str, base: str, *, files: bool) -> str:
    stem, _ = split(folded(base), files=files)
    return base if stem.endswith(f" {id_suffix(child)}") else _with_mark(base, id_suffix(child), files=files)


def _with_mark(base: str, digits: str, *, files: bool) -> str:
    stem, extension = split(base, files=files)
    return f"{stem} {digits}{extension}"


def _looks_suffixed(base: str, *, files: bool) -> bool:
    # Asked of the key: a long s in an extension, or a ligature of two f among the digits, would slip through otherwise.
    return _SUFFIX.search(split(folded(base), files=files)[0]) is not None


def _made_safe(text: str, limit: int) -> str:
    text = _DROPPED.sub("", _REPLACED.sub("_", unicodedata.normalize("NFC", text)))
    # Once more NFC: what was dropped may have stood between a letter and its accent.
    text = re.sub(r"\s+", " ", unicodedata.normalize("NFC", text))
    while (shaped := _cut(_without_device(_trimmed(text)), limit)) != text:
        text = shaped
    return text or UNNAMED


def _trimmed(text: str) -> str:
    text = _BEFORE_EXTENSION.sub("", text.lstrip(" ").rstrip(" ."))
    return "_" + text[1:] if text.startswith(".") else text


def _without_device(text: str) -> str:
    match = _DEVICE.match(text)
    return f"{match.group()}_{text[match.end() :]}" if match else text


def _cut(text: str, limit: int) -> str:
    if len(text.encode()) <= limit:
        return text
    kept = text.encode()[:limit].decode(errors="ignore")
    end = len(kept)
    while end and _is_joined(text, end):
        end -= 1
    return kept[:end] or kept


def _is_joined(text: str, at: int) -> bool:
    """Tell whether the character there combines with the one before it."""
    return unicodedata.category(text[at]).startswith("M") or "\u200d" in text[at - 1 : at + 1]
