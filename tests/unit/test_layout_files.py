"""The layouts that the configuration names: a bad file costs its own folder, and nothing else."""

from pathlib import Path

import pytest

from davfs.errors import ConfigurationError
from davfs.layout import HashKey
from davfs.layout.toml_lines import line_in
from davfs.settings.layout_files import LayoutFiles, LoadedLayouts

LAYOUT = 'title = "{title}"\n[[level]]\npatient = "{{{tag}}}"\n'


def write(file: Path, title: str, tag: str = "PatientID") -> Path:
    """Write a layout file; with an unknown tag it is wrong in line 3."""
    file.write_text(LAYOUT.format(title=title, tag=tag))
    return file


def select(*files: Path) -> LayoutFiles:
    """Load a list of layout files."""
    return LayoutFiles(files, {}, None)


def titles(loaded: LoadedLayouts) -> list[str]:
    """Return the folders at the root."""
    return [layout.title for layout in loaded.layouts]


def told(loaded: LoadedLayouts) -> list[tuple[str, int | None, str | None]]:
    """Return file, line and the title that is shown instead, of each mistake."""
    return [
        (mistake.name, mistake.error.line, mistake.layout.title if mistake.layout else None)
        for mistake in loaded.mistakes
    ]


def test_a_bad_layout_keeps_the_others(tmp_path: Path) -> None:
    """The message has file and line; the order is that of the configuration."""
    files = [write(tmp_path / "b", "b"), write(tmp_path / "bad", "bad", "Quux"), write(tmp_path / "a", "a")]
    loaded = select(*files, tmp_path / "none").loaded
    assert titles(loaded) == ["b", "a"]
    assert told(loaded) == [("bad", 3, None), ("none", None, None)]
    assert str(loaded.mistakes[0]).startswith(f'{tmp_path / "bad"}:3: patient: unknown tag "Quux"')
    assert str(loaded.mistakes[1]).endswith("No such file or directory; this layout is not shown")


def test_without_any_layout_there_is_no_drive(tmp_path: Path) -> None:
    """All mistakes are in one line of the log."""
    files = [write(tmp_path / "a", "a", "Quux"), tmp_path / "none"]
    with pytest.raises(ConfigurationError) as caught:
        select(*files)
    assert str(caught.value).startswith(f"{files[0]}:3: patient: unknown tag")
    assert str(caught.value).endswith(f"; {files[1]}: the layout cannot be read: No such file or directory")


def test_the_key_is_for_hashes(tmp_path: Path) -> None:
    """Pseudonyms are made with the key that is configured, and none without."""
    file = write(tmp_path / "a", "a", "PatientID:hash")
    with pytest.raises(ConfigurationError, match=r"HashKey"):
        select(file)
    (layout,) = LayoutFiles([file], {}, HashKey(b"secret")).loaded.layouts
    assert layout == LayoutFiles([file], {}, HashKey(b"secret")).loaded.layouts[0]
    assert layout != LayoutFiles([file], {}, HashKey(b"another")).loaded.layouts[0]
    assert "secret" not in repr(layout)


def test_what_did_not_change_is_the_same(tmp_path: Path) -> None:
    """A layout that is read again is the same object, while others change."""
    kept, other = write(tmp_path / "kept", "kept"), write(tmp_path / "other", "other")
    files = select(kept, other)
    (before, _) = files.loaded.layouts
    write(other, "another")
    assert titles(files.read()) == ["kept", "another"]
    assert files.loaded.layouts[0] is before


def test_the_version_before_stays_in_force(tmp_path: Path) -> None:
    """The previous version of a layout is shown while the new one is invalid or the file is missing, and no longer."""
    file = write(tmp_path / "a", "a")
    files = select(file)
    write(file, "new", "Quux")
    assert titles(files.read()) == ["a"]
    assert told(files.loaded) == [("a", 3, "a")]
    assert str(files.loaded.mistakes[0]).endswith("; its version before stays in force")
    file.unlink()
    assert titles(files.read()) == ["a"]
    assert told(files.loaded) == [("a", None, "a")]
    write(file, "new")
    assert titles(files.read()) == ["new"]
    assert told(files.loaded) == []


def test_a_layout_that_was_bad_appears_once_it_is_right(tmp_path: Path) -> None:
    """A corrected layout file is read without a restart."""
    good, bad = write(tmp_path / "good", "good"), write(tmp_path / "bad", "bad", "Quux")
    files = select(bad, good)
    write(bad, "bad")
    assert titles(files.read()) == ["bad", "good"]


@pytest.mark.parametrize("title", ["Kept", "kept"])
def test_two_folders_have_not_one_name(tmp_path: Path, title: str) -> None:
    """Of two layouts with the same title, in any case, only the first is shown at the start."""
    loaded = select(write(tmp_path / "1", "kept"), write(tmp_path / "2", title)).loaded
    assert titles(loaded) == ["kept"]
    assert told(loaded) == [("2", 1, None)]
    assert loaded.mistakes[0].error.reason == f'"{title}" is the title of 1 as well; choose another title'


def test_a_line_of_a_file_that_is_gone(tmp_path: Path) -> None:
    """If the file has been removed meanwhile, a mistake in its title has no line."""
    assert line_in(write(tmp_path / "here", "kept"), ("title",)) == 1
    assert line_in(tmp_path / "gone", ("title",)) is None


def test_a_title_stays_with_its_file(tmp_path: Path) -> None:
    """If another file takes the title of a shown layout, that layout stays as it was."""
    first, second = write(tmp_path / "1", "one"), write(tmp_path / "2", "two")
    files = select(first, second)
    first.write_text('description = "before"\n\n' + LAYOUT.format(title="two", tag="PatientID"))
    assert titles(files.read()) == ["one", "two"]
    assert told(files.loaded) == [("1", 3, "one")]
    write(second, "one")
    assert titles(files.read()) == ["two", "one"]
    assert told(files.loaded) == []


def test_a_bad_file_keeps_its_title(tmp_path: Path) -> None:
    """The title of an invalid file stays taken while its former folder is shown."""
    first, second = write(tmp_path / "1", "one"), write(tmp_path / "2", "two")
    files = select(first, second)
    write(second, "two", "Quux")
    write(first, "two")
    assert titles(files.read()) == ["one", "two"]
    assert told(files.loaded) == [("1", 1, "one"), ("2", 3, "two")]


def test_changes_are_seen(tmp_path: Path) -> None:
    """Files that are written, replaced or removed are detected as a change."""
    file = write(tmp_path / "a", "a")
    files = select(file, write(tmp_path / "b", "b"))
    states = {files.state(), files.state()}
    assert len(states) == 1
    write(file, "longer")
    states.add(files.state())
    write(tmp_path / "new", "longer").replace(file)
    states.add(files.state())
    file.unlink()
    states.add(files.state())
    assert len(states) == 4
    assert files.state_read in states
