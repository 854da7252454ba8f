"""Layout files, from TOML to a `Layout`; a wrong one is refused with its line and with what is allowed there."""

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from davfs import names
from davfs.errors import LayoutError
from davfs.layout.model import Layout, LayoutLevel
from davfs.layout.position import Key, line_of, line_of_error
from davfs.layout.syntax import parse
from davfs.layout.tags import NO_EXTRA, Extra
from davfs.layout.values import TemplateError
from davfs.orthanc.model import Level

_LEVELS = {level.name.lower(): level for level in Level}
_NOT_YET = {"layout": ("where",), "level": ("group", "files")}


def load(path: Path, *, extra: Extra = NO_EXTRA) -> Layout:
    """Read a layout file.

    Args:
        path: The file.
        extra: Tags that Orthanc keeps besides its usual ones, by level.

    Raises:
        LayoutError: It cannot be read, or is wrong.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LayoutError(f"the layout cannot be read: {error.strerror}", str(path)) from error
    try:
        text = content.decode("utf-8-sig")  # some editors of Windows begin a file with U+FEFF
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise LayoutError("this is not UTF-8; save the file in that encoding", str(path), line) from error
    return load_text(text, str(path), extra=extra)


def load_text(text: str, file: str, *, extra: Extra = NO_EXTRA) -> Layout:
    """Read the text of a layout file.

    Args:
        text: The text, in TOML.
        file: Its name, for messages.
        extra: Tags that Orthanc keeps besides its usual ones, by level.

    Raises:
        LayoutError: It is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LayoutError(f"no valid TOML: {error}", file, line_of_error(text, error)) from error
    return _Source(text, file, document, extra).layout()


def shipped(name: str) -> Path | None:
    """Find a layout that comes with this package.

    Args:
        name: Its name, such as ``by-patient``.

    Returns:
        The file; None where no layout of that name is shipped.
    """
    return _shipped().get(name)


def shipped_names() -> list[str]:
    """Return the names of all layouts that come with this package."""
    return sorted(_shipped())


def _shipped() -> dict[str, Path]:
    files = resources.files("davfs.layouts").iterdir()
    return {file.stem: file for file in files if isinstance(file, Path) and file.suffix == ".toml"}


@dataclass(frozen=True, slots=True)
class _Source:
    """A layout file on its way to a `Layout`, so that every refusal can tell its line."""

    text: str
    file: str
    document: dict[str, Any]
    extra: Extra

    def layout(self) -> Layout:
        self._check_keys("layout", (), self.document, ("title", "description", "level"))
        title, description = self._text("title"), self._text("description", "")
        if names.safe(title) != title:
            reason = f'"{title}" cannot be the name of a folder; "{names.safe(title)}" can'
            raise self._error(reason, ("title",))
        levels = tuple(self._level(index, table) for index, table in enumerate(self._tables()))
        self._check_order(levels)
        return Layout(title, description, levels, self.file)

    def _level(self, index: int, table: dict[str, Any]) -> LayoutLevel:
        self._check_keys("level", ("level", index), table, tuple(_LEVELS))
        if len(table) != 1:
            found = " and ".join(table) or "nothing"
            reason = f"a [[level]] names one resource, this one {found}; write one of {_listed(_LEVELS)}"
            raise self._error(reason, ("level", index, *list(table)[1:2]))
        ((name, text),) = table.items()
        key: Key = ("level", index, name)
        if not isinstance(text, str):
            raise self._error(f'a template is text; write {name} = "…"', key)
        try:
            return LayoutLevel(_LEVELS[name], parse(text, _LEVELS[name], self.extra))
        except TemplateError as error:
            raise self._error(f"{name}: {error}", key, text) from error

    def _check_order(self, levels: tuple[LayoutLevel, ...]) -> None:
        order = list(Level)
        for index in range(1, len(levels)):
            above, name = levels[index - 1].resource, levels[index].resource.name.lower()
            if order.index(levels[index].resource) <= order.index(above):
                reason = f"{name} cannot stand below {above.name.lower()}; the order is {_listed(_LEVELS)}, each once"
                raise self._error(reason, ("level", index, name))

    def _tables(self) -> list[dict[str, Any]]:
        tables = self.document.get("level")
        if tables is None or tables == []:
            raise LayoutError('there is no level; write [[level]] and below it patient = "{PatientID}"', self.file)
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            raise self._error("levels are written with double brackets, [[level]], one for each", ("level",))
        return tables

    def _text(self, name: str, default: str | None = None) -> str:
        value = self.document.get(name, default)
        if value is None:
            raise LayoutError(f'the {name} is missing; write {name} = "…"', self.file)
        if not isinstance(value, str):
            raise self._error(f'the {name} is text; write {name} = "…"', (name,))
        return value

    def _check_keys(self, kind: str, place: Key, table: dict[str, Any], known: tuple[str, ...]) -> None:
        for key in table:
            if key in _NOT_YET[kind]:
                reason = f'this version does not know "{key}" yet; in a {kind} it knows {_listed(known)}'
                raise self._error(reason, (*place, key))
            if key not in known:
                close = difflib.get_close_matches(key.lower(), known, len(known))
                listed = _listed([*close, *(word for word in known if word not in close)])
                raise self._error(f'unknown key "{key}"; a {kind} has {listed}', (*place, key))

    def _error(self, reason: str, key: Key, value: str = "") -> LayoutError:
        one_line = " ".join(reason.split())  # keys and templates may hold line ends, the log's lines must not
        return LayoutError(one_line, self.file, line_of(self.text, key, value))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
