"""The WSGI gateway: calls the application, and sends the blocks of its response as the client takes them (PEP 3333)."""

from collections.abc import Iterator

from cheroot.wsgi import Gateway_10

from davfs.doors.webdav.context import user_of
from davfs.doors.webdav.wire.connection_state import ConnectionState
from davfs.orthanc import Buffer


class Gateway(Gateway_10):
    """Calls the application. Takes blocks of any buffer type, and closes a connection whose response is too short."""

    def steps(self) -> Iterator[ConnectionState]:
        """Answer the request; yield where the client has to be waited for.

        An empty block before the response means that more of the request body has to come.
        """
        request, wfile = self.req, self.req.conn.wfile
        response = request.server.wsgi_app(self.env, self.start_response)
        try:
            for block in response:
                if len(block):
                    self.write(block)
                elif not self.started_response:
                    yield self._transfer(ConnectionState.REQUEST_BODY)
                while wfile.full:
                    yield self._transfer(ConnectionState.SEND_BUFFER)
                    wfile.send()
                if wfile.broken:
                    break
            else:
                request.ensure_headers_sent()
            if self.remaining_bytes_out and request.method != b"HEAD" and request.status[:3] != b"304":
                request.close_connection = True
        except GeneratorExit:
            wfile.drop()
            raise
        finally:
            request.conn.user = user_of(self.env) or request.conn.user
            if hasattr(response, "close"):
                response.close()

    def write(self, block: Buffer) -> None:
        """Send a block of the response.

        Raises:
            ValueError: The response is longer than its ``Content-Length``.
        """
        request = self.req
        if self.remaining_bytes_out is not None:
            self.remaining_bytes_out -= len(block)
            if self.remaining_bytes_out < 0:
                raise ValueError("the response is longer than its Content-Length")
        request.ensure_headers_sent()
        if request.method != b"HEAD":
            request.write(block)

    def _transfer(self, state: ConnectionState) -> ConnectionState:
        """Count the transfer for the user, who is known by now, or for the address where nobody logs in."""
        self.req.conn.transfer_owner = user_of(self.env) or self.req.conn.network
        return state
