"""``davfs audit``: prints who did what, from the audit file."""

import json
import os
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from davfs.audit.reading import AuditQuery, RecordFields
from davfs.audit.record import AuditAction
from davfs.commands import options
from davfs.errors import ConfigurationError
from davfs.printable import printable
from davfs.settings.standalone import read_audit_file

_FAILED, _MISCONFIGURED = 1, 2
_HAS_TIME = re.compile(r"[T ]\d", re.IGNORECASE)
_UNITS = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB"))

FileArgument = Annotated[
    Path | None,
    typer.Argument(help="The audit file; without it, that of davfs serve.", metavar="FILE", show_default=False),
]


@options.with_settings("Orthanc.Url", "Catalog", "Audit.File")
def audit(  # noqa: PLR0913  each is an option
    context: typer.Context,
    file: FileArgument = None,
    *,
    user: Annotated[str, typer.Option(help="Only what this user did.", show_default=False)] = "",
    study: Annotated[
        str,
        typer.Option(
            help="Only this study, by its StudyInstanceUID; or Orthanc's id of a study, a patient, a series, an image.",
            show_default=False,
        ),
    ] = "",
    action: Annotated[AuditAction | None, typer.Option(help="Only this action.", show_default=False)] = None,
    since: Annotated[
        str,
        typer.Option(help="From then on: 2026-11-30, or 2026-11-30T14:00.", metavar="TIME", show_default=False),
    ] = "",
    until: Annotated[
        str, typer.Option(help="Until then; a day is meant as a whole.", metavar="TIME", show_default=False)
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the records as they are in the file.")] = False,
    config: options.ConfigOption = None,
) -> None:
    """Print the audit trail: who did what, when and from where.

    Reads the audit file and the older ones beside it, also those that gzip compressed. Exits with 1 if one of them
    cannot be read; the others are printed.
    """
    first, end = _moment("--since", since), _moment("--until", until, whole_day=True)
    query = AuditQuery(user, study, action.value if action else "", first, end)
    try:
        for record in query.records(file or _configured(context, config)):
            typer.echo(json.dumps(record) if as_json else described(record))
    except BrokenPipeError:
        raise
    except OSError as error:
        typer.echo(f"'{error.filename}' cannot be read: {error.strerror or error}", err=True)
        raise typer.Exit(_FAILED) from error
    if query.unreadable:
        typer.echo(f"lines that are no records, and were left out: {query.unreadable}", err=True)
    for damaged in query.damaged:
        typer.echo(f"'{damaged}' cannot be read, or not to its end: records are missing", err=True)
    if query.damaged:
        raise typer.Exit(_FAILED)


def described(record: RecordFields) -> str:
    """Return a record as a line for people, in this system's time zone, without control characters."""
    moment = datetime.fromisoformat(record["time"]).astimezone()
    parts = (
        f"{moment:%Y-%m-%d %H:%M:%S}",
        record["user"] or "-",
        record["address"] or "-",
        record["action"],
        _concerned(record),
        record["outcome"] + (f" ({record['reason']})" if record.get("reason") else ""),
        " ".join(str(record[key]) for key in ("door", "protocol", "agent") if record.get(key)),
    )
    return printable("  ".join(part for part in parts if part))


def _concerned(record: RecordFields) -> str:
    """Return what a record is about, and how much of it."""
    names = [str(record[key]) for key in ("level", "resource") if record.get(key)]
    names += [f"study {record['study_instance_uid']}"] if record.get("study_instance_uid") else []
    amounts = [f"{record[key]} {word}" for key, word in _AMOUNTS if record.get(key) is not None]
    amounts += [_size(record["bytes"])] if isinstance(record.get("bytes"), int) else []
    return " ".join([*names, *([f"({', '.join(amounts)})"] if amounts else [])])


_AMOUNTS = (("sop_instances", "instances"), ("requests", "requests"), ("lost", "lost records"))


def _size(number: int) -> str:
    return next((f"{number / unit:.1f} {name}" for unit, name in _UNITS if number >= unit), f"{number} bytes")


def _moment(option: str, text: str, *, whole_day: bool = False) -> datetime | None:
    """Return the moment that an option means: a day begins at midnight here, or ends there as a whole day."""
    try:
        moment = datetime.fromisoformat(text).astimezone() if text else None
        is_day = moment is not None and not _HAS_TIME.search(text)
        return moment + timedelta(days=1) if moment and is_day and whole_day else moment
    except (ValueError, OverflowError):
        hint = "2026-11-30 or 2026-11-30T14:00"
        raise typer.BadParameter(f"{text!r} is no time such as {hint}", param_hint=option) from None


def _configured(context: typer.Context, config: Path | None) -> Path:
    """Return the audit file of ``davfs serve``."""
    try:
        return read_audit_file(options.values(context, os.environ), config, os.environ)
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_MISCONFIGURED) from error
