"""Explorer of Windows (its WebDAV Mini-Redirector), replayed.

Source: a trace of 10.0.17134; mar10/wsgidav #112.
"""

from tests.support.clients.replay import Answer, Headers, Replay

WIN32 = "{urn:schemas-microsoft-com:}"
_AGENT = "Microsoft-WebDAV-MiniRedir/10.0.19045"
_START: Headers = (("Connection", "Keep-Alive"), ("User-Agent", _AGENT))
_TRANSLATE: Headers = (("translate", "f"),)
_NO_BODY: Headers = (("Content-Length", "0"),)
_LOCK = (
    b'<?xml version="1.0" encoding="utf-8" ?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    b"<D:locktype><D:write/></D:locktype><D:owner><D:href>WARD7\\reader</D:href></D:owner></D:lockinfo>"
)
_TIMES = {
    "Win32CreationTime": "Mon, 23 Nov 2026 08:00:00 GMT",
    "Win32LastAccessTime": "Mon, 23 Nov 2026 08:00:01 GMT",
    "Win32LastModifiedTime": "Mon, 23 Nov 2026 08:00:02 GMT",
    "Win32FileAttributes": "00000020",
}


class Explorer(Replay):
    """Explorer, with its own habits on each operation; folders are asked for without a slash at the end."""

    def options(self, path: str = "") -> Answer:
        """Ask what the server can do."""
        return self.send("OPTIONS", self.href(path), (*_START, *_TRANSLATE, *_NO_BODY))

    def propfind(self, path: str, depth: str = "0") -> Answer:
        """Ask for all properties."""
        return self.send("PROPFIND", self.href(path), (*_START, ("Depth", depth), *_TRANSLATE, *_NO_BODY))

    def get(self, path: str) -> Answer:
        """Read a file."""
        return self.send("GET", self.href(path), (*_START, *_TRANSLATE))

    def head(self, path: str) -> Answer:
        """Ask for size and date."""
        return self.send("HEAD", self.href(path), (*_START, *_TRANSLATE))

    def put(self, path: str, content: bytes, token: str | None = None) -> Answer:
        """Send a file as a whole."""
        headers = (*_START, *_if(token), *_TRANSLATE, ("Content-Length", str(len(content))))
        return self.send("PUT", self.href(path), headers, content)

    def lock(self, path: str) -> Answer:
        """Lock a file; there is no Depth header."""
        content = (("Content-Type", 'text/xml; charset="utf-8"'), ("Content-Length", str(len(_LOCK))))
        return self.send("LOCK", self.href(path), (*_START, ("Timeout", "Second-3600"), *_TRANSLATE, *content), _LOCK)

    def unlock(self, path: str, token: str) -> Answer:
        """Give a lock back."""
        return self.send("UNLOCK", self.href(path), (*_START, ("Lock-Token", token), *_TRANSLATE, *_NO_BODY))

    def set_times(self, path: str, token: str | None) -> Answer:
        """Set what Windows keeps of a file besides its content."""
        values = "".join(f"<Z:{name}>{value}</Z:{name}>" for name, value in _TIMES.items())
        body = (
            '<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:"'
            f' xmlns:Z="urn:schemas-microsoft-com:"><D:set><D:prop>{values}</D:prop></D:set></D:propertyupdate>'
        ).encode()
        content = (("Content-Type", 'text/xml; charset="utf-8"'), ("Content-Length", str(len(body))))
        return self.send("PROPPATCH", self.href(path), (*_START, *_if(token), *_TRANSLATE, *content), body)

    def make_folder(self, path: str) -> Answer:
        """Make a folder."""
        return self.send("MKCOL", self.href(path), (*_START, *_TRANSLATE, *_NO_BODY))

    def move(self, old: str, new: str, *, overwrite: str = "F") -> Answer:
        """Rename."""
        destination = (("Destination", self.absolute(new)), ("Overwrite", overwrite))
        return self.send("MOVE", self.href(old), (*_START, *destination, *_TRANSLATE, *_NO_BODY))

    def delete(self, path: str) -> Answer:
        """Delete, without a body."""
        return self.send("DELETE", self.href(path), (*_START, *_TRANSLATE))

    def upload(self, path: str, content: bytes) -> None:
        """Copy a file; every answer must be the one that Explorer waits for."""
        assert self.propfind(path).status == 404
        assert self.put(path, b"").status == 201
        token = self.lock(path).lock_token
        self.assert_times_set(path, token)
        assert self.head(path).status == 200
        assert self.put(path, content, token).status in {200, 201, 204}
        self.assert_times_set(path, token)
        assert self.unlock(path, token).status == 204

    def assert_times_set(self, path: str, token: str | None = None) -> None:
        """Assert that all four properties are taken, in XML whose DAV elements have a prefix."""
        answer = self.set_times(path, token)
        assert answer.properties() == {f"{WIN32}{name}": (200, "") for name in _TIMES}
        assert b":multistatus" in answer.body
        assert b":propstat" in answer.body


def _if(token: str | None) -> Headers:
    """Return the condition that a lock is held."""
    return (("If", f"({token})"),) if token else ()
