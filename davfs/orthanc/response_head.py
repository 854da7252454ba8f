"""Reads the heads of HTTP responses, by the grammar of RFC 9112.

`http.client` gives them to the package for e-mails, which takes more CPU time than the rest of a small response; and a
head that breaks off counts as whole there.
"""

import http.client
import re
from typing import Any

_LARGEST = 64 * 1024
"""Bytes of a line; of all lines, `_MOST_LINES` times as many."""
_MOST_LINES = 100
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?\r?\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*?)[ \t]*\r?\n")
_LENGTH = re.compile(r"\d{1,18}")


class StrictResponse(http.client.HTTPResponse):
    """A response whose head arrives whole, and whose body has a clear end.

    Attributes:
        fields: Its headers; their names are in lower case.
    """

    fields: dict[str, str]

    def begin(self) -> None:
        """Read the head of a response.

        Raises:
            http.client.HTTPException: It is malformed, or breaks off.
        """
        self.status = http.client.CONTINUE
        while self.status == http.client.CONTINUE:
            self._read_head()
        self.code = self.status
        self.version = 11
        self.msg = self.headers = http.client.HTTPMessage()
        options = {option.strip() for option in self.fields.get("connection", "").lower().split(",")}
        self.will_close = "close" in options or (self._is_old and "keep-alive" not in options)
        self._frame()

    def _read_head(self) -> None:
        line = self._line()
        found = _STATUS.fullmatch(line)
        if found is None:
            raise http.client.RemoteDisconnected("no response") if not line else http.client.BadStatusLine("")
        self.status, self.reason = int(found[1]), (found[2] or b"").decode("latin-1")
        self._is_old = line.startswith(b"HTTP/1.0")
        self.fields = {}
        for _ in range(_MOST_LINES):
            line = self._line()
            if line in (b"\r\n", b"\n"):
                return
            field = _FIELD.fullmatch(line)
            if field is None:
                raise http.client.IncompleteRead(b"")
            name, value = field[1].decode("ascii").lower(), field[2].decode("latin-1")
            self.fields[name] = f"{self.fields[name]}, {value}" if name in self.fields else value
        raise http.client.LineTooLong("header")

    def _line(self) -> bytes:
        source: Any = self.fp
        line: bytes = source.readline(_LARGEST)
        return line

    def _frame(self) -> None:
        """Find where the body ends (RFC 9112 §6.3); no HEAD is sent."""
        coding, length = self.fields.get("transfer-encoding", ""), self.fields.get("content-length", "")
        self.chunked, self.chunk_left, self.length = bool(coding), None, None
        if self.status in (http.client.NO_CONTENT, http.client.NOT_MODIFIED):
            self.chunked, self.length = False, 0
        elif coding.lower() == "chunked":
            pass
        elif not self.chunked and _LENGTH.fullmatch(length):
            self.length = int(length)
        else:  # it would end with its connection, and nothing would show that it broke off
            raise http.client.IncompleteRead(b"")
