"""A folder of DICOM files is what Orthanc makes of them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from davfs.commands.application import app
from davfs.commands.preview.command import main_tags
from davfs.commands.preview.folder import DicomFolder
from davfs.demo.process import OrthancProcess
from davfs.layout import shipped, shipped_names
from davfs.layout.tags import DEFAULT
from davfs.orthanc import Level
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.rest import RestOrthanc
from tests.orthanc.conftest import RunOrthanc
from tests.support import dicom
from tests.support.drive import import_by_rest, rest_client
from tests.support.images import FILES, PATIENTS, contents

TEXTS: dict[str, dict[str, Any]] = {
    "latin-1": {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen".encode("latin-1")},
    "none": {"SpecificCharacterSet": None, "PatientName": "Buc^Jérôme".encode("latin-1")},
    "japanese": {
        "SpecificCharacterSet": ["", "ISO 2022 IR 87"],
        "PatientName": b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
    },
    "utf-8": {"PatientName": "山田^太郎", "StudyDescription": " spaces  around "},
    "several": {"OtherPatientIDs": ["A-1", "B 2"], "InstitutionName": "", "StudyDate": "2024.02.29"},
    "spaces": {"PatientID": "  before and after  "},
    "no id": {"PatientID": None},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of real files, and of made ones with texts of all kinds."""
    folder = tmp_path_factory.mktemp("images")
    found = [content for patient in PATIENTS for content in contents(patient)]
    found += [(FILES / name).read_bytes() for name in ("CT_small.dcm", "rtplan.dcm", "test-SR.dcm", "JPEG2000.dcm")]
    found += [dicom.instance(name, tags=tags) for name, tags in TEXTS.items()]
    for number, content in enumerate(found):
        (folder / f"{number:03d}").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def filled(run_orthanc: RunOrthanc, images: Path) -> Iterator[OrthancProcess]:
    """An Orthanc without plugins that has these files, stored in the same order."""
    with run_orthanc(plugins=[]) as process, rest_client(process) as rest:
        import_by_rest(rest, *contents(images))
        yield process


def test_facts_are_those_of_orthanc(filled: OrthancProcess, images: Path) -> None:
    """Identifiers, what is below what, and each tag, in whatever character set it was written."""
    folder = DicomFolder(images, main_tags({}))
    assert folder.skipped == 0
    with http_client(filled.url) as client:
        orthanc = RestOrthanc(HttpTransport(client))
        assert folder.counts() == orthanc.counts()
        for level in Level:
            ids = orthanc.ids(level)
            assert set(folder.ids(level)) == set(ids)
            told, found = (
                {one.id: _known(one.tags, level) for one in source.instances(ids)}
                if level is Level.INSTANCE
                else {one.id: _known(one.tags, level) for one in source.resources(ids)}
                for source in (orthanc, folder)
            )
            assert found == told
            if level is not Level.INSTANCE:
                for one in ids:
                    both = folder.with_children(level, one), orthanc.with_children(level, one)
                    assert set(both[0].children) == set(both[1].children)
        sizes = {one: orthanc.instance_size(one) for one in orthanc.ids(Level.INSTANCE)}
        assert sizes == {one: folder.instance_size(one) for one in sizes}


def _known(tags: Mapping[str, str], level: Level) -> dict[str, str]:
    """Return the tags that this Orthanc keeps; newer ones keep more."""
    return {keyword: value for keyword, value in tags.items() if keyword in DEFAULT[level]}


@pytest.mark.parametrize("name", shipped_names())
def test_trees_are_those_of_orthanc(filled: OrthancProcess, images: Path, name: str) -> None:
    """Each shipped layout is drawn alike from a folder and from a server, which is only read."""
    drawn = []
    for source in (["--dicom", str(images)], ["--orthanc", filled.url]):
        arguments = ["layout", "preview", str(shipped(name)), "--limit", "0", *source]
        result = CliRunner().invoke(app, arguments, prog_name="davfs")
        assert result.exit_code == 0, result.output
        drawn.append(result.stdout)
    assert drawn[0] == drawn[1]
    assert len(drawn[0].splitlines()) > (50 if name not in {"recent", "research"} else 1)
