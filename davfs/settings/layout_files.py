"""Loads the layout files that the configuration names, and loads them again when they change.

A file with a mistake affects its own folder only: its last good version stays in force, if there is one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from davfs import names
from davfs.errors import ConfigurationError, LayoutError
from davfs.layout import ExtraTags, HashKey, Layout, load_layout
from davfs.layout.toml_lines import line_in

FileStates: TypeAlias = tuple[tuple[int, int, int] | None, ...]
"""Date (in ns), size and inode of each file; None for one that cannot be found."""


@dataclass(frozen=True, slots=True)
class InvalidLayout:
    """A layout file whose newest version is not shown.

    Attributes:
        error: The mistake.
        layout: The last good version, which is shown instead; None if there is none.
    """

    error: LayoutError
    layout: Layout | None

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return Path(self.error.file).name

    def __str__(self) -> str:
        shown = "its version before stays in force" if self.layout else "this layout is not shown"
        return f"{self.error}; {shown}"


@dataclass(frozen=True, slots=True)
class LoadedLayouts:
    """The layouts in force.

    Attributes:
        layouts: In the order of the configuration.
        mistakes: The files whose newest version is not among them.
    """

    layouts: tuple[Layout, ...]
    mistakes: tuple[InvalidLayout, ...]


class LayoutFiles:
    """The layout files of a drive.

    Args:
        files: Their paths.
        extra: Tags that Orthanc keeps besides its usual ones, by level.
        key: The key of pseudonyms; None for none.

    Attributes:
        extra: See the argument.
        loaded: The layouts as of the last `read`.
        state_read: The result of `state` at that time.

    Raises:
        ConfigurationError: None of them can be shown.
    """

    def __init__(self, files: Iterable[Path], extra: ExtraTags, key: HashKey | None) -> None:
        self._files = tuple(files)
        self.extra = extra
        self._key = key
        self._in_force: Mapping[Path, Layout] = {}
        self.loaded = LoadedLayouts((), ())
        self.state_read: FileStates = ()
        self.read()
        if not self.loaded.layouts:
            raise ConfigurationError("; ".join(str(mistake.error) for mistake in self.loaded.mistakes))

    def read(self) -> LoadedLayouts:
        """Read all files; a layout that has not changed stays the same object."""
        self.state_read = self.state()  # before they are read, so that changes meanwhile are noticed
        found, errors = self._read_files()
        chosen, taken = self._without_namesakes(found)
        errors |= {file: error for file, error in taken.items() if file not in errors}
        self._in_force = chosen
        self.loaded = LoadedLayouts(
            tuple(chosen[file] for file in self._files if file in chosen),
            tuple(InvalidLayout(errors[file], chosen.get(file)) for file in self._files if file in errors),
        )
        return self.loaded

    def state(self) -> FileStates:
        """Return a value that differs once a file is written, replaced or removed."""
        return tuple(map(_state, self._files))

    def _read_files(self) -> tuple[dict[Path, Layout], dict[Path, LayoutError]]:
        found, errors = {}, {}
        for file in self._files:
            try:
                new = load_layout(file, extra=self.extra, key=self._key)
            except LayoutError as error:
                errors[file] = error
            else:
                old = self._in_force.get(file)
                found[file] = old if old == new else new
        return found, errors

    def _without_namesakes(self, found: Mapping[Path, Layout]) -> tuple[dict[Path, Layout], dict[Path, LayoutError]]:
        """Choose a version of each file, so that no two layouts have the same title."""
        owners: dict[str, Path] = {}
        chosen: dict[Path, Layout] = {}
        errors: dict[Path, LayoutError] = {}
        for file in sorted(self._files, key=lambda file: not self._keeps_title(file, found)):
            for layout in filter(None, (found.get(file), self._in_force.get(file))):
                owner = owners.setdefault(names.folded(layout.title), file)
                if owner is file:
                    chosen[file] = layout
                    break
                reason = f'"{layout.title}" is the title of {owner.name} as well; choose another title'
                errors.setdefault(file, LayoutError(reason, str(file), line_in(file, ("title",))))
        return chosen, errors

    def _keeps_title(self, file: Path, found: Mapping[Path, Layout]) -> bool:
        """Return True if the file's title has not changed: it then has precedence over other files with that title."""
        old = self._in_force.get(file)
        return old is not None and names.folded(found.get(file, old).title) == names.folded(old.title)


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
