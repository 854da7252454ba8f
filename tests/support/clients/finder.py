"""Finder of macOS, replayed.

Source: apple-oss-distributions/webdavfs, mount.tproj; access logs in pydio-core #581.
"""

import struct
from collections.abc import Iterator
from unicodedata import normalize

from tests.support.clients.replay import Answer, Headers, Replay

_AGENT = "WebDAVFS/3.0.0 (03008000) Darwin/23.6.0 (arm64)"
_END: Headers = (("Connection", "keep-alive"), ("User-Agent", _AGENT))
_ACCEPT: Headers = (("Accept", "*/*"),)
_XML = '<?xml version="1.0" encoding="utf-8"?>\n'
_ATTRIBUTES = (
    f'{_XML}<D:propfind xmlns:D="DAV:">\n<D:prop>\n<D:getlastmodified/>\n<D:getcontentlength/>\n'
    "<D:creationdate/>\n<D:resourcetype/>\n</D:prop>\n</D:propfind>\n"
).encode()
_ATTRIBUTES_AND_DOUBLE = _ATTRIBUTES.replace(
    b"</D:prop>", b'<A:appledoubleheader xmlns:A="http://www.apple.com/webdav_fs/props/"/>\n</D:prop>'
)
_QUOTA = (
    f'{_XML}<D:propfind xmlns:D="DAV:">\n<D:prop>\n<D:quota-available-bytes/>\n<D:quota-used-bytes/>\n'
    "<D:quota/>\n<D:quotaused/>\n</D:prop>\n</D:propfind>\n"
).encode()
_VALIDATORS = (
    f'{_XML}<D:propfind xmlns:D="DAV:">\n<D:prop>\n<D:getlastmodified/>\n<D:getetag/>\n</D:prop>\n</D:propfind>\n'
).encode()
_LOCK = (
    f'{_XML}<D:lockinfo xmlns:D="DAV:">\n<D:lockscope><D:exclusive/></D:lockscope>\n'
    "<D:locktype><D:write/></D:locktype>\n"
    "<D:owner>\n<D:href>http://www.apple.com/webdav_fs/</D:href>\n</D:owner>\n</D:lockinfo>\n"
).encode()
_CHUNK = 64 * 1024


def apple_double() -> bytes:
    """Return an AppleDouble file with Finder information and an empty resource fork, as copied files get.

    Source: RFC 1740, Appendix A and B.
    """
    head = struct.pack(">II16xH", 0x00051607, 0x00020000, 2)
    entries = struct.pack(">III", 9, 50, 32) + struct.pack(">III", 2, 82, 0)
    return head + entries + bytes(32)


class Finder(Replay):
    """Finder, with its own habits on each operation; names are sent decomposed (NFD)."""

    def href(self, path: str) -> str:
        """See `Replay`."""
        return super().href(normalize("NFD", path))

    def options(self, path: str = "") -> Answer:
        """Ask what the server can do."""
        return self.send("OPTIONS", self.href(path), (*_ACCEPT, ("Content-Length", "0"), *_END))

    def propfind(self, path: str, body: bytes = _ATTRIBUTES, depth: str = "0") -> Answer:
        """Ask for properties, Finder's four unless others are named."""
        headers = (*_ACCEPT, ("Content-Type", "text/xml"), ("Depth", depth), ("Content-Length", str(len(body))), *_END)
        return self.send("PROPFIND", self.href(path), headers, body)

    def quota(self, path: str = "") -> Answer:
        """Ask how full the drive is."""
        return self.propfind(path, _QUOTA)

    def list(self, folder: str) -> Answer:
        """List a folder, and read the headers of its AppleDouble files."""
        return self.propfind(f"{folder}/", _ATTRIBUTES_AND_DOUBLE, "1")

    def get(self, path: str, *headers: tuple[str, str]) -> Answer:
        """Read a file."""
        return self.send("GET", self.href(path), (*_ACCEPT, *headers, *_END))

    def lock(self, path: str) -> Answer:
        """Lock a file."""
        content = (("Content-Type", 'text/xml; charset="utf-8"'), ("Content-Length", str(len(_LOCK))))
        headers = (*_ACCEPT, ("Depth", "0"), ("Timeout", "Second-600"), *content, *_END)
        return self.send("LOCK", self.href(path), headers, _LOCK)

    def refresh(self, path: str, token: str) -> Answer:
        """Keep a lock."""
        headers = (*_ACCEPT, ("Timeout", "Second-600"), ("If", f"({token})"), ("Content-Length", "0"), *_END)
        return self.send("LOCK", self.href(path), headers)

    def unlock(self, path: str, token: str) -> Answer:
        """Give a lock back."""
        return self.send("UNLOCK", self.href(path), (*_ACCEPT, ("Lock-Token", token), ("Content-Length", "0"), *_END))

    def put_empty(self, path: str) -> Answer:
        """Make an empty file, the first thing that happens to a new name."""
        return self.send("PUT", self.href(path), (*_ACCEPT, ("Content-Length", "0"), *_END))

    def put_chunked(self, path: str, content: bytes, token: str) -> Answer:
        """Send a locked file in chunks, with its length in a header of Finder's own."""
        headers = (*_ACCEPT, ("Content-Type", "application/octet-stream"), *self.chunked(content, token), *_END)
        return self.send("PUT", self.href(path), headers, _chunks(content))

    @staticmethod
    def chunked(content: bytes, token: str) -> Headers:
        """Return the headers that describe the body of an upload."""
        length = ("X-Expected-Entity-Length", str(len(content)))
        return (("If", f"({token})"), length, ("Transfer-Encoding", "chunked"))

    def make_folder(self, path: str) -> Answer:
        """Make a folder."""
        return self.send("MKCOL", self.href(f"{path}/"), (*_ACCEPT, ("Content-Length", "0"), *_END))

    def move(self, old: str, new: str) -> Answer:
        """Rename; there is no Overwrite header."""
        headers = (*_ACCEPT, ("Destination", self.absolute(new)), ("Content-Length", "0"), *_END)
        return self.send("MOVE", self.href(old), headers)

    def delete(self, path: str) -> Answer:
        """Delete."""
        return self.send("DELETE", self.href(path), (*_ACCEPT, ("Content-Length", "0"), *_END))

    def upload(self, path: str, content: bytes) -> None:
        """Copy a file, and then the AppleDouble file beside it; every answer must be the one that Finder waits for."""
        folder, _slash, name = path.rpartition("/")
        self._upload_one(path, content)
        assert self.propfind(f"{folder}/._{name}").status == 404
        self._upload_one(f"{folder}/._{name}", apple_double())

    def _upload_one(self, path: str, content: bytes) -> None:
        assert self.propfind(path).status == 404
        assert self.put_empty(path).status == 201
        token = self.lock(path).lock_token
        assert self.get(path).body == b""
        answer = self.put_chunked(path, content, token)
        assert answer.status in {200, 201, 204}, answer
        if not {"etag", "last-modified"} & set(answer.headers):
            assert all(status == 200 for status, _ in self.propfind(path, _VALIDATORS).properties().values())
        assert self.refresh(path, token).status == 200
        assert self.unlock(path, token).status == 204


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _CHUNK):
        yield content[start : start + _CHUNK]
