"""A parsed TOML file of a layout, which finds the line of each mistake for its error message."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from davfs.errors import LayoutError
from davfs.layout.suggestions import nearest_first
from davfs.layout.toml_lines import TomlPath, line_of


@dataclass(frozen=True, slots=True)
class LayoutDocument:
    """The text of a layout file, and the TOML document in it.

    Attributes:
        text: The text.
        file: The file's name, for messages.
        document: The tables and values.
    """

    text: str
    file: str
    document: dict[str, Any]

    def string(self, name: str, default: str | None = None) -> str:
        """Return a string of the top level.

        Raises:
            LayoutError: It is missing, or not a string.
        """
        value = self.document.get(name, default)
        if value is None:
            raise LayoutError(f'the {name} is missing; write {name} = "…"', self.file)
        if not isinstance(value, str):
            raise self.error(f'the {name} is text; write {name} = "…"', (name,))
        return value

    def check_keys(
        self, kind: str, place: TomlPath, table: Iterable[str], known: Collection[str], elsewhere: Mapping[str, str]
    ) -> None:
        """Check the keys of a table.

        Args:
            kind: The kind of table, for messages.
            place: Its path.
            table: Its keys.
            known: The keys that it can have.
            elsewhere: The places of keys that belong into other tables.

        Raises:
            LayoutError: One is unknown.
        """
        for key in table:
            if key in elsewhere and key not in known:
                raise self.error(f'"{key}" cannot stand here; it belongs {elsewhere[key]}', (*place, key))
            if key not in known:
                raise self.error(f'unknown key "{key}"; a {kind} has {nearest_first(key, known)}', (*place, key))

    def error(self, reason: str, key: TomlPath, value: str = "") -> LayoutError:
        """Return the error of a key, or of a part of its value."""
        one_line = " ".join(reason.split())  # keys and templates may contain line ends, a line of the log must not
        return LayoutError(one_line, self.file, line_of(self.text, key, value))
