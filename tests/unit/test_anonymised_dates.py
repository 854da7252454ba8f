"""Dates in an anonymised layout, of entries, of members and in names, reveal no more than those in the files."""

import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pydicom
import pytest

from tests.support import dicom
from tests.support.catalog import CountingOrthanc
from tests.support.extra_files import KEY, content, opened

CONSTANT = datetime(1980, 1, 1, tzinfo=UTC)
TEXT = """
title = "a"
anonymised = true
{options}
[[level]]
study = "{{StudyInstanceUID:hash}}"
files = ["study.zip"]
[[level]]
series = "{series}"
[[level]]
instance = "{instance}.dcm"
"""
MADE = (datetime(2024, 2, 29, 12), datetime(2024, 3, 10, 12))  # noqa: DTZ001  DICOM's are those of the place


@pytest.fixture
def server() -> CountingOrthanc:
    """An archive of two studies of one patient."""
    server = CountingOrthanc()
    for at, date in enumerate(MADE):
        server.store(
            dicom.instance(
                "p",
                at,
                tags=dict.fromkeys(("StudyDate", "InstanceCreationDate"), f"{date:%Y%m%d}") | {"StudyTime": "120000"},
            )
        )
    return server


@pytest.mark.parametrize("dates", ["reception", "acquisition"])
def test_one_date_for_all(server: CountingOrthanc, tmp_path: Path, dates: str) -> None:
    """Without the option nothing has a date of its own, whatever dates the layout asks for, and whatever comes."""
    text = TEXT.format(options=f'dates = "{dates}"', series="{Modality}", instance="{InstanceNumber}")
    with opened(server, tmp_path, text) as shown:
        for _ in range(2):
            folders = list(shown.list(()))
            entries = [entry for folder in folders for entry in shown.list((folder.name,))]
            images = [entry for folder in folders for entry in shown.list((folder.name, "CT"))]
            assert {entry.modified for entry in (*folders, *entries, *images)} == {CONSTANT}
            with zipfile.ZipFile(io.BytesIO(content(shown, folders[0].name, "study.zip"))) as archive:
                assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            server.store(dicom.instance("p", 0, 1, 2))


def test_shifted_dates(server: CountingOrthanc, tmp_path: Path) -> None:
    """With the option, they are those of the files, shifted, and the days between them stay."""
    text = TEXT.format(
        options='retain = ["modified dates"]\ndates = "acquisition"',
        series="{StudyDate}",
        instance="{InstanceCreationDate}",
    )
    days = timedelta(days=KEY.days("19700101/doe p/p"))
    with opened(server, tmp_path, text) as shown:
        folders = list(shown.list(()))
        assert {folder.modified for folder in folders} == {date.astimezone(UTC) - days for date in MADE}
        for folder in folders:
            (series,) = (entry for entry in shown.list((folder.name,)) if entry.is_folder)
            (image,) = shown.list((folder.name, series.name))
            after = pydicom.dcmread(io.BytesIO(content(shown, folder.name, series.name, image.name)))
            assert {series.name, image.name[:8], f"{folder.modified:%Y%m%d}"} == {after.StudyDate}
            assert folder.modified == series.modified == image.modified
            with zipfile.ZipFile(io.BytesIO(content(shown, folder.name, "study.zip"))) as archive:
                assert [member.date_time for member in archive.infolist()] == [folder.modified.timetuple()[:6]]
