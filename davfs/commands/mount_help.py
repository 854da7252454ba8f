"""``davfs mount-help``: prints the steps to mount a drive."""

from pathlib import Path
from typing import Annotated

import typer

from davfs.commands import mounting, windows
from davfs.settings.table import DEFAULT_PORT, LOOPBACK

_URL = f"http://{LOOPBACK}:{DEFAULT_PORT}/"


def mount_help(
    system: Annotated[
        mounting.System | None, typer.Option("--os", help="What mounts the drive. Unless given, this system.")
    ] = None,
    url: Annotated[str, typer.Option(help="The address of the drive.", metavar="URL")] = _URL,
    reg_file: Annotated[
        Path | None,
        typer.Option(
            help="Write a file that raises the limits of Windows' WebClient service when it is opened.",
            metavar="PATH",
            dir_okay=False,
        ),
    ] = None,
) -> None:
    """Print the steps to mount a drive."""
    try:
        drive_url = mounting.DriveUrl.parse(url)
    except ValueError:
        raise typer.BadParameter(f"{url!r} is no address such as {_URL}", param_hint="--url") from None
    if reg_file:
        system = system or mounting.System.WINDOWS
        if system is not mounting.System.WINDOWS:
            raise typer.BadParameter("only Windows has a registry", param_hint="--reg-file")
        _write(reg_file, secure=drive_url.secure)
    typer.echo(mounting.steps(system or mounting.this_system(), drive_url))


def _write(file: Path, *, secure: bool) -> None:
    try:
        windows.write_registry_file(file, secure=secure)
    except OSError as error:
        raise typer.BadParameter(f"'{file}' cannot be written: {error.strerror}", param_hint="--reg-file") from error
