"""The listings in docs/layouts.md are those of real files; ``pytest --write-docs`` writes them."""

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from davfs.commands.drawing import Extent, draw
from davfs.commands.preview.command import main_tags
from davfs.commands.preview.folder import DicomFolder
from davfs.layout import HashKey, load_layout, shipped, shipped_names
from davfs.orthanc import Level, OrthancId, Resource
from tests.support.images import PATIENTS

DOCS = Path(__file__).parents[2] / "docs" / "layouts.md"
TODAY = date(2003, 5, 20)
ABOUT = {
    "by-label": "Here one study has the labels `follow-up` and `teaching`:",
    "recent": "On 20 May 2003:",
    "research": "With the key `a key of your own`:",
    "research-images": "With the same key:",
}
LABELS = ("follow-up", "teaching")
LIMIT = 2


class Labelled(DicomFolder):
    """Real files, with labels for the studies of the brain."""

    def resources(self, ids: Iterable[OrthancId]) -> list[Resource]:
        """See `Orthanc`."""
        return [
            replace(one, labels=LABELS) if "BRAIN" in one.tags.get("StudyDescription", "") else one
            for one in super().resources(ids)
        ]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> DicomFolder:
    """Real files of two patients."""
    folder = tmp_path_factory.mktemp("images")
    for patient in PATIENTS:
        shutil.copytree(patient, folder / patient.name)
    return Labelled(folder, main_tags({}))


def listing(name: str, archive: DicomFolder) -> str:
    """Return the tree of a shipped layout, as the command prints it."""
    file = shipped(name)
    assert file is not None
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        layout = load_layout(file, key=HashKey(b"a key of your own"))
        console.print(draw(layout, archive, Extent(limit=LIMIT), today=lambda: TODAY), soft_wrap=True)
    return captured.get()


def example(name: str, archive: DicomFolder) -> str:
    """Return the section about a layout."""
    about = f"{ABOUT[name]}\n\n" if name in ABOUT else ""
    return f"\n### {name}\n\n{about}```text\n{listing(name, archive)}```\n"


def test_listings_of_the_documentation(archive: DicomFolder, pytestconfig: pytest.Config) -> None:
    """Each shipped layout has one, and it is what the drive would show."""
    text = DOCS.read_text()
    head, heading, _ = text.partition("\n### by-")
    made = "".join(example(name, archive) for name in shipped_names())
    if pytestconfig.getoption("--write-docs"):
        DOCS.write_text((head if heading else text) + made)
    assert DOCS.read_text() == head + made


def test_examples_have_content(archive: DicomFolder) -> None:
    """Each shipped layout's example has several lines, and those for research identify no patient."""
    listings = {name: listing(name, archive) for name in shipped_names()}
    assert all(len(lines.splitlines()) > 5 for lines in listings.values())
    hidden = listings["research"] + listings["research-images"]
    assert not re.search("doe|archibald|peter|7765|9889", hidden, re.IGNORECASE)
    assert archive.ids(Level.PATIENT)
