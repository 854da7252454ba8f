"""The trash for programs: ``/davfs-api/trash``, behind the login.

- ``GET /davfs-api/trash``: a JSON list of the entries, newest first, with the fields of `entry_form`.
- ``POST /davfs-api/trash/{id}/restore``: restores an entry, for users whom Orthanc lets upload and delete.
- ``DELETE /davfs-api/trash/{id}``: deletes an entry for good, for users whom Orthanc lets delete.
"""

import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import Environ, StartResponse, access_of, context_of
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.responses import send_empty
from davfs.filesystem.trash.area import TrashArea
from davfs.filesystem.trash.entry import TrashEntry, entry_form
from davfs.trash.mark import EntryId

TRASH = "/davfs-api/trash"
_RESTORE = "restore"
_NO_TRASH = "Nothing can be deleted on this drive (AllowDelete), so that it has no trash."
_NO_ENTRY = "There is no such entry in the trash."


class TrashApi(BaseMiddleware):
    """Answers these requests."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or pass it on (PEP 3333)."""
        path, method = str(environ["PATH_INFO"]).rstrip("/"), environ["REQUEST_METHOD"]
        if path != TRASH and not path.startswith(f"{TRASH}/"):
            passed_on: Iterable[bytes] = self.next_app(environ, start_response)
            return passed_on
        segments = path[len(TRASH) + 1 :].split("/") if path != TRASH else []
        match (method, segments):
            case ("GET" | "HEAD", []):
                return _send_json(start_response, _listed(self._area()))
            case ("POST", [entry, action]) if action == _RESTORE:
                self._restore(environ, EntryId(entry))
            case ("DELETE", [entry]):
                self._purge(environ, EntryId(entry))
            case _:
                return send_empty(start_response, HTTPStatus.METHOD_NOT_ALLOWED, [("Allow", _allowed(segments))])
        return send_empty(start_response, HTTPStatus.NO_CONTENT)

    def _restore(self, environ: Environ, entry: EntryId) -> None:
        access_of(environ).changed(self._area().restore_entry(self._entry(entry)))

    def _purge(self, environ: Environ, entry: EntryId) -> None:
        access_of(environ).changed(self._area().purge_entry(self._entry(entry)))

    def _area(self) -> TrashArea:
        """Return the trash.

        Raises:
            HttpError: There is none.
        """
        trash = context_of(self.config).trash
        if trash is None:
            raise HttpError(HTTPStatus.FORBIDDEN, _NO_TRASH)
        return trash

    def _entry(self, entry: EntryId) -> TrashEntry:
        found = self._area().find(entry)
        if found is None:
            raise HttpError(HTTPStatus.NOT_FOUND, _NO_ENTRY)
        return found


def _listed(area: TrashArea) -> list[dict[str, Any]]:
    return [entry_form(name, entry, area.retention) for name, entry in area.named().items()]


def _allowed(segments: Sequence[str]) -> str:
    if not segments:
        return "GET, HEAD"
    return "POST" if segments[1:] == [_RESTORE] else "DELETE"


def _send_json(start_response: StartResponse, content: object) -> Iterable[bytes]:
    body = json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response("200 OK", headers)
    return [body]
