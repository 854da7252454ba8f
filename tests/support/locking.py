"""LOCK requests, and the headers that name a lock."""

import httpx

from tests.support.webdav import WebDav

_LOCKINFO = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:{scope}/></D:lockscope><D:locktype><D:write/></D:locktype>'
    "<D:owner>{owner}</D:owner></D:lockinfo>"
)


def lock(  # noqa: PLR0913 - what a LOCK is made of
    drive: WebDav,
    path: str,
    *,
    depth: str = "0",
    scope: str = "exclusive",
    owner: str = "me",
    timeout: str = "Second-60",
) -> httpx.Response:
    """Send LOCK."""
    body = _LOCKINFO.format(scope=scope, owner=owner).encode()
    return drive.request("LOCK", path, content=body, headers={"Depth": depth, "Timeout": timeout})


def locked(drive: WebDav, path: str, depth: str = "0") -> str:
    """Lock something, and return the token in its brackets."""
    answer = lock(drive, path, depth=depth)
    assert answer.status_code in (httpx.codes.OK, httpx.codes.CREATED), answer.text
    token: str = answer.headers["Lock-Token"]
    return token


def unlock(drive: WebDav, path: str, token: str) -> int:
    """Send UNLOCK, and return its status."""
    return drive.request("UNLOCK", path, headers={"Lock-Token": token}).status_code


def tagged(drive: WebDav, path: str, *conditions: str) -> dict[str, str]:
    """Return an ``If`` about one resource, named as davfs2 does it: by its whole address."""
    return {"If": f"<http://{drive.host}:{drive.port}{drive.href(path)}> ({' '.join(conditions)})"}
