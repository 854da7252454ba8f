"""The name of a drive among those on one database: the same for all that show the same."""

from pathlib import Path

from davfs.layout import HashKey
from davfs.settings.layout_files import LayoutFiles
from davfs.settings.node_name import NodeName

LAYOUT = """
title = "{title}"
description = "{about}"
[[level]]
study = "{{PatientID:hash8}}"
"""


def name_of(folder: Path, *titles: str, key: str = "sixteen characters", about: str = "", trash: int = 4242) -> str:
    """Return the name of a drive with such layouts."""
    folder.mkdir(exist_ok=True)
    files = [folder / f"{title}.toml" for title in titles]
    for title, file in zip(titles, files, strict=True):
        file.write_text(LAYOUT.format(title=title, about=about))
    return NodeName(LayoutFiles(files, {}, HashKey(key.encode())), trash)()


def test_name(tmp_path: Path) -> None:
    """Layouts, the key of pseudonyms and the trash make the name; places of files, order and descriptions do not."""
    name = name_of(tmp_path / "a", "one", "two")
    assert name.startswith("davfs ")
    assert "sixteen" not in name
    assert name_of(tmp_path / "b", "two", "one", about="other words") == name
    assert name_of(tmp_path / "c", "one") != name
    assert name_of(tmp_path / "d", "one", "two", key="another of that length") != name
    assert name_of(tmp_path / "e", "one", "two", trash=4243) != name


def test_reloaded(tmp_path: Path) -> None:
    """The name follows the layouts when their files change."""
    (file := tmp_path / "one.toml").write_text(LAYOUT.format(title="one", about=""))
    files = LayoutFiles([file], {}, HashKey(b"sixteen characters"))
    name = NodeName(files, 4242)
    before = name()
    file.write_text(LAYOUT.format(title="two", about=""))
    files.read()
    assert name() != before
