"""``davfs layout preview``: draws the tree of a layout over an archive, or over DICOM files in a folder."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.tree import Tree as Drawing

from davfs.commands import options
from davfs.commands.drawing import Extent, draw
from davfs.commands.preview.folder import DicomFolder
from davfs.errors import ConfigurationError, LayoutError, OrthancError
from davfs.layout import ExtraTags, HashKey, Layout, load_layout, shipped
from davfs.layout.tags import PSEUDO, indexed
from davfs.orthanc import system
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.model import Level
from davfs.orthanc.rest import RestOrthanc
from davfs.settings.configuration import GivenValue
from davfs.settings.standalone import StandaloneConfiguration, read_settings

_FAILED, _MISCONFIGURED = 1, 2
_SECONDS = 10.0
"""Time limit for Orthanc's answer to the question for its version."""
_WIDE = 10_000
_SAMPLE_KEY = HashKey(b"pseudonyms of a preview without a key")


@options.with_settings(
    "HashKeyFile", "Orthanc.Username", "Orthanc.PasswordFile", "Orthanc.Certificate", "Orthanc.VerifyPeer"
)
def preview(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="A layout file, or the name of a shipped one.", metavar="FILE", show_default=False)
    ],
    *,
    dicom: Annotated[
        Path | None,
        typer.Option(help="A folder with DICOM files; no server is needed.", exists=True, file_okay=False),
    ] = None,
    orthanc: Annotated[
        str | None, typer.Option(help="Address of an Orthanc, which is only read.", metavar="URL")
    ] = None,
    depth: Annotated[int, typer.Option(min=0, help="Levels to draw; 0: all.")] = 0,
    limit: Annotated[int, typer.Option(min=0, help="Entries of each folder to draw; 0: all.")] = 10,
    tag: options.TagOption = None,
) -> None:
    """Draw the tree that a layout makes, with the names that the drive would show.

    From an Orthanc, or from a folder of DICOM files without any server. Pseudonyms are samples unless their key is
    given. Exits with 0, with 1 where the layout is wrong or the archive cannot be read, and with 2 where an option is.
    """
    if (dicom is None) == (orthanc is None):
        raise typer.BadParameter("give one of --dicom and --orthanc", param_hint="--dicom, --orthanc")
    file = shipped(str(file)) or file
    extra, extent = options.extra_tags(tag), Extent(depth, limit)
    try:
        settings = read_settings(_options(context, whole=orthanc is not None), None, os.environ)
        key = HashKey(settings.drive.hash_key.encode()) if settings.drive.hash_key else _SAMPLE_KEY
        drawing = (
            _of_folder(dicom, load_layout(file, extra=extra, key=key), extra, extent)
            if dicom
            else _of_server(settings, lambda extra: load_layout(file, extra=extra, key=key), extra, extent)
        )
    except (LayoutError, OrthancError) as error:
        typer.echo(str(error))
        raise typer.Exit(_FAILED) from error
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_MISCONFIGURED) from error
    show(drawing)


def _options(context: typer.Context, *, whole: bool) -> dict[str, GivenValue]:
    """Return the values of options and variables; without those about Orthanc if none is asked."""
    found = options.values(context, os.environ)
    return {key: given for key, given in found.items() if whole or not key.startswith("Orthanc.")}


def _of_folder(folder: Path, layout: Layout, extra: ExtraTags, extent: Extent) -> Drawing:
    with _progress("reading files") as tell:
        archive = DicomFolder(folder, main_tags(extra), lambda count: tell(count, 0))
    if archive.skipped:
        typer.echo(f"{archive.skipped} files are no DICOM images, or cannot be read", err=True)
    return draw(layout, archive, extent)


def _of_server(
    settings: StandaloneConfiguration, load_with: Callable[[ExtraTags], Layout], extra: ExtraTags, extent: Extent
) -> Drawing:
    remote = settings.orthanc
    with (
        http_client(remote.url, remote.username, remote.password, verify=remote.verify) as client,
        _progress("reading the index") as tell,
    ):
        found = system.request_info(client, _SECONDS)
        return draw(load_with(found.tags or extra), RestOrthanc(HttpTransport(client)), extent, progress=tell)


def show(drawing: Drawing) -> None:
    """Print a tree to standard output, without shortening names to the width of the terminal."""
    Console(width=_WIDE).print(drawing, soft_wrap=True)


def main_tags(extra: ExtraTags) -> Mapping[Level, frozenset[str]]:
    """Return the main DICOM tags that a new Orthanc keeps, by level."""
    return {level: indexed(level, extra) - PSEUDO for level in Level}


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows progress, if this is a terminal."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn(what), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total or None)
