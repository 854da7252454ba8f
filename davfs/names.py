"""Makes the names of folders and files: names that every client can keep, each of one resource only.

A patient folder, like every other entry, has a *base name*: the text that its template renders, made `safe`. An entry
whose base name nothing else in the folder has, compared without case, is listed under it. Otherwise each of them is
listed under its *suffixed name*: the base name with `` ~`` and the first ten digits of its Orthanc id before the
extension. Three rules ensure that a name never leads to another resource than the one that was listed under it:

1. a base name that looks suffixed always gets a suffix of its own, so that no plain name equals a suffixed one;
2. unless the digits are those of the entry itself (``{id}`` in a template): it is then its own suffixed name;
3. if suffixed names are equal as well (ten digits of a hash can be forged), the entries get all forty digits, and the
   short form leads to none of them.

Names depend on the entries of the folder and their base names only, not on order, time or process.
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
"""Characters that Windows or a URL do not allow in a name."""

UNNAMED = "unnamed"

_SHORT, _FULL = 10, 40
_LEAST_LIMIT = 16  # a device name, its underscore and a suffix of UTF-8 fit: shaping a name comes to an end

_NONCHARACTERS = "".join(f"\\U{plane << 16 | 0xFFFE:08x}\\U{plane << 16 | 0xFFFF:08x}" for plane in range(17))
_REPLACED = re.compile(
    f"[{re.escape(FORBIDDEN)}" + r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef" + _NONCHARACTERS + "]"
)
_REMOVED = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?= *(?:\.|\Z))", re.IGNORECASE)
_LETTER = r"[^\x00-\x20.\x7f-\xbf\u0180-\U0010ffff" + re.escape(FORBIDDEN) + "]"
_PLAIN = re.compile(rf"(?!(?i:{_DEVICE.pattern})){_LETTER}+(?:(?: |\.+){_LETTER}+)*")
"""Most names: words of letters with only one normal form, and single spaces or dots between them."""
_EXTENSION = re.compile(r"\.(?=[0-9]*[A-Za-z])[A-Za-z0-9]{1,8}\Z")
_BEFORE_EXTENSION = re.compile(r" +(?=\.[^. ]*\Z)")  # where a suffix goes, which has a space of its own
_SUFFIX = re.compile(rf" ~(?:[0-9a-f]{{{_SHORT}}}|[0-9a-f]{{{_FULL}}})\Z")


def safe(text: str, limit: int = LIMIT) -> str:
    r"""Return a text as a name that every client can keep, changed as little as possible.

    NFC. ``<>:"/\|?*``, control characters, line separators, lone surrogates and noncharacters become ``_`` (what is
    left can stand in XML 1.0). Bidirectional controls and U+FEFF are removed: they make a name look like another one.
    White space becomes single spaces. A name has no space or dot at its end, none at its beginning (where a dot hides
    a file), and is no device name of Windows. ``safe(safe(x)) == safe(x)``.

    Args:
        text: Any text, even an empty one.
        limit: Bytes of UTF-8, at least 16. No character is split from those that combine with it, if possible.

    Returns:
        The name; ``unnamed`` if nothing is left.
    """
    if limit < _LEAST_LIMIT:
        message = f"a name of {limit} bytes cannot be kept safe: at least {_LEAST_LIMIT} are needed"
        raise ValueError(message)
    return text if _PLAIN.fullmatch(text) and len(text.encode()) <= limit else _made_safe(text, limit)


def safe_file(stem: str, extension: str) -> str:
    """Return a text as a name with an extension, which is safe, in ASCII (``.dcm``, or ``""``), and never cut off."""
    return safe(stem, LIMIT - len(extension)) + extension


def split(name: str, *, files: bool) -> tuple[str, str]:
    """Split a name into stem and extension, between which a suffix goes; folders have no extension.

    Returns:
        The stem, and the extension with its dot: one to eight ASCII letters and digits, with at least one letter, so
        that the last number of a UID is no extension.
    """
    match = _EXTENSION.search(name) if files else None
    return (name[: match.start()], match.group()) if match else (name, "")


def folded(name: str) -> str:
    """Return a name as a key that is compared without case: equal for names that a client may take for the same."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def id_suffix(resource: str, digits: int = _SHORT) -> str:
    """Return ``~`` and the first digits of an Orthanc id: a suffix without its space, and the value of ``{id}``."""
    return "~" + resource.replace("-", "")[:digits]


