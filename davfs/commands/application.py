"""The command ``davfs`` and its subcommands."""

from typing import Annotated

import typer

from davfs import __version__
from davfs.commands import layout, trash
from davfs.commands.audit import audit
from davfs.commands.mount_help import mount_help
from davfs.commands.serve import serve

app = typer.Typer(
    name="davfs",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # joins the lines of a docstring
    pretty_exceptions_show_locals=False,  # they may hold a password
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(mount_help)
app.command()(audit)
app.add_typer(layout.app, name="layout")
app.add_typer(trash.app, name="trash")


def _print_version(wanted: bool) -> None:  # noqa: FBT001  as typer calls it
    if wanted:
        typer.echo(f"davfs {__version__}")
        raise typer.Exit


@app.callback()
def davfs(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Orthanc, a DICOM server, as a network drive."""
