"""``davfs trash``: lists, restores and deletes for good what was deleted in the layouts of a drive.

It asks a drive's own server, or Orthanc itself: where a drive is at Orthanc's own port alone, or does not run.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Any, Protocol, TypeAlias

import typer

from davfs.commands import options
from davfs.errors import ConfigurationError, OrthancError, Unavailable
from davfs.filesystem.trash.entry import TrashEntry, entry_form, named
from davfs.filesystem.trash.trash import Trash
from davfs.orthanc.client import OrthancClient
from davfs.orthanc.http import HttpTransport, http_client
from davfs.orthanc.http_response import HttpResponse
from davfs.orthanc.model import Level, OrthancId
from davfs.orthanc.rest import RestOrthanc
from davfs.printable import printable
from davfs.settings.standalone import StandaloneConfiguration, read_settings
from davfs.trash.mark import PREFIX, EntryId, StudyMark
from davfs.trash.marks import OrthancMarks

_FAILED, _MISCONFIGURED = 1, 2
_API = "/davfs-api/trash"
_SHOWN = 10
"""Characters of an id that are printed; fewer suffice where they are the only one's."""
_NODE = "davfs trash"
_SECONDS = 600.0
"""Time limit of a request: a study with thousands of images may be deleted."""

EntryFields: TypeAlias = Mapping[str, Any]
"""An entry as ``GET /davfs-api/trash`` has it."""

app = typer.Typer(
    help="List, restore, and delete for good what was deleted in the folders of a drive.", no_args_is_help=True
)
DriveOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Address of the drive's own server, or of davfs serve.", metavar="URL")
]
OrthancOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Address of an Orthanc: no drive has to run there.", metavar="URL")
]
IdsArgument: TypeAlias = Annotated[
    list[str], typer.Argument(help="Ids, as `davfs trash list` prints them.", metavar="ID…", show_default=False)
]
_settings = options.with_settings(
    "Orthanc.Username", "Orthanc.PasswordFile", "Orthanc.Certificate", "Orthanc.VerifyPeer", "TrashMetadata"
)


class _Bin(Protocol):
    """The trash, wherever it is asked."""

    def entries(self) -> Sequence[EntryFields]:
        """Return all entries, newest first."""

    def restore(self, entry: str) -> None:
        """Restore an entry, by its whole id."""

    def purge(self, entry: str) -> None:
        """Delete an entry for good, by its whole id."""


@app.command("list")
@_settings
def list_entries(
    context: typer.Context,
    *,
    drive: DriveOption = None,
    orthanc: OrthancOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known, as JSON.")] = False,
) -> None:
    """List what is in the trash, newest first: id, time (UTC), user, number of images, and the folder."""
    with _opened(context, drive, orthanc) as found:
        entries = found.entries()
    if as_json:
        typer.echo(json.dumps(list(entries), indent=2, ensure_ascii=False))
        return
    for each in entries:
        user = printable(each["user"]) or "-"
        typer.echo(f"{each['id'][:_SHOWN]}  {each['deleted']}  {user}  {each['images']}  {printable(each['folder'])}")


@app.command()
@_settings
def restore(
    context: typer.Context, ids: IdsArgument, *, drive: DriveOption = None, orthanc: OrthancOption = None
) -> None:
    """Restore entries: all of it is back where it was."""
    with _opened(context, drive, orthanc) as found:
        _each(found.entries(), ids, found.restore)


@app.command()
@_settings
def purge(
    context: typer.Context, ids: IdsArgument, *, drive: DriveOption = None, orthanc: OrthancOption = None
) -> None:
    """Delete entries for good: Orthanc deletes their images."""
    with _opened(context, drive, orthanc) as found:
        _each(found.entries(), ids, found.purge)


def _each(entries: Sequence[EntryFields], ids: Sequence[str], act: Callable[[str], None]) -> None:
    """Do something with entries, once it is known that each of the ids is that of one."""
    chosen = [_whole(entries, each) for each in ids]
    for each in chosen:
        act(each)


def _whole(entries: Sequence[EntryFields], given: str) -> str:
    found = {str(each["id"]) for each in entries if each["id"].startswith(given)} if given else set()
    if len(found) != 1:
        typer.echo(f"{given}: {'several entries' if found else 'no entry'} of the trash", err=True)
        raise typer.Exit(_FAILED)
    return found.pop()


@contextmanager
def _opened(context: typer.Context, drive: str | None, orthanc: str | None) -> Iterator[_Bin]:
    """Provide the trash of a drive, or of an Orthanc; end the command with a message if that fails."""
    url = drive or orthanc
    if url is None or (drive and orthanc):
        raise typer.BadParameter("give one of --drive and --orthanc", param_hint="--drive, --orthanc")
    try:
        settings = read_settings(options.values(context, os.environ), None, os.environ)
        with _client(settings, url) as client:
            yield _DriveBin(client) if drive else _OrthancBin(client, settings.drive.trash_metadata)
    except OrthancError as error:
        typer.echo(error.reason, err=True)
        raise typer.Exit(_FAILED) from error
    except ConfigurationError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(_MISCONFIGURED) from error


def _client(settings: StandaloneConfiguration, url: str) -> OrthancClient:
    remote = settings.orthanc
    return http_client(url, remote.username, remote.password, verify=remote.verify)


class _DriveBin:
    """See `_Bin`: the API of a drive's own server."""

    def __init__(self, client: OrthancClient) -> None:
        self._client = client

    def entries(self) -> Sequence[EntryFields]:
        response = self._asked("GET", _API)
        try:
            found: list[EntryFields] = json.loads(response.read())
        except ValueError as error:
            raise OrthancError(f"{self._client.address.url} is no drive") from error
        return found

    def restore(self, entry: str) -> None:
        self._asked("POST", f"{_API}/{entry}/restore")

    def purge(self, entry: str) -> None:
        self._asked("DELETE", f"{_API}/{entry}")

    def _asked(self, method: str, path: str) -> HttpResponse:
        try:
            response = self._client.request(method, path, seconds=_SECONDS)
        except Unavailable as error:
            raise OrthancError(f"{self._client.address.url} does not answer") from error
        if not response.is_success:
            reason = response.read().decode("utf-8", "replace").strip().partition("\n")[0]
            shown = "is it the address of a drive's own server?" if reason.startswith(("{", "<")) else printable(reason)
            raise OrthancError(f"{self._client.address.url} answered {response.status}: {shown}", response.status)
        return response


class _OrthancBin:
    """See `_Bin`: the marks in Orthanc, each of which is read."""

    def __init__(self, client: OrthancClient, number: int) -> None:
        self._orthanc = RestOrthanc(HttpTransport(client))
        self._number = number
        self._trash = Trash(OrthancMarks(self._orthanc, self._marks, number=number), self._orthanc, _NODE)

    def _marks(self) -> Mapping[OrthancId, StudyMark]:
        found = self._orthanc.metadata_of(self._orthanc.ids(Level.STUDY), self._number, PREFIX)
        return {study: StudyMark.decode(value) for study, value in found.items() if value is not None}

    def entries(self) -> Sequence[EntryFields]:
        found = named(self._trash.entries().values())
        return [entry_form(name, entry, timedelta(0)) for name, entry in found.items()]

    def restore(self, entry: str) -> None:
        self._trash.restore(self._entry(entry))

    def purge(self, entry: str) -> None:
        self._trash.purge(self._entry(entry))

    def _entry(self, entry: str) -> TrashEntry:
        found = self._trash.entries().get(EntryId(entry))
        if found is None:
            raise OrthancError("the entry is gone from the trash")
        return found
