"""Writes search/README.txt, which describes the syntax of searches."""

import textwrap
from collections.abc import Iterable

from davfs.catalog.query import Keywords
from davfs.layout.tags import LABELS, MODALITIES
from davfs.orthanc.model import Level

_HELP = """\
A folder in here is a search: its name is the query, and in it are the studies that match.

    PatientName=doe
    PatientName=doe john,Modality=CT
    StudyDate=20240101-20241231,StudyDescription=chest

Open such a folder by typing its name after the one of this folder. To save a search, create a folder with that
name, or create any folder and rename it. To remove a search, delete its folder: the studies stay in the archive.

Each part is a tag, =, and a value; several parts are joined by commas, and a study has to match all of them.

Text        Words may stand anywhere in the value; all of them have to. Neither case nor accents count.
Dates       A day (20240131 or 2024-01-31), a month (2024-01), a year (2024); 20240101-20241231 from one to the
            other, 20240101- from a day on, -20241231 until a day; last 30 days (weeks, months, years); today.
Times       0830, or 0800-1200 from one to the other.
{codes}
Series      All parts about series have to match one and the same series of the study, but
            ModalitiesInStudy=PT,ModalitiesInStudy=CT finds studies that have series of both.

None of < > : " / \\ | ? * can be in a search. These tags can be searched:

{tags}
"""

TOO_MANY = """\
More studies were found than are shown here: these are the {most} with the latest dates.

Add further parts to the name of the folder: ,StudyDate=20240101-20240331 or ,Modality=CT
"""

_TITLES = {Level.PATIENT: "Patients", Level.STUDY: "Studies", Level.SERIES: "Series"}
_WIDTH = 110


def help_text(known: Keywords) -> str:
    """Return the text, with all keywords that can be searched."""
    codes = f"Codes       Modality, {MODALITIES}, whole numbers"
    codes += ", labels are compared as a whole:" if LABELS.lower() in known else " are compared as a whole:"
    return _HELP.format(
        codes=f"{codes} Modality=CT does not find OCT.",
        tags="\n".join(_paragraph(level, (name for name, its in known.values() if its is level)) for level in _TITLES),
    )


def _paragraph(level: Level, keywords: Iterable[str]) -> str:
    indent = " " * 12
    listed = ", ".join(sorted(keywords))
    return textwrap.fill(f"{_TITLES[level]:12}{listed}", _WIDTH, subsequent_indent=indent)
