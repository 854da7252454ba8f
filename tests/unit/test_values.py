"""Dates, times and numbers in names."""

import pytest

from davfs.layout import parse_template
from davfs.orthanc.model import Level
from tests.support.templates import ID, render


@pytest.mark.parametrize(
    ("template", "value", "name"),
    [
        ("{StudyDate:%Y-%m-%d}", "20240229", "2024-02-29"),
        ("{StudyDate:%d.%m.%y}", "20240229", "29.02.24"),
        ("{StudyDate:%Y-%m-%d}", "2024.02.29", "2024-02-29"),
        ("{StudyDate:%Y 100%%}", "20240229", "2024 100%"),
        ("{StudyDate}", "20240229", "20240229"),
        ("{StudyDate:%Y-%m-%d}", "20230229", "20230229"),
        ("{StudyDate:%Y}", "yesterday", "yesterday"),
        ("{StudyDate:%Y}", "00000101", "00000101"),
        ("{StudyDate:%Y}", "\uff12\uff10240101", "\uff12\uff10240101"),
        ("{StudyDate:%Y}", "20240101\\20250101", "2024, 2025"),
    ],
)
def test_dates(template: str, value: str, name: str) -> None:
    """A date takes its format, and what is no date is shown as it is."""
    assert render(template, StudyDate=value) == name


@pytest.mark.parametrize(
    ("template", "value", "name"),
    [
        ("{StudyTime:%Hh%M}", "142359.123456", "14h23"),
        ("{StudyTime:%H.%M.%S}", "14:23:59", "14.23.59"),
        ("{StudyTime:%H}", "14", "14"),
        ("{StudyTime:%Hh%M}", "14", "14"),
        ("{StudyTime:%H.%M.%S}", "235960", "23.59.60"),
        ("{StudyTime:%H}", "2500", "2500"),
    ],
)
def test_times(template: str, value: str, name: str) -> None:
    """A time takes its format, unless it does not hold all that the format asks for."""
    assert render(template, StudyTime=value) == name


@pytest.mark.parametrize(
    ("value", "name"),
    [("20240229142359.5+0100", "2024-02 14h"), ("202402291423", "2024-02 14h"), ("2024", "2024"), ("202413", "202413")],
)
def test_moments(value: str, name: str) -> None:
    """Date and time in one tag take formats of both; nothing is made up for what is missing."""
    template = parse_template("{AcquisitionDateTime:%Y-%m %Hh}", Level.SERIES, {Level.SERIES: ["AcquisitionDateTime"]})
    assert template.render({"AcquisitionDateTime": value}, ID) == name


@pytest.mark.parametrize(
    ("form", "value", "name"),
    [
        (":03d", "7", "007"),
        (":03d", " +7 ", "007"),
        (":03d", "-7", "-07"),
        (":03d", "12345", "12345"),
        (":03d", "7a", "7a"),
        (":03d", "1.0", "1.0"),
        (":03d", "\u0667", "\u0667"),
        (":d", "007", "7"),
        ("", "007", "007"),
        (":03d", "9" * 60, "9" * 60),
    ],
)
def test_integers(form: str, value: str, name: str) -> None:
    """An integer is filled with zeros, and what is none is shown as it is."""
    assert render(f"{{SeriesNumber{form}}}", SeriesNumber=value) == name
