"""A layout file on its way to a `Layout`, so that every refusal can tell its line."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from davfs.errors import LayoutError
from davfs.layout.position import Key, line_of


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a file, and what TOML makes of it.

    Attributes:
        text: The text.
        file: The file's name, for messages.
        document: The text as tables and values.
    """

    text: str
    file: str
    document: dict[str, Any]

    def string(self, name: str, default: str | None = None) -> str:
        """Return a text of the top level.

        Raises:
            LayoutError: It is missing, or no text.
        """
        value = self.document.get(name, default)
        if value is None:
            raise LayoutError(f'the {name} is missing; write {name} = "…"', self.file)
        if not isinstance(value, str):
            raise self.error(f'the {name} is text; write {name} = "…"', (name,))
        return value

    def check_keys(
        self, kind: str, place: Key, table: Iterable[str], known: Collection[str], elsewhere: Mapping[str, str]
    ) -> None:
        """Refuse keys that mean nothing.

        Args:
            kind: What the table is.
            place: Where it is.
            table: Its keys.
            known: The keys that it can have.
            elsewhere: Where those belong that other tables have.

        Raises:
            LayoutError: One is unknown.
        """
        for key in table:
            if key in elsewhere and key not in known:
                raise self.error(f'"{key}" cannot stand here; it belongs {elsewhere[key]}', (*place, key))
            if key not in known:
                raise self.error(f'unknown key "{key}"; a {kind} has {nearest_first(key, known)}', (*place, key))

    def error(self, reason: str, key: Key, value: str = "") -> LayoutError:
        """Make the error about a key, or about what is wrong in its value."""
        one_line = " ".join(reason.split())  # keys and templates may hold line ends, the log's lines must not
        return LayoutError(one_line, self.file, line_of(self.text, key, value))


def nearest_first(word: str, known: Collection[str]) -> str:
    """List what is known, what is most like a word at the front."""
    lower = {other.lower(): other for other in known}
    close = [lower[other] for other in difflib.get_close_matches(word.lower(), lower, max(len(known), 1))]
    return ", ".join([*close, *(other for other in known if other not in close)])
