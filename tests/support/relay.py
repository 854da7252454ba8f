"""A TCP relay in front of a server: counts what comes back, and can cut the connection."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Relay:
    """Listens on a free port of this machine, and passes on what it gets, until it is left.

    Args:
        port: Port of the server behind it.

    Attributes:
        received: Bytes that came from the server.
        cut_after: Bytes after which an answer ends, None for none.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.received = 0
        self.cut_after: int | None = None

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, back: bool) -> None:  # noqa: FBT001  a thread's argument
        with suppress(OSError), source, target:
            while data := source.recv(65536):
                self.received += len(data) if back else 0
                if back and self.cut_after is not None and self.received > self.cut_after:
                    break
                target.sendall(data)
            for one in (source, target):
                one.shutdown(socket.SHUT_RDWR)
