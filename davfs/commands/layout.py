"""``davfs layout``: checks layout files, and previews them, before they are deployed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from davfs.commands import options
from davfs.commands.preview.command import preview
from davfs.errors import LayoutError
from davfs.layout import HashKey, load_layout
from davfs.layout.json_schema import schema
from davfs.layout.tags import ExtraTags

_FAILED = 1
_ANY_KEY = HashKey(b"nothing is hashed where files are only checked")

app = typer.Typer(
    help="Check layout files, preview them on an archive, and export their JSON Schema for editors.",
    no_args_is_help=True,
)
app.command()(preview)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Layout files, in TOML.", metavar="FILE", show_default=False)],
    *,
    tag: options.TagOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a list with file, line and reason.")] = False,
) -> None:
    """Check layout files, as the drive does.

    Prints file:line: reason for the first mistake of each file. Exits with 0 if there is none, with 1 if there is one.
    """
    extra = options.extra_tags(tag)
    mistakes = [error for error in (_mistake(file, extra) for file in files) if error]
    if as_json:
        typer.echo(json.dumps([_as_json(error) for error in mistakes], indent=2, ensure_ascii=False))
    for error in mistakes if not as_json else []:
        typer.echo(str(error))
    if mistakes:
        raise typer.Exit(_FAILED)


@app.command("schema")
def print_schema() -> None:
    """Print the JSON Schema of layout files, for editors."""
    typer.echo(written_schema(), nl=False)


def written_schema() -> str:
    """Return the text of docs/layout.schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _mistake(file: Path, extra: ExtraTags) -> LayoutError | None:
    try:
        load_layout(file, extra=extra, key=_ANY_KEY)
    except LayoutError as error:
        return error
    return None


def _as_json(error: LayoutError) -> dict[str, Any]:
    return {"file": error.file, "line": error.line, "reason": error.reason}
