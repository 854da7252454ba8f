"""Writes README.txt at the drive's root: what the drive shows and accepts, and the progress of the first index."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from davfs.confidentiality.options import MODIFIED_DATES, PATIENT_CHARACTERISTICS, STRUCTURED_CONTENT
from davfs.confidentiality.table import EDITION
from davfs.layout import Layout
from davfs.settings.layout_files import InvalidLayout

_TEXT = """\
This drive shows the DICOM archive of an Orthanc server.

{folders}
{mistakes}{search}{upload}
{delete}
{state}
"""

_SEARCH = """\
search/
    Folders that are queries: open search/PatientName=doe,Modality=CT to see the studies that match. The syntax, and
    how to save a search, are in search/README.txt.
"""


_COMPLETE_ELSE = "All other folders are complete and up to date."
_ANONYMISED = """
    Images are de-identified (DICOM {edition}, Basic Application Level Confidentiality Profile{options}).
    Not here: documents, voices, {pixels}. Files and folders have no dates of their own."""
_SUSPECT = """and images of kinds that may show a name (ultrasound, screenshots, scans
    of paper, photographs), unless they say that they do not. Faces in scans of heads stay"""
_AS_THEY_ARE = """instances of private classes. What is written in the pixels, a name too, stays"""


def layout_text(layout: Layout) -> str:
    """Return the text about a layout: its description and, if it is anonymised, what it leaves out."""
    if layout.anonymised is None:
        return layout.description
    chosen = {
        MODIFIED_DATES: layout.options.modified_dates,
        PATIENT_CHARACTERISTICS: layout.options.patient_characteristics,
        STRUCTURED_CONTENT: layout.options.structured_content,
    }
    options = "".join(f", {word}" for word, on in chosen.items() if on)
    pixels = _AS_THEY_ARE if layout.options.pixels_as_they_are else _SUSPECT
    return layout.description + _ANONYMISED.format(edition=EDITION, options=options, pixels=pixels)


class Readme:
    """Generates the text for each reader.

    Args:
        layouts: Description of each layout, by its title.
        allow_upload: Whether files can be written into inbox/.
        allow_delete: Whether resources can be deleted.
        progress: Number of resources in the index, and of all; None when the index is complete.
        placing: For each layout, by its title, that is not complete: percentage of the archive in it, and whether its
            former version is shown.
        mistakes: The layouts that are not shown, or not in their newest version.
        searchable: Whether search/ exists.
        allow_attach: Whether files can be dropped on studies.
        trash: For how long deleted images are kept; None if they are deleted at once.
    """

    def __init__(  # noqa: PLR0913  each is a part of the text
        self,
        layouts: Mapping[str, str],
        *,
        allow_upload: bool,
        allow_delete: bool,
        progress: Callable[[], tuple[int, int] | None],
        placing: Callable[[], Mapping[str, tuple[int, bool]]] = dict,
        mistakes: Callable[[], Sequence[InvalidLayout]] = tuple,
        searchable: Callable[[], bool] = bool,
        allow_attach: bool = False,
        trash: timedelta | None = None,
    ) -> None:
        self._layouts = layouts
        self._allow_upload = allow_upload
        self._allow_delete = allow_delete
        self._progress = progress
        self._placing = placing
        self._mistakes = mistakes
        self._searchable = searchable
        self._allow_attach = allow_attach
        self._trash = trash

    def text(self) -> str:
        """Return the text."""
        return _TEXT.format(
            folders="\n".join(f"{name}/\n    {description}" for name, description in self._layouts.items()),
            mistakes="".join(map(_mistake, self._mistakes())),
            search=_SEARCH if self._searchable() else "",
            upload=self._upload(),
            delete=self._attach() + self._delete(),
            state=self._state(),
        )

    def _attach(self) -> str:
        if not self._allow_attach:
            return ""
        return (
            "PDF, JPEG, PNG, STL and text files that are dropped on a study's folder become DICOM of that study.\n"
            "DICOM is imported if its own tags agree with the folder. What is refused is in inbox/rejected/.\n"
        )

    def _upload(self) -> str:
        if not self._allow_upload:
            return "" if self._allow_attach else "Nothing can be written to this drive."
        return (
            "inbox/\n"
            "    Drop DICOM files, folders of them, or ZIP archives of them here: they are imported, and appear in\n"
            "    the folders above. A copy that ends without an error is in the archive. What Orthanc refuses is in\n"
            "    inbox/rejected/, next to a text with the reason. While a large ZIP is being imported,\n"
            "    NAME.zip.progress.txt beside it shows the progress. Other files are kept for a while, and are not\n"
            "    imported."
        )

    def _delete(self) -> str:
        if not self._allow_delete:
            return "Patients, studies, series and images cannot be deleted through this drive."
        if self._trash is None:
            return "Deleting a patient, study, series or image in the folders above deletes it from the archive."
        kept = f"After {self._trash.days} days it is deleted from the archive. " if self._trash else ""
        return (
            "Deleting a patient, study, series or image in the folders above puts it into trash/. Move it from there\n"
            f"into a folder above to restore it. {kept}What is deleted in trash/ is deleted for good."
        )

    def _state(self) -> str:
        if progress := self._progress():
            done, total = progress
            return f"The index is being built ({done} of {total} resources): the folders are not complete yet."
        if placing := self._placing():
            return "".join(f"{title}/ {_placed(*state)}\n" for title, state in placing.items()) + _COMPLETE_ELSE
        return "The folders are complete and up to date."


def _placed(percentage: int, former: bool) -> str:  # noqa: FBT001  part of what the layout's state is
    """Return the text about a layout that is not complete."""
    shown = "is shown as it was before it was changed" if former else "is not shown yet"
    return f"{shown}, for its new version is being prepared: {percentage} % of the archive is in it."


def _mistake(mistake: InvalidLayout) -> str:
    """Return the text about an invalid layout; it does not reveal the folders of the server."""
    shown = "is shown as it was before it was changed" if mistake.layout else "is not shown"
    line = f"line {mistake.error.line}: " if mistake.error.line else ""
    return f"{mistake.name}\n    This layout {shown}, for it is wrong: {line}{mistake.error.reason}\n"
