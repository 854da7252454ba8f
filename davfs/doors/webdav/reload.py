"""``POST /davfs-api/reload``: the layout files are read again, for whom Orthanc lets upload.

The answer is JSON: ``layouts`` has the title and the file of each that is shown, ``errors`` the file, the line and the
reason of each whose newest version is not, and whether the version before it is shown instead.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from wsgidav.mw.base_mw import BaseMiddleware

from davfs.doors.webdav.context import Environ, context_of, user_of
from davfs.doors.webdav.health import unavailable
from davfs.errors import Unavailable
from davfs.settings.layout_files import LoadedLayouts

RELOAD = "/davfs-api/reload"


class Reload(BaseMiddleware):
    """Answers that request, and hands on all others; whoever comes here has been let in (`authentication`)."""

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """See PEP 3333."""
        if environ["PATH_INFO"] != RELOAD:
            passed_on: Iterable[bytes] = self.next_app(environ, start_response)
            return passed_on
        if environ["REQUEST_METHOD"] != "POST":
            return _refusal(start_response)
        context = context_of(self.config)
        try:
            loaded = context.reload()
        except Unavailable as error:
            return unavailable(environ, start_response, error.reason)
        context.audit(user_of(environ), "reload", "", "done")
        return _answer(start_response, _told(loaded))


def _told(loaded: LoadedLayouts) -> dict[str, Any]:
    """Return what is told of the layouts, without the folders of the server."""
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


def _answer(start_response: Callable[..., Any], content: dict[str, Any]) -> Iterable[bytes]:
    body = json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response("200 OK", headers)
    return [body]


def _refusal(start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer without a body, so that HEAD needs no other treatment."""
    start_response("405 Method Not Allowed", [("Allow", "POST"), ("Content-Length", "0")])
    return [b""]