def unique_names(children: Mapping[Id, str], *, files: bool) -> dict[Id, str]:
    """Return the name under which each entry of a folder is listed.

    Args:
        children: Base names of *all* entries of the folder, each made by `safe` or `safe_file`.
        files: Whether the entries are files, with extensions.

    Returns:
        Safe names, no two of them with the same key (`folded`).
    """
    keys = {child: folded(base) for child, base in children.items()}
    claims = Counter(keys.values())
    suffixed = [one for one in claims if "~" in one and _looks_suffixed(one, files=files)]
    # All other entries, nearly all in a large folder, are listed under their base names without a call of _accepted().
    contested = {one for one, count in claims.items() if count > 1}
    contested.update(other for one in suffixed for other in base_names(one, files=files))
    some = {child: base for child, base in children.items() if keys[child] in contested}
    return dict(children) | {child: accepted[0] for child, accepted in _accepted(some, files=files).items()}


def base_names(segment: str, *, files: bool) -> tuple[str, ...]:
    """Return the keys (`folded`) of all base names that decide which entry a name leads to, for a search in an index.

    Args:
        segment: The name that a client sent, in any normal form.
        files: Whether the entries are files, with extensions.

    Returns:
        The key of the name and, if it ends in a suffix, the key without it.
    """
    key = folded(segment)
    stem, extension = split(key, files=files)
    match = _SUFFIX.search(stem)
    return (key, stem[: match.start()] + extension) if match else (key,)


def resolve(segment: str, candidates: Mapping[Id, str], *, files: bool) -> Id | None:
    """Return the entry that a name leads to.

    Args:
        segment: The name that a client sent, in any normal form (macOS sends NFD).
        candidates: Base names of all entries of the folder whose keys are among ``base_names(segment)``; further ones
            make no difference.
        files: Whether the entries are files, with extensions.

    Returns:
        The entry that is listed under exactly this name, or has it as its suffixed name; None if there is none, or if
        the name is ambiguous.
    """
    wanted = unicodedata.normalize("NFC", segment)
    accepted = _accepted(candidates, files=files)
    return next((child for child in accepted if wanted in accepted[child]), None)


def _accepted(children: Mapping[Id, str], *, files: bool) -> dict[Id, tuple[str, ...]]:
    """Return all names that lead to each entry, starting with the one under which it is listed."""
    short = {child: _suffixed(child, base, files=files) for child, base in children.items()}
    claims = Counter(map(folded, children.values()))
    # Also those of entries that are listed without a suffix: they may have been listed with it before.
    short_claims = Counter(map(folded, short.values()))
    accepted = {}
    for child, base in children.items():
        alone = claims[folded(base)] == 1 and not _looks_suffixed(base, files=files)
        unforged = short_claims[folded(short[child])] == 1
        full = _with_suffix(base, id_suffix(child, _FULL), files=files)
        accepted[child] = ((base,) if alone else ()) + ((short[child],) if unforged else ()) + (full,)
    return accepted


def _suffixed(child: str, base: str, *, files: bool) -> str:
    stem, _ = split(folded(base), files=files)
    return base if stem.endswith(f" {id_suffix(child)}") else _with_suffix(base, id_suffix(child), files=files)


def _with_suffix(base: str, digits: str, *, files: bool) -> str:
    stem, extension = split(base, files=files)
    return f"{stem} {digits}{extension}"


def _looks_suffixed(base: str, *, files: bool) -> bool:
    # The key is searched, for it has letters in place of a long s in an extension, or of a ligature among the digits.
    return _SUFFIX.search(split(folded(base), files=files)[0]) is not None


def _made_safe(text: str, limit: int) -> str:
    text = _REMOVED.sub("", _REPLACED.sub("_", unicodedata.normalize("NFC", text)))
    # Once more NFC: a removed character may have been between a letter and its accent.
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
    """Return True if the character at an index combines with the one before it."""
    return unicodedata.category(text[at]).startswith("M") or "\u200d" in text[at - 1 : at + 1]
