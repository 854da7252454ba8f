"""``POST /davfs-api/reload``: reads the layout files again, for users whom Orthanc lets upload.

The response is JSON: ``layouts`` has title and file of each layout that is shown; ``errors`` has file, line and reason
of each layout file that is invalid now, and whether its former version is shown instead.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import Environ, StartResponse, access_of, context_of
from davfs.doors.webdav.responses import send_empty, unavailable
from davfs.errors import Unavailable
from davfs.settings.layout_files import LoadedLayouts

RELOAD = "/davfs-api/reload"


class LayoutReload(BaseMiddleware):
    """Answers the request; stands behind the login."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or pass it on (PEP 3333)."""
        if environ["PATH_INFO"] != RELOAD:
            passed_on: Iterable[bytes] = self.next_app(environ, start_response)
            return passed_on
        if environ["REQUEST_METHOD"] != "POST":
            return send_empty(start_response, HTTPStatus.METHOD_NOT_ALLOWED, [("Allow", "POST")])
        context = context_of(self.config)
        try:
            loaded = context.reload()
        except Unavailable as error:
            access_of(environ).failed(error)
            return unavailable(environ, start_response, error.reason)
        access_of(environ).done()
        return _send_json(start_response, _summary(loaded))


def _summary(loaded: LoadedLayouts) -> dict[str, Any]:
    """Return the content of the response, without the server's folders."""
    return {
        "layouts": [{"title": layout.title, "file": Path(layout.file).name} for layout in loaded.layouts],
        "errors": [
            {
                "file": mistake.name,
                "line": mistake.error.line,
                "reason": mistake.error.reason,
                "former_version_shown": mistake.layout is not None,
            }
            for mistake in loaded.mistakes
        ],
    }


def _send_json(start_response: StartResponse, content: dict[str, Any]) -> Iterable[bytes]:
    body = json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response("200 OK", headers)
    return [body]
